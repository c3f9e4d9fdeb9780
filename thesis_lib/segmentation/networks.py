"""The networks that a `Run` can train, by name."""

from collections.abc import Callable
from typing import NamedTuple

from thesis_lib.models.deeplab import deeplab
from thesis_lib.models.unet import symmetric, unet


class Network(NamedTuple):
    """A network by its name: its title, its fields of `Run`, and what makes it from (run, num_classes, image_shape)."""

    title: str
    settings: tuple[str, ...]
    build: Callable


def _unet(run, num_classes, image_shape):
    return unet(num_classes, **symmetric(run.width, run.depth, run.task.spacing), image_shape=image_shape)


def _deeplab(run, num_classes, image_shape):
    return deeplab(
        num_classes,
        run.resnet_depth,
        run.weights,
        run.train_backbone,
        run.filters,
        run.dilation_rates,
        run.momentum,
        image_shape[-1],
    )


NETWORKS = {
    "unet": Network("U-Net", ("width", "depth"), _unet),
    "deeplab": Network(
        "DeepLabV3+", ("resnet_depth", "weights", "train_backbone", "filters", "dilation_rates", "momentum"), _deeplab
    ),
}
