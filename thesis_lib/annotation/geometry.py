"""The geometry of label maps: contours, signed distances, shifted boundaries, bands around boundaries.

A boundary runs halfway between the centres of neighbouring pixels of different classes (marching squares, Lorensen &
Cline, SIGGRAPH 1987, by contourpy); that of a volume is a surface, see `surfaces`. Lengths are in px, or in mm where a
spacing says how large a pixel is, see `voxels`. Where a class touches the edge of the image it has no boundary: nobody
drew one there.
"""

import contourpy
import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from thesis_lib import checks
from thesis_lib.annotation import surfaces, voxels
from thesis_lib.labels import IGNORE, background_class, fill_ignored


def signed_distance(mask: np.ndarray, spacing=None) -> np.ndarray:
    """Distance of every pixel's centre to the boundary of a mask, positive inside.

    The boundary is the one of `contours`, so a diagonal edge is a straight line. SciPy's distance transform between
    pixels would take it for a staircase and be off by up to 0.4 px.

    Args:
        mask: boolean array (H, W), or (D, H, W) of a volume.
        spacing: sides of a pixel or voxel, mm; 1 px if None.

    Returns:
        float array of the same shape, px or mm; +inf everywhere if the mask is full, -inf everywhere if it is empty.
    """
    mask = voxels.one_map("mask", mask).astype(bool)
    lengths = voxels.lengths(spacing, mask.ndim)
    if mask.ndim == 3:
        return surfaces.signed_distance(mask, lengths)
    boundary = spaced_contours(mask, 0.1 * lengths.min(), 0.5, lengths)
    if not boundary:
        return np.where(mask, np.inf, -np.inf)
    centres = np.indices(mask.shape).reshape(2, -1).T
    distance, _ = cKDTree(np.concatenate(boundary) * lengths).query(centres * lengths)
    return np.where(mask, 1, -1) * distance.reshape(mask.shape)


def shift_boundaries(labels, displacement, background: int | None = None, spacing=None) -> np.ndarray:
    """Move every boundary between an object and the background along its normal.

    The signed distance of each foreground class is raised by the displacement, the one of the background is lowered by
    it, and every pixel takes the class with the largest. Boundaries between two objects stay where they are. Pixels to
    ignore (255) stay as they are. To remove an annotator's known bias, shift by minus the bias.

    Args:
        labels: integer or boolean label maps (N, H, W) or (H, W), or volumes (N, D, H, W).
        displacement: px, or mm where a spacing is given; positive enlarges the objects. The result is rounded to whole
            pixels: less than half of one moves nothing along a straight edge.
        background: the background's class; the most frequent class if None.
        spacing: sides of a pixel or voxel, mm; 1 px if None.

    Returns:
        label maps of the same shape and dtype.

    Raises:
        ValueError: if an argument is not of this kind.

    Example: remove the bias of an annotator who draws 2 px outside the object.
        >>> drawn = np.zeros((9, 9), np.uint8)
        >>> drawn[1:8, 1:8] = 1
        >>> int(shift_boundaries(drawn, -2.0, background=0).sum())
        9
    """
    labels = voxels.label_maps("labels", labels)
    displacement = checks.real("displacement", displacement)
    background = background_class(labels, background)
    lengths = voxels.lengths(spacing, voxels.axes(labels))
    moved = [shift(one, displacement, background, lengths) for one in voxels.each(labels)]
    return np.stack(moved).reshape(labels.shape)


def shift(labels, displacement, background, lengths):
    """`shift_boundaries` of one map, with the sides of a pixel."""
    classes = np.setdiff1d(np.unique(labels), [IGNORE])
    if displacement == 0 or len(classes) < 2:
        return labels
    filled = fill_ignored(labels, labels == IGNORE)
    gains = np.where(classes == background, -displacement, displacement)
    distances = [signed_distance(filled == k, lengths) + gain for k, gain in zip(classes, gains)]
    return np.where(labels == IGNORE, labels, classes[np.argmax(distances, axis=0)])


