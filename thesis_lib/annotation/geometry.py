"""The geometry of label maps: signed distances, moved boundaries, contours, bands around boundaries.

A boundary runs half-way between the centres of neighbouring pixels of different classes. All lengths are in
pixels. Where a class touches the edge of the image it has no boundary there: nobody drew one.
"""

import contourpy
import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from thesis_lib import checks
from thesis_lib.labels import IGNORE, background_class, fill_ignored


def signed_distance(mask):
    """Distance of every pixel's centre to the boundary of a mask.

    The boundary is the contour of `contours`, so that diagonal edges are not taken for staircases: the distance
    transform between pixels would be off by up to 0.4 px there.

    Args:
        mask: boolean array (H, W).

    Returns:
        float array (H, W), px, positive inside; +inf (-inf) everywhere if the mask is full (empty).
    """
    mask = np.asarray(mask, bool)
    boundary = contours(mask, spacing=0.1)
    if not boundary:
        return np.where(mask, np.inf, -np.inf)
    centres = np.indices(mask.shape).reshape(2, -1).T
    distance, _ = cKDTree(np.concatenate(boundary)).query(centres)
    return np.where(mask, 1, -1) * distance.reshape(mask.shape)


def shift_boundaries(labels, displacement, background=None):
    """Label maps with every boundary moved outward, away from the objects, along its normal.

    Each foreground class's signed distance is raised by the displacement, the background's is lowered by it, and
    every pixel takes the class with the largest one. Boundaries between two objects stay where they are. To take a
    known bias of the annotator out of his labels, shift by minus the bias. Pixels to ignore (255) stay as they are.

    Args:
        labels: integer or boolean label maps (N, H, W) or (H, W).
        displacement: px, positive outward, negative inward. The pixel grid rounds it: less than 0.5 px moves
            nothing along straight edges.
        background: the background's class; the most frequent class if None.

    Returns:
        label maps of the same shape and dtype.
    """
    labels = checks.label_maps("labels", labels)
    displacement = checks.real("displacement", displacement)
    background = background_class(labels, background)
    maps = labels.reshape((-1,) + labels.shape[-2:])
    return np.stack([_shift(one, displacement, background) for one in maps]).reshape(labels.shape)


def _shift(labels, displacement, background):
    classes = np.setdiff1d(np.unique(labels), [IGNORE])
    if displacement == 0 or len(classes) < 2:
        return labels
    toward, known = np.where(classes == background, -displacement, displacement), fill_ignored(labels, labels == IGNORE)
    scores = [signed_distance(known == k) + t for k, t in zip(classes, toward)]
    return np.where(labels == IGNORE, labels, classes[np.argmax(scores, axis=0)])


def contours(mask, spacing=1.0, level=0.5):
    """The boundary of a mask as ordered points, one array a connected boundary.

    Args:
        mask: boolean array (H, W); or a float one, and its boundary is where it crosses `level`.
        spacing: distance between consecutive points along the boundary, px.

    Returns:
        list of float arrays (n, 2) of (row, column); empty if the mask is empty or full.
    """
    field = np.asarray(mask, float)
    if min(field.shape) < 2:
        field = np.pad(field, [(0, n < 2) for n in field.shape], mode="edge")
    lines = contourpy.contour_generator(z=field).lines(level)
    return [_resample(line[:, ::-1], spacing) for line in lines]


def _resample(points, spacing):
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    count = max(int(round(lengths[-1] / spacing)), 1)
    at = np.linspace(0.0, lengths[-1], count, endpoint=False)
    return np.stack([np.interp(at, lengths, points[:, axis]) for axis in (0, 1)], axis=1)


def near_boundary(labels, distance):
    """Which pixels have their centre within `distance` px of a boundary between any two classes.

    Args:
        labels: integer or boolean label maps (N, H, W) or (H, W); pixels to ignore (255) have no boundary.
        distance: px, at least 0.5, the distance of the pixels that touch a boundary.

    Returns:
        boolean array of the same shape; all False for a map of one class.
    """
    labels = checks.label_maps("labels", labels)
    distance = checks.real("distance", distance, 0.5)
    maps = labels.reshape((-1,) + labels.shape[-2:])
    return np.stack([_near(one, distance) for one in maps]).reshape(labels.shape)


def _near(labels, distance):
    touching = np.zeros(labels.shape, bool)
    known = labels != IGNORE
    rows = (labels[1:] != labels[:-1]) & known[1:] & known[:-1]
    columns = (labels[:, 1:] != labels[:, :-1]) & known[:, 1:] & known[:, :-1]
    touching[1:] |= rows
    touching[:-1] |= rows
    touching[:, 1:] |= columns
    touching[:, :-1] |= columns
    if not touching.any():
        return touching
    return ndimage.distance_transform_edt(~touching) + 0.5 <= distance
