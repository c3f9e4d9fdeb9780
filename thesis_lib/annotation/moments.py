"""What the displacements of many objects say: their moments, and how many independent displacements each is worth.

Displacements of an object have a correlation of exp(-r / length) between places r apart: along a contour, which is
taken for a closed curve, or, in a volume, straight through the object from place to place. All lengths have one unit.
"""

from dataclasses import dataclass

import numpy as np
from scipy import interpolate, linalg, optimize
from scipy.spatial import distance

from thesis_lib import checks
from thesis_lib.annotation.autocorrelation import as_points, as_series

FEWEST = 3  # displacements of an object
SHORTEST, LONGEST = 0.05, 50.0  # of the correlation length, samples or mm; the shortest is none
MOST_PLACES = 120  # of a surface, from which the correlation is taken


@dataclass(frozen=True)
class Objects:
    """What the displacements of many objects say, an array entry for each object.

    Args:
        means: mean displacement.
        squares: sum of squares about the mean, as of `freedom` + 1 independent displacements.
        counts: how many independent displacements the mean is worth.
        freedom: degrees of freedom of `squares`.
    """

    means: np.ndarray
    squares: np.ndarray
    counts: np.ndarray
    freedom: np.ndarray

    def __len__(self):
        return len(self.means)

    def scaled(self, factors):
        """The same objects with each one's displacements divided by its factor."""
        return Objects(self.means / factors, self.squares / factors**2, self.counts, self.freedom)


def checked_series(series):
    """Displacements as a list of arrays, one for each object, of `FEWEST` values or more."""
    several = isinstance(series, (list, tuple)) and len(series) > 0
    if not several or not all(checks.array("series", one).ndim == 1 for one in series):
        raise ValueError(
            f"series must be a list with an array of displacements for each object; got {checks.shown(series)}"
        )
    for number, one in enumerate(series):
        if len(one) < FEWEST:
            raise ValueError(
                f"series must hold {FEWEST} displacements or more of each object; object {number} has {len(one)}"
            )
    return as_series("series", list(series))


@dataclass(frozen=True)
class Correlation:
    """How far displacements along a boundary correlate: exp(-r / length) at distance r.

    Args:
        length: of an object whose boundary is `around` long.
        around: length of a boundary, the geometric mean of those measured.
        growth: exponent by which the correlation length grows with the boundary's length.
    """

    length: float
    around: float = 1.0
    growth: float = 0.0

    def of(self, around):
        """The correlation length of an object whose boundary is so long."""
        return min(self.length * (around / self.around) ** self.growth, LONGEST)


