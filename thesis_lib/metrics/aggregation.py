"""How the scores of a run follow from those of its scenes, so that the bootstrap can resample scenes.

A statistic takes a dict of arrays (scenes, ...) and weights (resamples, scenes), which say how often each scene counts,
and returns an array (resamples,); see `thesis_lib.study.statistics.resample`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from thesis_lib.metrics.summary import BAND, TOLERANCE


class Metric(NamedTuple):
    """What is known of a score.

    Args:
        label: its name in tables and figures, with its unit.
        better: "higher" or "lower".
        needs: names of the arrays over scenes that `of_scenes` uses.
        of_scenes: the statistic that computes it from scenes, or None if scenes do not suffice.
        most: the largest value that it can have.
    """

    label: str
    better: str
    needs: tuple = ()
    of_scenes: Callable | None = None
    most: float = np.inf


def miou(scenes, weights):
    """Mean IoU of pooled scenes, from their arrays `intersection` and `union` (N, K); absent classes do not count.

    Args:
        scenes: dict of these arrays.
        weights: (R, N), how often each scene counts in each resample.

    Returns:
        float array (R,), NaN where all classes are absent.
    """
    return _mean_of_classes(scenes, weights, lambda iou: iou)


def dice(scenes, weights):
    """Mean Dice of pooled scenes, as `miou`."""
    return _mean_of_classes(scenes, weights, lambda iou: 2 * iou / (1 + iou))


def _mean_of_classes(scenes, weights, score):
    """The mean over the classes that are there of a score that follows from each one's IoU."""
    intersection, union = weights @ scenes["intersection"], weights @ scenes["union"]
    present = union > 0
    with np.errstate(invalid="ignore"):
        iou = np.divide(intersection, union, out=np.zeros_like(union), where=present)
        return score(iou).sum(1) / present.sum(1)


def mean(name: str) -> tuple[tuple[str, ...], Callable]:
    """(needs, of_scenes) of a Metric: the mean of a score over the scenes that have one, NaN if none has."""

    def of_scenes(scenes, weights):
        known = np.isfinite(scenes[name])
        with np.errstate(invalid="ignore"):
            return weights @ np.where(known, scenes[name], 0.0) / (weights @ known)

    return (name,), of_scenes


def median(name: str) -> tuple[tuple[str, ...], Callable]:
    """(needs, of_scenes) of a Metric: the median of a score over the scenes that have one, NaN if none has."""

    def of_scenes(scenes, weights):
        known = np.isfinite(scenes[name])
        order = np.argsort(scenes[name])[: known.sum()]
        if not len(order):
            return np.full(len(weights), np.nan)
        counted = weights @ known.astype(float)
        # The median of a resample is nearly always near the median of all: others are only counted.
        for reach in (int(3 * np.sqrt(len(order))) + 1, len(order)):
            start, stop = max(len(order) // 2 - reach, 0), min(len(order) // 2 + reach, len(order))
            before = weights @ np.isin(np.arange(len(known)), order[:start]).astype(float)
            below = before[:, None] + np.cumsum(weights[:, order[start:stop]], axis=1)
            above_start = start == 0 or (before < counted / 2).all()
            below_stop = stop == len(order) or (below[:, -1] > counted / 2).all()
            if above_start and below_stop:
                break
        values, middle = scenes[name][order[start:stop]], counted[:, None] / 2
        medians = (values[(below >= middle).argmax(1)] + values[(below > middle).argmax(1)]) / 2
        return np.where(counted > 0, medians, np.nan)

    return (name,), of_scenes


METRICS = {
    "miou_foreground": Metric("mIoU without background", "higher", ("intersection", "union"), miou, 1.0),
    "mean_dice_foreground": Metric("Dice without background", "higher", ("intersection", "union"), dice, 1.0),
    "mean_class_accuracy_foreground": Metric("mean class accuracy without background", "higher", most=1.0),
    "log_loss": Metric("log loss, nats", "lower", *mean("log_loss")),
    "brier": Metric("Brier score", "lower", *mean("brier")),
    "ece": Metric("ECE", "lower", most=1.0),
    "ece_band": Metric(f"ECE within {BAND:g} px of boundaries", "lower", most=1.0),
    "surface_distance": Metric("mean surface distance, px", "lower", *mean("surface_distance")),
    "surface_distance_median": Metric("surface distance of the median scene, px", "lower", *median("surface_distance")),
    "hausdorff95": Metric("95% Hausdorff distance, px", "lower", *mean("hausdorff95")),
    "surface_dice": Metric(f"surface Dice at {TOLERANCE:g} px", "higher", *mean("surface_dice"), most=1.0),
    "nothing_found": Metric("scenes where nothing is found", "lower"),
}
PAIRED = tuple(name for name, metric in METRICS.items() if metric.of_scenes)
