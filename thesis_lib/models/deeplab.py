"""DeepLabV3+ (Chen et al., "Encoder-Decoder with Atrous Separable Convolution", ECCV 2018) on a ResNet of keras-hub.

keras-hub's own DeepLabV3+ is not used, for three reasons: in TensorFlow graphs it takes images of one size only; it
enlarges 256 channels to full size before it computes the classes; a functional model with its pyramid layer cannot be
loaded once it is saved.
"""

import keras
from keras import layers, ops

from thesis_lib import checks
from thesis_lib.models import arguments
from thesis_lib.models.resnet import resnet_backbone
from thesis_lib.models.unet import CropLike, PadToMultiple


def deeplab(
    num_classes,
    depth=101,
    weights="imagenet",
    train_backbone=True,
    filters=256,
    dilation_rates=(6, 12, 18),
    momentum=0.9,
    channels=3,
):
    """A segmentation network for colour or grey images of any size.

    The network pads an image to multiples of 32 px and crops the logits back.

    Args:
        num_classes: K, 2 or more.
        depth: number of layers of the ResNet: 18, 50 or 101.
        weights: of the ResNet: "imagenet", a preset folder, or None for random ones; see `resnet_backbone`.
        train_backbone: whether to train the ResNet as well, or only the layers on top of it.
        filters: channels of the atrous convolutions and of the decoder.
        dilation_rates: of the atrous convolutions, whole numbers from 1, in cells of 32 px. The published ones see 600
            px far. Images of a few hundred px need smaller ones, such as (1, 2, 3).
        momentum: of the moving averages of batch normalisation, in [0, 1), in the layers on top of the ResNet, and in
            the ResNet if its weights are random. The averages need about 3 / (1 - momentum) training steps; predictions
            before that are poor.
        channels: of the images: 3 for colour, 1 for grey, which is copied to all three channels of the ResNet.

    Returns:
        keras.Model from images (N, H, W, channels), 0-255, to float32 logits (N, H, W, K).

    Raises:
        ValueError: if an argument is not of this kind, or the weights are not available.
    """
    num_classes = arguments.num_classes(num_classes)
    filters = checks.integer("filters", filters, 1, arguments.MOST_FILTERS)
    if checks.integer("channels", channels) not in (1, 3):
        raise ValueError(f"channels must be 1 or 3; got {channels}")
    train_backbone = checks.boolean("train_backbone", train_backbone)
    check(dilation_rates, momentum)
    encoder, prepare = resnet_backbone(depth, weights)
    encoder.trainable = train_backbone
    if weights is None:
        for layer in encoder.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum = momentum
    levels = keras.Model(encoder.inputs, [encoder.pyramid_outputs[level] for level in ("P2", "P5")], name="levels")

    def convolve(x, filters, kernel, name, rate=1):
        x = layers.Conv2D(filters, kernel, padding="same", dilation_rate=rate, use_bias=False, name=name)(x)
        return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(momentum=momentum, name=f"{name}_norm")(x))

    images = keras.Input((None, None, channels), name="images")
    colours = images if channels == 3 else layers.Concatenate(name="grey")([images] * 3)
    fine, coarse = levels(prepare(PadToMultiple(32, name="pad")(colours)))
    # Atrous spatial pyramid pooling. The pooled branch is the same everywhere, so it is added after the branches are
    # mixed, which saves enlarging it.
    branches = [convolve(coarse, filters, 1, "context0")]
    branches += [convolve(coarse, filters, 3, f"context{i}", rate) for i, rate in enumerate(dilation_rates, 1)]
    pooled = convolve(layers.GlobalAveragePooling2D(keepdims=True, name="average")(coarse), filters, 1, "pooled")
    mixed = layers.Conv2D(filters, 1, use_bias=False, name="mix")(layers.Concatenate(name="branches")(branches))
    mixed_pooled = layers.Conv2D(filters, 1, use_bias=False, name="mix_pooled")(pooled)
    x = layers.Add(name="mix_all")([mixed, mixed_pooled])
    x = layers.BatchNormalization(momentum=momentum, name="mix_norm")(x)
    x = layers.ReLU(name="mix_relu")(x)
    x = layers.Dropout(0.1, name="dropout")(x)
    x = Enlarge(8, name="enlarge_context")(x)

    x = layers.Concatenate(name="join")([x, convolve(fine, 48, 1, "fine")])
    x = convolve(convolve(x, filters, 3, "decoder0"), filters, 3, "decoder1")
    x = layers.Conv2D(num_classes, 1, dtype="float32", name="classes")(x)
    logits = Enlarge(4, dtype="float32", name="enlarge_logits")(x)
    return keras.Model(images, CropLike(dtype="float32", name="logits")(logits, images), name="deeplab")


def check(dilation_rates, momentum):
    """Raise ValueError unless `deeplab` accepts these values."""
    checks.listed("dilation_rates", dilation_rates, object, "a list of whole numbers from 1")
    for rate in dilation_rates:
        checks.integer("dilation_rates", rate, 1, arguments.LONGEST)
    checks.real("momentum", momentum, 0.0, 0.9999)


@keras.saving.register_keras_serializable("thesis_lib")
class Enlarge(layers.Layer):
    """Bilinear enlargement by a whole factor.

    Keras's `UpSampling2D` fails in TensorFlow graphs that take several sizes.
    """

    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, x):
        height, width = (self.factor * n for n in ops.shape(x)[1:3])
        return layers.Resizing(height, width, interpolation="bilinear", dtype=self.dtype_policy)(x)

    def compute_output_spec(self, x):
        size = [n and self.factor * n for n in x.shape[1:3]]
        return keras.KerasTensor((x.shape[0], *size, x.shape[3]), dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
