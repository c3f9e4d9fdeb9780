"""Measuring boundary error: signed displacements between two label maps, or two volumes."""

import math
import warnings
from dataclasses import dataclass

import numpy as np

from thesis_lib import checks
from thesis_lib.annotation import geometry, voxels
from thesis_lib.annotation.stretches import along_boundaries, checked, near, stretches
from thesis_lib.labels import IGNORE


def boundary_displacements(annotation, reference, background=None, search_radius=10.0, spacing=None):
    """Signed displacements of an annotation's boundaries, sampled every px along the reference's boundaries.

    From each point of the reference's boundary the annotation is followed along the normal to the nearest place where
    it leaves the object. This is the same side of the object, so a thin stroke that is drawn beside itself counts as
    displaced. A boundary between two objects is measured once, as the boundary of the lower class.

    Where the annotator filled a hole or broke a stroke there is no such place, or it belongs to another part of the
    boundary. Values further from the median than four robust standard deviations (at least 2 px) are therefore left
    out.

    Args:
        annotation, reference: boolean masks or integer label maps (H, W) or (N, H, W) of one shape, or volumes (N, D,
            H, W). In label maps every class but the background and 255 (to ignore) is measured as a mask of its own.
        background: the background's class; the reference's most frequent class if None.
        search_radius: px, or mm where a spacing is given, from half a pixel to 1000; larger displacements are not seen.
            Take at least four times the expected sigma.
        spacing: sides of a pixel (rows, columns) or voxel (planes, rows, columns), mm, the same for all images; 1 px if
            None.

    Returns:
        1-D float array, px or mm, positive where the annotation lies outside the reference's object. Objects that only
        one of the two holds, and edges of regions to ignore, have no displacement. A surface is sampled evenly, once
        for the area of a voxel's largest face.

    Raises:
        ValueError: if an argument is not of this kind.

    Example: how far outside a surface was drawn, in mm, of voxels of 3 x 0.8 x 0.8 mm.
        >>> boundary_displacements(drawn_volumes, true_volumes, background=0, spacing=(3.0, 0.8, 0.8)).mean()
    """
    series = displacement_series(annotation, reference, background, search_radius, spacing)
    return np.concatenate(series) if series else np.zeros(0)


def displacement_series(annotation, reference, background=None, search_radius=10.0, spacing=None):
    """As `boundary_displacements`, but a list with one array for each connected boundary, in order along a contour."""
    return [one.values for one in stretches(annotation, reference, background, search_radius, spacing)]


@dataclass(frozen=True)
class ObjectDisplacements:
    """Where an annotation's boundary lies around one object of the reference.

    Args:
        image: number of the image.
        label: the object's class.
        diameter: of a disc of the object's area, or a ball of its volume, px or mm.
        values: displacements, px or mm, positive outside, in order along a contour; three or more.
        number: of the object among those of its image, from 0, in the order of `geometry.objects`.
        points: places of the displacements on a surface (n, 3), px or mm; None in an image.
        unit: of all lengths, px or mm.
        far: displacements that are left out of `values`, see `object_displacements`.
    """

    image: int
    label: int
    diameter: float
    values: np.ndarray
    number: int = 0
    points: np.ndarray | None = None
    unit: str = "px"
    far: np.ndarray | None = None


