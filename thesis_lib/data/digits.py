"""MNIST, and scenes composed of handwritten digits: M2NIST made anew from any set of digits."""

import numpy as np

from thesis_lib.data.m2nist import BACKGROUND, CLASS_NAMES
from thesis_lib.data.scenes import Scenes, open_array
from thesis_lib.paths import data_folder

SCENE = (64, 84)  # px
MOST_DIGITS = 3  # in a scene


def mnist():
    """MNIST's training and test digits: ((images, labels), (images, labels)), uint8 (n, 28, 28) and (n,).

    Read from `mnist.npz` (as `keras.datasets` stores it) under `data_folder()`, else through `keras.datasets.mnist`,
    which downloads it once.
    """
    path = data_folder() / "mnist.npz"
    if path.exists():
        return tuple((open_array(path, f"x_{part}"), open_array(path, f"y_{part}")) for part in ("train", "test"))
    from keras.datasets import mnist as keras_mnist

    try:
        return keras_mnist.load_data()
    except Exception as error:
        raise FileNotFoundError(
            f"MNIST is neither at {path} nor could Keras download it ({error}). "
            "Put mnist.npz there, or set THESIS_DATA to the folder that holds it."
        ) from error


def compose(images, labels, count, seed):
    """Scenes of one to three digits at random places, none over another's ink; labelled where the ink is above zero.

    Args:
        images: sequence of uint8 digit images (h, w), bright ink on 0, at most as large as a scene, 64 x 84 px.
        labels: their classes 0-9.
        count: number of scenes, 1 or more.
        seed: of the choice of digits and places.

    Returns:
        (Scenes with 11 classes, background 10; int array (count, 3): which images each scene holds, -1 for none).
    """
    generator = np.random.default_rng(seed)
    pictures = np.zeros((count, *SCENE), np.uint8)
    maps = np.full(pictures.shape, BACKGROUND, np.uint8)
    sources = np.full((count, MOST_DIGITS), -1)
    for picture, label_map, held in zip(pictures, maps, sources):
        for place in range(generator.integers(1, MOST_DIGITS, endpoint=True)):
            held[place] = _place(picture, label_map, images, labels, generator)
    return Scenes(pictures[..., None], maps, len(CLASS_NAMES), BACKGROUND, CLASS_NAMES), sources


def _place(picture, label_map, images, labels, generator):
    """Put one random digit where there is no ink yet; returns its index, or -1 if 50 tries meet no free place."""
    chosen = int(generator.integers(len(images)))
    digit = images[chosen]
    height, width = digit.shape
    for _ in range(50):
        top = generator.integers(picture.shape[0] - height, endpoint=True)
        left = generator.integers(picture.shape[1] - width, endpoint=True)
        window = (slice(top, top + height), slice(left, left + width))
        if not (picture[window].astype(bool) & (digit > 0)).any():
            picture[window] |= digit
            label_map[window][digit > 0] = labels[chosen]
            return chosen
    return -1
