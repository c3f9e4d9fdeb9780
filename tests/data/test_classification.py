"""The sets of images to classify by their names, and their splits."""

import re
import runpy
import sys

import keras
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from thesis_lib.data import classification, load_images
from thesis_lib.paths import REPOSITORY


def sizes(splits):
    return len(splits.train), len(splits.validation), len(splits.test)


def test_splits_hold_every_class_and_share_nothing():
    for data in ("digits", "faces"):
        splits = load_images(data, seed=1)
        parts = (splits.train, splits.validation, splits.test)
        for part in parts:
            assert part.images.shape[0] == len(part.labels) and set(part.labels) == set(range(len(splits.class_names)))
        assert sum(map(len, parts)) == {"digits": 1797, "faces": 100}[data]
        if data == "digits":
            whole = sorted(image.tobytes() for image in classification.bundled_digits()[0])
            assert sorted(image.tobytes() for part in parts for image in part.images) == whole
    files = [set(part.images.files) for part in parts]
    assert not files[0] & files[1] and not files[0] & files[2] and not files[1] & files[2]
    assert np.array_equal(load_images("faces", 1).test.images.files, splits.test.images.files)


def test_cifar10_is_taken_from_keras(monkeypatch):
    generator = np.random.default_rng(0)
    train, test = (
        (
            generator.integers(0, 256, (count, 32, 32, 3)).astype(np.uint8),
            generator.integers(0, 10, (count, 1)).astype(np.uint8),
        )
        for count in (5200, 30)
    )
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: (train, test))
    splits = load_images("cifar10")
    assert sizes(splits) == (200, 5000, 30) and splits.class_names[9] == "truck"
    assert np.array_equal(splits.test.images, test[0]) and np.array_equal(splits.test.labels, test[1].ravel())
    label_of = {image.tobytes(): label for image, label in zip(*train)}
    for part in (splits.train, splits.validation):
        assert [label_of[image.tobytes()] for image in part.images] == part.labels.tolist()

    def fails():
        raise OSError("no network")

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", fails)
    with pytest.raises(FileNotFoundError, match="CIFAR-10 is not in Keras's folder .*no network"):
        load_images("cifar10")


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
    copies = "20 of 20 test images of SVHN are copies of training images, pixel for pixel .the first is test image 0"
    with pytest.warns(UserWarning, match=copies):
        splits = load_images("svhn")
    assert sizes(splits) == (100, 5000, 20)
    (tmp_path / "test_32x32.mat").write_bytes(b"no")
    with pytest.raises(ValueError, match="test_32x32.mat must be a MATLAB file"):
        classification.svhn()


def test_full_mnist_is_split(full_mnist):
    splits = load_images("mnist")
    assert sizes(splits) == (55000, 5000, 10000) and splits.image_shape == (28, 28, 1)


def test_the_faces_are_what_their_script_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make_faces.py", str(tmp_path)])
    runpy.run_path(REPOSITORY / "sample_data" / "make_faces.py", run_name="__main__")
    for file in (REPOSITORY / "sample_data" / "faces").rglob("*.*"):
        made = tmp_path / file.relative_to(REPOSITORY / "sample_data" / "faces")
        if file.suffix == ".png":
            assert np.abs(np.asarray(Image.open(made), int) - np.asarray(Image.open(file), int)).max() <= 2
        else:
            assert made.read_text() == file.read_text()


def test_data_that_are_not_there_are_named():
    with pytest.raises(ValueError, match="data must be one of digits, faces, mnist, cifar10, svhn, or a path; got 7"):
        load_images(7)
    for no_name in ("", np.zeros(3), None):
        with pytest.raises(ValueError, match="data must be one of digits, .* or a path; got"):
            load_images(no_name)
    looked = re.escape(str(REPOSITORY))
    with pytest.raises(FileNotFoundError, match=f"data must be .*; got 'nowhere', which is .* not exist in {looked}"):
        load_images("nowhere")
    with pytest.raises(FileNotFoundError, match="must hold the table 'labels.csv'"):
        load_images("thesis_lib")
