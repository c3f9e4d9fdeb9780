"""Measuring boundary error: signed displacements between two label maps, and how far along a boundary they correlate.

The autocorrelation time is the integrated one of time-series analysis, cut by Sokal's window (Sokal, "Monte Carlo
Methods in Statistical Mechanics", 1997, section 3).
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from thesis_lib import checks
from thesis_lib.annotation import geometry
from thesis_lib.labels import IGNORE, background_class


def boundary_displacements(annotation, reference, background=None, search_radius=10.0):
    """Signed displacements of an annotation's boundaries, sampled every px along the reference's boundaries.

    From each point of the reference's boundary the annotation is followed along the normal to the nearest place where
    it leaves the object. This is the same side of the object, so a thin stroke that is drawn beside itself counts as
    displaced. A boundary between two objects is measured once, as the boundary of the lower class.

    Where the annotator filled a hole or broke a stroke there is no such place, or it belongs to another part of the
    boundary. Values further from the median than four robust standard deviations (at least 2 px) are therefore left
    out.

    Args:
        annotation, reference: boolean masks or integer label maps (H, W) or (N, H, W) of one shape. In label maps
            every class but the background and 255 (to ignore) is measured as a mask of its own.
        background: the background's class; the reference's most frequent class if None.
        search_radius: px, at least 0.5; larger displacements are not seen. Take at least four times the expected sigma.

    Returns:
        1-D float array, px, positive where the annotation lies outside the reference's object. Objects that only one
        of the two holds, and edges of regions to ignore, have no displacement.

    Raises:
        ValueError: if an argument is not of this kind.
    """
    series = displacement_series(annotation, reference, background, search_radius)
    return np.concatenate(series) if series else np.zeros(0)


def displacement_series(annotation, reference, background=None, search_radius=10.0):
    """As `boundary_displacements`, but a list with one array for each connected boundary, in order along it."""
    return [values for _, values, _ in _measure(annotation, reference, background, search_radius)]


@dataclass(frozen=True)
class ObjectDisplacements:
    """Where an annotation's boundary lies around one object of the reference.

    Args:
        image: number of the image.
        label: the object's class.
        diameter: of a disc of the object's area, px.
        values: displacements, px, positive outside, in order along the boundary; three or more.
        number: of the object among those of its image, from 0, in the order of `geometry.objects`.
    """

    image: int
    label: int
    diameter: float
    values: np.ndarray
    number: int = 0


def object_displacements(annotation, reference, background=None, search_radius=10.0, objects=None, distances=None):
    """As `boundary_displacements`, for each object of the reference by itself.

    An object is a connected region of one class (pixels that touch at a corner are connected), or has a number of its
    own in `objects`. Only its outer boundary counts. Values further from the object's median than four of its robust
    standard deviations (at least 2 px) are left out.

    Args:
        annotation, reference, background, search_radius: as for `boundary_displacements`.
        objects: integer array of the reference's shape, 0 or the number of the object; connected regions if None.
        distances: as for `displacements_by_pair`; only for a single reference.

    Returns:
        list of `ObjectDisplacements`, of the objects with three displacements or more.
    """
    annotation, reference, search_radius, background = _checked(annotation, reference, background, search_radius)
    shape = (-1,) + reference.shape[-2:]
    numbers = [None] * len(reference.reshape(shape)) if objects is None else np.asarray(objects).reshape(shape)
    found, margin = [], math.ceil(search_radius) + 2
    for image, (drawn, true, own) in enumerate(zip(annotation.reshape(shape), reference.reshape(shape), numbers)):
        for number, (k, window, mask) in enumerate(geometry.objects(true, background, margin, own)):
            distance = None if distances is None else distances[k][window]
            values = _of_object(drawn[window], true[window], mask, k, search_radius, distance)
            if len(values) >= 3:
                diameter = 2 * math.sqrt(mask.sum() / math.pi)
                found.append(ObjectDisplacements(image, k, diameter, values, number))
    return found


def _of_object(drawn, true, mask, k, search_radius, distance):
    """Displacements along the outer boundary of the object `mask`, without outliers."""
    others = (true == k) & ~mask
    if distance is not None:
        distance = np.where(others, -1.0, distance)
    contours = _displacements(drawn, np.where(others, IGNORE, true), k, search_radius, distance)
    values = max((values for values, _ in contours), key=len, default=np.zeros(0))
    return values[_near(values, values)] if len(values) else values


def displacements_by_pair(annotation, reference, background=None, search_radius=10.0, distances=None):
    """As `displacement_series`, separately for each pair of classes that meet at the boundary.

    Args:
        annotation, reference, background, search_radius: as for `boundary_displacements`.
        distances: for a single reference whose boundaries are known more finely than by whole pixels: dict from a class
            to a float array (H, W), positive inside, zero on the boundary.

    Returns:
        dict from (j, k), j < k, to a list of arrays, one for each stretch of boundary between the two classes.
    """
    by_pair = {}
    for k, values, outside in _measure(annotation, reference, background, search_radius, distances):
        changes = np.flatnonzero(np.diff(outside)) + 1
        for stretch in np.split(np.arange(len(values)), changes):
            other = int(outside[stretch[0]])
            if other != k:  # in a sharp corner the point outside may lie inside again
                by_pair.setdefault((min(k, other), max(k, other)), []).append(values[stretch])
    return dict(sorted(by_pair.items()))


def warn_of_small_radius(search_radius, sigma, bias, stacklevel=3):
    """Warn if larger displacements than `search_radius` are likely, given measured sigma and bias (all px)."""
    if abs(bias) + 3 * sigma > search_radius:
        warnings.warn(
            f"search_radius must be at least four times sigma; {search_radius:g} px is too small "
            f"for the measured sigma of {sigma:.1f} px and bias of {abs(bias):.1f} px",
            stacklevel=stacklevel,
        )


def _measure(annotation, reference, background, search_radius, distances=None):
    """For each connected boundary: its class, the displacements along it, and the classes on its outer side."""
    annotation, reference, search_radius, background = _checked(annotation, reference, background, search_radius)
    series = []
    shape = (-1,) + reference.shape[-2:]
    for drawn, true in zip(annotation.reshape(shape), reference.reshape(shape)):
        for k in np.setdiff1d(np.unique(true), [background, IGNORE]):
            distance = (distances or {}).get(int(k))
            for values, outside in _displacements(drawn, true, k, search_radius, distance):
                once = (outside >= k) | (outside == background)
                series.append((int(k), values[once], outside[once]))
    return _without_outliers(series)


def _checked(annotation, reference, background, search_radius):
    """The arguments of all that measures, checked, the background's class found."""
    annotation = checks.label_maps("annotation", annotation)
    reference = checks.label_maps("reference", reference)
    checks.same_shape("annotation", annotation, "reference", reference)
    search_radius = checks.real("search_radius", search_radius, 0.5)
    return annotation, reference, search_radius, background_class(reference, background)


