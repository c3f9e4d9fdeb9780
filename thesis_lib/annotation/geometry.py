"""The geometry of label maps: contours, signed distances, shifted boundaries, bands around boundaries.

A boundary runs halfway between the centres of neighbouring pixels of different classes (marching squares, Lorensen &
Cline, SIGGRAPH 1987, by contourpy). All lengths are in pixels. Where a class touches the edge of the image it has no
boundary: nobody drew one there.
"""

import contourpy
import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from thesis_lib import checks
from thesis_lib.labels import IGNORE, background_class, fill_ignored


def signed_distance(mask):
    """Distance of every pixel's centre to the boundary of a mask, positive inside.

    The boundary is the one of `contours`, so a diagonal edge is a straight line. SciPy's distance transform between
    pixels would take it for a staircase and be off by up to 0.4 px.

    Args:
        mask: boolean array (H, W).

    Returns:
        float array (H, W), px; +inf everywhere if the mask is full, -inf everywhere if it is empty.
    """
    mask = np.asarray(mask, bool)
    boundary = contours(mask, spacing=0.1)
    if not boundary:
        return np.where(mask, np.inf, -np.inf)
    centres = np.indices(mask.shape).reshape(2, -1).T
    distance, _ = cKDTree(np.concatenate(boundary)).query(centres)
    return np.where(mask, 1, -1) * distance.reshape(mask.shape)


def shift_boundaries(labels, displacement, background=None):
    """Move every boundary between an object and the background along its normal.

    The signed distance of each foreground class is raised by the displacement, the one of the background is lowered by
    it, and every pixel takes the class with the largest. Boundaries between two objects stay where they are. Pixels to
    ignore (255) stay as they are. To remove an annotator's known bias, shift by minus the bias.

    Args:
        labels: integer or boolean label maps (N, H, W) or (H, W).
        displacement: px; positive enlarges the objects. The result is rounded to whole pixels: less than 0.5 px moves
            nothing along a straight edge.
        background: the background's class; the most frequent class if None.

    Returns:
        label maps of the same shape and dtype.

    Raises:
        ValueError: if an argument is not of this kind.

    Example: remove the bias of an annotator who draws 2 px outside the object.
        >>> drawn = np.zeros((9, 9), np.uint8)
        >>> drawn[1:8, 1:8] = 1
        >>> shift_boundaries(drawn, -2.0, background=0).sum()
        9
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
    filled = fill_ignored(labels, labels == IGNORE)
    gains = np.where(classes == background, -displacement, displacement)
    distances = [signed_distance(filled == k) + gain for k, gain in zip(classes, gains)]
    return np.where(labels == IGNORE, labels, classes[np.argmax(distances, axis=0)])


def objects(labels, background, margin=0, numbers=None):
    """The objects of a label map, each in a window of its own.

    Args:
        labels: label map (H, W).
        background: its class.
        margin: px around each object.
        numbers: integer (H, W), 0 or the number of the object; connected regions of a class if None, where pixels that
            touch at a corner are connected.

    Yields:
        (class, window, mask): the window as a pair of slices, and the object in it, boolean.
    """
    for k in np.setdiff1d(np.unique(labels), [background, IGNORE]):
        region = labels == k
        marks = ndimage.label(region, np.ones((3, 3)))[0] if numbers is None else np.where(region, numbers, 0)
        for number, box in enumerate(ndimage.find_objects(marks), 1):
            if box is not None:
                window = tuple(slice(max(side.start - margin, 0), side.stop + margin) for side in box)
                yield int(k), window, marks[window] == number


def contours(mask, spacing=1.0, level=0.5):
    """The boundaries of a mask as ordered points, one array for each connected boundary.

    Args:
        mask: boolean array (H, W), or a float array whose boundary is where it crosses `level`.
        spacing: distance between consecutive points along the boundary, px.
        level: value of the float array at the boundary.

    Returns:
        list of float arrays (n, 2) of (row, column); empty if the mask is empty or full.
    """
    field = np.asarray(mask, float)
    if min(field.shape) < 2:
        field = np.pad(field, [(0, n < 2) for n in field.shape], mode="edge")
    lines = contourpy.contour_generator(z=field).lines(level)
    return [_resample(line[:, ::-1], spacing) for line in lines]


def _resample(points, spacing):
    """Points (n, 2) of a line, at equal distances of about `spacing` px along it."""
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
