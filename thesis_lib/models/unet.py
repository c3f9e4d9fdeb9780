"""U-Net (Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015).

The encoder, the centre and the decoder are lists of blocks. Convolutions are followed by batch normalisation. For
volumes every layer has three axes (Cicek et al., "3D U-Net", MICCAI 2016). An axis along which voxels are long is
neither pooled nor convolved until the others are as coarse (Isensee et al., "nnU-Net", Nature Methods 2021).
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from thesis_lib import checks
from thesis_lib.models import arguments

MOST = {"filters": arguments.MOST_FILTERS, "convolutions": 100, "kernel": 1024, "pooling": 1024}  # of a block
OF_AXES = ("kernel", "pooling")  # may have a value for each axis
DEEPEST = 16  # levels


@dataclass(frozen=True)
class Block:
    """Convolutions at one resolution.

    Args:
        filters: channels of every convolution.
        convolutions: how many, each followed by batch normalisation and a ReLU.
        kernel: side of the convolutions, px, or a tuple with one for each axis.
        pooling: factor by which an encoder block shrinks the image after its convolutions, and a decoder block
            enlarges it before them, or a tuple with one for each axis; a centre block ignores it.

    Raises:
        ValueError: if a value is not a whole number from 1 to its limit, 2**16 filters, 100 convolutions, 1024 px.
    """

    filters: int
    convolutions: int = 2
    kernel: int | tuple = 3
    pooling: int | tuple = 2

    def __post_init__(self):
        for name, most in MOST.items():
            value = getattr(self, name)
            if name in OF_AXES and isinstance(value, tuple) and value:
                whole = tuple(checks.integer(name, one, 1, most) for one in value)
            else:
                whole = checks.integer(name, value, 1, most)
            object.__setattr__(self, name, whole)


def symmetric(width: int, depth: int = 4, spacing=None) -> dict:
    """The blocks of a usual U-Net: the decoder mirrors the encoder, and each level has half the resolution of the last.

    Args:
        width: filters at the finest level, doubled from level to level. Levels have two convolutions, but the finest
            has one: a second one would take half of all the time. Or a list with [filters, convolutions] of each level,
            the finest first and the centre last.
        depth: number of levels above the centre, 1 to 16; not used if `width` is a list.
        spacing: sides of a pixel (rows, columns) or voxel (planes, rows, columns), mm. An axis along which they are
            twice as long as along the finest, or more, is neither pooled nor convolved. All axes alike if None.

    Returns:
        dict with the arguments encoder, centre and decoder of `unet`.

    Raises:
        ValueError: if a value is not of this kind, or the centre would have more than 2**16 filters.

    Example:
        >>> network = unet(num_classes=3, **symmetric(width=16, depth=3), image_shape=(None, None, 3))

    Example: volumes of one band, whose voxels are 3 x 0.8 x 0.8 mm large.
        >>> blocks = symmetric(width=16, depth=3, spacing=(3.0, 0.8, 0.8))
        >>> network = unet(num_classes=3, **blocks, image_shape=(None, None, None, 1))
    """
    if isinstance(width, (list, tuple)):
        are_pairs = all(isinstance(level, (list, tuple)) and len(level) == 2 for level in width)
        if len(width) < 2 or not are_pairs:
            raise ValueError(
                f"width must be an integer or a list of two or more [filters, convolutions]; got {width!r}"
            )
        for level in width:
            for name, value in zip(("filters", "convolutions"), level):
                checks.integer(f"{name} in width", value, 1, MOST[name])
        blocks = [Block(filters, convolutions) for filters, convolutions in width]
    else:
        width = checks.integer("width", width, 1, MOST["filters"])
        depth = checks.integer("depth", depth, 1, DEEPEST)
        if width * 2**depth > MOST["filters"]:
            raise ValueError(
                f"width * 2**depth, the filters of the centre, must be at most {MOST['filters']}; "
                f"got {width} * 2**{depth}"
            )
        blocks = [Block(width, 1), *(Block(width * 2**level) for level in range(1, depth + 1))]
    if spacing is not None:
        blocks = _for_spacing(blocks, spacing)
    return {"encoder": blocks[:-1], "centre": blocks[-1:], "decoder": blocks[-2::-1]}


def _for_spacing(blocks, spacing):
    """The blocks with kernels and poolings of 1 along axes where pixels are long, level after level."""
    what = "two or three lengths, more than 0"
    sides = checks.number_array("spacing", spacing, what)
    if sides.shape not in ((2,), (3,)) or sides.min() <= 0:
        raise ValueError(f"spacing must be {what}; got {spacing!r}")
    found = []
    for block in blocks:
        fine = sides < 2 * sides.min()
        kernel, pooling = (tuple(np.where(fine, n, 1).tolist()) for n in (block.kernel, block.pooling))
        found.append(replace(block, kernel=kernel, pooling=pooling))
        sides = sides * pooling
    return found


def unet(num_classes, encoder, centre, decoder, image_shape=(None, None, 1), dropout=0.0):
    """A U-Net for images or volumes of any size.

    The network pads an image to a size that the poolings divide, and crops the logits back.

    Args:
        num_classes: K, 2 or more.
        encoder, centre, decoder: lists of Block. The decoder has one block for each block of the encoder, with the same
            poolings in reverse order.
        image_shape: (H, W, C), or (D, H, W, C) of volumes; all but C may be None.
        dropout: rate in [0, 1) after the centre.

    Returns:
        keras.Model from images (N, H, W, C) or volumes (N, D, H, W, C), 0-255, to float32 logits with K in place of C.

    Raises:
        ValueError: if the poolings do not match each other or the axes, or another argument is not of its kind.
    """
    num_classes = arguments.num_classes(num_classes)
    image_shape = arguments.image_shape(image_shape, axes=tuple(LAYERS), free=True)
    dropout = arguments.rate("dropout", dropout)
    parts = {"encoder": encoder, "centre": centre, "decoder": decoder}
    for name, blocks in parts.items():
        checks.listed(name, blocks, Block, "a list of Block, one or more")
    axes = len(image_shape) - 1
    poolings, enlargements = [block.pooling for block in encoder], [block.pooling for block in decoder]
    if enlargements != poolings[::-1]:
        raise ValueError(
            f"decoder must have the encoder's poolings in reverse order, {poolings[::-1]}; got {enlargements}"
        )
    for name, blocks in parts.items():
        for one in [getattr(block, side) for block in blocks for side in OF_AXES]:
            if isinstance(one, tuple) and len(one) != axes:
                raise ValueError(f"{name} must have a kernel and a pooling for each of {axes} axes; got {one}")
    of_axes = LAYERS[axes]
    images = keras.Input(image_shape, name="images")
    # Padding comes before what is no convolution: TensorFlow joins it to a convolution of volumes and then takes "same"
    # for "valid" (oneDNN, on CPUs).
    x = PadToMultiple(_product(poolings, axes), name="pad")(images)
    x = layers.Rescaling(1 / 255, name="rescale")(x)
    skips = []
    for level, block in enumerate(encoder):
        x = _convolve(x, block, of_axes.convolution, f"encoder{level}")
        skips.append(x)
        x = of_axes.pooling(block.pooling, name=f"encoder{level}_pool")(x)
    for level, block in enumerate(centre):
        x = _convolve(x, block, of_axes.convolution, f"centre{level}")
    if dropout:
        x = of_axes.dropout(dropout, name="dropout")(x)
    for level, (block, skip) in enumerate(zip(decoder, reversed(skips))):
        x = of_axes.enlarging(block.pooling, name=f"decoder{level}_enlarge")(x)
        x = layers.Concatenate(name=f"decoder{level}_join")([x, skip])
        x = _convolve(x, block, of_axes.convolution, f"decoder{level}")
    x = of_axes.convolution(num_classes, 1, dtype="float32", name="classes")(x)
    return keras.Model(images, CropLike(dtype="float32", name="logits")(x, images), name="unet")


class Axes(NamedTuple):
    """The layers of images, or of volumes."""

    convolution: type
    pooling: type
    enlarging: type
    dropout: type


LAYERS = {
    2: Axes(layers.Conv2D, layers.MaxPooling2D, layers.UpSampling2D, layers.SpatialDropout2D),
    3: Axes(layers.Conv3D, layers.MaxPooling3D, layers.UpSampling3D, layers.SpatialDropout3D),
}


def _product(poolings, axes):
    """Of all poolings: a number, or a list with one for each axis where an axis has its own."""
    if not any(isinstance(one, tuple) for one in poolings):
        return math.prod(poolings)
    return np.prod([np.broadcast_to(one, axes) for one in poolings], axis=0).tolist()


def _convolve(x, block, convolution, name):
    """The convolutions of a block, each with batch normalisation and a ReLU."""
    for i in range(block.convolutions):
        x = convolution(block.filters, block.kernel, padding="same", use_bias=False, name=f"{name}_conv{i}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm{i}")(x)
        x = layers.ReLU(name=f"{name}_relu{i}")(x)
    return x


@keras.saving.register_keras_serializable("thesis_lib")
class PadToMultiple(layers.Layer):
    """Pads with zeros at the end of all axes between the first and the last until they are multiples of `multiple`.

    Args:
        multiple: a number, or a list with one for each of these axes.
    """

    def __init__(self, multiple, **options):
        super().__init__(**options)
        self.multiple = multiple

    def call(self, x):
        missing = [[0, -n % multiple] for n, multiple in zip(ops.shape(x)[1:-1], self._multiples(x))]
        return ops.pad(x, [[0, 0], *missing, [0, 0]])

    def compute_output_spec(self, x):
        sizes = zip(x.shape[1:-1], self._multiples(x))
        size = [None if n is None else n + -n % multiple for n, multiple in sizes]
        return keras.KerasTensor((x.shape[0], *size, x.shape[-1]), dtype=x.dtype)

    def _multiples(self, x):
        return np.broadcast_to(self.multiple, len(x.shape) - 2).tolist()

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable("thesis_lib")
class CropLike(layers.Layer):
    """Crops `x` to the size of `like` between the first and the last axis; the start of each stays."""

    def call(self, x, like):
        return x[(slice(None), *(slice(n) for n in ops.shape(like)[1:-1]))]

    def compute_output_spec(self, x, like):
        return keras.KerasTensor((x.shape[0], *like.shape[1:-1], x.shape[-1]), dtype=x.dtype)
