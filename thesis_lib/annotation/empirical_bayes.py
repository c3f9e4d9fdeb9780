"""How annotators vary from object to object: the normal-inverse-gamma distribution that fits many objects best.

Each object has a bias mu_i and a spread sigma_i of its own: sigma_i^2 ~ InverseGamma(a0, b0) and mu_i | sigma_i^2 ~
Normal(m0, sigma_i^2 / k0). Its displacements d are Normal(mu_i, sigma_i^2), with a correlation of exp(-r / length)
between places r apart along the boundary. The four parameters are those with the largest marginal
likelihood over all objects (empirical Bayes; Efron & Hastie, Computer Age Statistical Inference, 2016, chapter 6;
Gelman et al., Bayesian Data Analysis, 3rd ed., section 5.4).

All lengths have one unit, that of the displacements.
"""

import numpy as np
from scipy import optimize, special

from thesis_lib import checks
from thesis_lib.annotation.moments import Moments, SurfaceMoments, checked_series

LARGEST_WEIGHT = 1e4  # of k0: offsets that vary by less than a hundredth of sigma are none
MOST_REPEATS = 100_000  # of a bootstrap
LARGEST_SHAPE = 500.0  # of a0: spreads that vary by less than 3% are one spread for all


def summarize(series, along=None, points=None):
    """What displacements say about each object's bias and spread, in effective counts.

    A mean of n correlated displacements varies like that of n / tau independent ones, and their variance like one with
    fewer degrees of freedom (Satterthwaite, Biometrics Bulletin, 1946). Both follow from the correlation length.

    Args:
        series: list of arrays, one for each object, of three displacements or more.
        along: Correlation in samples; estimated by `correlation` if None.
        points: places (n, 3) of the displacements of each object on its surface; None of contours. The correlation is
            then in the unit of the places.

    Returns:
        Objects.
    """
    moments = Moments.of(series) if points is None else SurfaceMoments.of(checked_series(series), points)
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
        len(names), np.full(len(names), 1 / len(names)), checks.integer("repeats", repeats, 1, MOST_REPEATS)
    )
    return drawn[:, group]
