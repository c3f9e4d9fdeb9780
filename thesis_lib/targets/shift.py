"""The likelihood of a drawing whose boundaries are shifted along their normals.

`blur` moves whole objects about; it takes a small object that is drawn a little too large for one that is not there. A
boundary that is displaced along its normal by d grows the object by d, or shrinks it: what a prior on displacements
says.
"""

import functools
from dataclasses import asdict

import keras
from keras import ops

from thesis_lib import backend, checks
from thesis_lib.annotation.prior import BoundaryPrior, checked_prior
from thesis_lib.targets.base import MapLoss, labels_and_logits, spatial_axes
from thesis_lib.targets.blurring import checked_maps
from thesis_lib.targets.filters import largest
from thesis_lib.targets.losses import negative_log_likelihood

TAIL = 0.005  # of the probability; larger displacements count as the largest that is left


def shift_probabilities(prior):
    """Probabilities of whole-pixel displacements under the prior's predictive distribution, its bias included.

    Args:
        prior: BoundaryPrior.

    Returns:
        dict from a displacement, px, to its probability; they sum to one.
    """
    distribution = prior.predictive()
    low, high = (round(float(distribution.ppf(level))) for level in (TAIL, 1 - TAIL))
    edges = {d: float(distribution.cdf(d + 0.5)) for d in range(low, high)}
    edges[high] = 1.0
    return {d: edges[d] - edges.get(d - 1, 0.0) for d in range(low, high + 1)}


def shifted(maps, prior, background):
    """The expected map after its boundaries with the background are displaced along their normals.

    Objects are dilated or eroded by every whole number of pixels, weighted by its probability. A disc of d px is
    approached by steps of a cross and a square in turn.

    Args:
        maps: float tensor (N, H, W, K), probabilities of the true classes.
        prior: BoundaryPrior.
        background: its class.

    Returns:
        tensor of the same shape; sums to one.

    Raises:
        ValueError: if an argument is not of this kind, or the background is no class of the maps.
    """
    maps = checked_maps("maps", maps)
    checked_prior(prior)
    checks.integer("background", background, 0, maps.shape[-1] - 1)
    weights = shift_probabilities(prior)
    objects = ops.concatenate([maps[..., :background], maps[..., background + 1 :]], axis=-1)
    total = weights.get(0, 0.0) * objects
    larger = smaller = objects
    for step in range(1, max(map(abs, weights)) + 1):
        larger, smaller = _grow(larger, step), -_grow(-smaller, step)
        total = total + weights.get(step, 0.0) * larger + weights.get(-step, 0.0) * smaller
    scale = ops.maximum(ops.sum(total, axis=-1, keepdims=True), 1.0)  # grown objects of different classes may overlap
    total = total / scale
    rest = ops.maximum(1.0 - ops.sum(total, axis=-1, keepdims=True), 0.0)
    return ops.concatenate([total[..., :background], rest, total[..., background:]], axis=-1)


def _grow(maps, step):
    """Grey-scale dilation by a pixel: by a cross in odd steps, by a square (cube) in even ones."""
    if step % 2:
        return functools.reduce(ops.maximum, [largest(maps, axis) for axis in spatial_axes(maps)])
    return functools.reduce(largest, spatial_axes(maps), maps)


@keras.saving.register_keras_serializable("thesis_lib")
class ShiftLikelihood(MapLoss):
    """The negative log likelihood of the annotation where boundaries are displaced along their normals.

    As `ForwardLikelihood`, with `shifted` in place of the blur. It suits objects that are hardly wider than the error:
    there a blur makes the object vanish, and a displaced boundary does not. The bias of the prior is part of it, below
    the pixel grid as well, so the labels need not be moved.

    Args:
        prior: BoundaryPrior.
        background: its class, whose boundaries are displaced; those between two objects stay where they are.

    Raises:
        ValueError: if an argument is not of this kind.

    Example: train on the drawings of an annotator whose error was measured on images that two people drew.
        >>> prior = BoundaryPrior().fit_pair(first, second, background=0, population=True)
        >>> model.compile("adam", ShiftLikelihood(prior, background=0))
        >>> model.fit(images, first)
    """

    def __init__(self, prior, background, name="shift_likelihood", **options):
        super().__init__(name=name, **options)
        self.prior, self.background = checked_prior(prior), checks.integer("background", background, 0)

    def call(self, labels, logits):
        labels, logits = labels_and_logits(labels, logits)
        drawn = shifted(backend.softmax(logits), self.prior, self.background)
        return negative_log_likelihood(labels, backend.of_class(drawn, labels), None, logits.shape[-1])

    def get_config(self):
        return {**super().get_config(), "prior": asdict(self.prior), "background": self.background}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "prior": BoundaryPrior(**config["prior"])})