@dataclass(frozen=True)
class Moments:
    """What is needed of many objects' displacements to fit them again and again, each counted as often as one likes.

    Args:
        lengths: number of displacements of each object.
        means, variances: of each object's displacements.
        powers: relative power of each frequency but 0, object after object, of objects that have any spread.
        starts: where each object's powers start.
        numbers: of the objects that have powers.
    """

    lengths: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    powers: np.ndarray
    starts: np.ndarray
    numbers: np.ndarray

    @classmethod
    def of(cls, series):
        """Moments of a list of arrays, the displacements of each object in order along its contour, three or more."""
        series = checked_series(series)
        powers, numbers = [], []
        for number, one in enumerate(series):
            if np.ptp(one) > 0:
                power = np.abs(np.fft.rfft(one - one.mean())[1:]) ** 2
                powers.append(power / power.sum())
                numbers.append(number)
        lengths, means, variances = np.array([(len(one), one.mean(), one.var()) for one in series]).T
        starts = np.cumsum([0, *map(len, powers)])[:-1]
        powers = np.concatenate(powers) if powers else np.zeros(0)
        return cls(lengths.astype(int), means, variances, powers, starts, np.array(numbers, int))

    def correlation(self, weights=None):
        """See `correlation`; weights: how often each object counts."""
        weights = np.ones(len(self.numbers)) if weights is None else np.asarray(weights, float)[self.numbers]
        if not weights.any():
            return Correlation(0.0)
        lengths, which = np.unique(self.lengths[self.numbers], return_inverse=True)
        numbers = np.bincount(which, weights)
        around = float(np.exp(np.average(np.log(lengths), weights=numbers)))
        halves = lengths // 2
        frequency = np.concatenate([np.arange(1, half + 1) for half in halves])
        length = np.repeat(lengths, halves)
        twice = np.where(frequency * 2 == length, 1.0, 2.0)  # a real series' two halves agree
        first = np.cumsum(halves) - halves
        place = np.concatenate([np.arange(first[one], first[one] + halves[one]) for one in which])
        relative, rank = self.powers * twice[place], weights * (self.lengths[self.numbers] - 1)

        def negative_log_likelihood(at):
            along = np.minimum(np.exp(at[0]) * (lengths / around) ** at[1], LONGEST)
            power = _eigenvalues(length, frequency, np.repeat(along, halves))
            fits = np.add.reduceat(relative / power[place], self.starts)
            return np.repeat(numbers, halves) @ (twice * np.log(power)) + rank @ np.log(fits)

        bounds = [(np.log(SHORTEST), np.log(LONGEST)), (0.0, 1.0) if len(lengths) > 1 else (0.0, 0.0)]
        options = {"xatol": 1e-3, "fatol": 1e-3}
        best = optimize.minimize(
            negative_log_likelihood, [0.0, 0.0], bounds=bounds, method="Nelder-Mead", options=options
        ).x
        return Correlation(float(np.exp(best[0])), around, float(best[1]))

    def objects(self, along):
        """`Objects`, given their `Correlation`. See `summarize`."""
        effective = {}
        for length in set(self.lengths.tolist()):
            power = spectrum(length, along.of(length))
            rest = power[1:].sum()
            effective[length] = length / power[0], rest**2 / (power[1:] ** 2).sum(), length / rest
        counts, freedom, raised = np.array([effective[length] for length in self.lengths.tolist()]).T
        # `raised`: an object's own mean takes away a part of the variance.
        return Objects(self.means, self.variances * raised * freedom, counts, freedom)


@dataclass(frozen=True)
class SurfaceMoments:
    """`Moments` of displacements on the surfaces of objects of volumes.

    Args:
        lengths: number of displacements of each object.
        means, variances: of each object's displacements.
        sizes: of each object, twice the root mean square distance of its places from their middle.
        misfits: twice the negative restricted log likelihood of the displacements of each object, (`GRID`, n).
        worths: mean correlation of two places, and the degrees of freedom of the variance, (`GRID`, n) each.
    """

    lengths: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    sizes: np.ndarray
    misfits: np.ndarray
    worths: tuple

    @classmethod
    def of(cls, series, points):
        """SurfaceMoments of lists of arrays, displacements (n,) and places (n, 3) of each object."""
        points = as_points(points, series)
        lengths, means, variances = np.array([(len(one), one.mean(), one.var()) for one in series]).T
        sizes = np.array([2 * np.sqrt(one.var(axis=0).sum()) for one in points])
        of_objects = [_on_surface(*both) for both in zip(series, points)]
        misfits, shared, freedom = np.array(of_objects).transpose(1, 2, 0)
        return cls(lengths.astype(int), means, variances, np.maximum(sizes, 1e-9), misfits, (shared, freedom))

    def correlation(self, weights=None):
        """How far displacements correlate, by restricted maximum likelihood; weights: how often each object counts."""
        weights = np.ones(len(self.sizes)) if weights is None else np.asarray(weights, float)
        weights = weights * (self.variances > 0)
        if not weights.any():
            return Correlation(0.0)
        around = float(np.exp(np.average(np.log(self.sizes), weights=weights)))
        table, relative = interpolate.CubicSpline(GRID, self.misfits), np.log(self.sizes / around)

        def misfit(at):
            where = np.clip(at[0] + at[1] * relative, GRID[0], GRID[-1])
            piece = np.minimum(np.searchsorted(GRID, where, side="right"), len(GRID) - 1) - 1
            powers = (where - GRID[piece]) ** np.arange(3, -1, -1)[:, None]
            return weights @ (table.c[:, piece, np.arange(len(where))] * powers).sum(0)

        bounds = [(GRID[0], GRID[-1]), (0.0, 1.0) if np.ptp(relative) > 1e-9 else (0.0, 0.0)]
        best = optimize.minimize(misfit, [np.log(around / 10), 0.0], bounds=bounds, method="Nelder-Mead").x
        return Correlation(float(np.exp(best[0])), around, float(best[1]))

    def objects(self, along):
        """`Objects`, given their `Correlation`."""
        at = [np.log(np.clip(along.of(size), SHORTEST, LONGEST)) for size in self.sizes]
        of_objects = [[np.interp(one, GRID, values) for one, values in zip(at, table.T)] for table in self.worths]
        shared, freedom = np.array(of_objects)
        return Objects(self.means, self.variances / (1 - shared) * freedom, 1 / shared, freedom)


