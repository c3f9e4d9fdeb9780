"""U-Net (Ronneberger et al., MICCAI 2015), its encoder, centre and decoder given as lists of blocks."""

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
    """

    filters: int
    convolutions: int = 2
    kernel: int = 3
    pooling: int = 2

    def __post_init__(self):
        for name in ("filters", "convolutions", "kernel", "pooling"):
            checks.integer(name, getattr(self, name), 1)


def symmetric(width, depth=4):
    """A usual U-Net: {encoder, centre, decoder} whose decoder mirrors the encoder, each level at half the resolution of the one before.

    Args:
        width: filters at the finest level, doubling from level to level, with two convolutions each but one at the
            finest, which would otherwise take half of all time; or [filters, convolutions] of each level, finest first, the centre last.
        depth: how many levels above the centre; left unused where `width` lists them.
    """
    if isinstance(width, (list, tuple)):
        if len(width) < 2 or not all(isinstance(level, (list, tuple)) and len(level) == 2 for level in width):
            raise ValueError(
                f"width must be an integer or a list of two or more [filters, convolutions]; got {width!r}"
            )
        blocks = [Block(filters, convolutions) for filters, convolutions in width]
    else:
        checks.integer("width", width, 1)
        blocks = [Block(width * 2**i, 1 if i == 0 else 2) for i in range(checks.integer("depth", depth, 1) + 1)]
    return {"encoder": blocks[:-1], "centre": blocks[-1:], "decoder": blocks[-2::-1]}


def unet(num_classes, encoder, centre, decoder, image_shape=(None, None, 1), dropout=0.0):
    """A U-Net for images of any size: padded inside to what the poolings divide, and the logits cropped back.

    Args:
        num_classes: K.
        encoder, centre, decoder: lists of Block. The decoder has one for each of the encoder's, in reverse order
            with the same poolings.
        image_shape: (H, W, C); H and W may be None.
        dropout: rate in [0, 1) after the centre.

    Returns:
        keras.Model from images (N, H, W, C), 0-255, to float32 logits (N, H, W, K).
    """
    checks.integer("num_classes", num_classes, 2)
    poolings = [block.pooling for block in encoder]
    if not encoder or [block.pooling for block in decoder] != poolings[::-1]:
        raise ValueError(
            f"decoder must have the encoder's poolings in reverse order, {poolings[::-1]}; "
            f"got {[block.pooling for block in decoder]}"
        )
    multiple = 1
    for pooling in poolings:
        multiple *= pooling

    images = keras.Input(image_shape, name="images")
    x = PadToMultiple(multiple, name="pad")(layers.Rescaling(1 / 255, name="rescale")(images))
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
    for i in range(block.convolutions):
        x = layers.Conv2D(block.filters, block.kernel, padding="same", use_bias=False, name=f"{name}_conv{i}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm{i}")(x)
        x = layers.ReLU(name=f"{name}_relu{i}")(x)
    return x


@keras.saving.register_keras_serializable("thesis_lib")
class PadToMultiple(layers.Layer):
    """Zeros below and to the right until height and width divide by `multiple`."""

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
    """The top left of `x`, as high and wide as `like`."""

    def call(self, x, like):
        height, width = ops.shape(like)[1:3]
        return x[:, :height, :width]

    def compute_output_spec(self, x, like):
        return keras.KerasTensor((x.shape[0], *like.shape[1:3], x.shape[3]), dtype=x.dtype)
