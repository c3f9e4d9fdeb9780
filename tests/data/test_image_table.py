"""Folders and zip files of images with a table of labels."""

import os
import shutil
import unicodedata
import zipfile
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from thesis_lib.data import Images, load_image_table, load_images


@pytest.fixture
def folder(tmp_path):
    """Six images of several sizes, formats and modes; the last two without a label."""
    generator = np.random.default_rng(0)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    images = {
        "a.png": generator.integers(0, 256, (9, 12), np.uint8),
        "deep/b.jpg": generator.integers(0, 256, (20, 7, 3), np.uint8),
        "deep/er/c.png": generator.integers(0, 256, (8, 8, 4), np.uint8),
        "d.png": generator.integers(0, 65536, (5, 5), np.uint16),
        "e.tif": generator.random((6, 6)) < 0.5,
        "f.bmp": generator.integers(0, 256, (20, 7, 3), np.uint8),
    }
    for name, image in images.items():
        Image.fromarray(image).save(tmp_path / name)
    rows = list(zip(images, ["cat", "dog", "cat", "dog", "", ""]))
    pd.DataFrame(rows, columns=["file", "label"]).to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


@pytest.mark.parametrize("mode, channels", [("RGB", 3), ("L", 1)])
def test_a_table_reads_images_of_any_size_and_mode(folder, mode, channels):
    table = load_image_table(folder, size=(8, 10), mode=mode)
    assert len(table) == 6 and table.shape == (6, 8, 10, channels) and table.class_names == ("cat", "dog")
    assert table.labels.tolist() == [0, 1, 0, 1, -1, -1]
    images = table[np.array([3, 0])]
    assert images.shape == (2, 8, 10, channels) and images.dtype == np.uint8
    assert images[0].max() > 100  # 16 bits are scaled, not cut off
    assert np.array_equal(table.part(np.array([3, 0]))[:], images)
    grey = np.asarray(Image.open(folder / "a.png").resize((10, 8), Image.Resampling.BILINEAR))
    assert np.array_equal(images[1, ..., 0], grey)


def test_a_zip_file_reads_like_its_folder(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("zip") / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, file.relative_to(folder))
    assert np.array_equal(load_image_table(path)[:], load_image_table(folder)[:])


def write(folder, text):
    (folder / "labels.csv").write_text(text)


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
def test_a_wrong_table_is_named_with_its_row(folder, text, error, message):
    write(folder, text)
    with pytest.raises(error, match=message):
        load_image_table(folder)


def test_commas_at_the_end_of_rows_and_missing_ones_are_no_error(folder):
    write(folder, "file, label,\na.png,cat,\nd.png\n\ne.tif,dog,,\n")
    table = load_image_table(folder)
    assert table.files.tolist() == ["a.png", "d.png", "e.tif"] and table.labels.tolist() == [0, -1, 1]


def test_labels_are_text_whatever_they_say(folder):
    (folder / "labels.csv").write_text(
        'file,label\na.png,NA\nd.png, null \ne.tif,1.0\nf.bmp,"one, two"\ndeep/b.jpg,None\n', encoding="utf-8-sig"
    )
    table = load_image_table(folder)
    assert [table.class_names[k] for k in table.labels] == ["NA", "null", "1.0", "one, two", "None"]


def test_what_is_in_a_zip_file_counts_not_how_it_is_called(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    with zipfile.ZipFile(other / "PHOTOS.ZIP", "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, file.relative_to(folder))
    plain = load_image_table(folder)[:]
    shutil.copytree(folder, other / "unpacked.zip")
    for root in (other / "PHOTOS.ZIP", other / "unpacked.zip"):
        assert np.array_equal(load_image_table(root)[:], plain)
    content = bytearray((other / "PHOTOS.ZIP").read_bytes())
    with zipfile.ZipFile(other / "PHOTOS.ZIP") as archive:
        member = archive.getinfo("a.png")
    content[member.header_offset + 60] ^= 255
    (other / "PHOTOS.ZIP").write_bytes(content)
    with pytest.raises(ValueError, match="a.png cannot be read: "):
        load_image_table(other / "PHOTOS.ZIP").check()
    with pytest.warns(UserWarning, match="1 of 6 images were left out"):
        assert "a.png" not in load_image_table(other / "PHOTOS.ZIP", skip_damaged=True).files


def test_a_size_is_a_pair(folder):
    with pytest.raises(ValueError, match="size must be two lengths, height and width; got 64"):
        load_image_table(folder, size=64)


def test_a_damaged_zip_file_is_named(folder, tmp_path):
    archive = tmp_path / "damaged.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(folder / "labels.csv", "labels.csv")
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\1\2") + 1] = 0  # of the central directory
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="damaged.zip must be a whole zip file; it is damaged"):
        load_image_table(archive)


def test_a_damaged_table_in_a_zip_file_is_named(folder, tmp_path):
    archive = tmp_path / "damaged.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(folder / "labels.csv", "labels.csv")
    content = bytearray(archive.read_bytes())
    content[content.index(b"file") + 1] ^= 1  # of the table
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="labels.csv cannot be read: Bad CRC-32"):
        load_image_table(archive)


