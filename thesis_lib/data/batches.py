"""Batches of images and labels, cut from uint8 arrays one at a time, so that training holds no second copy of the data."""

import keras
import numpy as np

from thesis_lib import checks


class SceneBatches(keras.utils.PyDataset):
    """What `fit` takes: batches in an order that is drawn anew each epoch.

    Args:
        images: (N, H, W, C).
        labels: (N, H, W).
        batch_size: scenes a batch, 1 or more; the last one may be smaller.
        seed: of the order; None keeps the arrays' own order, for validation.
        together: whether a batch is {"images", "labels"}, for AugmentedSegmenter, or (images, labels).
    """

    def __init__(self, images, labels, batch_size, seed=None, together=False):
        super().__init__()
        if len(images) != len(labels) or not len(images):
            raise ValueError(f"images and labels must be as many, and not empty; got {len(images)} and {len(labels)}")
        self.images, self.labels, self.together = images, labels, together
        self.batch_size = checks.integer("batch_size", batch_size, 1)
        self.seed = seed
        self.start(-1)

    def __len__(self):
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, index):
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        images, labels = self.images[chosen], self.labels[chosen]
        return ({"images": images, "labels": labels},) if self.together else (images, labels)

    def start(self, epoch):
        """Take the order that `fit` shows in an epoch, counted from 0, whatever came before; -1: what Keras looks at before the first."""
        self.generator = None if self.seed is None else np.random.default_rng(self.seed)
        self.order = np.arange(len(self.images))
        for _ in range(epoch + 2):
            self.on_epoch_end()

    def on_epoch_end(self):
        if self.generator is not None:
            self.order = self.generator.permutation(len(self.order))
