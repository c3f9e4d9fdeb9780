"""Measuring boundary error: signed displacements between two label maps, and how far along a boundary they correlate."""

import warnings

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from thesis_lib import checks
from thesis_lib.annotation import geometry
from thesis_lib.labels import IGNORE, background_class


def boundary_displacements(annotation, reference, background=None, reach=10.0):
    """Signed displacements of an annotation's boundaries, sampled every px along the reference's boundaries.

    At each point the annotation is followed along the reference's normal to the nearest place where it leaves the
    object: the same side of the object, so that a stroke drawn beside itself counts as displaced, not as close by.
    A boundary between two objects is measured once, from the one of the lower class.
    Where a hole was filled or a stroke broken there is no such place, or one on another part of the boundary; values
    further from the median than four robust standard deviations (at least 2 px) are taken for such and left out.

    Args:
        annotation, reference: boolean masks or integer label maps (H, W) or (N, H, W) of one shape. Of label maps every
            class but the background (and 255: to ignore) is measured as a mask of its own.
        background: the background's class; the reference's most frequent one if None.
        reach: the largest displacement looked for, px; take at least four times the expected sigma.

    Returns:
        1-D float array, px, positive where the annotation lies outside the reference's object. Objects that only one
        of the two holds, and edges of what is to be ignored, have no displacement.
    """
    series = displacement_series(annotation, reference, background, reach)
    return np.concatenate(series) if series else np.zeros(0)


def check_reach(reach, spread, bias, stacklevel=3):
    """Warn where measured displacements (px) come so near to `reach` that larger ones must have been missed."""
    if abs(bias) + 3 * spread > reach:
        warnings.warn(
            f"reach must be at least four times sigma; at {reach:g} px the measured sigma of {spread:.1f} px and bias of {abs(bias):.1f} px are too small",
            stacklevel=stacklevel,
        )


def displacement_series(annotation, reference, background=None, reach=10.0):
    """As `boundary_displacements`, but a list with one array for each connected boundary, in order along it."""
    return [values for _, values, _ in _measured(annotation, reference, background, reach)]


def displacements_by_pair(annotation, reference, background=None, reach=10.0, fields=None):
    """As `displacement_series`, apart for each pair of classes that meet at the boundary.

    Args:
        annotation, reference, background, reach: as there.
        fields: of a single reference, where its boundaries are known more finely than by whole pixels: a dict from a class to a float array
            (H, W), positive inside, whose boundary is where it is zero.

    Returns:
        dict from (j, k), j < k, to a list of arrays, one for each stretch of boundary between the two.
    """
    found = {}
    for k, values, others in _measured(annotation, reference, background, reach, fields):
        for stretch in np.split(np.arange(len(values)), np.flatnonzero(np.diff(others)) + 1):
            other = int(others[stretch[0]])
            if other != k:  # in a sharp corner the point outside is inside again
                found.setdefault((min(k, other), max(k, other)), []).append(values[stretch])
    return dict(sorted(found.items()))


def _measured(annotation, reference, background, reach, fields=None):
    """For each connected boundary: its class, the displacements along it, and the class on its other side."""
    annotation = checks.label_maps("annotation", annotation)
    reference = checks.label_maps("reference", reference)
    checks.same_shape("annotation", annotation, "reference", reference)
    reach = checks.real("reach", reach, 0.5)
    background = background_class(reference, background)
    series = []
    shape = (-1,) + reference.shape[-2:]
    for drawn, true in zip(annotation.reshape(shape), reference.reshape(shape)):
        for k in np.setdiff1d(np.unique(true), [background, IGNORE]):
            for values, others in _displacements(drawn, true, k, reach, (fields or {}).get(int(k))):
                once = (others >= k) | (others == background)
                series.append((int(k), values[once], others[once]))
    if not sum(len(values) for _, values, _ in series):
        return []
    together = np.concatenate([values for _, values, _ in series])
    median = np.median(together)
    limit = 4 * max(1.4826 * np.median(np.abs(together - median)), 0.5)
    kept = [(k, *(part[np.abs(values - median) <= limit] for part in (values, others))) for k, values, others in series]
    return [one for one in kept if one[1].size]