def objects(labels, background, margin=0, numbers=None):
    """The objects of a label map, each in a window of its own.

    Args:
        labels: label map (H, W) or (D, H, W).
        background: its class.
        margin: pixels around each object, a number or one for each axis.
        numbers: integers of the labels' shape, 0 or the number of the object; connected regions of a class if None,
            where pixels that touch at a corner are connected.

    Yields:
        (class, window, mask): the window as a tuple of slices, and the object in it, boolean.
    """
    margins = np.broadcast_to(margin, labels.ndim)
    for k in np.setdiff1d(np.unique(labels), [background, IGNORE]):
        region = labels == k
        marks = (
            ndimage.label(region, np.ones((3,) * labels.ndim))[0] if numbers is None else np.where(region, numbers, 0)
        )
        for number, box in enumerate(ndimage.find_objects(marks), 1):
            if box is not None:
                window = tuple(slice(max(side.start - m, 0), side.stop + m) for side, m in zip(box, margins))
                yield int(k), window, marks[window] == number


def contours(mask, spacing=1.0, level=0.5):
    """The boundaries of a mask as ordered points, one array for each connected boundary.

    Args:
        mask: boolean array (H, W), or a float array whose boundary is where it crosses `level`.
        spacing: distance between consecutive points along the boundary, px, 1e-3 or more.
        level: value of the float array at the boundary.

    Returns:
        list of float arrays (n, 2) of (row, column); empty if the mask is empty or full.
    """
    what = "an array (H, W) of finite numbers"
    field = checks.number_array("mask", mask, what)
    if field.ndim != 2 or not field.size:
        raise ValueError(f"mask must be {what}; got shape {field.shape}")
    spacing = checks.real("spacing", spacing, 1e-3)
    return spaced_contours(field, spacing, checks.real("level", level), np.ones(2))


def spaced_contours(mask, step, level, lengths):
    """`contours` in pixels of the given sides (2,), with points `step` apart in their unit."""
    field = np.asarray(mask, float)
    if min(field.shape) < 2:
        field = np.pad(field, [(0, n < 2) for n in field.shape], mode="edge")
    lines = contourpy.contour_generator(z=field).lines(level)
    return [_resample(line[:, ::-1], step, lengths) for line in lines]


def _resample(points, step, lengths):
    """Points (n, 2) of a line, in pixels, at equal distances of about `step` along it."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*(np.diff(points, axis=0) * lengths).T))])
    count = max(int(round(along[-1] / step)), 1)
    at = np.linspace(0.0, along[-1], count, endpoint=False)
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)


def near_boundary(labels: np.ndarray, distance: float, spacing=None) -> np.ndarray:
    """Which pixels have their centre within `distance` of a boundary between any two classes.

    Args:
        labels: integer or boolean label maps (N, H, W) or (H, W), or volumes (N, D, H, W); pixels to ignore (255) have
            no boundary.
        distance: px, or mm where a spacing is given, at least half of a pixel's smallest side, the distance of the
            pixels that touch a boundary.
        spacing: sides of a pixel or voxel, mm; 1 px if None.

    Returns:
        boolean array of the same shape; all False for a map of one class.
    """
    labels = voxels.label_maps("labels", labels)
    lengths = voxels.lengths(spacing, voxels.axes(labels))
    distance = checks.real("distance", distance, 0.5 * lengths.min())
    return np.stack([_near(one, distance, lengths) for one in voxels.each(labels)]).reshape(labels.shape)


def _near(labels, distance, lengths):
    known = labels != IGNORE
    touching = np.zeros((labels.ndim, *labels.shape), bool)
    for axis, own in enumerate(touching):
        first = tuple(slice(None, -1) if a == axis else slice(None) for a in range(labels.ndim))
        second = tuple(slice(1, None) if a == axis else slice(None) for a in range(labels.ndim))
        differ = (labels[second] != labels[first]) & known[second] & known[first]
        own[first] |= differ
        own[second] |= differ
    near = np.zeros(labels.shape, bool)
    for length in np.unique(lengths):  # touching pixels are half a side away
        own = touching[lengths == length].any(0)
        if own.any():
            near |= ndimage.distance_transform_edt(~own, sampling=lengths) + length / 2 <= distance
    return near
