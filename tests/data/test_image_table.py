"""Folders and zip files of images with a table of labels."""

import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from thesis_lib.data import Images, load_image_table, load_images


@pytest.mark.parametrize("mode, channels", [("RGB", 3), ("L", 1)])
def test_a_table_reads_images_of_any_size_and_mode(photos, mode, channels):
    table = load_image_table(photos, size=(8, 10), mode=mode)
    assert len(table) == 6 and table.shape == (6, 8, 10, channels) and table.class_names == ("cat", "dog")
    assert table.labels.tolist() == [0, 1, 0, 1, -1, -1]
    images = table[np.array([3, 0])]
    assert images.shape == (2, 8, 10, channels) and images.dtype == np.uint8
    assert images[0].max() > 100  # 16 bits are scaled, not cut off
    assert np.array_equal(table.part(np.array([3, 0]))[:], images)
    grey = np.asarray(Image.open(photos / "a.png").resize((10, 8), Image.Resampling.BILINEAR))
    assert np.array_equal(images[1, ..., 0], grey)


def write(photos, text):
    (photos / "labels.csv").write_text(text)


@pytest.mark.parametrize(
    "text, error, message",
    [
        (
            "name,label\na.png,cat\n",
            ValueError,
            "column 'file' once, as file_column says; it has 'name', 'label'",
        ),
        (
            "file;label\na.png;cat\n",
            ValueError,
            "column 'file' once, as file_column says; it has 'file;label'",
        ),
        ("file,label\n\n\na.png,cat\nz.png,cat\n", FileNotFoundError, "row 5: 'z.png' is not in"),
        (
            "file,label\na.png,cat,large\n",
            ValueError,
            "row 2: there must be no more than 2 values; got 'a.png,cat,large'",
        ),
        (
            'file,label\n"a.png,cat\n',
            ValueError,
            "labels.csv must be a CSV table in UTF-8: line 2: a quoted cell is not",
        ),
        ('file,label\na.png,"a\ncat"\nz.png,cat\n', FileNotFoundError, "row 4: 'z.png' is not in"),
        ("file,label\nz.png,cat\n", FileNotFoundError, "row 2: 'z.png' is not in"),
        ("file,label\na.png,cat\na.png,dog\n", ValueError, "row 3: 'a.png' is named twice"),
        (
            "file,label\na.png,cat\n../secret.png,dog\n",
            ValueError,
            "row 3: file must be a path below .*; got '../secret.png'",
        ),
        ("file,label\na.png,cat\n./a.png,dog\n", ValueError, "row 3: 'a.png' is named twice"),
        ("file,label\n/etc/passwd,cat\n", ValueError, "row 2: file must be a path below"),
        ("file,label\na.png,\n", ValueError, "must give some images a label; column 'label' is empty"),
        ("file,label\n", ValueError, "must name at least one image"),
        ("", ValueError, "must have the column 'file' once, as file_column says; it has none"),
    ],
)
def test_a_wrong_table_is_named_with_its_row(photos, text, error, message):
    write(photos, text)
    with pytest.raises(error, match=message):
        load_image_table(photos)


def test_commas_at_the_end_of_rows_and_missing_ones_are_no_error(photos):
    write(photos, "file, label,\na.png,cat,\nd.png\n\ne.tif,dog,,\n")
    table = load_image_table(photos)
    assert table.files.tolist() == ["a.png", "d.png", "e.tif"] and table.labels.tolist() == [0, -1, 1]


def test_labels_are_text_whatever_they_say(photos):
    (photos / "labels.csv").write_text(
        'file,label\na.png,NA\nd.png, null \ne.tif,1.0\nf.bmp,"one, two"\ndeep/b.jpg,None\n', encoding="utf-8-sig"
    )
    table = load_image_table(photos)
    assert [table.class_names[k] for k in table.labels] == ["NA", "null", "1.0", "one, two", "None"]


def test_a_size_is_a_pair(photos):
    with pytest.raises(ValueError, match="size must be two lengths, height and width; got 64"):
        load_image_table(photos, size=64)


def test_listing_many_files_opens_and_asks_for_none_of_them(tmp_path, monkeypatch):
    """So 100,000 files take seconds: the folder is listed once, and nothing is read but the table."""
    Image.new("L", (2, 2)).save(tmp_path / "0.png")
    names = [f"{i}.png" for i in range(2000)]
    for name in names[1:]:
        (tmp_path / name).hardlink_to(tmp_path / "0.png")
    pd.DataFrame({"file": names, "label": "x"}).to_csv(tmp_path / "labels.csv", index=False)
    read, read_bytes = [], Path.read_bytes

    def recorded(path):
        read.append(path.name)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", recorded)
    table = load_image_table(tmp_path, size=(2, 2))
    assert len(table) == 2000 and not read
    table[[5, 7]]
    assert read == ["5.png", "7.png"]


