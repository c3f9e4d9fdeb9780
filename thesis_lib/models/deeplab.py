"""DeepLabV3+ of keras-hub (Chen et al., ECCV 2018) on a residual network, pretrained on ImageNet or not."""

import keras
from keras import layers

from thesis_lib import checks
from thesis_lib.models.resnet import resnet_backbone
from thesis_lib.models.unet import CropLike, PadToMultiple


def deeplab(num_classes, depth=101, weights="imagenet", train_backbone=True):
    """A segmentation network for colour images of any size: padded inside to a multiple of 32, and the logits cropped back.

    Args:
        num_classes: K.
        depth: of the ResNet: 18, 50 or 101.
        weights: of the ResNet: "imagenet", a preset folder, or None, see `resnet_backbone`.
        train_backbone: whether the ResNet is trained, too, or only what is on top of it.

    Returns:
        keras.Model from images (N, H, W, 3), 0-255, to float32 logits (N, H, W, K).
    """
    from keras_hub.models import DeepLabV3Backbone  # slow to import

    checks.integer("num_classes", num_classes, 2)
    encoder, prepare = resnet_backbone(depth, weights)
    encoder.trainable = train_backbone
    body = DeepLabV3Backbone(
        encoder, spatial_pyramid_pooling_key="P5", upsampling_size=8, dilation_rates=[6, 12, 18], low_level_feature_key="P2",
        projection_filters=48,
    )  # fmt: skip
    images = keras.Input((None, None, 3), name="images")
    features = body(prepare(PadToMultiple(32, name="pad")(images)))
    logits = layers.Conv2D(num_classes, 1, dtype="float32", name="classes")(features)
    return keras.Model(images, CropLike(dtype="float32", name="logits")(logits, images), name="deeplab")