def _displacements(drawn, labels, k, reach, field):
    """Displacements along each contour of class k (of the field where there is one), where the map `drawn` leaves k within reach, and the classes outside.

    Where either map goes over to pixels to ignore, nobody said that there is a boundary: such places have no displacement.
    """
    steps = np.arange(-reach, reach + 0.0625, 0.125)
    mask, true, unknown = (drawn == k).astype(float), labels == k, (drawn == IGNORE).astype(float)
    slope = np.gradient(gaussian_filter(true.astype(float), 1.5, mode="nearest")) if min(true.shape) > 1 else []
    series = []
    lines = geometry.contours(true) if field is None else geometry.contours(field, level=0.0)
    for points in lines if len(slope) else []:
        outward = -np.stack([map_coordinates(s, points.T, order=1, mode="nearest") for s in slope], axis=1)
        outward /= np.maximum(np.hypot(*outward.T), 1e-12)[:, None]
        along = points[:, None] + steps[None, :, None] * outward[:, None]
        inside = map_coordinates(mask, along.reshape(-1, 2).T, order=1, mode="nearest").reshape(along.shape[:2])
        before, after = inside[:, :-1], inside[:, 1:]
        leaves = (before > 0.5) & (after <= 0.5)
        crossings = steps[:-1] + (before - 0.5) / np.where(leaves, before - after, 1.0) * np.diff(steps)
        nearest = np.argmin(np.where(leaves, np.abs(crossings), np.inf), axis=1)
        crossing = np.take_along_axis(crossings, nearest[:, None], axis=1)[:, 0]
        here, outside = (
            map_coordinates(labels.astype(float), at.T, order=0, mode="nearest").astype(int)
            for at in (points, points + outward)
        )
        place = points + crossing[:, None] * outward
        ignored = (
            map_coordinates(unknown, place.T, order=1, mode="nearest") > 0.25
        )  # more than half of what is not k there
        found = leaves.any(axis=1) & ~ignored & (here != IGNORE) & (outside != IGNORE)
        series.append((crossing[found], outside[found]))
    return series


def autocorrelation_time(displacements, squared=False):
    """Integrated autocorrelation time 1 + 2 sum_k rho_k of displacements sampled along boundaries.

    The sum is cut at the smallest lag that is at least five times the estimate so far (Sokal's window).

    Args:
        displacements: px, in order along the boundary; one array, or a list of arrays, one a boundary.
        squared: sum rho_k^2 instead: the time of the squares of a Gaussian process.

    Returns:
        float, in samples, at least 1.
    """
    series = as_series("displacements", displacements)
    mean = np.concatenate(series).mean()
    longest = max(len(s) for s in series)
    covariance, pairs = np.zeros(longest), np.zeros(longest)
    for s in series:
        power = np.abs(np.fft.rfft(s - mean, 2 * len(s))) ** 2
        covariance[: len(s)] += np.fft.irfft(power)[: len(s)]
        pairs[: len(s)] += np.arange(len(s), 0, -1)
    if covariance[0] / pairs[0] < 1e-12:  # px^2: constant
        return 1.0
    rho = (covariance / pairs) / (covariance[0] / pairs[0])
    if squared:
        rho = rho**2
    times = 2 * np.cumsum(rho) - 1
    enough = np.arange(longest) >= 5 * np.maximum(times, 1.0)
    at = np.argmax(enough) if enough.any() else longest // 2
    return float(max(times[at], 1.0))


def as_series(name, displacements):
    """Displacements as a list of non-empty, finite 1-D float arrays."""
    is_list_of_arrays = isinstance(displacements, (list, tuple)) and any(np.ndim(one) for one in displacements)
    series = [np.asarray(one, float) for one in (displacements if is_list_of_arrays else [displacements])]
    if not any(s.size for s in series):
        raise ValueError(f"{name} must hold at least one value; got none")
    if any(s.ndim != 1 or not np.isfinite(s).all() for s in series):
        raise ValueError(f"{name} must be one-dimensional and finite; got {displacements!r}")
    return [s for s in series if s.size]
