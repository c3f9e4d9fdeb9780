"""Images of bright squares for the examples, and masks of them drawn by an annotator who errs by 2 px."""

import numpy as np

from thesis_lib.annotation import DisplacementField

SIGMA = 2.0  # px


def squares(count, seed):
    """Images, float32 (N, 1, 32, 32), 0 to 1; their true masks, int64 (N, 32, 32); and the drawn ones."""
    generator = np.random.default_rng(seed)
    true = np.zeros((count, 32, 32), np.int64)
    for mask in true:
        top, left = generator.integers(3, 12, 2)
        height, width = generator.integers(8, 16, 2)
        mask[top : top + height, left : left + width] = 1
    images = 0.6 * true + 0.4 * generator.random(true.shape)
    drawn = DisplacementField(SIGMA, 4.0, background=0)(true, seed)
    return images[:, None].astype(np.float32), true, drawn.astype(np.int64)
