"""Overlap of predicted and true classes: accuracy, intersection over union (IoU), Dice.

A class that neither the labels nor the predictions hold is absent: its scores are NaN and it counts in no mean. A class
that only the predictions hold has IoU 0, Dice 0 and accuracy NaN.
"""

import numpy as np

from thesis_lib import checks
from thesis_lib.annotation import voxels
from thesis_lib.labels import IGNORE


def confusion(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """Number of pixels by true and predicted class.

    Args:
        labels, predictions: integer maps (N, H, W), or volumes (N, D, H, W), of classes 0..num_classes - 1; pixels
            labelled 255 do not count.
        num_classes: K, from 1 to 4096.

    Returns:
        int64 array (K, K); entry (j, k) counts the pixels of true class j and predicted class k.

    Raises:
        ValueError: if the maps differ in shape or hold another class.
    """
    num_classes = checks.paired_class_count("num_classes", num_classes)
    labels = voxels.label_maps("labels", labels, num_classes, ignore=IGNORE)
    predictions = voxels.label_maps("predictions", predictions, num_classes)
    checks.same_shape("labels", labels, "predictions", predictions)
    known = labels != IGNORE
    pairs = labels[known].astype(np.int64) * num_classes + predictions[known].astype(np.int64)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def scores(labels: np.ndarray, predictions: np.ndarray, num_classes: int, background: int | None = None) -> dict:
    """Overlap scores of all pixels together.

    Args:
        labels, predictions, num_classes: as for `confusion`.
        background: the background's class, or None.

    Returns:
        dict: accuracy; the means over classes mean_class_accuracy, miou, mean_dice; with a background also
        *_foreground, the means without it; class_accuracy, class_iou, class_dice (K,); confusion (K, K).

    Raises:
        ValueError: if the background is none of the classes, or an argument is not as for `confusion`.
    """
    return from_confusion(confusion(labels, predictions, num_classes), background)


def from_confusion(counts, background=None):
    """What `scores` returns, from a confusion matrix (K, K)."""
    what = "a confusion matrix (K, K), counts of 0 or more"
    counts = checks.number_array("counts", counts, what, low=0.0).astype(float)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"counts must be {what}; got shape {counts.shape}")
    if counts.size and counts.max() >= 2**62:
        raise ValueError(f"counts must be {what}, below 2^62; got {counts.max():g}")
    if background is not None:
        checks.integer("background", background, 0, len(counts) - 1)
    correct, true, predicted = np.diag(counts), counts.sum(1), counts.sum(0)
    with np.errstate(invalid="ignore"):  # an absent class has NaN
        of_classes = {
            "class_accuracy": correct / true,
            "class_iou": correct / (true + predicted - correct),
            "class_dice": 2 * correct / (true + predicted),
        }
    means = {"mean_class_accuracy": "class_accuracy", "miou": "class_iou", "mean_dice": "class_dice"}
    result = {"accuracy": float(correct.sum() / counts.sum()) if counts.any() else float("nan")}
    foreground = np.arange(len(counts)) != background
    for mean, of_class in means.items():
        result[mean] = _mean(of_classes[of_class])
        if background is not None:
            result[f"{mean}_foreground"] = _mean(of_classes[of_class][foreground])
    return {**result, **of_classes, "confusion": counts.astype(np.int64)}


def _mean(values):
    """The mean without NaN; NaN of nothing, without NumPy's warning."""
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else float("nan")
