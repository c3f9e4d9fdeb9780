"""Data sets that are read once for several tests."""

import pytest

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
