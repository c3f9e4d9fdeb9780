"""Distances between predicted and true boundaries, by the definitions of DeepMind's `surface-distance` library.

Empty masks: where neither map holds an object there is nothing to measure and no row; where only one holds it, both
distances are the image's diagonal, the largest there can be, and the surface Dice is 0. Where an object is cut off by
the image's edge, the library counts the edge as part of its boundary.
"""

import numpy as np
import pandas as pd
from scipy import ndimage
from surface_distance import lookup_tables

from thesis_lib import checks
from thesis_lib.labels import IGNORE, background_class, fill_ignored


def measure(labels, predictions, spacing=(1.0, 1.0), tolerance=1.0, background=None):
    """Surface distances of every object: a class other than the background, in an image.

    Args:
        labels, predictions: boolean masks or integer label maps (N, H, W) or (H, W); where the label is 255, no boundary is
            measured, and the edge of it is none; an image of nothing else has no row.
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
    if np.shape(spacing) != (2,):
        raise ValueError(f"spacing must be two lengths, of rows and columns; got {spacing!r}")
    spacing = [checks.real("spacing", float(s), 0.0, open_low=True) for s in spacing]
    tolerance = checks.real("tolerance", tolerance, 0.0)
    background = background_class(labels, background)
    rows = []
    shape = (-1,) + labels.shape[-2:]
    for image, (true, predicted) in enumerate(zip(labels.reshape(shape), predictions.reshape(shape))):
        known = true != IGNORE
        if not known.any():
            continue
        true, predicted = (fill_ignored(one, ~known) for one in (true, predicted))
        for k in np.setdiff1d(np.union1d(true, predicted), [background, IGNORE]):
            rows.append((image, int(k), *_pair(true == k, predicted == k, spacing, tolerance, known)))
    return pd.DataFrame(rows, columns=["image", "class", "surface_distance", "hausdorff95", "surface_dice"])


def _pair(true, predicted, spacing, tolerance, known):
    if not true.any() or not predicted.any():
        diagonal = float(np.hypot(*(np.array(true.shape) * spacing)))
        return diagonal, diagonal, 0.0
    lengths = [_contour(mask, spacing) for mask in (true, predicted)]
    counts = ndimage.minimum_filter(np.pad(known, 1, constant_values=True), 2)[
        1:, 1:
    ]  # all four pixels around a corner
    found = []
    for mine, other in (lengths, lengths[::-1]):
        at = (mine > 0) & counts
        found.append((ndimage.distance_transform_edt(other == 0, sampling=spacing)[at], mine[at]))
    distance, length = (np.concatenate(parts) for parts in zip(*found))
    if not length.size:
        return (np.nan,) * 3
    farthest = max(
        float(np.quantile(far, 0.95, weights=long, method="inverted_cdf")) for far, long in found if far.size
    )
    return (
        float(np.average(distance, weights=length)),
        farthest,
        float(length[distance <= tolerance].sum() / length.sum()),
    )


def _contour(mask, spacing):
    """Length of the boundary at each corner of pixels, (H + 1, W + 1), 0 where there is none."""
    table = lookup_tables.create_table_neighbour_code_to_contour_length(spacing)
    kernel = lookup_tables.ENCODE_NEIGHBOURHOOD_2D_KERNEL
    return table[ndimage.correlate(np.pad(mask, 1).astype(np.uint8), kernel, mode="constant")[1:, 1:]]


def scores(labels, predictions, spacing=(1.0, 1.0), tolerance=1.0, background=None):
    """Means over all objects of what `measure` returns; same arguments.

    Returns:
        dict: surface_distance, hausdorff95, surface_dice (NaN if there is no object), objects (their number).
    """
    objects = measure(labels, predictions, spacing, tolerance, background)
    means = objects[["surface_distance", "hausdorff95", "surface_dice"]].mean()
    return {**means.to_dict(), "objects": len(objects)}