def test_a_damaged_image_is_named_or_left_out_when_asked(folder):
    with pytest.raises(ValueError, match="skip_damaged must be True or False; got 'false'"):
        load_image_table(folder, skip_damaged="false")
    content = (folder / "deep" / "b.jpg").read_bytes()
    (folder / "deep" / "b.jpg").write_bytes(content[: len(content) // 2])
    (folder / "d.png").write_text("not an image")
    table = load_image_table(folder)
    with pytest.raises(ValueError, match="b.jpg cannot be read as an image"):
        table[[1]]
    with pytest.raises(ValueError, match=r"2 of 6 images cannot be read \(skip_damaged leaves them out\): .*b.jpg"):
        table.check()
    with pytest.warns(UserWarning, match="2 of 6 images were left out; .*b.jpg"):
        assert load_image_table(folder, skip_damaged=True).files.tolist() == [
            "a.png",
            "deep/er/c.png",
            "e.tif",
            "f.bmp",
        ]


def test_a_link_that_leads_outside_is_refused(folder, tmp_path_factory):
    secret = tmp_path_factory.mktemp("outside") / "secret.png"
    Image.new("L", (4, 4)).save(secret)
    (folder / "link.png").symlink_to(secret)
    write(folder, "file,label\nlink.png,cat\n")
    with pytest.raises(ValueError, match="link that leads outside"):
        load_image_table(folder)
    outside = secret.with_name("labels.csv")
    (folder / "labels.csv").rename(outside)
    (folder / "labels.csv").symlink_to(outside)
    with pytest.raises(ValueError, match="labels.csv is a link that leads outside"):
        load_image_table(folder)


def test_the_contents_of_a_zip_file_are_listed_once(folder, tmp_path_factory, monkeypatch):
    path = Path(shutil.make_archive(tmp_path_factory.mktemp("zip") / "images", "zip", folder))
    zip_file = Mock(wraps=zipfile.ZipFile)
    monkeypatch.setattr(zipfile, "ZipFile", zip_file)
    table = load_image_table(path)
    table.check()
    assert len(table[:]) == 6 and zip_file.call_count <= 2  # once to see what there is
    monkeypatch.undo()
    Image.new("L", (9, 12), 77).save(folder / "a.png")
    shutil.make_archive(path.with_suffix(""), "zip", folder)
    assert (table[[0]] == 77).all()  # another archive at the same place is read anew


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


def test_images_without_a_label_train(folder):
    rows = [(f"{i}.png", "ab"[i % 2] if i < 12 else "") for i in range(20)]
    for name, _ in rows:
        Image.new("L", (4, 4)).save(folder / name)
    pd.DataFrame(rows, columns=["file", "label"]).to_csv(folder / "labels.csv", index=False)
    split = load_images(folder, size=(4, 4))
    assert (
        (split.train.labels < 0).sum() == 8 and (split.validation.labels >= 0).all() and (split.test.labels >= 0).all()
    )
    write(folder, "file,label\na.png,cat\ne.tif,cat\nf.bmp,dog\nd.png,cat\n")
    with pytest.raises(ValueError, match="at least 3 images of each class, .*; 'dog' has 1"):
        load_images(folder)


@pytest.mark.parametrize("name", ["labels.csv", "a.png"])
def test_a_pipe_is_refused_and_not_waited_for(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ValueError, match=f"{name} must be a file; got a pipe or device"):
        load_image_table(folder).check()


def test_the_first_dozen_damaged_images_of_all_parts_are_named(folder):
    names = [f"{i:02}.png" for i in range(30)]
    for i, name in enumerate(names):
        Image.new("L", (4, 4), i).save(folder / name)
    write(folder, "file,label\n" + "".join(f"{name},{'ab'[i % 2]}\n" for i, name in enumerate(names)))
    splits = load_images(folder)
    damaged = [part.images.files[0] for part in (splits.train, splits.validation, splits.test)]
    for name in damaged:
        (folder / name).write_bytes(b"")
    with pytest.raises(ValueError, match="3 of 30 images cannot be read") as raised:
        splits.check()
    assert all(name in str(raised.value) for name in damaged)
    for name in names:
        (folder / name).write_bytes(b"")
    with pytest.raises(ValueError, match="30 of 30 images cannot be read .*; and 18 more"):
        splits.check()


def test_what_is_no_image_is_not_called_damaged(folder):
    (folder / "a.png").write_bytes(b"%PDF-1.7 of another kind")
    with pytest.raises(ValueError, match="a.png cannot be read as an image: not of a supported kind"):
        load_image_table(folder)[[0]]


def test_a_compressed_folder_reads_like_the_folder(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("zip") / "photographs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, f"photographs/{file.relative_to(folder)}")
            archive.writestr(f"__MACOSX/photographs/._{file.name}", b"\0\5\x16\7")
    assert np.array_equal(load_image_table(path)[:], load_image_table(folder)[:])


def test_names_are_the_same_in_either_form_of_unicode_and_with_either_slash(folder):
    (folder / "a.png").rename(folder / "deep" / unicodedata.normalize("NFD", "Käfer.png"))
    rows = (
        "deep\\" + unicodedata.normalize("NFC", "Käfer.png") + ",Tür",
        "d.png," + unicodedata.normalize("NFD", "Tür"),
    )
    (folder / "labels.csv").write_text("file,label\n" + "\n".join(rows), encoding="utf-8")
    table = load_image_table(folder)
    assert table.class_names == (unicodedata.normalize("NFC", "Tür"),) and len(table[:]) == 2
    write(folder, "file,label\n..\\secret.png,dog\n")
    with pytest.raises(ValueError, match="file must be a path below"):
        load_image_table(folder)


def test_a_columns_name_may_be_a_number(folder):
    write(folder, "file,2024,01\na.png,cat,dog\n")
    assert load_image_table(folder, label_column=2024).class_names == ("cat",)
    with pytest.raises(ValueError, match="must have the column '1' once, .*papermill's -r, not -p, keeps"):
        load_image_table(folder, label_column=1)
    with pytest.raises(ValueError, match="label_column must be a column's name; got 1.5"):
        load_image_table(folder, label_column=1.5)


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
def test_numbers_of_no_image_are_named(folder, wrong):
    table = load_image_table(folder)
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
def test_what_is_no_path_size_or_name_is_named(folder, wrong, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_image_table(**{"root": folder, **wrong})
