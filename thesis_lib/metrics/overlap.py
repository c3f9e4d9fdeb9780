"""Overlap of predicted and true classes: accuracy, intersection over union, Dice.

A class that neither the labels nor the predictions hold is absent: its scores are NaN and it counts in no mean. A class
that only the predictions hold has IoU and Dice 0, and no accuracy (NaN).
"""

import numpy as np

from thesis_lib import checks
from thesis_lib.labels import IGNORE


def confusion(labels, predictions, num_classes):
    """Pixels by true and predicted class.

    Args:
        labels, predictions: integer maps (N, H, W) of classes 0..num_classes - 1; labels of 255 are not counted.
        num_classes: K.

    Returns:
        int64 array (K, K); entry (j, k): truly j, predicted k.
    """
    labels = checks.label_maps("labels", labels, num_classes, ignore=IGNORE)
    predictions = checks.label_maps("predictions", predictions, num_classes)
    checks.same_shape("labels", labels, "predictions", predictions)
    known = labels != IGNORE
    pairs = labels[known].astype(np.int64) * num_classes + predictions[known].astype(np.int64)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def scores(labels, predictions, num_classes, background=None):
    """Overlap scores of all pixels together.

    Args:
        labels, predictions: integer maps (N, H, W) of classes 0..num_classes - 1.
        num_classes: K.
        background: the background's class, for the scores without it.

    Returns:
        dict: accuracy, mean_class_accuracy, miou, mean_dice; with a background the last three also as *_foreground,
        without it; class_accuracy, class_iou, class_dice (K,); confusion (K, K).
    """
    return from_confusion(confusion(labels, predictions, num_classes), background)


def from_confusion(counts, background=None):
    """The dictionary of `scores` from a confusion matrix (K, K)."""
    counts = np.asarray(counts, float)
    hits, true, predicted = np.diag(counts), counts.sum(1), counts.sum(0)
    with np.errstate(invalid="ignore"):
        classes = {
            "class_accuracy": hits / true,
            "class_iou": hits / (true + predicted - hits),
            "class_dice": 2 * hits / (true + predicted),
        }
    names = {"mean_class_accuracy": "class_accuracy", "miou": "class_iou", "mean_dice": "class_dice"}
    result = {"accuracy": float(hits.sum() / counts.sum()) if counts.any() else float("nan")}
    foreground = np.arange(len(counts)) != background
    for mean, per_class in names.items():
        result[mean] = _mean(classes[per_class])
        if background is not None:
            result[f"{mean}_foreground"] = _mean(classes[per_class][foreground])
    return {**result, **classes, "confusion": counts.astype(np.int64)}


def _mean(values):
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else float("nan")
