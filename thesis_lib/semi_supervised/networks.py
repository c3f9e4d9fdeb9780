"""The classifiers that a run can train, by name, and the random variation of its images."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import layers

from thesis_lib.models.convnet13 import convnet13
from thesis_lib.models.mlp import mlp
from thesis_lib.models.resnet import resnet_classifier
from thesis_lib.models.small_convnet import small_convnet
from thesis_lib.models.wide_resnet import wide_resnet


class Network(NamedTuple):
    """A network by its name.

    title: what tables call it; family: "dense" or "convolutional"; width and dropout: its usual ones (dropout None: it
    has none to choose); build: makes it from (num_classes, image_shape, run), a run whose width and dropout are set.
    """

    title: str
    family: str
    width: int
    dropout: float | None
    build: Callable


def _dropout_mlp(num_classes, image_shape, run):
    return mlp(num_classes, image_shape, (run.width,), run.dropout_rate, 0.2)


NETWORKS = {
    "mlp": Network("dense", "dense", 128, None, lambda k, shape, run: mlp(k, shape, (run.width,), 0.0, 0.0)),
    "mlp_dropout": Network("dense + dropout", "dense", 128, 0.5, _dropout_mlp),
    "mlp_dropout_dae": Network("dense + dropout + auto-encoder", "dense", 128, 0.5, _dropout_mlp),
    "convnet13": Network(
        "convolutional",
        "convolutional",
        16,
        0.5,
        lambda k, shape, run: convnet13(k, shape, run.width, run.dropout_rate),
    ),
    "small_convnet": Network(
        "small convolutional",
        "convolutional",
        16,
        0.3,
        lambda k, shape, run: small_convnet(k, shape, run.width, run.dropout_rate),
    ),
    "wide_resnet": Network(
        "Wide ResNet", "convolutional", 2, None, lambda k, shape, run: wide_resnet(k, shape, width=run.width)
    ),
    "resnet": Network(
        "ResNet", "convolutional", 18, None, lambda k, shape, run: resnet_classifier(k, shape, run.width, run.weights)
    ),
}
PRETRAINED = ("mlp_dropout_dae",)  # as denoising auto-encoders, on all images to train on


def augmentation(run, strong=False):
    """The run's random variation of images, a Keras layer, or None; the strong one also turns, zooms, changes contrast.

    Args:
        run: with the fields shift, mirror, noise and seed of `Run`.
        strong: whether it is FixMatch's strong augmentation.
    """
    fill = {"fill_mode": "constant"}
    seeds = itertools.count(10 * run.seed)  # layers of one seed would vary alike
    parts = []
    if run.shift:
        parts.append(layers.RandomTranslation(run.shift, run.shift, **fill, seed=next(seeds)))
    if run.mirror:
        parts.append(layers.RandomFlip("horizontal", seed=next(seeds)))
    if run.noise:  # Keras's noise is for values from 0 to 1
        noise = layers.GaussianNoise(run.noise / 255, seed=next(seeds))
        parts += [layers.Rescaling(1 / 255), noise, layers.Rescaling(255.0)]
    if strong:
        parts.append(layers.RandomRotation(0.1, **fill, seed=next(seeds)))
        parts.append(layers.RandomZoom(0.2, **fill, seed=next(seeds)))
        parts.append(layers.RandomContrast((0.5, 0.5), seed=next(seeds)))
    return keras.Sequential(parts) if parts else None
