"""Scenes composed of handwritten digits: M2NIST made anew from any set of digits."""

import numpy as np
from PIL import Image

from thesis_lib import checks
from thesis_lib.data.m2nist import BACKGROUND, CLASS_NAMES
from thesis_lib.data.scenes import Scenes, open_array
from thesis_lib.paths import data_folder


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


def enlarged_digits(size, seed=0, faintest_ink=96):
    """scikit-learn's 1,797 bundled digits (8 x 8) with a margin of one, enlarged to size[0]..size[1] pixels a side.

    Args:
        size: (smallest, largest) side, px.
        seed: of the sides.
        faintest_ink: grey values below it become 0, so that interpolation leaves no halo.

    Returns:
        list of uint8 images, uint8 labels (1797,).
    """
    from sklearn import datasets  # slow to import, and only needed here

    bundled = datasets.load_digits()
    sides = np.random.default_rng(seed).integers(size[0], size[1], len(bundled.images), endpoint=True)
    images = []
    for image, side in zip(bundled.images, sides):
        grey = Image.fromarray(np.rint(np.pad(image, 1) * (255 / 16)).astype(np.uint8))
        large = np.asarray(grey.resize((int(side), int(side)), Image.Resampling.BICUBIC))
        images.append(np.where(large < faintest_ink, 0, large).astype(np.uint8))
    return images, bundled.target.astype(np.uint8)


def compose(images, labels, count, seed, shape=(64, 84), most=3, return_digits=False):
    """Scenes of one to `most` digits at random places, none over another's ink; labelled where the ink is above zero.

    Args:
        images: sequence of uint8 digit images (h, w), ink bright on 0; each fits into `shape`.
        labels: their classes 0-9.
        count: number of scenes, 1 or more.
        seed: of the choice of digits and places.
        shape: (H, W) of a scene, px.
        most: largest number of digits in a scene, 1 or more.
        return_digits: also return which digits each scene holds, int (count, most), -1 for none.

    Returns:
        Scenes with 11 classes, background 10 (and the digits).
    """
    count = checks.integer("count", count, 1)
    most = checks.integer("most", most, 1)
    labels = np.asarray(labels)
    if len(images) != len(labels) or not len(images) or labels.min() < 0 or labels.max() > 9:
        raise ValueError(f"labels must give each of the {len(images)} images a class 0-9; got {labels!r}")
    if any(i.shape[0] > shape[0] or i.shape[1] > shape[1] for i in images):
        raise ValueError(f"images must fit into a scene of shape {shape}; got one that is larger")
    generator = np.random.default_rng(checks.integer("seed", seed, 0))
    pictures = np.zeros((count,) + tuple(shape), np.uint8)
    maps = np.full(pictures.shape, BACKGROUND, np.uint8)
    digits = np.full((count, most), -1)
    for picture, label_map, held in zip(pictures, maps, digits):
        for place in range(generator.integers(1, most, endpoint=True)):
            held[place] = _place(picture, label_map, images, labels, generator)
    scenes = Scenes(pictures[..., None], maps, len(CLASS_NAMES), BACKGROUND, CLASS_NAMES)
    return (scenes, digits) if return_digits else scenes


def _place(picture, label_map, images, labels, generator, tries=50):
    """Put one random digit where there is no ink yet; returns its index, or -1 if no free place was found."""
    chosen = int(generator.integers(len(images)))
    digit = images[chosen]
    height, width = digit.shape
    for _ in range(tries):
        top = generator.integers(picture.shape[0] - height, endpoint=True)
        left = generator.integers(picture.shape[1] - width, endpoint=True)
        window = (slice(top, top + height), slice(left, left + width))
        if not (picture[window].astype(bool) & (digit > 0)).any():
            picture[window] |= digit
            label_map[window][digit > 0] = labels[chosen]
            return chosen
    return -1
