"""How far displacements along a boundary correlate, and so how many independent ones they are worth.

The autocorrelation time is the integrated one of time-series analysis, cut by Sokal's window (Sokal, "Monte Carlo
Methods in Statistical Mechanics", 1997, section 3). On a surface the sum over lags is one over all other places.
"""

import numpy as np
from scipy.spatial import cKDTree

from thesis_lib import checks

REFERENCES = 600  # places on surfaces from which all others are looked at


def autocorrelation_time(displacements, squared=False, points=None):
    """Integrated autocorrelation time 1 + 2 sum_k rho_k of displacements sampled along boundaries.

    The sum is cut at the smallest lag that is at least five times the estimate so far (Sokal's window). On surfaces it
    is the sum of the correlation with all other places, cut at the distance that is four times the radius of a disc of
    as many places as the estimate so far.

    Args:
        displacements: px or mm, in order along the boundary; one array, or a list of arrays, one for each boundary.
        squared: sum rho_k^2 instead: the time of the squares of a Gaussian process.
        points: for displacements on surfaces, their places (n, 3), in the same unit; an array for each array.

    Returns:
        float, in samples, at least 1.

    Raises:
        ValueError: if there is no displacement, or one that is not finite.
    """
    series, squared = as_series("displacements", displacements), checks.boolean("squared", squared)
    mean = np.concatenate(series).mean()
    if points is not None:
        return _over_surfaces([one - mean for one in series], as_points(points, series), squared)
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


def as_points(points, series):
    """The places of displacements as a list of float arrays (n, 3), one for each array of `series`."""
    what = "an array (n, 3) for each array of displacements"
    several = points if isinstance(points, (list, tuple)) else [points]
    found = [checks.number_array("points", one, what).astype(float) for one in several]
    if [one.shape for one in found] != [(len(one), 3) for one in series]:
        raise ValueError(f"points must be {what}; got shapes {[one.shape for one in found]}")
    return found


def _over_surfaces(series, points, squared):
    """`autocorrelation_time` of centred displacements at these places."""
    total, variance = sum(map(len, series)), float(np.mean(np.concatenate(series) ** 2))
    several = [one for one in points if len(one) > 1]
    if variance < 1e-12 or not several:
        return 1.0
    apart = np.median(np.concatenate([cKDTree(one).query(one, 2)[0][:, 1] for one in several]))
    farthest = max(float(np.linalg.norm(np.ptp(one, axis=0))) for one in several)
    bins = int(farthest / apart) + 2
    products, pairs, references = np.zeros(bins), np.zeros(bins), 0
    for values, places in zip(series, points):
        chosen = np.linspace(0, len(values) - 1, -(-REFERENCES * len(values) // total)).astype(int)
        chosen = np.unique(chosen)
        for one in chosen:
            away = np.sqrt(((places - places[one]) ** 2).sum(1))
            away[one] = np.inf
            others = np.isfinite(away)
            lag = (away[others] / apart).astype(int)
            products += np.bincount(lag, values[one] * values[others], bins)
            pairs += np.bincount(lag, minlength=bins)
        references += len(chosen)
    rho = np.divide(products, pairs, out=np.zeros(bins), where=pairs > 0) / variance
    if squared:
        rho = rho**2
    times = 1 + np.cumsum(rho * pairs / references)
    enough = np.arange(1, bins + 1) >= 4 * np.sqrt(np.maximum(times, 1.0) / np.pi)
    window = np.argmax(enough) if enough.any() else bins // 2
    return float(max(times[window], 1.0))
