"""M2NIST, multi-digit MNIST for semantic segmentation, as its author ships it (F. Ahmad, Kaggle, "multimnistm2nist").

`combined.npy` holds the images (N, 64, 84), 0-255; `segmented.npy` one-hot labels (N, 64, 84, 11), the digits 0-9 and
the background last; any integer or float dtype.
"""

from pathlib import Path

import numpy as np

from thesis_lib import checks
from thesis_lib.data.scenes import Scenes, as_uint8_images, open_array

BACKGROUND = 10
CLASS_NAMES = tuple("0123456789") + ("background",)
SCENES_AT_A_TIME = 64


def load(folder, count=None):
    """The scenes in a folder with `combined.npy` and `segmented.npy`.

    The files are memory-mapped and read a few scenes at a time: of 5,000 scenes only their uint8 images and label
    maps stay in memory, 54 MB.

    Args:
        folder: path.
        count: read only the first `count`; the rest of the files is not touched.

    Returns:
        Scenes with 11 classes, background 10.

    Raises:
        FileNotFoundError, ValueError: naming the file and what is wrong with it.
    """
    images = open_array(Path(folder) / "combined.npy")
    one_hot = open_array(Path(folder) / "segmented.npy")
    if len(images) != len(one_hot) or images.ndim != 3 or one_hot.shape[1:] != images.shape[1:] + (len(CLASS_NAMES),):
        raise ValueError(
            f"{folder}: combined.npy must be (N, H, W) and segmented.npy (N, H, W, {len(CLASS_NAMES)}); "
            f"got {images.shape} and {one_hot.shape}"
        )
    if not len(images):
        raise ValueError(f"{folder} holds no scene")
    if count is None:
        count = len(images)
    checks.integer(f"the number of scenes of {folder}", count, 1, len(images))
    labels = np.empty(images[:count].shape, np.uint8)
    for start in range(0, count, SCENES_AT_A_TIME):
        some = slice(start, min(start + SCENES_AT_A_TIME, count))
        if not _is_one_hot(one_hot[some]):
            raise ValueError(f"{folder}/segmented.npy is not one-hot in scenes {start} to {some.stop - 1}")
        labels[some] = one_hot[some].argmax(-1)
    images = as_uint8_images(f"{folder}/combined.npy", images[:count])
    return Scenes(images, labels, len(CLASS_NAMES), BACKGROUND, CLASS_NAMES)


def _is_one_hot(array):
    is_number = array.dtype.kind in "biuf"
    return is_number and bool((array.sum(-1) == 1).all()) and bool(((array == 0) | (array == 1)).all())