def _near(values, together):
    """Which values are within four robust standard deviations (at least 2 px) of the median of all `together`."""
    median = np.median(together)
    limit = 4 * max(1.4826 * np.median(np.abs(together - median)), 0.5)  # 1.4826 MAD estimates a Normal's sigma
    return np.abs(values - median) <= limit


def _without_outliers(series):
    """The series without values that belong to another part of the boundary, and without empty arrays."""
    if not any(len(values) for _, values, _ in series):
        return []
    together = np.concatenate([values for _, values, _ in series])
    kept = []
    for k, values, outside in series:
        near = _near(values, together)
        if near.any():
            kept.append((k, values[near], outside[near]))
    return kept


def _displacements(drawn, labels, k, search_radius, distance):
    """Yield, for each contour of class k, the displacements along it and the classes on its outer side.

    A displacement is where the map `drawn` leaves class k along the contour's normal. The contour is that of `distance`
    where it is given. Where either map goes over to pixels to ignore, nobody stated a boundary: there is no
    displacement.
    """
    true = labels == k
    if min(true.shape) < 2:
        return
    steps = np.arange(-search_radius, search_radius + 0.0625, 0.125)
    mask, ignored = (drawn == k).astype(float), (drawn == IGNORE).astype(float)
    slope = np.gradient(gaussian_filter(true.astype(float), 1.5, mode="nearest"))
    for points in geometry.contours(true) if distance is None else geometry.contours(distance, level=0.0):
        outward = -np.stack([_at(component, points) for component in slope], axis=1)
        outward /= np.maximum(np.hypot(*outward.T), 1e-12)[:, None]
        along = points[:, None] + steps[None, :, None] * outward[:, None]
        inside = _at(mask, along.reshape(-1, 2)).reshape(along.shape[:2])
        before, after = inside[:, :-1], inside[:, 1:]
        leaves = (before > 0.5) & (after <= 0.5)
        crossings = steps[:-1] + (before - 0.5) / np.where(leaves, before - after, 1.0) * np.diff(steps)
        nearest = np.argmin(np.where(leaves, np.abs(crossings), np.inf), axis=1)
        displacement = np.take_along_axis(crossings, nearest[:, None], axis=1)[:, 0]
        own = _at(labels.astype(float), points, order=0).astype(int)
        outside = _at(labels.astype(float), points + outward, order=0).astype(int)
        # Above 1/4, more than half of what is not of class k there is to be ignored.
        drawn_ignored = _at(ignored, points + displacement[:, None] * outward) > 0.25
        measured = leaves.any(axis=1) & ~drawn_ignored & (own != IGNORE) & (outside != IGNORE)
        yield displacement[measured], outside[measured]


