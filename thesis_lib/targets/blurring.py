"""Class maps blurred by the spread of a boundary prior, axis by axis."""

import math

import numpy as np
from keras import ops

from thesis_lib import backend
from thesis_lib.annotation.prior import checked_prior, gaussian_taps
from thesis_lib.targets.base import spatial_axes
from thesis_lib.targets.filters import filtered


def blur(maps, prior):
    """Class maps convolved with the predictive distribution of the displacement, without its bias.

    The Student-t is a sum of a few Gaussians (`BoundaryPrior.gaussians`), each applied by a pass along every axis. Near
    the image's border the weights are normalised over the pixels inside. A scene may therefore be smaller than the
    kernel, and maps that sum to one still do afterwards.

    Args:
        maps: float tensor (N, H, W, K), or (N, D, H, W, K) with voxels of one size in all directions.
        prior: BoundaryPrior.

    Returns:
        tensor of the same shape.

    Raises:
        ValueError: if an argument is not of this kind.
    """
    return _mixture(maps, prior, lambda values: values)


def blur_of_class(maps, labels, prior):
    """The probability of each label after the blur: `blur(maps, prior)` at the label's class, in fewer passes.

    Args:
        maps: float tensor (N, H, W, K) or (N, D, H, W, K).
        labels: int32 tensor (N, H, W) or (N, D, H, W).
        prior: BoundaryPrior.

    Returns:
        float tensor of the labels' shape; 0 where the label is no class.
    """
    return _mixture(maps, prior, lambda values: backend.of_class(values, labels)[..., None])[..., 0]


def _mixture(maps, prior, part):
    """The mixture of Gaussian blurs of a part of the maps' classes, which `part` takes from the sums of weights."""
    checked_maps("maps", maps)
    total = None
    for weight, sigma in checked_prior(prior).gaussians():
        sums, inside = _gaussian_sums(maps, sigma)
        blurred = part(sums) / (inside / weight)
        total = blurred if total is None else total + blurred
    return total


def checked_maps(name, maps):
    """`maps`, if they have the shape (N, H, W, K) or (N, D, H, W, K)."""
    shape = getattr(maps, "shape", None)
    if shape is None or len(shape) not in (4, 5):
        raise ValueError(f"{name} must be a float tensor (N, H, W, K); got {shape or type(maps).__name__}")
    return maps


def _gaussian_sums(maps, sigma):
    """Weighted sums of the maps around each pixel, and the sums of the weights inside the image."""
    radius = math.ceil(4.0 * sigma)
    taps = gaussian_taps(sigma, radius)
    inside = ops.ones_like(maps[:1, ..., :1])
    if np.float32(taps[radius]) == 1.0:
        return maps, inside
    for axis in spatial_axes(maps):
        maps, inside = filtered(maps, taps, axis), filtered(inside, taps, axis)
    return maps, inside
