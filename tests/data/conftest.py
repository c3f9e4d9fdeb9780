"""Data sets that are read once for several tests, and a folder of photos with a table."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from thesis_lib import paths
from thesis_lib.data import digits


@pytest.fixture(scope="session")
def mnist_arrays():
    if not (paths.data_folder() / "mnist.npz").exists():
        pytest.skip("full MNIST is not under THESIS_DATA (mnist.npz)")
    return digits.mnist()


@pytest.fixture
def full_mnist(mnist_arrays, monkeypatch):
    """Loaders of full MNIST do not read the file again."""
    monkeypatch.setattr(digits, "mnist", lambda: mnist_arrays)


@pytest.fixture
def photos(tmp_path):
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
