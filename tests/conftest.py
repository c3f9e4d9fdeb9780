"""Small label maps whose answers can be worked out by hand."""

import sys

import matplotlib
import numpy as np
import pytest
from PIL import Image
from raster_cases import COLOURS, write_table
from scipy import ndimage

matplotlib.use("agg")

LONGEST = (  # the files that take longest, in that order: of files side by side, the last to start should be short
    "test_report.py",
    "test_fit.py",
    "test_run.py",
    "test_state.py",
    "test_callbacks.py",
    "test_teachers.py",
    "test_backends.py",
    "test_quick.py",
    "test_stopped_run.py",
    "04_compare_targets.ipynb",
    "test_comparison.py",
    "test_prediction.py",
    "test_export.py",
    "test_fuzz.py",
    "08_buildings.ipynb",
    "06_mean_teacher.ipynb",
    "07_mixmatch.ipynb",
    "test_deeplab.py",
    "01_boundary_prior.ipynb",
    "test_widgets.py",
    "test_install.py",
    "test_classifiers.py",
    "05_pseudo_label.ipynb",
    "03_train_segmentation.ipynb",
    "02_soft_labels.ipynb",
)
SHORT = {  # parameters with which notebooks that train are tested: none of their compared outputs depends on a training
    "00_your_images.ipynb": "epochs = 1",
    "03_train_segmentation.ipynb": "epochs = 1",
    "05_pseudo_label.ipynb": "epochs, seeds = 1, [0]; settings['pretraining_epochs'] = 1",
    "06_mean_teacher.ipynb": "epochs, seeds = 1, [0]",
    "07_mixmatch.ipynb": "epochs, seeds = 1, [0]",
    "08_buildings.ipynb": "epochs = 1; settings |= {'filters': 8, 'crops_per_image': 2}",
    "09_train_few_labels.ipynb": "epochs = 1",
    "14_train_on_drawings.ipynb": "epochs = 1; settings['crops_per_image'] = 2",
}


def pytest_collection_modifyitems(items):
    """Run the longest files first; the order of the tests of a file stays. Trainings of notebooks are short."""
    rank = {name: position for position, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))
    for item in items:
        if item.path.name in SHORT and "parameters" in item.cell.metadata.get("tags", []):
            item.cell.source += f"\n{SHORT[item.path.name]}; output += '/short'"


@pytest.fixture(autouse=True)
def close_figures():
    """Figures that a test leaves open would add up, and matplotlib warns of many."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def disc():
    """A disc of radius 12 px in the middle of 41 x 41 px, as a boolean mask."""
    rows, columns = np.indices((41, 41)) - 20
    return rows**2 + columns**2 <= 12**2


@pytest.fixture
def halves():
    """One map (1, 24, 40): class 0 in columns 0-19, class 1 in columns 20-39."""
    labels = np.zeros((1, 24, 40), np.uint8)
    labels[:, :, 20:] = 1
    return labels


@pytest.fixture(scope="session")
def blobs():
    """Eight smooth random maps of three classes, (8, 96, 96)."""
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((8, 3, 96, 96))
    return np.argmax(ndimage.gaussian_filter(noise, (0, 0, 9, 9)), axis=1).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Four, two and two images to train, validate and test, of several sizes and formats.

    The images to train on have a second annotator, whose masks are a row lower.
    """
    generator = np.random.default_rng(0)
    write_table(tmp_path)
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        for i in range(count):
            size = (20 + i, 30)
            classes = generator.integers(0, 3, size)
            ending = "tiff" if i % 2 else "png"
            save(tmp_path / part / f"scene{i}.{ending}", generator.integers(0, 256, (*size, 3)))
            save(tmp_path / f"{part}_labels" / f"scene{i}.{ending}", COLOURS.to_picture(classes))
            if part == "train":
                lower = COLOURS.to_picture(np.roll(classes, 1, 0))
                save(tmp_path / "train_labels_b" / f"scene{i}.png", lower)
    return tmp_path


def save(path, picture):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(picture.astype(np.uint8)).save(path)
