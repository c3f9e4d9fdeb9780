"""Makes sample_data/m2nist/scenes.npz: 300 scenes of scikit-learn's bundled handwritten digits, enlarged.

Run it from anywhere: `python sample_data/make_m2nist.py [FILE]`. The digits (Alpaydin & Kaynak, "Optical Recognition of
Handwritten Digits", UCI Machine Learning Repository, 1998, CC BY 4.0) are shared out among training, validation and
test before any scene is composed, so no digit is in two of them.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn import datasets

from thesis_lib.data import digits

COUNTS = (200, 40, 60)  # training, validation, test
SEED = 2026
SIDES = (24, 30)  # smallest and largest side of an enlarged digit, px
FAINTEST_INK = 96  # grey values below it become 0, so that interpolation leaves no halo


def enlarged_digits():
    """The 1,797 digits (8 x 8) with a margin of one, enlarged: list of uint8 images, uint8 labels (1797,)."""
    bundled = datasets.load_digits()
    sides = np.random.default_rng(SEED).integers(*SIDES, len(bundled.images), endpoint=True)
    images = []
    for image, side in zip(bundled.images, sides):
        grey = Image.fromarray(np.rint(np.pad(image, 1) * (255 / 16)).astype(np.uint8))
        large = np.asarray(grey.resize((int(side), int(side)), Image.Resampling.BICUBIC))
        images.append(np.where(large < FAINTEST_INK, 0, large).astype(np.uint8))
    return images, bundled.target.astype(np.uint8)


def main(path):
    """Write the scenes, their split and the digits in each."""
    images, labels = enlarged_digits()
    order = np.random.default_rng(SEED).permutation(len(images))
    pools = np.split(order, (np.cumsum(COUNTS)[:2] / sum(COUNTS) * len(order)).astype(int))
    parts = []
    for split, (pool, count) in enumerate(zip(pools, COUNTS)):
        scenes, held = digits.compose([images[i] for i in pool], labels[pool], count, SEED + split)
        source = np.where(held < 0, -1, pool[held]).astype(np.int16)
        parts.append((scenes.images, scenes.labels, np.full(count, split, np.uint8), source))
    arrays = dict(zip(("images", "labels", "split", "digits"), map(np.concatenate, zip(*parts))))
    np.savez_compressed(path, background=scenes.background, class_names=scenes.class_names, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "m2nist" / "scenes.npz")
