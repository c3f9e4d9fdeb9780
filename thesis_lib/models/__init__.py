"""Networks: functions from a description to a functional keras.Model that returns logits."""

from thesis_lib import backend  # noqa: F401, says how to get one
from thesis_lib.models.augmentation import AugmentedSegmenter, augmentation
from thesis_lib.models.convnet13 import convnet13
from thesis_lib.models.deeplab import deeplab
from thesis_lib.models.mlp import mlp, pretrain
from thesis_lib.models.resnet import resnet_backbone, resnet_classifier
from thesis_lib.models.small_convnet import small_convnet
from thesis_lib.models.unet import Block, symmetric, unet
from thesis_lib.models.wide_resnet import wide_resnet

__all__ = [
    "AugmentedSegmenter",
    "Block",
    "augmentation",
    "convnet13",
    "deeplab",
    "mlp",
    "pretrain",
    "resnet_backbone",
    "resnet_classifier",
    "small_convnet",
    "symmetric",
    "unet",
    "wide_resnet",
]
