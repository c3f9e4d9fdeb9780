"""How annotators vary from object to object: the normal-inverse-gamma distribution that fits many objects best.

Each object has a bias mu_i and a spread sigma_i of its own: sigma_i^2 ~ InverseGamma(a0, b0) and mu_i | sigma_i^2 ~
Normal(m0, sigma_i^2 / k0). Its displacements d are Normal(mu_i, sigma_i^2), with a correlation of exp(-r / length)
between places r apart along the boundary. The four parameters are those with the largest marginal
likelihood over all objects (empirical Bayes; Efron & Hastie, Computer Age Statistical Inference, 2016, chapter 6;
Gelman et al., Bayesian Data Analysis, 3rd ed., section 5.4).

All lengths have one unit, that of the displacements.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from thesis_lib import checks
from thesis_lib.annotation.autocorrelation import as_series

FEWEST = 3  # displacements of an object
LARGEST_WEIGHT = 1e4  # of k0: offsets that vary by less than a hundredth of sigma are none
LARGEST_SHAPE = 500.0  # of a0: spreads that vary by less than 3% are one spread for all
LONGEST = 50.0  # samples, of the correlation length


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
    several = isinstance(series, (list, tuple)) and all(np.ndim(one) == 1 for one in series)
    if not several or not len(series):
        raise ValueError(f"series must be a list with an array of displacements for each object; got {series!r:.200}")
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
        """Moments of a list of arrays, one for each object, of three displacements or more."""
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

        bounds = [(np.log(0.05), np.log(LONGEST)), (0.0, 1.0) if len(lengths) > 1 else (0.0, 0.0)]
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


def summarize(series, along=None):
    """What displacements say about each object's bias and spread, in effective counts.

    A mean of n correlated displacements varies like that of n / tau independent ones, and their variance like one with
    fewer degrees of freedom (Satterthwaite, Biometrics Bulletin, 1946). Both follow from the correlation length.

    Args:
        series: list of arrays, one for each object, of three displacements or more.
        along: Correlation in samples; estimated by `correlation` if None.

    Returns:
        Objects.
    """
    moments = Moments.of(series)
    return moments.objects(moments.correlation() if along is None else along)


def fit(objects, weights=None, start=None):
    """The four parameters (m0, k0, a0, b0) under which the objects are most probable.

    Args:
        objects: `Objects`, two or more, not all without any error.
        weights: how often each object counts; once if None.
        start: parameters to start from.

    Returns:
        tuple of floats.
    """
    return fit_with_growth(objects, np.ones(len(objects)), weights, start)[:4]


def fit_with_growth(objects, sizes, weights=None, start=None):
    """As `fit`, where displacements grow like a power of the object's size.

    Divided by size^growth, the displacements of an object follow the four parameters.

    Args:
        objects, weights: as for `fit`.
        sizes: of each object, such as its diameter over a typical one, more than 0.
        start: the four parameters to start from.

    Returns:
        (m0, k0, a0, b0, growth), the first four of an object of size 1. Growth lies in -1..2; it is 0 where all objects
        are of one size.
    """
    weights = np.ones(len(objects)) if weights is None else np.asarray(weights, float)
    weights = weights / weights.sum()
    logarithms = np.log(np.asarray(sizes, float))
    unit = np.sqrt(np.average((objects.squares + 1e-12) / objects.freedom + objects.means**2, weights=weights))
    scaled = objects.scaled(unit)
    if start is None:
        start = float(np.average(scaled.means, weights=weights)), 2.0, 2.0, 1.0
    else:
        start = start[0] / unit, start[1], start[2], start[3] / unit**2
    at = np.array([start[0], *np.log(start[1:]), 0.0])
    bounds = [(None, None), (np.log(1e-3), np.log(LARGEST_WEIGHT)), (np.log(0.3), np.log(LARGEST_SHAPE)), (-25.0, 10.0)]
    bounds.append((-1.0, 2.0) if np.ptp(logarithms) > 0 else (0.0, 0.0))

    def negative(parameters):
        growth = parameters[4]
        values, gradients = _log_likelihood(scaled.scaled(np.exp(growth * logarithms)), parameters[:4])
        changed = (scaled.freedom + 1) * logarithms  # log density by the change of variable, for a growth of 1
        gradients[4] = logarithms * gradients[4] - changed
        return -(weights @ (values - growth * changed)), -(gradients @ weights)

    best = optimize.minimize(negative, at, jac=True, method="L-BFGS-B", bounds=bounds).x
    weight, shape, scale = np.exp(best[1:4])
    return float(best[0] * unit), float(weight), float(shape), float(scale * unit**2), float(best[4])


def log_likelihood(objects, parameters):
    """Log marginal likelihood of each object up to what does not depend on the parameters (m0, k0, a0, b0)."""
    return _log_likelihood(objects, np.array([parameters[0], *np.log(parameters[1:])]))[0]


def _log_likelihood(objects, at):
    """The values (n,) and their gradients (5, n) in m0, log k0, log a0, log b0, and in the log of a divisor of all."""
    mean, (weight, shape, scale) = at[0], np.exp(at[1:])
    spread = 1 / weight + 1 / objects.counts
    off = objects.means - mean
    power = shape + (objects.freedom + 1) / 2
    total = scale + objects.squares / 2 + off**2 / (2 * spread)
    values = -np.log(spread) / 2 + shape * np.log(scale) - special.gammaln(shape) + special.gammaln(power)
    values = values - power * np.log(total)
    by_spread = -1 / (2 * spread) + power * off**2 / (2 * spread**2 * total)
    gradients = np.stack(
        [
            power * off / (spread * total),
            -by_spread / weight,
            shape * (np.log(scale) - special.digamma(shape) + special.digamma(power) - np.log(total)),
            shape - power * scale / total,
            power * (objects.squares + objects.means * off / spread) / total,
        ]
    )
    return values, gradients


def bootstrap_weights(groups, repeats, seed):
    """How often each object counts when its groups are drawn with replacement; int array (repeats, objects)."""
    names, group = np.unique(groups, return_inverse=True)
    generator = np.random.default_rng(checks.integer("seed", seed, 0))
    drawn = generator.multinomial(
        len(names), np.full(len(names), 1 / len(names)), checks.integer("repeats", repeats, 1)
    )
    return drawn[:, group]
