"""A Bayesian prior on the error that people make when they draw a boundary.

The signed displacement d of a drawn boundary along the true boundary's normal (px, positive outside the object) is
Normal(mu, sigma^2), with the conjugate normal-inverse-gamma prior sigma^2 ~ InverseGamma(a0, b0) and
mu | sigma^2 ~ Normal(m0, sigma^2 / k0); see e.g. Gelman et al., Bayesian Data Analysis (3rd ed.), section 3.3.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from thesis_lib import checks
from thesis_lib.annotation.displacements import (
    as_series,
    autocorrelation_time,
    boundary_displacements,
    check_reach,
    displacement_series,
)

__all__ = [
    "BoundaryPrior", "autocorrelation_time", "boundary_displacements", "displacement_series", "gaussian_taps",
]  # fmt: skip

_SMALLEST_SCALE = 1e-9  # px; lets SciPy treat an annotator without error as a Normal


@dataclass(frozen=True)
class BoundaryPrior:
    """Belief about an annotator's boundary error: the parameters of the normal-inverse-gamma distribution.

    Args:
        mean: m0, the expected bias, px; positive draws outside the object.
        mean_weight: k0 > 0, how many independent observations the bias is worth.
        shape: a0 > 0, half as many as the variance is worth.
        scale: b0 > 0, px^2; sigma^2 is expected at b0 / (a0 - 1).

    `known` makes the limit in which bias and sigma are certain: mean_weight and shape are then infinite, and scale
    holds sigma^2 itself.
    """

    mean: float = 0.0
    mean_weight: float = 1.0
    shape: float = 2.0
    scale: float = 1.0

    def __post_init__(self):
        checks.real("mean", self.mean)
        if math.inf in (self.mean_weight, self.shape):
            if self.mean_weight != self.shape:
                raise ValueError(
                    "mean_weight and shape must both be finite or both infinite (BoundaryPrior.known); "
                    f"got {self.mean_weight!r} and {self.shape!r}"
                )
            checks.real("scale", self.scale, 0.0)
        else:
            for name in ("mean_weight", "shape", "scale"):
                checks.real(name, getattr(self, name), 0.0, open_low=True)

    @classmethod
    def known(cls, sigma, mean=0.0):
        """A prior that is certain of sigma (px, 0 or more) and of the bias `mean` (px)."""
        sigma = checks.real("sigma", sigma, 0.0)
        return cls(mean=mean, mean_weight=math.inf, shape=math.inf, scale=sigma**2)

    @property
    def is_known(self):
        return math.isinf(self.shape)

    def update(self, displacements, autocorrelation_time=1.0, variance_autocorrelation_time=None):
        """The posterior after observing displacements.

        Displacements along one boundary are correlated, so n of them inform about the bias like
        n / autocorrelation_time independent ones. About the variance they inform more, like
        n / variance_autocorrelation_time, which for a Gaussian process is the sum over lags of the squared
        correlation: `autocorrelation_time(d, squared=True)`. Without it the count for the bias serves for both, which
        makes the interval of sigma a little too wide. A prior that is already certain stays as it is.

        Args:
            displacements: px, positive outward; one array, or a list of arrays, one a boundary. Finite, at least one.
            autocorrelation_time: tau of the displacements, in samples, 1 or more.
            variance_autocorrelation_time: tau of their squares, in samples, 1 or more.

        Returns:
            BoundaryPrior.
        """
        d = np.concatenate(as_series("displacements", displacements))
        tau = checks.real("autocorrelation_time", autocorrelation_time, 1.0)
        tau_variance = tau
        if variance_autocorrelation_time is not None:
            tau_variance = checks.real("variance_autocorrelation_time", variance_autocorrelation_time, 1.0)
        if self.is_known:
            return self
        n_mean, n_variance = len(d) / tau, len(d) / tau_variance
        weight = self.mean_weight + n_mean
        mean = d.mean()
        # A correlated sample varies less about its own mean than about the true one: by the factor 1 - 1 / n_mean,
        # where the conjugate formula expects 1 - 1 / n_variance.
        # With fewer than two independent observations there is nothing to correct by.
        spread = d.var()
        if tau_variance < tau:
            spread *= (1 - 1 / max(n_variance, 2)) / (1 - 1 / max(n_mean, 2))
        return BoundaryPrior(
            mean=float((self.mean_weight * self.mean + n_mean * mean) / weight),
            mean_weight=float(weight),
            shape=float(self.shape + n_variance / 2),
            scale=float(
                self.scale
                + n_variance * spread / 2
                + self.mean_weight * n_mean * (mean - self.mean) ** 2 / (2 * weight)
            ),
        )

    def fit(self, annotations, references, background=None, reach=10.0):
        """The posterior after measuring annotations against references: `update` with both times estimated.

        Args:
            annotations, references, background, reach: as for `boundary_displacements`. A warning says where `reach`, px, is too small.

        Returns:
            BoundaryPrior.
        """
        return self._update_with_times(_measured(annotations, references, background, reach))

    def fit_pair(self, first, second, background=None, reach=10.0):
        """The posterior from two annotators of the same images and no reference.

        The difference of their boundaries has variance 2 sigma^2, so measured differences are divided by sqrt(2). Of
        the annotators' biases only the difference can be seen this way; it is left out, and the belief about the
        bias keeps its mean. `mean_weight` and `mean_interval` then say how well an annotator's average is known, not how large
        a bias both may have in common.

        Args:
            first, second, background: as annotation and reference for `boundary_displacements`.
            reach: the largest difference looked for, px; take at least six times the expected sigma. A warning says where it is too small.

        Returns:
            BoundaryPrior.
        """
        series = _measured(first, second, background, reach)
        apart = np.concatenate(series).mean()
        return self._update_with_times([self.mean + (s - apart) / math.sqrt(2) for s in series])

    def _update_with_times(self, series):
        return self.update(series, autocorrelation_time(series), autocorrelation_time(series, squared=True))

    def predictive(self):
        """The distribution of the next displacement, px: a frozen SciPy Student-t (Normal when certain)."""
        if self.is_known:
            return stats.norm(self.mean, max(self._spread(), _SMALLEST_SCALE))
        return stats.t(2 * self.shape, self.mean, self._spread())

    def _spread(self):
        """The predictive's scale parameter, px."""
        if self.is_known:
            return math.sqrt(self.scale)
        return math.sqrt(self.scale * (self.mean_weight + 1) / (self.shape * self.mean_weight))

    def sigma_interval(self, level=0.95):
        """The central interval (low, high) that holds sigma, px, with probability `level`."""
        tail = (1 - checks.real("level", level, 0.0, 1.0)) / 2
        if self.is_known:
            return math.sqrt(self.scale), math.sqrt(self.scale)
        low, high = stats.invgamma(self.shape, scale=self.scale).ppf([tail, 1 - tail])
        return float(np.sqrt(low)), float(np.sqrt(high))

    def mean_interval(self, level=0.95):
        """The central interval (low, high) that holds the bias mu, px, with probability `level`."""
        tail = (1 - checks.real("level", level, 0.0, 1.0)) / 2
        if self.is_known:
            return self.mean, self.mean
        spread = math.sqrt(self.scale / (self.shape * self.mean_weight))
        low, high = stats.t(2 * self.shape, self.mean, spread).ppf([tail, 1 - tail])
        return float(low), float(high)

    def sigma_density(self, sigma):
        """Probability density of sigma (1/px) at the given values (px, array). Not defined when certain."""
        sigma = np.asarray(sigma, float)
        return stats.invgamma(self.shape, scale=self.scale).pdf(sigma**2) * 2 * sigma

    def inside_probability(self, signed_distance):
        """Probability that a pixel is truly inside an object, given only the drawn boundary.

        Args:
            signed_distance: distance to the drawn boundary, px, positive inside; any shape.

        Returns:
            float array of the same shape.
        """
        return self.predictive().cdf(np.asarray(signed_distance, float))

    def gaussians(self, tolerance=1e-3, most=16):
        """The predictive's spread as a mixture of zero-mean Gaussians: a list of (weight, sigma in px).

        A Student-t is a Gamma mixture of Gaussians over their precision; the nodes are those of generalised
        Gauss-Laguerre quadrature, as few as keep its distribution function within half the tolerance, `most` at most
        (with fewer than four degrees of freedom, so before any measurement, that may not be enough).
        The weights sum to one. An annotator without error gives [(1.0, 0.0)].
        """
        if self.is_known or self.shape > 170:  # one Gaussian is within 5e-4, and SciPy's quadrature overflows
            return [(1.0, self._spread())]
        at = np.linspace(0.0, 30.0, 601)
        exact = stats.t(2 * self.shape).cdf(at)
        for count in range(1, most + 1):
            nodes, weights = special.roots_genlaguerre(count, self.shape - 1)
            precision, weights = nodes / self.shape, weights / weights.sum()
            error = np.abs(weights @ stats.norm.cdf(at * np.sqrt(precision)[:, None]) - exact).max()
            if error < tolerance / 2:
                break
        return [(float(w), self._spread() / math.sqrt(p)) for w, p in zip(weights, precision)]

    def kernel(self, coverage=0.999):
        """The spread of the displacement in the plane, integrated over each pixel; the bias is left out.

        Args:
            coverage: in (0, 1): the kernel is as small as holds this share of the mass, and then sums to one.

        Returns:
            float array (2r + 1, 2r + 1).
        """
        coverage = checks.real("coverage", coverage, 0.0, 1.0, open_low=True)
        if coverage == 1.0 and self._spread() > 0:
            raise ValueError("coverage must be a finite number in (0, 1); got 1.0")
        mixture = self.gaussians()
        radius = 0
        while sum(w * gaussian_taps(s, radius).sum() ** 2 for w, s in mixture) < coverage:
            radius += 1
            if radius > 1000:
                raise ValueError(
                    f"the prior's spread must be small enough for a kernel of 2001 px; got {self._spread():g} px"
                )
        taps = [gaussian_taps(s, radius) for _, s in mixture]
        kernel = sum(w * np.outer(t, t) for (w, _), t in zip(mixture, taps))
        return kernel / kernel.sum()

    def expected_error(self):
        """E|d - mean|, px: the average distance between a drawn and a true boundary once the bias is removed."""
        if self._spread() == 0:
            return 0.0
        spread_alone = self.predictive()
        return float(2 * spread_alone.expect(lambda d: d - self.mean, lb=self.mean))


def gaussian_taps(sigma, radius):
    """Mass of a Normal(0, sigma^2) in each of the 2 radius + 1 pixels around its mean; sigma and radius in px."""
    if sigma == 0:
        return (np.arange(-radius, radius + 1) == 0).astype(float)
    edges = np.arange(-radius - 0.5, radius + 1.0)
    return np.diff(special.ndtr(edges / sigma))


def _measured(annotation, reference, background, reach):
    """`displacement_series`, which must hold one; a warning says where `reach` is too small."""
    series = displacement_series(annotation, reference, background, reach)
    if not series:
        raise ValueError("both label maps must share at least one object with a boundary; got none")
    values = np.concatenate(series)
    check_reach(reach, values.std(), values.mean(), stacklevel=4)
    return series
