"""Signed displacements along each connected boundary of a reference: contours of images, surfaces of volumes."""

from functools import reduce
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from thesis_lib import checks
from thesis_lib.annotation import geometry, surfaces, voxels
from thesis_lib.labels import IGNORE, background_class

AT_ONCE = 4_000_000  # places along the normals of a boundary
FARTHEST = 1000.0  # px, that displacements are looked for


class Stretch(NamedTuple):
    """Displacements along one connected boundary, or a part of it.

    Args:
        label: class of the object.
        values: displacements (n,), px or mm, in order along a contour; those of a surface have no order.
        outside: class on the outer side of the boundary (n,).
        points: places (n, 3) on a surface, px or mm; None for a contour.
    """

    label: int
    values: np.ndarray
    outside: np.ndarray
    points: np.ndarray | None

    def scaled(self, factor, about=0.0):
        """The same with displacements that are `factor` times as far from `about`."""
        return self._replace(values=about + factor * (self.values - about))

    def part(self, which):
        points = None if self.points is None else self.points[which]
        return Stretch(self.label, self.values[which], self.outside[which], points)


def stretches(annotation, reference, background=None, search_radius=10.0, spacing=None, distances=None):
    """For each connected boundary a `Stretch`; arguments as for `displacements_by_pair`."""
    annotation, reference, lengths, search_radius, background = checked(
        annotation, reference, background, search_radius, spacing
    )
    if distances is not None:
        checks.instance("distances", distances, dict, "a dict from a class to an array")
    series = []
    for drawn, true in zip(voxels.each(annotation), voxels.each(reference)):
        for k in np.setdiff1d(np.unique(true), [background, IGNORE]):
            distance = (distances or {}).get(int(k))
            for one in along_boundaries(drawn, true, k, search_radius, distance, lengths):
                series.append(one.part((one.outside >= k) | (one.outside == background)))
    return _without_outliers(series, lengths)


def checked(annotation, reference, background, search_radius, spacing):
    """The arguments of all that measures, checked, with the sides of a pixel and the background's class found."""
    annotation = voxels.label_maps("annotation", annotation)
    reference = voxels.label_maps("reference", reference)
    checks.same_shape("annotation", annotation, "reference", reference)
    lengths = voxels.lengths(spacing, voxels.axes(reference))
    search_radius = checks.real("search_radius", search_radius, 0.5 * lengths.min(), FARTHEST * lengths.min())
    return annotation, reference, lengths, search_radius, background_class(reference, background)


def near(values, together, lengths):
    """Which values are within four robust standard deviations (at least 2 px) of the median of all `together`."""
    median = np.median(together)
    smallest = 0.5 * lengths.max()  # what the pixel grid adds
    limit = 4 * max(1.4826 * np.median(np.abs(together - median)), smallest)  # 1.4826 MAD estimates a Normal's sigma
    return np.abs(values - median) <= limit


def places(found):
    """The places of displacements on surfaces, a list of arrays; None of contours."""
    return None if found[0].points is None else [one.points for one in found]


def _without_outliers(series, lengths):
    """The series without values that belong to another part of the boundary, and without empty ones."""
    if not any(len(one.values) for one in series):
        return []
    together = np.concatenate([one.values for one in series])
    kept = []
    for one in series:
        kept_values = near(one.values, together, lengths)
        if kept_values.any():
            kept.append(one.part(kept_values))
    return kept


def along_boundaries(drawn, labels, k, search_radius, distance, lengths):
    """Yield a `Stretch` for each contour or surface of class k.

    A displacement is where the map `drawn` leaves class k along the boundary's normal. The boundary is that of
    `distance` where it is given. Where either map goes over to pixels to ignore, nobody stated a boundary: there is no
    displacement.
    """
    true = labels == k
    if min(true.shape) < 2:
        return
    step = 0.125 * lengths.min()
    steps = np.arange(-search_radius, search_radius + step / 2, step)
    mask, ignored = (drawn == k).astype(float), (drawn == IGNORE).astype(float)
    for points, outward in _boundaries(true, distance, lengths):
        direction = outward / lengths  # pixels for each unit of length
        displacement, leaves = _leaving(mask, points, direction, steps)
        own = _at(labels.astype(float), points, order=0).astype(int)
        outside = _at(labels.astype(float), points + lengths.min() * direction, order=0).astype(int)
        # Above 1/4, more than half of what is not of class k there is to be ignored.
        drawn_ignored = _at(ignored, points + displacement[:, None] * direction) > 0.25
        measured = leaves & ~drawn_ignored & (own != IGNORE) & (outside != IGNORE)
        yield Stretch(
            int(k), displacement[measured], outside[measured], points[measured] * lengths if true.ndim == 3 else None
        )


def _boundaries(true, distance, lengths):
    """(points, normals) of each contour or surface of a mask: places in pixels, and unit vectors outwards."""
    slope = np.gradient(gaussian_filter(true.astype(float), 1.5, mode="nearest"), *lengths)

    def outward(points):
        found = -np.stack([_at(component, points) for component in slope], axis=1)
        return found / np.maximum(reduce(np.hypot, found.T), 1e-12)[:, None]

    field, level = (true, 0.5) if distance is None else (distance, 0.0)
    if true.ndim == 3:
        return surfaces.spread(field, level, outward, lengths)
    apart = float(np.sqrt(lengths.prod()))
    return [(points, outward(points)) for points in geometry.spaced_contours(field, apart, level, lengths)]


def _leaving(mask, points, direction, steps):
    """How far from each point the mask ends, nearest to it along `direction`, and whether it does: arrays (n,)."""
    displacements, found = [np.zeros(0)], [np.zeros(0, bool)]
    count = max(AT_ONCE // len(steps), 1)
    for start in range(0, len(points), count):
        some = slice(start, start + count)
        along = points[some, None] + steps[None, :, None] * direction[some, None]
        inside = _at(mask, along.reshape(-1, mask.ndim)).reshape(along.shape[:2])
        before, after = inside[:, :-1], inside[:, 1:]
        leaves = (before > 0.5) & (after <= 0.5)
        places = steps[:-1] + (before - 0.5) / np.where(leaves, before - after, 1.0) * np.diff(steps)
        closest = np.argmin(np.where(leaves, np.abs(places), np.inf), axis=1)
        displacements.append(np.take_along_axis(places, closest[:, None], axis=1)[:, 0])
        found.append(leaves.any(axis=1))
    return np.concatenate(displacements), np.concatenate(found)


def _at(values, points, order=1):
    """An array interpolated at points (n, 2) of (row, column), or (n, 3) of (plane, row, column)."""
    return map_coordinates(values, points.T, order=order, mode="nearest")
