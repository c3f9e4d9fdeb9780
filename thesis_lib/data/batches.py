"""Batches of images and labels, cut from arrays one at a time, so that training holds no second copy of the data."""

import keras
import numpy as np

from thesis_lib import checks

MOST_REPEATS = 2**20  # of a scene in an epoch


class SceneBatches(keras.utils.PyDataset):
    """What `fit` takes: batches in an order that is drawn anew each epoch.

    Args:
        images: uint8 (N, H, W, C), 0-255; or what reads such images when they are asked for, like `ImageTable`.
        labels: integer (N, H, W), classes.
        batch_size: scenes a batch, 1 or more; the last batch may be smaller.
        seed: of the order; None keeps the arrays' own order, for validation.
        together: whether a batch is {"images", "labels"}, for AugmentedSegmenter, or (images, labels).
        repeats: how often an epoch shows each scene, 1 or more.

    Raises:
        ValueError: for images of another dtype than uint8, labels that are no integers, or different numbers of them,
            or another argument of another kind.
    """

    def __init__(self, images, labels, batch_size, seed=None, together=False, repeats=1):
        super().__init__()
        for name, arrays in (("images", images), ("labels", labels)):
            if not getattr(arrays, "shape", ()) or np.ma.is_masked(arrays):
                raise ValueError(f"{name} must be an array without masked values; got {checks.shown(arrays)}")
        if len(images) != len(labels) or not len(images):
            raise ValueError(f"images and labels must be as many, and not empty; got {len(images)} and {len(labels)}")
        if images.dtype != np.uint8:
            raise ValueError(f"images must be uint8, with values 0-255; got {images.dtype}")
        if np.dtype(labels.dtype).kind not in "iu":
            raise ValueError(f"labels must be integer classes; got {labels.dtype}")
        if isinstance(labels, np.ndarray) and labels.min() < 0:
            raise ValueError(f"labels must be classes of 0 or more; got {labels.min()}")
        self.images, self.labels, self.together = images, labels, checks.boolean("together", together)
        self.batch_size = checks.integer("batch_size", batch_size, 1)
        self.seed = seed if seed is None else checks.integer("seed", seed, 0)
        self.repeats = checks.integer("repeats", repeats, 1, MOST_REPEATS)
        self.start(-1)

    def __len__(self):
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, index):
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        images, labels = self.images[chosen], self.labels[chosen]
        return ({"images": images, "labels": labels},) if self.together else (images, labels)

    def start(self, epoch):
        """Take the order that `fit` shows in an epoch, counted from 0, whatever came before.

        Epoch -1 is the order that Keras looks at before the first.
        """
        checks.integer("epoch", epoch, -1)
        self.generator = None if self.seed is None else np.random.default_rng(self.seed)
        self.order = np.tile(np.arange(len(self.images)), self.repeats)
        for _ in range(epoch + 2):
            self.on_epoch_end()

    def on_epoch_end(self):
        """Draw the order of the next epoch."""
        if self.generator is not None:
            self.order = self.generator.permutation(np.tile(np.arange(len(self.images)), self.repeats))
