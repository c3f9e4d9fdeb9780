"""Residual networks of keras-hub (He et al., CVPR 2016), pretrained on ImageNet or not, and a classifier on top."""

import keras
from keras import layers

from thesis_lib import checks
from thesis_lib.extras import extra
from thesis_lib.models import arguments

BLOCKS = {
    18: ([2, 2, 2, 2], "basic_block"),
    50: ([3, 4, 6, 3], "bottleneck_block"),
    101: ([3, 4, 23, 3], "bottleneck_block"),
}
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's images, as the presets were trained with


def resnet_backbone(depth=18, weights="imagenet"):
    """A ResNet without its head, and the layer that prepares images for it.

    Args:
        depth: 18, 50 or 101.
        weights: "imagenet", downloaded once by keras-hub; the path of a preset folder that keras-hub saved; or None for
            random weights.

    Returns:
        (keras_hub.models.ResNetBackbone, keras layer from images (N, H, W, 3), 0-255, to the backbone's input).

    Raises:
        ValueError: if the weights cannot be loaded, naming the alternatives, or are of another depth.
    """
    if checks.integer("depth", depth, 1) not in BLOCKS:
        raise ValueError(f"depth must be one of {', '.join(map(str, BLOCKS))}; got {depth!r}")
    if weights is not None:
        checks.path("weights", weights, 'None, "imagenet" or a preset folder')
    with extra("notebooks"):
        from keras_hub.models import ResNetBackbone  # slow to import

    numbers, kind = BLOCKS[depth]
    prepare = layers.Rescaling(
        [1 / (255 * d) for d in DEVIATION], [-m / d for m, d in zip(MEAN, DEVIATION)], name="prepare"
    )
    if weights is None:
        backbone = ResNetBackbone([64], [7], [64, 128, 256, 512], numbers, [1, 2, 2, 2], kind)
        return backbone, prepare
    preset = f"resnet_{depth}_imagenet" if weights == "imagenet" else str(weights)
    try:
        backbone = ResNetBackbone.from_preset(preset)
    except Exception as error:  # keras-hub and its downloaders raise many kinds
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"weights={weights!r} could not be loaded ({reason}). Pass weights=None to start from random weights, or "
            "the path of a folder made on a machine with internet access by "
            f"keras_hub.models.ResNetBackbone.from_preset({preset!r}).save_to_preset(FOLDER)"
        ) from error
    if (backbone.stackwise_num_blocks, backbone.block_type) != (numbers, kind):
        raise ValueError(
            f"depth must be that of the ResNet in weights={weights!r}, "
            f"of {backbone.stackwise_num_blocks} blocks; got {depth}, of {numbers}"
        )
    return backbone, prepare


def resnet_classifier(num_classes, image_shape, depth=18, weights="imagenet", train_backbone=True):
    """A new head on a ResNet, for a user's own photographs.

    Args:
        num_classes: K.
        image_shape: (H, W, 3), or (H, W, 1): grey images are shown in all three channels. H and W may be None.
        depth, weights: of `resnet_backbone`.
        train_backbone: whether the backbone is trained as well, or only the head.

    Returns:
        keras.Model from images (N, H, W, C), 0-255, to float32 logits (N, K).
    """
    num_classes, image_shape = arguments.num_classes(num_classes), arguments.image_shape(image_shape, free=True)
    if image_shape[-1] not in (1, 3):
        raise ValueError(f"image_shape must have 1 or 3 channels; got {image_shape}")
    train_backbone = checks.boolean("train_backbone", train_backbone)
    backbone, prepare = resnet_backbone(depth, weights)
    backbone.trainable = train_backbone
    images = keras.Input(image_shape, name="images")
    x = layers.Concatenate(name="grey")([images] * 3) if image_shape[-1] == 1 else images
    x = layers.GlobalAveragePooling2D(name="average")(backbone(prepare(x)))
    return keras.Model(images, layers.Dense(num_classes, dtype="float32", name="classes")(x), name="resnet_classifier")
