"""Distances between predicted and true boundaries, by the definitions of DeepMind's `surface-distance` library.

Empty masks: where neither map holds an object there is nothing to measure and no row; where only one holds it, both
distances are the image's diagonal, the largest there can be, and the surface Dice is 0. Where an object is cut off by
the image's edge, the library counts the edge as part of its boundary.
"""

import numpy as np
import pandas as pd
import surface_distance

from thesis_lib import boundaries, checks
from thesis_lib.data.class_table import IGNORE


def measure(labels, predictions, spacing=(1.0, 1.0), tolerance=1.0, background=None):
    """Surface distances of every object: a class other than the background, in an image.

    Args:
        labels, predictions: boolean masks or integer label maps (N, H, W) or (H, W); where the label is 255, nothing is looked for.
        spacing: size of a pixel (rows, columns); distances and tolerance are in its unit, px by default.
        tolerance: of the surface Dice, 0 or more.
        background: the background's class; the most frequent of the labels if None.

    Returns:
        DataFrame with a row an object: image, class, surface_distance (symmetric mean), hausdorff95 (95th percentile
        of the Hausdorff distance), surface_dice (share of both boundaries within tolerance of the other).
    """
    labels = checks.label_maps("labels", labels)
    predictions = checks.label_maps("predictions", predictions)
    checks.same_shape("labels", labels, "predictions", predictions)
    spacing = [checks.real("spacing", float(s), 0.0, open_low=True) for s in spacing]
    tolerance = checks.real("tolerance", tolerance, 0.0)
    background = boundaries.background_class(labels, background)
    rows = []
    shape = (-1,) + labels.shape[-2:]
    for image, (true, predicted) in enumerate(zip(labels.reshape(shape), predictions.reshape(shape))):
        predicted = np.where(true == IGNORE, IGNORE, predicted)
        for k in np.setdiff1d(np.union1d(true, predicted), [background, IGNORE]):
            rows.append((image, int(k), *_pair(true == k, predicted == k, spacing, tolerance)))
    return pd.DataFrame(rows, columns=["image", "class", "surface_distance", "hausdorff95", "surface_dice"])


def _pair(true, predicted, spacing, tolerance):
    if not true.any() or not predicted.any():
        diagonal = float(np.hypot(*(np.array(true.shape) * spacing)))
        return diagonal, diagonal, 0.0
    found = surface_distance.compute_surface_distances(true, predicted, spacing)
    distance = np.concatenate([found["distances_gt_to_pred"], found["distances_pred_to_gt"]])
    length = np.concatenate([found["surfel_areas_gt"], found["surfel_areas_pred"]])
    return (
        float(np.average(distance, weights=length)),
        float(surface_distance.compute_robust_hausdorff(found, 95)),
        float(surface_distance.compute_surface_dice_at_tolerance(found, tolerance)),
    )


def scores(labels, predictions, spacing=(1.0, 1.0), tolerance=1.0, background=None):
    """Means over all objects of what `measure` returns; same arguments.

    Returns:
        dict: surface_distance, hausdorff95, surface_dice (NaN if there is no object), objects (their number).
    """
    objects = measure(labels, predictions, spacing, tolerance, background)
    means = objects[["surface_distance", "hausdorff95", "surface_dice"]].mean()
    return {**means.to_dict(), "objects": len(objects)}