def test_images_without_a_label_train(photos):
    rows = [(f"{i}.png", "ab"[i % 2] if i < 12 else "") for i in range(20)]
    for name, _ in rows:
        Image.new("L", (4, 4)).save(photos / name)
    pd.DataFrame(rows, columns=["file", "label"]).to_csv(photos / "labels.csv", index=False)
    split = load_images(photos, size=(4, 4))
    assert (
        (split.train.labels < 0).sum() == 8 and (split.validation.labels >= 0).all() and (split.test.labels >= 0).all()
    )
    write(photos, "file,label\na.png,cat\ne.tif,cat\nf.bmp,dog\nd.png,cat\n")
    with pytest.raises(ValueError, match="at least 3 images of each class, .*; 'dog' has 1"):
        load_images(photos)


def test_names_are_the_same_in_either_form_of_unicode_and_with_either_slash(photos):
    (photos / "a.png").rename(photos / "deep" / unicodedata.normalize("NFD", "Käfer.png"))
    rows = (
        "deep\\" + unicodedata.normalize("NFC", "Käfer.png") + ",Tür",
        "d.png," + unicodedata.normalize("NFD", "Tür"),
    )
    (photos / "labels.csv").write_text("file,label\n" + "\n".join(rows), encoding="utf-8")
    table = load_image_table(photos)
    assert table.class_names == (unicodedata.normalize("NFC", "Tür"),) and len(table[:]) == 2
    write(photos, "file,label\n..\\secret.png,dog\n")
    with pytest.raises(ValueError, match="file must be a path below"):
        load_image_table(photos)


def test_a_columns_name_may_be_a_number(photos):
    write(photos, "file,2024,01\na.png,cat,dog\n")
    assert load_image_table(photos, label_column=2024).class_names == ("cat",)
    with pytest.raises(ValueError, match="must have the column '1' once, .*papermill's -r, not -p, keeps"):
        load_image_table(photos, label_column=1)
    with pytest.raises(ValueError, match="label_column must be a column's name; got 1.5"):
        load_image_table(photos, label_column=1.5)


def test_a_folder_for_each_class_is_a_table(tmp_path):
    for name in ("cat/1.png", "cat/2.png", "dog/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (4, 4)).save(tmp_path / name)
    (tmp_path / "cat" / "3.heic").write_bytes(b"of another kind")
    (tmp_path / "dog" / ".DS_Store").write_bytes(b"hidden")
    with pytest.warns(UserWarning, match="1 files below .* do not end like images: cat/3.heic"):
        table = load_image_table(tmp_path)
    assert table.files.tolist() == ["cat/1.png", "cat/2.png", "dog/1.jpg"] and table.labels.tolist() == [0, 0, 1]
    assert table.class_names == ("cat", "dog")
    (tmp_path / "dog" / "large").mkdir()
    (tmp_path / "dog" / "1.jpg").rename(tmp_path / "dog" / "large" / "1.jpg")
    with pytest.raises(FileNotFoundError, match="one folder for each class; got 'dog/large/1.jpg'"):
        load_image_table(tmp_path)


@pytest.mark.parametrize("wrong", [2.5, 99, [0, 99], 2**70, None, "a"])
def test_numbers_of_no_image_are_named(photos, wrong):
    table = load_image_table(photos)
    for choose in (table.part, table.__getitem__, Images(table, table.labels).view):
        with pytest.raises(ValueError, match=r"numbers must be numbers of the \d+ items, or a mask of them; got"):
            choose(wrong)
    assert len(table.part(1)) == 1 and len(table.part(table.labels == 0)) == (table.labels == 0).sum()


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"root": None}, "root must be a path; got None"),
        ({"root": "a\0"}, "root must be a folder or a zip file of images; got"),
        ({"root": ""}, "root must be a path; got ''"),
        ({"root": 10**5000}, "root must be a path; got"),
        ({"size": [[1], [1, 2]]}, "size must be an array, its rows of one length"),
        ({"size": (8, 10**400)}, "size must be a whole number from 1 to 32768"),
        ({"group_column": True}, "group_column must be a column's name; got True"),
    ],
)
def test_what_is_no_path_size_or_name_is_named(photos, wrong, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_image_table(**{"root": photos, **wrong})
