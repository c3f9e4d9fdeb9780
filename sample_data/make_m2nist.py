"""Makes sample_data/m2nist/scenes.npz: 300 scenes of scikit-learn's bundled handwritten digits, enlarged.

Run it from anywhere: `python sample_data/make_m2nist.py [file]`. The digits (Alpaydin & Kaynak, "Optical Recognition of
Handwritten Digits", UCI Machine Learning Repository, 1998, CC BY 4.0) are shared out among training, validation and
test before any scene is composed, so no digit is in two of them.
"""

import sys
from pathlib import Path

import numpy as np

from thesis_lib.data import digits

COUNTS = (200, 40, 60)  # training, validation, test
SEED = 2026


def main(path):
    images, labels = digits.enlarged_digits((24, 30), SEED)
    order = np.random.default_rng(SEED).permutation(len(images))
    pools = np.split(order, (np.cumsum(COUNTS)[:2] / sum(COUNTS) * len(order)).astype(int))
    parts = []
    for split, (pool, count) in enumerate(zip(pools, COUNTS)):
        scenes, held = digits.compose([images[i] for i in pool], labels[pool], count, SEED + split, return_digits=True)
        source = np.where(held < 0, -1, pool[held]).astype(np.int16)
        parts.append((scenes.images, scenes.labels, np.full(count, split, np.uint8), source))
    arrays = dict(zip(("images", "labels", "split", "digits"), map(np.concatenate, zip(*parts))))
    np.savez_compressed(path, background=scenes.background, class_names=scenes.class_names, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "m2nist" / "scenes.npz")