def object_displacements(
    annotation, reference, background=None, search_radius=10.0, objects=None, distances=None, spacing=None
):
    """As `boundary_displacements`, for each object of the reference by itself.

    An object is a connected region of one class (pixels that touch at a corner are connected), or has a number of its
    own in `objects`. Only its outer boundary counts. Values further from the object's median than four of its robust
    standard deviations (at least 2 px) are left out.

    Args:
        annotation, reference, background, search_radius, spacing: as for `boundary_displacements`.
        objects: integer array of the reference's shape, 0 or the number of the object; connected regions if None.
        distances: as for `displacements_by_pair`; only for a single reference.

    Returns:
        list of `ObjectDisplacements`, of the objects with three displacements or more.
    """
    annotation, reference, lengths, search_radius, background = checked(
        annotation, reference, background, search_radius, spacing
    )
    if distances is not None:
        checks.instance("distances", distances, dict, "a dict from a class to an array")
    maps = voxels.each(reference)
    numbers = voxels.object_numbers(objects, reference)
    found, margin = [], np.ceil(search_radius / lengths).astype(int) + 2
    for image, (drawn, true, own) in enumerate(zip(voxels.each(annotation), maps, numbers)):
        for number, (k, window, mask) in enumerate(geometry.objects(true, background, margin, own)):
            if distances is not None and k not in distances:
                raise ValueError(f"distances must have class {k} of the reference; it has {checks.shown([*distances])}")
            distance = None if distances is None else distances[k][window]
            one, far = _of_object(drawn[window], true[window], mask, k, search_radius, distance, lengths)
            if one is not None and len(one.values) >= 3:
                points = None if one.points is None else one.points + [side.start for side in window] * lengths
                size, unit = diameter(mask, lengths), voxels.unit(spacing)
                found.append(ObjectDisplacements(image, k, size, one.values, number, points, unit, far))
    return found


def diameter(mask, lengths):
    """Of a disc of an object's area, or a ball of its volume, in the unit of the sides of a pixel."""
    size = mask.sum() * lengths.prod()
    return 2 * math.sqrt(size / math.pi) if mask.ndim == 2 else 2 * math.cbrt(size * 0.75 / math.pi)


def _of_object(drawn, true, mask, k, search_radius, distance, lengths):
    """Displacements along the outer boundary of the object `mask`, without outliers, and these; None without one."""
    others = (true == k) & ~mask
    if distance is not None:
        distance = np.where(others, -1.0, distance)
    found = along_boundaries(drawn, np.where(others, IGNORE, true), k, search_radius, distance, lengths)
    outer = max(found, key=lambda one: len(one.values), default=None)
    if outer is None or not len(outer.values):
        return None, None
    kept = near(outer.values, outer.values, lengths)
    return outer.part(kept), outer.values[~kept]


def displacements_by_pair(annotation, reference, background=None, search_radius=10.0, distances=None, spacing=None):
    """As `displacement_series`, separately for each pair of classes that meet at the boundary.

    Args:
        annotation, reference, background, search_radius, spacing: as for `boundary_displacements`.
        distances: for a single reference whose boundaries are known more finely than by whole pixels: dict from a class
            to a float array (H, W) or (D, H, W), positive inside, zero on the boundary.

    Returns:
        dict from (j, k), j < k, to a list of arrays, one for each stretch of boundary between the two classes.
    """
    found = stretches_by_pair(annotation, reference, background, search_radius, distances, spacing)
    return {pair: [one.values for one in several] for pair, several in found.items()}


def stretches_by_pair(annotation, reference, background, search_radius, distances=None, spacing=None):
    """`displacements_by_pair` with a `Stretch` instead of each array."""
    by_pair = {}
    for one in stretches(annotation, reference, background, search_radius, spacing, distances):
        if one.points is None:
            parts = np.split(np.arange(len(one.values)), np.flatnonzero(np.diff(one.outside)) + 1)
        else:
            parts = [np.flatnonzero(one.outside == other) for other in np.unique(one.outside)]
        for part in parts:
            k, other = one.label, int(one.outside[part[0]])
            if other != k:  # in a sharp corner the point outside may lie inside again
                by_pair.setdefault((min(k, other), max(k, other)), []).append(one.part(part))
    return dict(sorted(by_pair.items()))


def warn_of_small_radius(search_radius, sigma, bias, unit="px", stacklevel=3):
    """Warn if larger displacements than `search_radius` are likely, given measured sigma and bias, all in `unit`."""
    if abs(bias) + 3 * sigma > search_radius:
        warnings.warn(
            f"search_radius must be at least four times sigma; {search_radius:g} {unit} is too small "
            f"for the measured sigma of {sigma:.1f} {unit} and bias of {abs(bias):.1f} {unit}",
            stacklevel=stacklevel,
        )
