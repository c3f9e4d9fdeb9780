import numpy as np
import pytest

from thesis_lib.data.patches import VolumePatches
from thesis_lib.data.structures import structures
from thesis_lib.data.volumes import Volume

REGIONS = {"whole": (1, 2), "core": 2}


class OneVolume:
    """A volume in memory, as `VolumePatches` takes it."""

    masks = ("",)
    values = np.random.default_rng(0).choice([0, 1, 2, 255], (4, 6, 8)).astype(np.uint8)

    def __len__(self):
        return 1

    def image(self, i):
        return Volume(self.values[..., None], (1.0, 1.0, 1.0))

    def mask(self, i, annotator=""):
        return Volume(self.values, (1.0, 1.0, 1.0))


def test_structures_by_hand():
    found = structures([[0, 1, 2, 3, 255]], REGIONS)
    assert found.dtype == np.uint8
    assert found[..., 0].tolist() == [[0, 1, 1, 0, 255]] and found[..., 1].tolist() == [[0, 0, 1, 0, 255]]


@pytest.mark.parametrize("shape", [(4, 5), (2, 4, 5), (2, 3, 4, 5)])
def test_structures_of_images_and_of_volumes(shape):
    labels = np.random.default_rng(0).integers(0, 3, shape)
    np.testing.assert_array_equal(structures(labels, REGIONS), np.stack([labels > 0, labels == 2], -1))


def test_patches_hold_structures():
    plain, patches = (VolumePatches(OneVolume(), (3, 4, 4), 2, regions=regions) for regions in (None, REGIONS))
    for (images, classes), (same, labels) in zip(plain, patches):
        np.testing.assert_array_equal(images, same)
        np.testing.assert_array_equal(labels, structures(classes, REGIONS))


@pytest.mark.parametrize(
    "regions", [None, {}, {"whole": ()}, {"whole": (1, 255)}, {"whole": -1}, {"whole": 1.5}, {"whole": True}, {1: 1}]
)
def test_regions_that_are_none_are_named(regions):
    with pytest.raises(ValueError, match=r"regions must be a dict from names of structures to class numbers.*; got"):
        structures([[0, 1]], regions)


def test_labels_that_are_no_class_maps_are_named():
    for labels in ([0, 1], [[0.5]], [[-1]], np.zeros((1, 1, 1, 1, 1), int), np.zeros((1, 1, 0, 4), int)):
        with pytest.raises(ValueError, match="labels must"):
            structures(labels, REGIONS)
    with pytest.raises(ValueError, match="regions must be a dict from names of structures"):
        VolumePatches(OneVolume(), 2, 1, regions=["whole"])
