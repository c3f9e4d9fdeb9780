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
from thesis_lib.annotation.displacements import as_series

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


def correlation(series):
    """The correlation length of displacements along boundaries, by restricted maximum likelihood.

    Every object is taken for a closed curve. Its mean and its spread are its own and say nothing about the length.

    Args:
        series: list of arrays, a displacement a px along each object's boundary.

    Returns:
        Correlation, in samples (px): between 0.05, which is none, and `LONGEST`.
    """
    powers = {}
    for one in checked_series(series):
        if np.ptp(one) > 0:
            power = np.abs(np.fft.rfft(one - one.mean())) ** 2
            powers.setdefault(len(one), []).append(power[1:] / power[1:].sum())
    if not powers:
        return Correlation(0.0)
    powers = {length: np.array(several) for length, several in powers.items()}
    numbers = np.array([len(several) for several in powers.values()])
    around = float(np.exp(np.average(np.log(list(powers)), weights=numbers)))

    def negative_log_likelihood(at):
        model, total = Correlation(np.exp(at[0]), around, at[1]), 0.0
        for length, several in powers.items():
            half = np.arange(1, length // 2 + 1)
            spectrum = _spectrum(length, model.of(length))[half]
            twice = np.where(half * 2 == length, 1.0, 2.0)  # a real series' two halves agree
            total += len(several) * (twice * np.log(spectrum)).sum()
            total += (length - 1) * np.log((several * twice / spectrum).sum(1)).sum()
        return total

    bounds = [(np.log(0.05), np.log(LONGEST)), (0.0, 1.0) if len(powers) > 1 else (0.0, 0.0)]
    options = {"xatol": 1e-3, "fatol": 1e-3}
    best = optimize.minimize(
        negative_log_likelihood, [0.0, 0.0], bounds=bounds, method="Nelder-Mead", options=options
    ).x
    return Correlation(float(np.exp(best[0])), around, float(best[1]))


def _spectrum(length, along):
    """Eigenvalues of the correlations between `length` places on a closed curve, exp(-r / along)."""
    lags = np.arange(length)
    near = np.minimum(lags, length - lags)
    return np.maximum(np.fft.fft(np.exp(-near / max(along, 1e-6))).real, 1e-9)


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
    series = checked_series(series)
    along = correlation(series) if along is None else along
    effective = {}
    for length in {len(one) for one in series}:
        spectrum = _spectrum(length, along.of(length))
        rest = spectrum[1:].sum()
        effective[length] = length / spectrum[0], rest**2 / (spectrum[1:] ** 2).sum(), length / rest
    counts, freedom, raised = np.array([effective[len(one)] for one in series]).T
    variances = np.array([one.var() for one in series]) * raised  # a mean that is the object's own takes some away
    return Objects(np.array([one.mean() for one in series]), variances * freedom, counts, freedom)


def fit(objects, weights=None, start=None):
    """The four parameters (m0, k0, a0, b0) under which the objects are most probable.

    Args:
        objects: `Objects`, two or more, not all without any error.
        weights: how often each object counts; once if None.
        start: parameters to start from.

    Returns:
        tuple of floats.
    """
    weights = np.ones(len(objects)) if weights is None else np.asarray(weights, float)
    weights = weights / weights.sum()
    unit = np.sqrt(np.average((objects.squares + 1e-12) / objects.freedom + objects.means**2, weights=weights))
    scaled = objects.scaled(unit)
    if start is None:
        start = float(np.average(scaled.means, weights=weights)), 2.0, 2.0, 1.0
    else:
        start = start[0] / unit, start[1], start[2], start[3] / unit**2
    at = np.array([start[0], *np.log(start[1:])])
    bounds = [(None, None), (np.log(1e-3), np.log(LARGEST_WEIGHT)), (np.log(0.3), np.log(LARGEST_SHAPE)), (-25.0, 10.0)]

    def negative(parameters):
        values, gradients = _log_likelihood(scaled, parameters)
        return -(weights @ values), -(gradients @ weights)

    best = optimize.minimize(negative, at, jac=True, method="L-BFGS-B", bounds=bounds).x
    weight, shape, scale = np.exp(best[1:])
    return float(best[0] * unit), float(weight), float(shape), float(scale * unit**2)


def log_likelihood(objects, parameters):
    """Log marginal likelihood of each object up to what does not depend on the parameters (m0, k0, a0, b0)."""
    return _log_likelihood(objects, np.array([parameters[0], *np.log(parameters[1:])]))[0]


def _log_likelihood(objects, at):
    """The values (n,) and their gradients (4, n) in m0, log k0, log a0, log b0."""
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
        ]
    )
    return values, gradients


def growth(objects, diameters):
    """The exponent by which displacements grow with the object: divided by diameter^growth they fit best.

    Args:
        objects: `Objects`.
        diameters: of each object, more than 0.

    Returns:
        float; 0 where the error does not depend on the size, 1 where it is a share of it.
    """
    logarithms = np.log(np.asarray(diameters, float))
    logarithms = logarithms - logarithms.mean()
    if np.ptp(logarithms) == 0:
        return 0.0

    def negative(exponent):
        scaled = objects.scaled(np.exp(exponent * logarithms))
        changed = (objects.freedom + 1) * exponent * logarithms  # of the density, by the change of variable
        return -(log_likelihood(scaled, fit(scaled)) - changed).sum()

    return float(optimize.minimize_scalar(negative, bounds=(-1.0, 2.0), method="bounded", options={"xatol": 1e-3}).x)


def bootstrap_weights(groups, repeats, seed):
    """How often each object counts when its groups are drawn with replacement; int array (repeats, objects)."""
    names, group = np.unique(groups, return_inverse=True)
    generator = np.random.default_rng(checks.integer("seed", seed, 0))
    drawn = generator.multinomial(
        len(names), np.full(len(names), 1 / len(names)), checks.integer("repeats", repeats, 1)
    )
    return drawn[:, group]
