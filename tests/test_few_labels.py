import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import savemat

from thesis_lib.data import classification, few_labels
from thesis_lib.data.image_table import image_table

REPOSITORY = Path(__file__).parents[1]


def test_labels_are_kept_evenly_over_the_classes():
    labels = np.repeat([0, 1, 2, -1], [50, 30, 20, 40])
    chosen = few_labels.choose(labels, 20, 0)
    assert len(set(chosen)) == 20 and (labels[chosen] >= 0).all()
    assert sorted(np.bincount(labels[chosen])) == [6, 7, 7]
    assert np.array_equal(chosen, few_labels.choose(labels, 20, 0)) and not np.array_equal(chosen, few_labels.choose(labels, 20, 1))


def test_an_epoch_shows_every_unlabelled_image_once_and_labelled_ones_equally_often():
    labelled, unlabelled = np.arange(6).reshape(6, 1, 1, 1), 100 + np.arange(20).reshape(20, 1, 1, 1)
    batches = few_labels.Batches(labelled, np.arange(6) % 3, unlabelled, 3, 5, seed=1)
    seen = [batches[i][0] for i in range(len(batches))]
    assert len(seen) == 4
    assert sorted(np.concatenate([b["unlabelled"].ravel() for b in seen])) == list(range(100, 120))
    assert np.bincount(np.concatenate([b["labelled"].ravel() for b in seen])).tolist() == [2] * 6
    for b in seen:
        assert np.array_equal(b["labels"], b["labelled"].ravel() % 3)
        assert np.array_equal(b["unlabelled_index"], b["unlabelled"].ravel() - 100 + 6) and np.array_equal(b["labelled_index"], b["labelled"].ravel())
    batches.on_epoch_end()
    assert not np.array_equal(batches[0][0]["unlabelled"], seen[0]["unlabelled"])


@pytest.mark.parametrize("count", [5, 7, 40])  # an epoch shows 12 labelled images
def test_labelled_images_are_shown_equally_often_from_epoch_to_epoch(count):
    images = np.zeros((20, 1, 1, 1))
    batches, often = few_labels.Batches(np.zeros((count, 1, 1, 1)), np.zeros(count, int), images, 3, 5), np.zeros(count, int)
    for _ in range(9):
        for i in range(len(batches)):
            np.add.at(often, batches[i][0]["labelled_index"], 1)
        assert often.max() - often.min() <= 1
        batches.on_epoch_end()
    assert often.sum() == 9 * 12


@pytest.fixture
def folder(tmp_path):
    """Six images of several sizes, formats and modes; the last two without a label."""
    generator = np.random.default_rng(0)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    shape = {"L": (9, 12), "RGB": (20, 7, 3), "RGBA": (8, 8, 4), "1": (6, 6), "I;16": (5, 5)}
    rows = []
    for i, (mode, name) in enumerate([("L", "a.png"), ("RGB", "deep/b.jpg"), ("RGBA", "deep/er/c.png"), ("I;16", "d.png"), ("1", "e.tif"), ("RGB", "f.bmp")]):
        if mode == "1":
            picture = Image.fromarray(generator.random(shape[mode]) < 0.5)
        else:
            picture = Image.fromarray(generator.integers(0, 65536 if mode == "I;16" else 256, shape[mode]).astype("uint16" if mode == "I;16" else "uint8"))
        picture.save(tmp_path / name)
        rows.append((name, ["cat", "dog", "cat", "dog", "", ""][i]))
    pd.DataFrame(rows, columns=["file", "label"]).to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


@pytest.mark.parametrize("mode, channels", [("RGB", 3), ("L", 1)])
def test_a_table_reads_images_of_any_size_and_mode(folder, mode, channels):
    table = image_table(folder, size=(8, 10), mode=mode)
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
    assert np.array_equal(image_table(path)[:], image_table(folder)[:])


def write(folder, text):
    (folder / "labels.csv").write_text(text)


