"""U-Net (Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015).

The encoder, the centre and the decoder are lists of blocks. Convolutions are followed by batch normalisation.
"""

import math
from dataclasses import dataclass

import keras
from keras import layers, ops

from thesis_lib import checks


@dataclass(frozen=True)
class Block:
    """Convolutions at one resolution.

    Args:
        filters: channels of every convolution.
        convolutions: how many, each followed by batch normalisation and a ReLU.
        kernel: side of the convolutions, px.
        pooling: factor by which an encoder block shrinks the image after its convolutions, and a decoder block
            enlarges it before them; a centre block ignores it.

    Raises:
        ValueError: if a value is not a whole number from 1.
    """

    filters: int
    convolutions: int = 2
    kernel: int = 3
    pooling: int = 2

    def __post_init__(self):
        for name in ("filters", "convolutions", "kernel", "pooling"):
            checks.integer(name, getattr(self, name), 1)


def symmetric(width, depth=4):
    """The blocks of a usual U-Net: the decoder mirrors the encoder, and each level has half the resolution of the last.

    Args:
        width: filters at the finest level, doubled from level to level. Levels have two convolutions, but the finest
            has one: a second one would take half of all the time. Or a list with [filters, convolutions] of each level,
            the finest first and the centre last.
        depth: number of levels above the centre; not used if `width` is a list.

    Returns:
        dict with the arguments encoder, centre and decoder of `unet`.

    Raises:
        ValueError: if a value is not of this kind.

    Example:
        >>> network = unet(num_classes=3, **symmetric(width=16, depth=3), image_shape=(None, None, 3))
    """
    if isinstance(width, (list, tuple)):
        are_pairs = all(isinstance(level, (list, tuple)) and len(level) == 2 for level in width)
        if len(width) < 2 or not are_pairs:
            raise ValueError(
                f"width must be an integer or a list of two or more [filters, convolutions]; got {width!r}"
            )
        blocks = [Block(filters, convolutions) for filters, convolutions in width]
    else:
        checks.integer("width", width, 1)
        checks.integer("depth", depth, 1)
        blocks = [Block(width, 1), *(Block(width * 2**level) for level in range(1, depth + 1))]
    return {"encoder": blocks[:-1], "centre": blocks[-1:], "decoder": blocks[-2::-1]}


def unet(num_classes, encoder, centre, decoder, image_shape=(None, None, 1), dropout=0.0):
    """A U-Net for images of any size.

    The network pads an image to a size that the poolings divide, and crops the logits back.

    Args:
        num_classes: K, 2 or more.
        encoder, centre, decoder: lists of Block. The decoder has one block for each block of the encoder, with the same
            poolings in reverse order.
        image_shape: (H, W, C); H and W may be None.
        dropout: rate in [0, 1) after the centre.

    Returns:
        keras.Model from images (N, H, W, C), 0-255, to float32 logits (N, H, W, K).

    Raises:
        ValueError: if the poolings do not match or num_classes is too small.
    """
    checks.integer("num_classes", num_classes, 2)
    poolings, enlargements = [block.pooling for block in encoder], [block.pooling for block in decoder]
    if not encoder or enlargements != poolings[::-1]:
        raise ValueError(
            f"decoder must have the encoder's poolings in reverse order, {poolings[::-1]}; got {enlargements}"
        )
    images = keras.Input(image_shape, name="images")
    x = layers.Rescaling(1 / 255, name="rescale")(images)
    x = PadToMultiple(math.prod(poolings), name="pad")(x)
    skips = []
    for level, block in enumerate(encoder):
        x = _convolve(x, block, f"encoder{level}")
        skips.append(x)
        x = layers.MaxPooling2D(block.pooling, name=f"encoder{level}_pool")(x)
    for level, block in enumerate(centre):
        x = _convolve(x, block, f"centre{level}")
    if dropout:
        x = layers.SpatialDropout2D(dropout, name="dropout")(x)
    for level, (block, skip) in enumerate(zip(decoder, reversed(skips))):
        x = layers.UpSampling2D(block.pooling, name=f"decoder{level}_enlarge")(x)
        x = layers.Concatenate(name=f"decoder{level}_join")([x, skip])
        x = _convolve(x, block, f"decoder{level}")
    x = layers.Conv2D(num_classes, 1, dtype="float32", name="classes")(x)
    return keras.Model(images, CropLike(dtype="float32", name="logits")(x, images), name="unet")


def _convolve(x, block, name):
    """The convolutions of a block, each with batch normalisation and a ReLU."""
    for i in range(block.convolutions):
        x = layers.Conv2D(block.filters, block.kernel, padding="same", use_bias=False, name=f"{name}_conv{i}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm{i}")(x)
        x = layers.ReLU(name=f"{name}_relu{i}")(x)
    return x


@keras.saving.register_keras_serializable("thesis_lib")
class PadToMultiple(layers.Layer):
    """Pads with zeros below and to the right until height and width are multiples of `multiple`."""

    def __init__(self, multiple, **options):
        super().__init__(**options)
        self.multiple = multiple

    def call(self, x):
        height, width = ops.shape(x)[1:3]
        return ops.pad(x, [[0, 0], [0, -height % self.multiple], [0, -width % self.multiple], [0, 0]])

    def compute_output_spec(self, x):
        size = [None if n is None else n + -n % self.multiple for n in x.shape[1:3]]
        return keras.KerasTensor((x.shape[0], *size, x.shape[3]), dtype=x.dtype)

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable("thesis_lib")
class CropLike(layers.Layer):
    """Crops `x` to the height and width of `like`; the top left corner stays."""

    def call(self, x, like):
        height, width = ops.shape(like)[1:3]
        return x[:, :height, :width]

    def compute_output_spec(self, x, like):
        return keras.KerasTensor((x.shape[0], *like.shape[1:3], x.shape[3]), dtype=x.dtype)
