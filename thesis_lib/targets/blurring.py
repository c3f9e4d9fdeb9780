"""Class maps blurred by the spread of a boundary prior, axis by axis."""

import math

import numpy as np
from keras import ops

from thesis_lib import backend, checks
from thesis_lib.annotation import voxels
from thesis_lib.annotation.prior import checked_prior, gaussian_taps
from thesis_lib.targets.base import numeric, spatial_axes
from thesis_lib.targets.filters import filtered


def blur(maps, prior, spacing=None):
    """Class maps convolved with the predictive distribution of the displacement, without its bias.

    The Student-t is a sum of a few Gaussians (`BoundaryPrior.gaussians`), each applied by a pass along every axis. Near
    the image's border the weights are normalised over the pixels inside. A scene may therefore be smaller than the
    kernel, and maps that sum to one still do afterwards.

    Args:
        maps: float tensor (N, H, W, K) or (N, D, H, W, K).
        prior: BoundaryPrior. One in px has the same spread in pixels along all axes.
        spacing: sides of a pixel (rows, columns) or voxel (planes, rows, columns), mm, which a prior in mm needs: its
            spread along an axis is sigma / spacing pixels.

    Returns:
        tensor of the same shape.

    Raises:
        ValueError: if an argument is not of this kind, a prior in mm has no spacing, or the spacing has not as many
            lengths as the maps have axes.
    """
    return _mixture(maps, prior, spacing, lambda values: values)


def blur_of_class(maps, labels, prior, spacing=None):
    """The probability of each label after the blur: `blur` of the maps at the label's class, in fewer passes.

    Args:
        maps: float tensor (N, H, W, K) or (N, D, H, W, K).
        labels: int32 tensor (N, H, W) or (N, D, H, W).
        prior, spacing: as for `blur`.

    Returns:
        float tensor of the labels' shape; 0 where the label is no class.
    """
    return _mixture(maps, prior, spacing, lambda values: backend.of_class(values, labels)[..., None])[..., 0]


def _mixture(maps, prior, spacing, part):
    """The mixture of Gaussian blurs of a part of the maps' classes, which `part` takes from the sums of weights."""
    maps = checked_maps("maps", maps)
    total = None
    axes = spatial_axes(maps)
    for weight, sigmas in checked_prior(prior, spacing=spacing).gaussians_in_pixels(spacing, len(axes)):
        sums, inside = _gaussian_sums(maps, zip(axes, sigmas))
        blurred = part(sums) / (inside / weight)
        total = blurred if total is None else total + blurred
    return total


def checked_maps(name, maps):
    """`maps`, if they have the shape (N, H, W, K) or (N, D, H, W, K)."""
    shape = getattr(maps, "shape", None)
    if shape is None or len(shape) not in (4, 5):
        raise ValueError(f"{name} must be a float tensor (N, H, W, K); got {shape or type(maps).__name__}")
    if isinstance(maps, np.ndarray):
        return checks.number_array(name, maps)
    return numeric(name, maps)


def checked_spacing(spacing):
    """A user's spacing as a list of two or three lengths, or None."""
    if spacing is None:
        return None
    return voxels.lengths(spacing, 3 if np.size(spacing) == 3 else 2).tolist()


def _gaussian_sums(maps, sigmas):
    """Weighted sums of the maps around each pixel, and the sums of the weights inside the image.

    Args:
        maps: float tensor (N, ..., K).
        sigmas: (axis, sigma in pixels) of each spatial axis.
    """
    inside = ops.ones_like(maps[:1, ..., :1])
    for axis, sigma in sigmas:
        radius = math.ceil(4.0 * sigma)
        taps = gaussian_taps(sigma, radius)
        if np.float32(taps[radius]) < 1.0:
            maps, inside = filtered(maps, taps, axis), filtered(inside, taps, axis)
    return maps, inside
