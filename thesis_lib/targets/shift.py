"""The likelihood of a drawing whose boundaries are shifted along their normals.

`blur` moves whole objects about; it takes a small object that is drawn a little too large for one that is not there. A
boundary that is displaced along its normal by d grows the object by d, or shrinks it: what a prior on displacements
says.
"""

import functools
import math
from dataclasses import asdict

import keras
import numpy as np
from keras import ops

from thesis_lib import backend, checks
from thesis_lib.annotation import voxels
from thesis_lib.annotation.prior import BoundaryPrior, checked_prior
from thesis_lib.targets.base import MapLoss, labels_and_logits, spatial_axes
from thesis_lib.targets.blurring import checked_maps, checked_spacing
from thesis_lib.targets.filters import largest
from thesis_lib.targets.losses import negative_log_likelihood

TAIL = 0.005  # of the probability; larger displacements count as the largest that is left


def growths(prior, sides):
    """The growths of an object, one after the other, as its boundary is displaced by more and more.

    An object grows by the k-th pixel along an axis where the boundary passes that pixel's centre, at (k - 1/2) times
    the pixel's side.

    Args:
        prior: BoundaryPrior.
        sides: of a pixel or voxel along each spatial axis, in the prior's unit.

    Returns:
        dict from the displacement to the axes (0, 1, ...) along which the object then grows by a pixel, in rising
        order; together where the displacements are equal.
    """
    farthest, found = max(map(abs, _span(prior))), {}
    for axis, side in enumerate(sides):
        for k in range(1, math.floor(farthest / side + 0.5) + 1):
            found.setdefault(round((k - 0.5) * float(side), 9), []).append(axis)
    return dict(sorted(found.items()))


def shift_probabilities(prior, displacements):
    """Probabilities of each number of growths under the prior's predictive distribution, its bias included.

    Args:
        prior: BoundaryPrior.
        displacements: of `growths`, rising.

    Returns:
        dict from the number of growths, negative where the object shrinks, to its probability; they sum to one.
    """
    distribution, (low, high) = prior.predictive(), _span(prior)
    edges = [-math.inf, *(-d for d in reversed(displacements)), *displacements, math.inf]
    below = [0.0 if edge <= low else 1.0 if edge > high else float(distribution.cdf(edge)) for edge in edges]
    return dict(zip(range(-len(displacements), len(displacements) + 1), np.diff(below).tolist()))


def _span(prior):
    """The displacements between which all but the tails of the prior's predictive distribution lie."""
    return tuple(float(prior.predictive().ppf(level)) for level in (TAIL, 1 - TAIL))


def shifted(maps, prior, background, spacing=None):
    """The expected map after its boundaries with the background are displaced along their normals.

    Objects are dilated or eroded by every whole number of pixels, weighted by its probability. A disc of d px is
    approached by growths of a cross and a square in turn. Where the sides of a pixel differ, an object grows along each
    axis as the boundary passes the centres of its pixels (`growths`).

    Args:
        maps: float tensor (N, H, W, K) or (N, D, H, W, K), probabilities of the true classes.
        prior: BoundaryPrior.
        background: its class.
        spacing: sides of a pixel or voxel, mm, as for `blur`; a prior in mm needs it.

    Returns:
        tensor of the same shape; sums to one.

    Raises:
        ValueError: if an argument is not of this kind, the background is no class of the maps, a prior in mm has no
            spacing, or the spacing has not as many lengths as the maps have axes.
    """
    maps = checked_maps("maps", maps)
    checks.integer("background", background, 0, maps.shape[-1] - 1)
    axes = spatial_axes(maps)
    sides = voxels.lengths(spacing, len(axes))
    if checked_prior(prior, spacing=spacing).unit == "px":
        sides = np.ones(len(axes))
    growing = growths(prior, sides)
    weights = shift_probabilities(prior, list(growing))
    objects = ops.concatenate([maps[..., :background], maps[..., background + 1 :]], axis=-1)
    total = weights[0] * objects
    larger = smaller = objects
    for step, along in enumerate(growing.values(), 1):
        along = [axes[axis] for axis in along]
        larger, smaller = _grow(larger, along, step), -_grow(-smaller, along, step)
        total = total + weights[step] * larger + weights[-step] * smaller
    scale = ops.maximum(ops.sum(total, axis=-1, keepdims=True), 1.0)  # grown objects of different classes may overlap
    total = total / scale
    rest = ops.maximum(1.0 - ops.sum(total, axis=-1, keepdims=True), 0.0)
    return ops.concatenate([total[..., :background], rest, total[..., background:]], axis=-1)


def _grow(maps, axes, step):
    """Grey-scale dilation by a pixel along some axes: by a cross in odd steps, by a square (cube) in even ones."""
    if step % 2:
        return functools.reduce(ops.maximum, [largest(maps, axis) for axis in axes], maps)
    return functools.reduce(largest, axes, maps)


@keras.saving.register_keras_serializable("thesis_lib")
class ShiftLikelihood(MapLoss):
    """The negative log likelihood of the annotation where boundaries are displaced along their normals.

    As `ForwardLikelihood`, with `shifted` in place of the blur. It suits objects that are hardly wider than the error:
    there a blur makes the object vanish, and a displaced boundary does not. The bias of the prior is part of it, below
    the pixel grid as well, so the labels need not be moved.

    Args:
        prior: BoundaryPrior.
        background: its class, whose boundaries are displaced; those between two objects stay where they are.
        spacing: sides of a pixel or voxel, mm, as for `blur`; a prior in mm needs it.

    Raises:
        ValueError: if an argument is not of this kind.

    Example: train on the drawings of an annotator whose error was measured on images that two people drew.
        >>> prior = BoundaryPrior().fit_pair(first, second, background=0, population=True)
        >>> model.compile("adam", ShiftLikelihood(prior, background=0))
        >>> model.fit(images, first)

    Volumes (N, D, H, W) whose voxels are 3 x 0.8 x 0.8 mm large, by a prior in mm.
        >>> spacing = (3.0, 0.8, 0.8)
        >>> in_mm = BoundaryPrior(unit="mm").fit(drawn_volumes, true_volumes, background=0, spacing=spacing)
        >>> volume_model.compile("adam", ShiftLikelihood(in_mm, background=0, spacing=spacing))
    """

    def __init__(self, prior, background, spacing=None, name="shift_likelihood", **options):
        super().__init__(name=name, **options)
        self.prior, self.spacing = checked_prior(prior, spacing=spacing), checked_spacing(spacing)
        self.background = checks.integer("background", background, 0)

    def call(self, labels, logits):
        labels, logits = labels_and_logits(labels, logits)
        drawn = shifted(backend.softmax(logits), self.prior, self.background, self.spacing)
        return negative_log_likelihood(labels, backend.of_class(drawn, labels), None, logits.shape[-1])

    def get_config(self):
        own = {"prior": asdict(self.prior), "background": self.background, "spacing": self.spacing}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "prior": BoundaryPrior(**config["prior"])})
