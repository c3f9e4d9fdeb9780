"""How the fuzzing test calls `thesis_lib.models` and `thesis_lib.training`."""

import keras
import numpy as np
from fuzz import files
from fuzz.entry import Entry
from hypothesis import strategies as st

from thesis_lib import models, training
from thesis_lib.data import SceneBatches

SMALL = {"num_classes": 3, "image_shape": (16, 16, 1)}
BLOCKS = {"encoder": [models.Block(2)], "centre": [models.Block(2)], "decoder": [models.Block(2)]}


def segmenter():
    images = keras.Input((None, None, 3))
    return keras.Model(images, keras.layers.Conv2D(3, 1)(images))


MLP = models.mlp(3, (4, 4, 1), hidden=(5,))
SEGMENTER = segmenter()
BATCHES = SceneBatches(np.zeros((2, 4, 4, 3), np.uint8), np.zeros((2, 4, 4), np.uint8), 1)


def logits_of_classes(given, result):
    assert result.output_shape[-1] == given["num_classes"]


def network(make, examples=6, **given):
    return Entry(make, given, logits_of_classes, examples=examples)


def augmented(network, augment):
    return models.AugmentedSegmenter(network, augment)(np.zeros((1, 8, 8, 3), np.float32))


ENTRIES = {
    "models.AugmentedSegmenter": Entry(
        augmented, {"network": SEGMENTER, "augment": models.augmentation((8, 8, 3), seed=0)}, examples=15
    ),
    "models.Block": Entry(models.Block, {"filters": 4, "convolutions": 2, "kernel": 3, "pooling": 2}),
    "models.augmentation": Entry(
        models.augmentation,
        {"image_shape": (8, 8, 3), "rotation": 5.0, "shift": 1.0, "zoom": 0.1, "seed": 0},
        examples=15,
    ),
    "models.convnet13": network(models.convnet13, **SMALL, width=2, dropout=0.5),
    "models.deeplab": network(
        models.deeplab,
        examples=2,
        num_classes=3,
        depth=18,
        weights=None,
        train_backbone=True,
        filters=4,
        dilation_rates=(1, 2),
        momentum=0.9,
        channels=3,
    ),
    "models.mlp": network(models.mlp, 12, **SMALL, hidden=(4,), dropout=0.5, input_dropout=0.2),
    "models.pretrain": Entry(
        models.pretrain,
        {
            "network": MLP,
            "images": np.zeros((4, 4, 4, 1), np.uint8),
            "noise": 0.5,
            "epochs": 1,
            "batch_size": 2,
            "learning_rate": 0.1,
            "seed": 0,
            "verbose": 0,
        },
        large=("epochs", "batch_size"),
        examples=4,
    ),
    "models.resnet_backbone": Entry(models.resnet_backbone, {"depth": 18, "weights": None}, examples=2),
    "models.resnet_classifier": network(
        models.resnet_classifier, 2, num_classes=3, image_shape=(32, 32, 3), depth=18, weights=None, train_backbone=True
    ),
    "models.small_convnet": network(models.small_convnet, **SMALL, width=2, dropout=0.3),
    "models.symmetric": Entry(models.symmetric, {"width": 4, "depth": 2}),
    "models.unet": network(models.unet, 6, num_classes=3, **BLOCKS, image_shape=(16, 16, 1), dropout=0.1),
    "models.wide_resnet": network(models.wide_resnet, 3, **SMALL, depth=10, width=1),
    "training.Checkpoint": Entry(
        training.Checkpoint,
        {"path": files.ROOT / "best.keras", "network": SEGMENTER, "monitor": "val_loss", "save_best_only": True},
        fixed=("monitor", "save_best_only"),
    ),
    "training.InOrder": Entry(training.InOrder, {"batches": BATCHES}),
    "training.callbacks": Entry(
        training.callbacks,
        {
            "folder": files.ROOT / "training",
            "patience": 3,
            "schedule": st.sampled_from(training.SCHEDULES),
            "tensorboard": False,
            "run": {"seed": 0},
            "monitor": "val_loss",
            "mode": "min",
            "batches": BATCHES,
            "network": SEGMENTER,
            "keep": "best",
        },
    ),
    "training.ended": Entry(
        training.ended, {"folder": files.ROOT / "training", "run": {"seed": 0}, "model": "best.keras"}
    ),
    "training.learning_rate": Entry(
        training.learning_rate,
        {"initial": 0.1, "schedule": st.sampled_from(training.SCHEDULES), "steps": 5},
        words={"initial": "learning_rate"},
    ),
    "training.use_xla": Entry(
        training.use_xla, {"choice": st.sampled_from([True, False, "auto"])}, words={"choice": "xla"}
    ),
}
