"""Distances between predicted and true boundaries, by the definitions of DeepMind's `surface-distance` library.

(Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for radiotherapy", JMIR 2021.) Where
neither map holds an object there is nothing to measure and no row. Where only one map holds it, both distances are the
image's diagonal, the largest there can be, and the surface Dice is 0. Where the image's edge cuts an object off, the
library counts the edge as part of its boundary. Unlike the library, pixels of 255 are left out.
"""

from functools import reduce

import numpy as np
import pandas as pd
from scipy import ndimage
from surface_distance import lookup_tables

from thesis_lib import checks
from thesis_lib.annotation import voxels
from thesis_lib.annotation.displacements import boundary_displacements
from thesis_lib.labels import IGNORE, background_class, fill_ignored

SCORES = ["surface_distance", "hausdorff95", "surface_dice"]
DIRECTED = ["true_to_predicted", "predicted_to_true"]
MEASURED = [*SCORES, "hausdorff", *DIRECTED]


def measure(labels, predictions, spacing=None, tolerance=1.0, background=None):
    """Surface distances of every object, which is a class other than the background in an image.

    Args:
        labels, predictions: boolean masks or integer label maps (N, H, W) or (H, W), or volumes (N, D, H, W). Where the
            label is 255 no boundary is measured, and the edge of such a region is none. An image of 255 alone has no
            row.
        spacing: size of a pixel (rows, columns) or voxel (planes, rows, columns), more than 0, the same for all images;
            distances and tolerance are in its unit, px if None.
        tolerance: of the surface Dice, 0 or more.
        background: the background's class; the most frequent class of the labels if None.

    Returns:
        DataFrame with a row for each object: image, class, surface_distance (symmetric mean), hausdorff95 (95th
        percentile of the Hausdorff distance), surface_dice (share of both boundaries within tolerance of the other),
        hausdorff (the largest distance), true_to_predicted and predicted_to_true (directed means: from the true
        boundary to the predicted one, which is large where the prediction misses something, and the reverse).

    Raises:
        ValueError: if an argument is not of this kind, or the spacing has not as many lengths as the images have axes.

    Example: two volumes of voxels of 3 x 0.8 x 0.8 mm; distances are in mm.
        >>> surface.measure(true_volumes, predicted_volumes, spacing=(3.0, 0.8, 0.8), background=0)
    """
    labels = voxels.label_maps("labels", labels)
    predictions = voxels.label_maps("predictions", predictions)
    checks.same_shape("labels", labels, "predictions", predictions)
    spacing = voxels.lengths(spacing, voxels.axes(labels)).tolist()
    tolerance = checks.real("tolerance", tolerance, 0.0)
    background = background_class(labels, background)
    rows = []
    for image, (true, predicted) in enumerate(zip(voxels.each(labels), voxels.each(predictions))):
        known = true != IGNORE
        if not known.any():
            continue
        true, predicted = fill_ignored(true, ~known), fill_ignored(predicted, ~known)
        for k in np.setdiff1d(np.union1d(true, predicted), [background, IGNORE]):
            rows.append((image, int(k), *_of_object(true == k, predicted == k, spacing, tolerance, known)))
    return pd.DataFrame(rows, columns=["image", "class", *MEASURED])


def _of_object(true, predicted, spacing, tolerance, known):
    """What `MEASURED` names of two masks of one image or volume; NaN if no boundary is known."""
    if not true.any() or not predicted.any():
        diagonal = float(reduce(np.hypot, np.array(true.shape) * spacing))
        return diagonal, diagonal, 0.0, diagonal, diagonal, diagonal
    # Boundaries are found in a window as in the whole, sooner.
    (window,) = ndimage.find_objects((true | predicted).astype(np.uint8))
    window = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in window)
    true, predicted, known = true[window], predicted[window], known[window]
    # A corner counts where all pixels around it are known.
    corners = ndimage.minimum_filter(np.pad(known, 1, constant_values=True), 2)
    corners = corners[(slice(1, None),) * known.ndim]
    boundaries = [_boundary_sizes(mask, spacing) for mask in (true, predicted)]
    distances, sizes = [], []
    for own, other in (boundaries, boundaries[::-1]):
        at = (own > 0) & corners
        distances.append(ndimage.distance_transform_edt(other == 0, sampling=spacing)[at])
        sizes.append(own[at])
    distance, weight = np.concatenate(distances), np.concatenate(sizes)
    if not weight.size:
        return (np.nan,) * len(MEASURED)
    farthest, directed = [], []
    for one, weights in zip(distances, sizes):
        directed.append(float(np.average(one, weights=weights)) if one.size else np.nan)
        if one.size:
            farthest.append(float(np.quantile(one, 0.95, weights=weights, method="inverted_cdf")))
    within = weight[distance <= tolerance].sum() / weight.sum()
    mean = float(np.average(distance, weights=weight))
    return mean, max(farthest), float(within), float(distance.max()), *directed


def _boundary_sizes(mask, spacing):
    """Length (area, of a volume) of the boundary at each corner of pixels, a corner more along each axis; 0: none."""
    if mask.ndim == 2:
        table = lookup_tables.create_table_neighbour_code_to_contour_length(spacing)
        kernel = lookup_tables.ENCODE_NEIGHBOURHOOD_2D_KERNEL
    else:
        table = lookup_tables.create_table_neighbour_code_to_surface_area(spacing)
        kernel = lookup_tables.ENCODE_NEIGHBOURHOOD_3D_KERNEL
    codes = ndimage.correlate(np.pad(mask, 1).astype(np.uint8), kernel, mode="constant")
    return table[codes[(slice(1, None),) * mask.ndim]]


def size(true, predicted, spacing=None):
    """How large objects are drawn.

    Args:
        true, predicted: uint8 maps (H, W), or (D, H, W) of a volume, 1 on objects and 0 elsewhere; true is 255 where
            nothing is known.
        spacing: sides of a pixel or voxel, mm; 1 px if None.

    Returns:
        dict: boundary_bias, the mean displacement of the predicted boundary, px or mm, positive where objects are drawn
        too large; volume_ratio, predicted over true area or volume. NaN where there is no boundary, or no true object.
    """
    true, predicted = voxels.one_map("true", true), voxels.one_map("predicted", predicted)
    checks.same_shape("true", true, "predicted", predicted)
    displacements = boundary_displacements(predicted[None], true[None], background=0, spacing=spacing)
    area = (true == 1).sum()
    return {
        "boundary_bias": float(displacements.mean()) if len(displacements) else np.nan,
        "volume_ratio": float(predicted[true != IGNORE].sum() / area) if area else np.nan,
    }


def scores(labels, predictions, spacing=None, tolerance=1.0, background=None):
    """Means over all objects of what `measure` returns; same arguments.

    Returns:
        dict: surface_distance, hausdorff95, surface_dice, hausdorff, true_to_predicted, predicted_to_true (NaN if there
        is no object), objects (their number).
    """
    objects = measure(labels, predictions, spacing, tolerance, background)
    return {**objects[MEASURED].mean().to_dict(), "objects": len(objects)}