def _at(values, points, order=1):
    """An array (H, W) interpolated at points (n, 2) of (row, column)."""
    return map_coordinates(values, points.T, order=order, mode="nearest")


def autocorrelation_time(displacements, squared=False):
    """Integrated autocorrelation time 1 + 2 sum_k rho_k of displacements sampled along boundaries.

    The sum is cut at the smallest lag that is at least five times the estimate so far (Sokal's window).

    Args:
        displacements: px, in order along the boundary; one array, or a list of arrays, one for each boundary.
        squared: sum rho_k^2 instead: the time of the squares of a Gaussian process.

    Returns:
        float, in samples, at least 1.

    Raises:
        ValueError: if there is no displacement, or one that is not finite.
    """
    series = as_series("displacements", displacements)
    mean = np.concatenate(series).mean()
    longest = max(len(one) for one in series)
    covariance, pairs = np.zeros(longest), np.zeros(longest)
    for one in series:
        power = np.abs(np.fft.rfft(one - mean, 2 * len(one))) ** 2
        covariance[: len(one)] += np.fft.irfft(power)[: len(one)]
        pairs[: len(one)] += np.arange(len(one), 0, -1)
    if covariance[0] / pairs[0] < 1e-12:  # px^2: all displacements are equal
        return 1.0
    rho = (covariance / pairs) / (covariance[0] / pairs[0])
    if squared:
        rho = rho**2
    times = 2 * np.cumsum(rho) - 1
    enough = np.arange(longest) >= 5 * np.maximum(times, 1.0)
    window = np.argmax(enough) if enough.any() else longest // 2
    return float(max(times[window], 1.0))


def as_series(name, displacements):
    """Displacements as a list of non-empty, finite 1-D float arrays."""
    is_list_of_arrays = isinstance(displacements, (list, tuple)) and any(
        isinstance(one, (list, tuple)) or getattr(one, "ndim", 0) for one in displacements
    )
    several = displacements if is_list_of_arrays else [displacements]
    series = [checks.number_array(name, one, "one-dimensional and finite").astype(float) for one in several]
    if not any(one.size for one in series):
        raise ValueError(f"{name} must hold at least one value; got none")
    if any(one.ndim != 1 for one in series):
        raise ValueError(f"{name} must be one-dimensional and finite; got {displacements!r}")
    return [one for one in series if one.size]
