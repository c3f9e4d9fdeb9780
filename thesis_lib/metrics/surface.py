"""Distances between predicted and true boundaries, by the definitions of DeepMind's `surface-distance` library.

(Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for radiotherapy", JMIR 2021.) Where
neither map holds an object there is nothing to measure and no row. Where only one map holds it, both distances are the
image's diagonal, the largest there can be, and the surface Dice is 0. Where the image's edge cuts an object off, the
library counts the edge as part of its boundary. Unlike the library, pixels of 255 are left out.
"""

import numpy as np
import pandas as pd
from scipy import ndimage
from surface_distance import lookup_tables

from thesis_lib import checks
from thesis_lib.annotation.displacements import boundary_displacements
from thesis_lib.labels import IGNORE, background_class, fill_ignored

SCORES = ["surface_distance", "hausdorff95", "surface_dice"]


def measure(labels, predictions, spacing=(1.0, 1.0), tolerance=1.0, background=None):
    """Surface distances of every object, which is a class other than the background in an image.

    Args:
        labels, predictions: boolean masks or integer label maps (N, H, W) or (H, W). Where the label is 255 no boundary
            is measured, and the edge of such a region is none. An image of 255 alone has no row.
        spacing: size of a pixel (rows, columns), more than 0; distances and tolerance are in its unit, px by default.
        tolerance: of the surface Dice, 0 or more.
        background: the background's class; the most frequent class of the labels if None.

    Returns:
        DataFrame with a row for each object: image, class, surface_distance (symmetric mean), hausdorff95 (95th
        percentile of the Hausdorff distance), surface_dice (share of both boundaries within tolerance of the other).

    Raises:
        ValueError: if an argument is not of this kind.
    """
    labels = checks.label_maps("labels", labels)
    predictions = checks.label_maps("predictions", predictions)
    checks.same_shape("labels", labels, "predictions", predictions)
    what = "two lengths, of rows and columns, more than 0"
    lengths = checks.number_array("spacing", spacing, what).astype(float)
    if lengths.shape != (2,) or lengths.min() <= 0:
        raise ValueError(f"spacing must be {what}; got {spacing!r}")
    spacing = lengths.tolist()
    tolerance = checks.real("tolerance", tolerance, 0.0)
    background = background_class(labels, background)
    rows = []
    shape = (-1,) + labels.shape[-2:]
    for image, (true, predicted) in enumerate(zip(labels.reshape(shape), predictions.reshape(shape))):
        known = true != IGNORE
        if not known.any():
            continue
        true, predicted = fill_ignored(true, ~known), fill_ignored(predicted, ~known)
        for k in np.setdiff1d(np.union1d(true, predicted), [background, IGNORE]):
            rows.append((image, int(k), *_of_object(true == k, predicted == k, spacing, tolerance, known)))
    return pd.DataFrame(rows, columns=["image", "class", *SCORES])


def _of_object(true, predicted, spacing, tolerance, known):
    """The three scores of two masks (H, W); NaN if no boundary is known."""
    if not true.any() or not predicted.any():
        diagonal = float(np.hypot(*(np.array(true.shape) * spacing)))
        return diagonal, diagonal, 0.0
    # A corner counts where all four pixels around it are known.
    corners = ndimage.minimum_filter(np.pad(known, 1, constant_values=True), 2)[1:, 1:]
    boundaries = [_boundary_lengths(mask, spacing) for mask in (true, predicted)]
    distances, lengths = [], []
    for own, other in (boundaries, boundaries[::-1]):
        at = (own > 0) & corners
        distances.append(ndimage.distance_transform_edt(other == 0, sampling=spacing)[at])
        lengths.append(own[at])
    distance, length = np.concatenate(distances), np.concatenate(lengths)
    if not length.size:
        return np.nan, np.nan, np.nan
    farthest = []
    for one, weights in zip(distances, lengths):
        if one.size:
            farthest.append(float(np.quantile(one, 0.95, weights=weights, method="inverted_cdf")))
    within = length[distance <= tolerance].sum() / length.sum()
    return float(np.average(distance, weights=length)), max(farthest), float(within)


def _boundary_lengths(mask, spacing):
    """Length of the boundary at each corner of pixels, (H + 1, W + 1), 0 where there is none."""
    table = lookup_tables.create_table_neighbour_code_to_contour_length(spacing)
    kernel = lookup_tables.ENCODE_NEIGHBOURHOOD_2D_KERNEL
    return table[ndimage.correlate(np.pad(mask, 1).astype(np.uint8), kernel, mode="constant")[1:, 1:]]


def size(true, predicted):
    """How large objects are drawn.

    Args:
        true, predicted: uint8 maps (H, W), 1 on objects and 0 elsewhere; true is 255 where nothing is known.

    Returns:
        dict: boundary_bias, the mean displacement of the predicted boundary, px, positive where objects are drawn too
        large; volume_ratio, predicted over true area. NaN where there is no boundary, or no true object.
    """
    displacements = boundary_displacements(predicted, true, background=0)
    area = (true == 1).sum()
    return {
        "boundary_bias": float(displacements.mean()) if len(displacements) else np.nan,
        "volume_ratio": float(predicted[true != IGNORE].sum() / area) if area else np.nan,
    }


def scores(labels, predictions, spacing=(1.0, 1.0), tolerance=1.0, background=None):
    """Means over all objects of what `measure` returns; same arguments.

    Returns:
        dict: surface_distance, hausdorff95, surface_dice (NaN if there is no object), objects (their number).
    """
    objects = measure(labels, predictions, spacing, tolerance, background)
    return {**objects[SCORES].mean().to_dict(), "objects": len(objects)}
