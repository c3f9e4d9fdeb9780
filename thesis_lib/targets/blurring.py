"""Class maps blurred by the spread of a boundary prior, axis by axis."""

import functools
import math
import operator

import numpy as np
from keras import ops

from thesis_lib import backend, checks
from thesis_lib.annotation import voxels
from thesis_lib.annotation.gaussians import gaussian_taps
from thesis_lib.annotation.prior import checked_prior
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
    maps = ops.convert_to_tensor(checked_maps("maps", maps))
    terms = _gaussians(maps, prior, spacing)
    return functools.reduce(ops.add, [_spread(maps, taps) * share for share, taps in terms])


def blur_of_class(maps, labels, prior, spacing=None):
    """The probability of each label after the blur: `blur` of the maps at the label's class, in fewer passes.

    Args:
        maps: float tensor (N, H, W, K) or (N, D, H, W, K).
        labels: int32 tensor (N, H, W) or (N, D, H, W).
        prior, spacing: as for `blur`.

    Returns:
        float tensor of the labels' shape; 0 where the label is no class.
    """
    maps = ops.convert_to_tensor(checked_maps("maps", maps))
    terms = _gaussians(maps, prior, spacing)
    if backend.is_torch() and maps.device.type == "cpu":
        return _blur_of_class_by_image(maps, labels, terms)
    return functools.reduce(
        ops.add, [backend.of_class(_spread(maps, taps), labels) * share[..., 0] for share, taps in terms]
    )


def _blur_of_class_by_image(maps, labels, terms):
    """`blur_of_class` on PyTorch's CPU: image by image, whose maps then stay in the processor's cache."""

    pickings = [backend.picking(drawn, maps.shape[-1]) for drawn in labels.split(1)]

    def blurred(maps):
        import torch

        images = []
        for image, (pick, _) in zip(maps.split(1), pickings):
            image = image.contiguous()
            parts = [pick(_spread(image, taps)) * share[..., 0] for share, taps in terms]
            images.append(functools.reduce(operator.add, parts))
        return torch.cat(images)

    def transposed(upstream):
        # Where the gradient of `backend.softmax` is fastest: the classes are the second axis in memory.
        result = upstream.new_empty((maps.shape[0], maps.shape[-1], *maps.shape[1:-1])).movedim(1, -1)
        for image, (_, put), values in zip(result.split(1), pickings, upstream.split(1)):
            parts = [_spread(put(values * share[..., 0]), taps) for share, taps in terms]
            image.copy_(functools.reduce(operator.add, parts))
        return result

    return backend.linear(blurred, transposed)(maps)


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


def _gaussians(maps, prior, spacing):
    """The Gaussians whose sum is the prior's predictive distribution without its bias.

    Returns:
        list of (share, taps): the Gaussian's weight over the sum of its taps inside the image, a tensor that broadcasts
        to (N, ..., 1); and its taps by spatial axis, without axes along which it has no width.
    """
    axes, terms = spatial_axes(maps), []
    for weight, sigmas in checked_prior(prior, spacing=spacing).gaussians_in_pixels(spacing, len(axes)):
        inside, of_axes = ops.ones_like(maps[(slice(1),) * len(maps.shape)]), {}
        for axis, sigma in zip(axes, sigmas):
            radius = math.ceil(4.0 * sigma)
            taps = gaussian_taps(sigma, radius)
            if np.float32(taps[radius]) < 1.0:
                line = maps[tuple(slice(None) if a == axis else slice(1) for a in range(len(maps.shape)))]
                inside, of_axes[axis] = inside * _mass(line, taps, axis), taps
        terms.append((weight / inside, of_axes))
    return terms


def _mass(line, taps, axis):
    """The sum of the taps that lie inside an image, at each of its pixels along an axis."""
    if line.shape[axis] is None:
        return filtered(ops.ones_like(line), taps, axis)
    radius = len(taps) // 2
    mass = np.convolve(np.ones(line.shape[axis]), taps)[radius : radius + line.shape[axis]]
    return ops.convert_to_tensor(np.expand_dims(mass, [a for a in range(len(line.shape)) if a != axis]), line.dtype)


def _spread(maps, taps):
    """Weighted sums of the maps around each pixel; taps by axis."""
    for axis, weights in taps.items():
        maps = filtered(maps, weights, axis)
    return maps