def _on_surface(values, points):
    """Misfit, mean correlation of two places and degrees of freedom of an object's variance, over `GRID` (3, n)."""
    count = len(values)
    some = np.unique(np.linspace(0, count - 1, min(count, MOST_PLACES)).astype(int))
    apart = distance.squareform(distance.pdist(points[some]))
    number, one = len(some), values[some] - values[some].mean()
    scale = np.sqrt(np.mean(one**2)) or 1.0
    columns = np.stack([np.ones(number), one / scale], axis=1)

    def of_all(mean):  # of all places, from that of a part of them, which has more pairs of a place with itself
        others = (number * mean - 1) / (number - 1)
        return (1 + (count - 1) * others) / count

    found = []
    for logarithm in GRID:
        correlated = np.exp(-apart / np.exp(logarithm)) + 1e-6 * np.eye(number)
        factor = linalg.cho_factor(correlated, lower=True)
        solved = linalg.cho_solve(factor, columns)
        of_mean, mixed, square = solved[:, 0].sum(), solved[:, 1].sum(), columns[:, 1] @ solved[:, 1]
        misfit = 2 * np.log(np.diag(factor[0])).sum() + np.log(of_mean)
        misfit += (number - 1) * np.log(max(square - mixed**2 / of_mean, 1e-12))
        rows = of_all(correlated.mean(1))
        shared, squares = rows.mean(), of_all((correlated**2).mean())
        freedom = (1 - shared) ** 2 / (squares - 2 * np.mean(rows**2) + shared**2)
        found.append((misfit, shared, freedom))
    return np.array(found).T


GRID = np.linspace(np.log(SHORTEST), np.log(LONGEST), 24)  # logarithms of correlation lengths


def correlation(series):
    """The correlation length of displacements along boundaries, by restricted maximum likelihood.

    Every object is taken for a closed curve. Its mean and its spread are its own and say nothing about the length.

    Args:
        series: list of arrays, a displacement a px along each object's boundary.

    Returns:
        Correlation, in samples (px): between 0.05, which is none, and `LONGEST`.
    """
    return Moments.of(series).correlation()


def spectrum(length, along):
    """Eigenvalues of the correlations between `length` places on a closed curve, exp(-r / along)."""
    return _eigenvalues(length, np.arange(length), along)


def _eigenvalues(length, frequency, along):
    """The sum over all places of exp(-r / along) cos(2 pi frequency r / length), a geometric series; all arrays."""
    near, angle = np.exp(-1 / np.maximum(along, 1e-3)), 2 * np.pi * frequency / length
    half = (np.asarray(length) - 1) // 2
    total = 1 - near**2 - 2 * near ** (half + 1) * (np.cos((half + 1) * angle) - near * np.cos(half * angle))
    total = total / (1 - 2 * near * np.cos(angle) + near**2)
    opposite = np.where(np.asarray(length) % 2, 0.0, near ** (length / 2) * np.cos(np.pi * frequency))
    return np.maximum(total + opposite, 1e-9)
