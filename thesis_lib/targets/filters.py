"""Linear filters of class maps, each written as the backend in use computes it fastest.

TensorFlow and PyTorch have fast depthwise convolutions. XLA, which compiles JAX, has none on a CPU: there a filter
along an axis is a product with a banded matrix, and a small kernel is a sum of shifted maps.
"""

import math

import keras
import numpy as np
from keras import ops

from thesis_lib import backend

BLOCK = 32  # rows of a banded matrix that are multiplied together


def filtered(maps, taps, axis):
    """Maps (N, ..., K) convolved along one spatial axis with weights that are the same in both directions.

    Args:
        maps: float tensor (N, H, W, K) or (N, D, H, W, K); outside they count as 0.
        taps: float array of odd length, symmetric.
        axis: a spatial axis.

    Returns:
        tensor of the same shape.
    """
    one_pass = lambda values: (_banded if backend.is_jax() else _convolved)(values, taps, axis)
    if not (backend.is_jax() or backend.is_torch()):
        return one_pass(maps)
    # The filter is symmetric, so its gradient is the filter itself; it is faster than that of its parts.
    return backend.linear(one_pass, one_pass)(maps)


def _convolved(maps, taps, axis):
    """The filter by a depthwise convolution."""
    if backend.is_torch() and maps.device.type == "cpu":
        return _along_lines(maps, taps, axis)
    return _in_planes(maps, axis, lambda planes, size: depthwise(planes, taps.reshape(size(len(taps))), "same"))


def _along_lines(maps, taps, axis):
    """The filter on PyTorch's CPU: what lies behind the axis in memory is taken for channels of images of one row.

    Along every axis that is faster than the classes as channels. Keras's own operations would cost more than the filter
    where the maps are small.
    """
    import torch

    lines = maps.reshape(-1, 1, maps.shape[axis], math.prod(maps.shape[axis + 1 :])).movedim(-1, 1)
    weights = torch.as_tensor(taps, dtype=maps.dtype).expand(lines.shape[1], 1, 1, -1)
    found = torch.conv2d(lines, weights, padding=(0, len(taps) // 2), groups=lines.shape[1])
    return found.movedim(1, -1).reshape(maps.shape)


def largest(maps, axis):
    """The largest of each three neighbours along one spatial axis of maps (N, ..., K): a tensor of the same shape."""
    if maps.shape[axis] == 1:
        return maps
    if backend.is_jax():
        pairs = ops.maximum(_part(maps, axis, None, -1), _part(maps, axis, 1, None))
        inner = ops.maximum(_part(pairs, axis, None, -1), _part(pairs, axis, 1, None))
        return ops.concatenate([_part(pairs, axis, None, 1), inner, _part(pairs, axis, -1, None)], axis)
    if backend.is_torch():
        return _in_planes(maps, axis, lambda planes, size: _pooled(planes, size(3)))
    # TensorFlow pools many channels at once: what lies behind the axis in memory is taken for them.
    if axis == len(maps.shape) - 2:
        return ops.swapaxes(largest(ops.swapaxes(maps, axis, axis - 1), axis - 1), axis, axis - 1)
    shape = ops.shape(maps)
    lines = ops.reshape(maps, (-1, shape[axis], 1, math.prod(shape[axis + 1 :])))
    return ops.reshape(_pooled(lines, (3, 1)), shape)


def _pooled(images, window):
    return ops.max_pool(images, window, strides=1, padding="same")


def _part(maps, axis, start, stop):
    """A slice of maps along one axis."""
    return maps[(slice(None),) * axis + (slice(start, stop),)]


def _in_planes(maps, axis, function):
    """Apply to maps of any number of axes what a backend does to images alone, along one axis.

    Args:
        maps: tensor (N, ..., K).
        axis: a spatial axis.
        function: from a tensor (N, H, W, K), and a function from a length to the size (rows, columns) of a window of
            that length, to a tensor of the same shape.

    Returns:
        tensor of the shape of `maps`.
    """
    shape = ops.shape(maps)
    is_last = axis == len(shape) - 2
    size = lambda length: (1, length) if is_last else (length, 1)
    if len(shape) == 4:
        return function(maps, size)
    # An axis before the last one lies along the rows of planes in which those behind it are the columns.
    planes = shape[-3:-1] if is_last else (shape[axis], math.prod(shape[axis + 1 : -1]))
    return ops.reshape(function(ops.reshape(maps, (-1, *planes, shape[-1])), size), shape)


def _banded(maps, taps, axis):
    """Products of blocks of a banded matrix with the maps."""
    radius, length = len(taps) // 2, maps.shape[axis]
    first = ops.moveaxis(maps, -1, 1)
    rows = ops.reshape(first, (-1, length, math.prod(maps.shape[axis + 1 : -1])))
    offsets = np.arange(length) - np.arange(length)[:, None] + radius
    inside = (offsets >= 0) & (offsets <= 2 * radius)
    matrix = np.where(inside, taps[np.clip(offsets, 0, 2 * radius)], 0.0).astype(maps.dtype)
    block = max(BLOCK, radius)
    parts = []
    for start in range(0, length, block):
        near = slice(max(0, start - radius), start + block + radius)
        weights, values = matrix[start : start + block, near], rows[:, near]
        if values.shape[-1] == 1:
            parts.append(_product(values[..., 0], weights.T)[..., None])
        else:
            parts.append(_product(weights, values))
    return ops.moveaxis(ops.reshape(ops.concatenate(parts, axis=1), first.shape), 1, -1)


def _product(first, second):
    import jax

    return jax.numpy.matmul(first, second, precision="highest")


def depthwise(maps, kernel, padding="valid"):
    """Maps (N, H, W, K) convolved with one kernel for all classes.

    Args:
        maps: float tensor.
        kernel: float array (rows, columns), both odd.
        padding: "valid" or "same"; outside, maps count as 0.

    Returns:
        float tensor (N, H', W', K).
    """
    channels, dtype = maps.shape[-1], keras.backend.standardize_dtype(maps.dtype)
    sides = [length // 2 if padding == "same" else 0 for length in kernel.shape]
    if backend.is_jax():
        maps = ops.pad(maps, [[0, 0], *([side, side] for side in sides), [0, 0]])
        height, width = (size - length + 1 for size, length in zip(maps.shape[1:3], kernel.shape))
        shifted = (weight * maps[:, i : i + height, j : j + width] for (i, j), weight in np.ndenumerate(kernel))
        return ops.cast(sum(shifted), dtype)
    weights = np.tile(kernel[:, :, None, None], (1, 1, channels, 1))
    if not backend.is_torch():
        return ops.depthwise_conv(maps, ops.convert_to_tensor(weights, dtype), padding=padding)
    import torch

    # Keras would copy the maps four times. On a CPU PyTorch is fastest where the channels lie together in memory.
    maps = ops.convert_to_tensor(maps)
    if maps.device.type == "cpu":
        maps = maps.contiguous()
    weights = ops.convert_to_tensor(weights.transpose(2, 3, 0, 1), dtype)
    return torch.conv2d(maps.movedim(-1, 1), weights, padding=sides, groups=channels).movedim(1, -1)
