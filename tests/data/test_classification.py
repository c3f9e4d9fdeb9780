"""The sets of images to classify by their names, and their splits."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from thesis_lib import paths
from thesis_lib.data import classification
from thesis_lib.paths import REPOSITORY


def test_splits_hold_every_class_and_share_nothing():
    for data in ("digits", "faces"):
        split = classification.load_images(data, seed=1)
        parts = (split.train, split.validation, split.test)
        for part in parts:
            assert part.images.shape[0] == len(part.labels) and set(part.labels) == set(range(len(split.class_names)))
        assert sum(map(len, parts)) == {"digits": 1797, "faces": 100}[data]
        if data == "digits":
            whole = sorted(image.tobytes() for image in classification.bundled_digits()[0])
            assert sorted(image.tobytes() for part in parts for image in part.images) == whole
    files = [set(part.images.files) for part in parts]
    assert not files[0] & files[1] and not files[0] & files[2] and not files[1] & files[2]
    assert np.array_equal(classification.load_images("faces", 1).test.images.files, split.test.images.files)


def test_cifar10_is_taken_from_keras(monkeypatch):
    generator = np.random.default_rng(0)
    draw = lambda n: (
        generator.integers(0, 256, (n, 32, 32, 3)).astype(np.uint8),
        generator.integers(0, 10, (n, 1)).astype(np.uint8),
    )
    train, test = draw(5200), draw(30)
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: (train, test))
    split = classification.load_images("cifar10")
    assert (len(split.train), len(split.validation), len(split.test)) == (200, 5000, 30) and split.class_names[
        9
    ] == "truck"
    assert np.array_equal(split.test.images, test[0]) and np.array_equal(split.test.labels, test[1].ravel())
    seen = {image.tobytes(): label for image, label in zip(*train)}
    assert all(
        seen[image.tobytes()] == label
        for part in (split.train, split.validation)
        for image, label in zip(part.images, part.labels)
    )

    def fails():
        raise OSError("no network")

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", fails)
    with pytest.raises(FileNotFoundError, match="CIFAR-10 is not in Keras's folder .*no network"):
        classification.load_images("cifar10")


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
    split = classification.load_images("svhn")
    assert (len(split.train), len(split.validation), len(split.test)) == (100, 5000, 20)
    (tmp_path / "test_32x32.mat").write_bytes(b"no")
    with pytest.raises(ValueError, match="test_32x32.mat must be a MATLAB file"):
        classification.svhn()


def test_full_mnist_is_split():
    if not (paths.data_folder() / "mnist.npz").exists():
        pytest.skip("full MNIST is not under THESIS_DATA")
    split = classification.load_images("mnist")
    assert (len(split.train), len(split.validation), len(split.test)) == (55000, 5000, 10000) and split.image_shape == (
        28,
        28,
        1,
    )


def test_the_faces_are_what_their_script_draws(tmp_path):
    subprocess.run([sys.executable, REPOSITORY / "sample_data/make_faces.py", tmp_path], check=True)
    for file in (REPOSITORY / "sample_data" / "faces").rglob("*.*"):
        made = tmp_path / file.relative_to(REPOSITORY / "sample_data" / "faces")
        if file.suffix == ".png":
            assert np.abs(np.asarray(Image.open(made), int) - np.asarray(Image.open(file), int)).max() <= 2
        else:
            assert made.read_text() == file.read_text()


def test_data_that_are_not_there_are_named():
    with pytest.raises(ValueError, match="data must be one of digits, faces, mnist, cifar10, svhn, or a path; got 7"):
        classification.load_images(7)
    with pytest.raises(FileNotFoundError, match="data must be one of .*; got 'nowhere', which is none of these"):
        classification.load_images("nowhere")
    with pytest.raises(FileNotFoundError, match="must hold the table 'labels.csv'"):
        classification.load_images("thesis_lib")
