"""Overlap losses that stay correct on soft labels. They take soft labels and logits and have one value for each image.

Sources: Wang et al., "Dice Semimetric Losses" (MICCAI 2023) and "Jaccard Metric Losses" (NeurIPS 2023).
"""

import keras
from keras import ops

from thesis_lib import backend
from thesis_lib.targets.base import MapLoss, checked_logits, fits, spatial_axes


class _SemimetricOverlap(MapLoss):
    """What `SoftDice` and `SoftJaccard` share: 1 minus an overlap of predicted and target probabilities of each class.

    There is one value for each image, the mean over classes. Pixels whose targets are all 0 are not learned from, and
    images of such pixels alone do not count in the batch's mean.
    """

    def call(self, targets, logits):
        logits = checked_logits(logits)
        if not fits(targets.shape, logits.shape):
            raise ValueError(
                "soft labels must be (N, H, W, K) as the logits are; "
                f"got shapes {tuple(targets.shape)} and {tuple(logits.shape)}"
            )
        targets = ops.cast(targets, logits.dtype)
        known = ops.any(targets > 0, axis=-1, keepdims=True)
        predicted = backend.softmax(logits) * ops.cast(known, logits.dtype)
        pixels = spatial_axes(logits)
        total = ops.sum(predicted + targets, axis=pixels)
        difference = ops.sum(ops.abs(predicted - targets), axis=pixels)
        counts = ops.cast(ops.any(known, axis=(*pixels, -1)), logits.dtype)
        losses = 1.0 - ops.mean(self.overlap(total, difference), axis=-1)
        return losses * counts / ops.maximum(ops.mean(counts), keras.config.epsilon())


@keras.saving.register_keras_serializable("thesis_lib")
class SoftDice(_SemimetricOverlap):
    """The Dice loss that stays correct on soft labels (Wang et al., "Dice Semimetric Losses", MICCAI 2023).

    The intersection is (|p| + |t| - |p - t|) / 2. On hard labels the loss equals the usual soft Dice loss; on soft
    labels its only minimum is p = t. It takes soft labels (N, H, W, K) and has one value for each image. A class that
    the labels of an image do not hold contributes nearly the largest loss, until its predicted probabilities add up to
    less than 1e-7.
    """

    def __init__(self, name="soft_dice", **options):
        super().__init__(name=name, **options)

    def overlap(self, total, difference):
        epsilon = keras.config.epsilon()
        return (total - difference + epsilon) / (total + epsilon)


@keras.saving.register_keras_serializable("thesis_lib")
class SoftJaccard(_SemimetricOverlap):
    """The Jaccard loss that stays correct on soft labels (Wang et al., "Jaccard Metric Losses", NeurIPS 2023).

    As `SoftDice`, with the intersection divided by the union (|p| + |t| + |p - t|) / 2.
    """

    def __init__(self, name="soft_jaccard", **options):
        super().__init__(name=name, **options)

    def overlap(self, total, difference):
        epsilon = keras.config.epsilon()
        return (total - difference + epsilon) / (total + difference + epsilon)