@pytest.mark.parametrize(
    "text, error, message",
    [
        ("name,label\na.png,cat\n", ValueError, "labels.csv must have the column 'file' once; it has 'name', 'label'"),
        ("file;label\na.png;cat\n", ValueError, "labels.csv must have the column 'file' once; it has 'file;label'"),
        ("file,label\n\n\na.png,cat\nz.png,cat\n", FileNotFoundError, "row 5: 'z.png' is not in"),
        ("file,label\na.png,cat,large\n", ValueError, "row 2: there must be no more than 2 values; got 'a.png,cat,large'"),
        ('file,label\n"a.png,cat\n', ValueError, "labels.csv must be a CSV table in UTF-8"),
        ("file,label\nz.png,cat\n", FileNotFoundError, "row 2: 'z.png' is not in"),
        ("file,label\na.png,cat\na.png,dog\n", ValueError, "row 3: 'a.png' is named twice"),
        ("file,label\na.png,cat\n../secret.png,dog\n", ValueError, "row 3: file must be a path below .*; got '../secret.png'"),
        ("file,label\na.png,cat\n./a.png,dog\n", ValueError, "row 3: 'a.png' is named twice"),
        ("file,label\n/etc/passwd,cat\n", ValueError, "row 2: file must be a path below"),
        ("file,label\na.png,\n", ValueError, "must give some images a label; column 'label' is empty"),
        ("file,label\n", ValueError, "must name at least one image"),
        ("", ValueError, "must have the column 'file' once; it has none"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_named_with_its_row(folder, text, error, message):
    write(folder, text)
    with pytest.raises(error, match=message):
        image_table(folder)


def test_commas_at_the_end_of_rows_and_missing_ones_are_no_error(folder):
    write(folder, "file, label,\na.png,cat,\nd.png\n\ne.tif,dog,,\n")
    table = image_table(folder)
    assert table.files.tolist() == ["a.png", "d.png", "e.tif"] and table.labels.tolist() == [0, -1, 1]


def test_what_is_in_a_zip_file_counts_not_how_it_is_called(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    with zipfile.ZipFile(other / "PHOTOS.ZIP", "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, file.relative_to(folder))
    plain = image_table(folder)[:]
    shutil.copytree(folder, other / "unpacked.zip")
    for root in (other / "PHOTOS.ZIP", other / "unpacked.zip"):
        assert np.array_equal(image_table(root)[:], plain)
    content = bytearray((other / "PHOTOS.ZIP").read_bytes())
    with zipfile.ZipFile(other / "PHOTOS.ZIP") as archive:
        member = archive.getinfo("a.png")
    content[member.header_offset + 60] ^= 255
    (other / "PHOTOS.ZIP").write_bytes(content)
    with pytest.raises(ValueError, match="a.png cannot be read: "):
        image_table(other / "PHOTOS.ZIP").check()
    with pytest.warns(UserWarning, match="1 of 6 images were left out"):
        assert "a.png" not in image_table(other / "PHOTOS.ZIP", skip_damaged=True).files


def test_a_size_is_a_pair(folder):
    with pytest.raises(ValueError, match="size must be two lengths, height and width; got 64"):
        image_table(folder, size=64)


def test_a_damaged_image_is_named_or_left_out_when_asked(folder):
    content = (folder / "deep" / "b.jpg").read_bytes()
    (folder / "deep" / "b.jpg").write_bytes(content[: len(content) // 2])
    (folder / "d.png").write_text("not an image")
    table = image_table(folder)
    with pytest.raises(ValueError, match="b.jpg is not a whole image file"):
        table[[1]]
    with pytest.raises(ValueError, match=r"2 of 6 images cannot be read \(skip_damaged leaves them out\): .*b.jpg"):
        table.check()
    with pytest.warns(UserWarning, match="2 of 6 images were left out; .*b.jpg"):
        assert image_table(folder, skip_damaged=True).files.tolist() == ["a.png", "deep/er/c.png", "e.tif", "f.bmp"]


def test_a_link_that_leads_outside_is_refused(folder, tmp_path_factory):
    secret = tmp_path_factory.mktemp("outside") / "secret.png"
    Image.new("L", (4, 4)).save(secret)
    (folder / "link.png").symlink_to(secret)
    write(folder, "file,label\nlink.png,cat\n")
    with pytest.raises(ValueError, match="link that leads outside"):
        image_table(folder)


def test_the_contents_of_a_zip_file_are_listed_once(folder, tmp_path_factory, monkeypatch):
    path = Path(shutil.make_archive(tmp_path_factory.mktemp("zip") / "images", "zip", folder))
    listed, whole = [], zipfile.ZipFile
    monkeypatch.setattr(zipfile, "ZipFile", lambda *args: listed.append(args) or whole(*args))
    table = image_table(path)
    table.check()
    assert len(table[:]) == 6 and len(listed) <= 2  # once to see what there is
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
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or read_bytes(path))
    table = image_table(tmp_path, size=(2, 2))
    assert len(table) == 2000 and read == ["labels.csv"]
    table[[5, 7]]
    assert read == ["labels.csv", "5.png", "7.png"]


def test_splits_hold_every_class_and_share_nothing(folder):
    for data in ("digits", "faces"):
        split = classification.classification(data, seed=1)
        parts = (split.train, split.validation, split.test)
        for part in parts:
            assert part.images.shape[0] == len(part.labels) and set(part.labels) == set(range(len(split.class_names)))
        assert sum(map(len, parts)) == {"digits": 1797, "faces": 100}[data]
        if data == "digits":
            whole = sorted(image.tobytes() for image in classification.bundled_digits()[0])
            assert sorted(image.tobytes() for part in parts for image in part.images) == whole
    files = [set(part.images.files) for part in parts]
    assert not files[0] & files[1] and not files[0] & files[2] and not files[1] & files[2]
    assert np.array_equal(classification.classification("faces", 1).test.images.files, split.test.images.files)


def test_images_without_a_label_train(folder):
    rows = [(f"{i}.png", "ab"[i % 2] if i < 12 else "") for i in range(20)]
    for name, _ in rows:
        Image.new("L", (4, 4)).save(folder / name)
    pd.DataFrame(rows, columns=["file", "label"]).to_csv(folder / "labels.csv", index=False)
    split = classification.classification(folder, size=(4, 4))
    assert (split.train.labels < 0).sum() == 8 and (split.validation.labels >= 0).all() and (split.test.labels >= 0).all()
    write(folder, "file,label\na.png,cat\ne.tif,cat\nf.bmp,dog\nd.png,cat\n")
    with pytest.raises(ValueError, match="at least 3 images of each class, .*; 'dog' has 1"):
        classification.classification(folder)


def test_cifar10_is_taken_from_keras(monkeypatch):
    generator = np.random.default_rng(0)
    draw = lambda n: (generator.integers(0, 256, (n, 32, 32, 3)).astype(np.uint8), generator.integers(0, 10, (n, 1)).astype(np.uint8))
    train, test = draw(5200), draw(30)
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: (train, test))
    split = classification.classification("cifar10")
    assert (len(split.train), len(split.validation), len(split.test)) == (200, 5000, 30) and split.class_names[9] == "truck"
    assert np.array_equal(split.test.images, test[0]) and np.array_equal(split.test.labels, test[1].ravel())
    seen = {image.tobytes(): label for image, label in zip(*train)}
    assert all(seen[image.tobytes()] == label for part in (split.train, split.validation) for image, label in zip(part.images, part.labels))

    def fails():
        raise OSError("no network")

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", fails)
    with pytest.raises(FileNotFoundError, match="CIFAR-10 is not in Keras's folder .*no network"):
        classification.classification("cifar10")


def test_svhn_is_read_from_its_files(tmp_path, monkeypatch):
    monkeypatch.setenv("THESIS_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="train_32x32.mat is not there"):
        classification.svhn()
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (32, 32, 3, 5100)).astype(np.uint8)
    savemat(tmp_path / "train_32x32.mat", {"X": images, "y": np.arange(5100)[:, None] % 10 + 1})
    savemat(tmp_path / "test_32x32.mat", {"X": images[..., :20], "y": np.full((20, 1), 10)})
    (train, labels), (test, test_labels) = classification.svhn()
    assert train.shape == (5100, 32, 32, 3) and np.array_equal(train[7], images[..., 7])
    assert labels[:10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0] and (test_labels == 0).all()
    split = classification.classification("svhn")
    assert (len(split.train), len(split.validation), len(split.test)) == (100, 5000, 20)
    (tmp_path / "test_32x32.mat").write_bytes(b"no")
    with pytest.raises(ValueError, match="test_32x32.mat must be a MATLAB file"):
        classification.svhn()


def test_full_mnist_is_split():
    from thesis_lib.data import digits

    if not (digits.data_folder() / "mnist.npz").exists():
        pytest.skip("full MNIST is not under THESIS_DATA")
    split = classification.classification("mnist")
    assert (len(split.train), len(split.validation), len(split.test)) == (55000, 5000, 10000) and split.image_shape == (28, 28, 1)


def test_the_faces_are_what_their_script_draws(tmp_path):
    subprocess.run([sys.executable, REPOSITORY / "sample_data/make_faces.py", tmp_path], check=True)
    for file in (REPOSITORY / "sample_data" / "faces").rglob("*.*"):
        made = tmp_path / file.relative_to(REPOSITORY / "sample_data" / "faces")
        if file.suffix == ".png":
            assert np.abs(np.asarray(Image.open(made), int) - np.asarray(Image.open(file), int)).max() <= 2
        else:
            assert made.read_text() == file.read_text()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: few_labels.choose([-1, -1], 1, 0), "labels must hold a label for some images; none has one"),
        (lambda: few_labels.choose([0, 0, 1], 1, 0), "count of labelled images must be a whole number from 2 to 3; got 1"),
        (lambda: few_labels.choose([0, 0, 1], 4, 0), "count of labelled images must be a whole number from 2 to 3; got 4"),
        (lambda: few_labels.choose([0] * 9 + [1], 8, 0), "8 asks for 4 of class 1, which has 1"),
        (lambda: few_labels.Batches(np.zeros((3, 2, 2, 1)), [0, 1], np.zeros((3, 2, 2, 1)), 1, 1), "must be as many, and not empty; got 3 and 2"),
        (lambda: few_labels.Batches(np.zeros((0, 2, 2, 1)), [], np.zeros((3, 2, 2, 1)), 1, 1), "not empty; got 0 and 0"),
        (lambda: few_labels.Batches(np.zeros((2, 2, 2, 1)), [0, -1], np.zeros((3, 2, 2, 1)), 1, 1), "without a label among the labelled"),
        (lambda: few_labels.Batches(np.zeros((2, 2, 2, 1)), [[0], [1]], np.zeros((3, 2, 2, 1)), 1, 1), r"labels must be whole numbers of shape \(N,\); got shape \(2, 1\)"),
        (lambda: few_labels.Batches(np.zeros((2, 2, 2, 1)), [0.5, 1], np.zeros((3, 2, 2, 1)), 1, 1), "labels must be whole numbers .*float64"),
        (lambda: few_labels.Batches(np.zeros((2, 2, 2, 1)), [0, 1], np.zeros((3, 2, 2)), 1, 1), r"of the labelled ones, \(2, 2, 1\), and not empty; got \(3, 2, 2\)"),
        (lambda: few_labels.Batches(np.zeros((2, 2, 2, 1)), [0, 1], np.zeros((0, 2, 2, 1)), 1, 1), r"and not empty; got \(0, 2, 2, 1\)"),
        (lambda: few_labels.Batches(np.zeros((2, 2, 2, 1)), [0, 1], np.zeros((3, 2, 2, 1)), 3, 1), "batch_size must be a whole number from 1 to 2; got 3"),
        (lambda: few_labels.Batches(np.zeros((2, 2, 2, 1)), [0, 1], np.zeros((3, 2, 2, 1)), 1, 4), "unlabelled_batch_size must be .* from 1 to 3; got 4"),
        (lambda: classification.classification(7), "data must be one of digits, faces, mnist, cifar10, svhn, or a path; got 7"),
    ],
)  # fmt: skip
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_path_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match="data must be one of .*; got 'nowhere', which is none of these"):
        classification.classification("nowhere")
    with pytest.raises(FileNotFoundError, match="must hold the table 'labels.csv'"):
        classification.classification("thesis_lib")
