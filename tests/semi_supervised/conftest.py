"""Images that are read once for several tests."""

import pytest

from thesis_lib.data import load_images


@pytest.fixture(scope="session")
def faces():
    return load_images("faces")
