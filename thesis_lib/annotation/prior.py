"""A Bayesian prior on the error that people make when they draw a boundary.

The signed displacement d of a drawn boundary along the true boundary's normal (px or mm, positive outside) is
Normal(mu, sigma^2). The prior on (mu, sigma^2) is the conjugate normal-inverse-gamma distribution, sigma^2 ~
InverseGamma(a0, b0) and mu | sigma^2 ~ Normal(m0, sigma^2 / k0); see Gelman et al., Bayesian Data Analysis (3rd ed.),
section 3.3.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import special, stats

from thesis_lib import checks
from thesis_lib.annotation import empirical_bayes, fits, voxels
from thesis_lib.annotation.autocorrelation import as_series, autocorrelation_time
from thesis_lib.annotation.gaussians import student_t_mixture

SMALLEST_SCALE = 1e-9  # px; SciPy's Normal needs a positive scale for an annotator without error
LARGEST = 1e6  # px, of a displacement, its mean and its spread; no image is larger


@dataclass(frozen=True)
class BoundaryPrior:
    """Prior or posterior distribution of an annotator's bias mu and spread sigma: normal-inverse-gamma.

    Args:
        mean: m0, the expected bias, px; positive draws outside the object.
        mean_weight: k0 > 0, the number of independent observations that the bias is worth.
        shape: a0 > 0, half the number of independent observations that the variance is worth.
        scale: b0 > 0, px^2; sigma^2 is expected at b0 / (a0 - 1).
        unit: of all lengths, px or mm. A prior in mm holds for images and volumes of any spacing.

    `known` makes the limit in which bias and sigma are certain: mean_weight and shape are then infinite, and scale
    holds sigma^2 itself.

    Raises:
        ValueError: if a parameter is not in its range.

    Example: a posterior from measured displacements, and from drawings with their true maps.
        >>> posterior = BoundaryPrior().update([0.5, 1.5, 1.0, 2.0])
        >>> posterior.mean
        1.0
        >>> low, high = posterior.sigma_interval()  # px, holds sigma with a probability of 95%
        >>> measured = BoundaryPrior().fit(drawn, true, background=0)  # label maps (N, H, W)

    Example: from volumes (N, D, H, W) whose voxels are 3 x 0.8 x 0.8 mm large.
        >>> in_mm = BoundaryPrior(unit="mm").fit(drawn_volumes, true_volumes, background=0, spacing=(3.0, 0.8, 0.8))
    """

    mean: float = 0.0
    mean_weight: float = 1.0
    shape: float = 2.0
    scale: float = 1.0
    unit: str = "px"

    def __post_init__(self):
        checks.one_of("unit", self.unit, ("px", "mm"))
        checks.real("mean", self.mean, -LARGEST, LARGEST)
        certain = [isinstance(one, float) and one == math.inf for one in (self.mean_weight, self.shape)]
        if any(certain):
            if not all(certain):
                raise ValueError(
                    "mean_weight and shape must both be finite or both infinite (BoundaryPrior.known); "
                    f"got {self.mean_weight!r} and {self.shape!r}"
                )
            checks.real("scale", self.scale, 0.0, LARGEST**2)
        else:
            for name in ("mean_weight", "shape", "scale"):
                checks.real(name, getattr(self, name), 0.0, open_low=True)

    @classmethod
    def known(cls, sigma, mean=0.0, unit="px"):
        """A prior that is certain of sigma (0 or more) and of the bias `mean`, both in `unit`."""
        sigma = checks.real("sigma", sigma, 0.0, LARGEST)
        return cls(mean=mean, mean_weight=math.inf, shape=math.inf, scale=sigma**2, unit=unit)

    @property
    def is_known(self):
        """Whether bias and sigma are certain, see `known`."""
        return math.isinf(self.shape)

    def update(self, displacements, autocorrelation_time=1.0, variance_autocorrelation_time=None):
        """The posterior after observing displacements.

        Displacements along one boundary are correlated, so n of them inform about the bias like n /
        autocorrelation_time independent ones. They inform more about the variance, like n /
        variance_autocorrelation_time. For a Gaussian process that time is the sum over lags of the squared correlation,
        `autocorrelation_time(d, squared=True)`. `update_correlated` estimates both times. A prior that is certain
        stays as it is.

        Args:
            displacements: positive outward; one array, or a list of arrays, one for each boundary. Finite, at least
                one value.
            autocorrelation_time: tau of the displacements, in samples, 1 or more.
            variance_autocorrelation_time: tau of their squares, in samples, 1 or more. If None, the other one is used,
                which makes the interval of sigma a little too wide.

        Returns:
            BoundaryPrior.

        Raises:
            ValueError: if an argument is not of this kind.
        """
        d = np.concatenate(as_series("displacements", displacements))
        if np.abs(d).max() > LARGEST:
            raise ValueError(f"displacements must be within {LARGEST:g} {self.unit}; got {d[np.abs(d).argmax()]:g}")
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
        # where the conjugate formula expects 1 - 1 / n_variance. Fewer than two independent observations give no
        # correction.
        variance = d.var()
        if tau_variance < tau:
            variance *= (1 - 1 / max(n_variance, 2)) / (1 - 1 / max(n_mean, 2))
        of_spread = n_variance * variance / 2
        of_bias = self.mean_weight * n_mean * (mean - self.mean) ** 2 / (2 * weight)
        return replace(
            self,
            mean=float((self.mean_weight * self.mean + n_mean * mean) / weight),
            mean_weight=float(weight),
            shape=float(self.shape + n_variance / 2),
            scale=float(self.scale + of_spread + of_bias),
        )

    def update_correlated(self, series, redundancy=1.0, points=None):
        """`update` with both autocorrelation times estimated from the displacements themselves.

        Args:
            series: displacements, as for `update`, in order along each contour.
            redundancy: factor, 1 or more, on both times: how many measurements at one place count as one.
            points: for displacements on surfaces, their places, as for `autocorrelation_time`.

        Returns:
            BoundaryPrior.
        """
        redundancy = checks.real("redundancy", redundancy, 1.0)
        series = as_series("series", series)
        tau, tau_variance = (autocorrelation_time(series, squared, points) for squared in (False, True))
        return self.update(series, redundancy * tau, redundancy * tau_variance)

    @classmethod
    def fit_population(cls, series, unit="px"):
        """How bias and spread vary from object to object: the prior that makes many objects most probable.

        Unlike `update`, which learns one bias and one spread of all objects, this takes each object's own for a draw
        from the prior, and fits its four parameters (empirical Bayes, see `empirical_bayes`). `predictive` is then
        the distribution of a displacement of the next object, with the heavy tails that differing objects make.

        Args:
            series: list of `ObjectDisplacements`, or of arrays, the displacements of each object of an image in order
                along its boundary; three or more each.
            unit: of arrays, px or mm.

        Returns:
            BoundaryPrior. `mean_weight` is at most 1e4 and `shape` at most 500, where objects do not differ. Without
            any error it is certain of sigma 0. A single object cannot show how objects differ: the result is then
            that of `update_correlated`.

        Raises:
            ValueError: if an object has fewer than three displacements, or one that is not finite.

        Example:
            >>> prior = BoundaryPrior.fit_population(object_displacements(drawn, true, background=0))
            >>> prior.predictive().args[0]  # degrees of freedom; few are heavy tails
        """
        series, points, unit = fits.objects_of(series, unit)
        if not any(np.any(one) for one in series):
            return cls.known(0.0, unit=unit)
        if len(series) == 1:
            return cls(unit=unit).update_correlated(series, points=points)
        return cls(*empirical_bayes.fit(empirical_bayes.summarize(series, points=points)), unit)

    def fit(self, annotations, references, background=None, search_radius=10.0, spacing=None):
        """The posterior after measuring annotations against references.

        Args:
            annotations, references, background, search_radius, spacing: as for `boundary_displacements`. A warning says
                where `search_radius` is too small. With a spacing this prior must be in mm.

        Returns:
            BoundaryPrior.

        Raises:
            ValueError: if no object is in both maps, or an argument is of another kind.
        """
        fits.same_unit(self, spacing)
        names = "annotations", "references"
        series, points = fits.between(names, annotations, references, background, search_radius, spacing)
        return self.update_correlated(series, points=points)

    def fit_pair(self, first, second, background=None, search_radius=10.0, population=False, spacing=None):
        """The posterior from two annotators of the same images and no reference.

        The difference of their boundaries has variance 2 sigma^2, so measured differences are divided by sqrt(2). Only
        the difference of the two biases can be measured this way. It is left out, and the expected bias stays
        `self.mean`. `mean_weight` and `mean_interval` of the result say how well an annotator's average is known, not
        how large a common bias may be.

        Args:
            first, second, background, spacing: as annotation and reference for `boundary_displacements`.
            search_radius: px or mm; larger differences are not seen. Take at least six times the expected sigma. A
                warning says where it is too small. Take less than the distance between objects: what one person left
                out otherwise counts as a large displacement to the next object.
            population: whether each object has a bias and a spread of its own, as in `fit_population`. The result
                then replaces all of this prior but its mean.

        Returns:
            BoundaryPrior.

        Raises:
            ValueError: if no object is in both maps, or an argument is of another kind.
        """
        fits.same_unit(self, spacing)
        of_both = ("first", "second"), first, second, background, search_radius, spacing
        if checks.boolean("population", population):
            return replace(BoundaryPrior.fit_population(fits.between_objects(*of_both)), mean=self.mean)
        series, points = fits.between(*of_both)
        difference = np.concatenate(series).mean()
        series = [self.mean + (one - difference) / math.sqrt(2) for one in series]
        return self.update_correlated(series, points=points)

    def log_likelihood(self, series):
        """Log density of the displacements of objects, each with a bias and a spread of its own.

        Displacements of one object count as independent given its bias and spread, so take them far enough apart.

        Args:
            series: list of arrays, one for each object.

        Returns:
            float array, the log density of all displacements of each object together.
        """
        result = []
        for one in as_series("series", series):
            if self.is_known:
                result.append(float(self.predictive().logpdf(one).sum()))
                continue
            after = self.update(one)
            density = self.shape * math.log(self.scale) - after.shape * math.log(after.scale)
            density += special.gammaln(after.shape) - special.gammaln(self.shape)
            density += math.log(self.mean_weight / after.mean_weight) / 2 - len(one) / 2 * math.log(2 * math.pi)
            result.append(float(density))
        return np.array(result)

    def predictive(self):
        """The distribution of the next displacement: a frozen SciPy Student-t, or a Normal if certain."""
        if self.is_known:
            return stats.norm(self.mean, max(self._predictive_scale(), SMALLEST_SCALE))
        return stats.t(2 * self.shape, self.mean, self._predictive_scale())

    def _predictive_scale(self):
        """The scale parameter of the predictive distribution."""
        if self.is_known:
            return math.sqrt(self.scale)
        return math.sqrt(self.scale * (self.mean_weight + 1) / (self.shape * self.mean_weight))

    def sigma_interval(self, level=0.95):
        """The central interval (low, high) that holds sigma with probability `level`."""
        tail = (1 - checks.real("level", level, 0.0, 1.0, open_high=True)) / 2
        if self.is_known:
            return math.sqrt(self.scale), math.sqrt(self.scale)
        low, high = stats.invgamma.ppf([tail, 1 - tail], self.shape, scale=self.scale)
        return float(np.sqrt(low)), float(np.sqrt(high))

    def mean_interval(self, level=0.95):
        """The central interval (low, high) that holds the bias mu with probability `level`."""
        tail = (1 - checks.real("level", level, 0.0, 1.0, open_high=True)) / 2
        if self.is_known:
            return self.mean, self.mean
        spread = math.sqrt(self.scale / (self.shape * self.mean_weight))
        low, high = stats.t.ppf([tail, 1 - tail], 2 * self.shape, self.mean, spread)
        return float(low), float(high)

    def sigma_density(self, sigma):
        """Probability density of sigma at an array of values. Not defined for a prior that is certain."""
        what = f"an array of numbers from 0 to {LARGEST:g}"
        sigma = checks.number_array("sigma", sigma, what, low=0.0).astype(float)
        if sigma.size and sigma.max() > LARGEST:
            raise ValueError(f"sigma must be {what}; got {sigma.max():g}")
        return stats.invgamma.pdf(sigma**2, self.shape, scale=self.scale) * 2 * sigma

    def inside_probability(self, signed_distance):
        """Probability that a pixel is truly inside an object, given only the drawn boundary.

        Args:
            signed_distance: distance to the drawn boundary, positive inside; any shape.

        Returns:
            float array of the same shape.
        """
        distance = checks.number_array("signed_distance", signed_distance, "an array of numbers", finite=False)
        if np.isnan(distance).any():
            raise ValueError("signed_distance must be an array of numbers; got NaN")
        return self.predictive().cdf(distance.astype(float))

    def gaussians(self):
        """The predictive distribution without its bias, as a mixture of zero-mean Gaussians: see `student_t_mixture`.

        Returns:
            list of (weight, sigma in `unit`); the weights sum to one. An annotator without error gives [(1.0, 0.0)].
        """
        scale = self._predictive_scale()
        return [(weight, scale / math.sqrt(precision)) for weight, precision in student_t_mixture(self.shape)]

    def gaussians_in_pixels(self, spacing=None, axes=2):
        """`gaussians` along each axis of an array.

        Args:
            spacing: sides of a pixel (rows, columns) or voxel (planes, rows, columns), mm. A prior in mm needs it; one
                in px is the same along all axes.
            axes: of the array, 2 for images or 3 for volumes.

        Returns:
            list of (weight, sigmas): a float, and a tuple of a sigma in pixels for each axis.

        Raises:
            ValueError: if the prior is in mm and no spacing is given, or the spacing has not as many lengths as axes.

        Example: sigma is 1.5 mm; a voxel is 3 mm thick and 0.75 mm wide.
            >>> BoundaryPrior.known(1.5, unit="mm").gaussians_in_pixels((3.0, 0.75, 0.75), axes=3)
            [(1.0, (0.5, 2.0, 2.0))]
        """
        lengths = voxels.lengths(spacing, axes)
        sides = lengths if checked_prior(self, spacing=spacing).unit == "mm" else np.ones(axes)
        return [(weight, tuple((sigma / sides).tolist())) for weight, sigma in self.gaussians()]

    def expected_error(self):
        """E|d - mean|: the average distance between a drawn and a true boundary once the bias is removed.

        It is infinite for a shape of 1/2 or less: the Student-t then has one degree of freedom at most, and no mean.
        """
        if self.is_known:
            return self._predictive_scale() * math.sqrt(2 / math.pi)
        if self.shape <= 0.5:
            return math.inf
        # The mean distance of a Student-t of 2 * shape degrees of freedom; poch is gamma(shape + 1/2) / gamma(shape).
        ratio = float(special.poch(self.shape, 0.5)) * math.sqrt(2 * self.shape / math.pi) / (self.shape - 0.5)
        return self._predictive_scale() * ratio


def checked_prior(prior, name="prior", spacing=None):
    """`prior`, if it is a BoundaryPrior whose lengths are known in pixels.

    Args:
        prior: a user's value.
        name: what the error calls it.
        spacing: sides of a pixel or voxel, mm, without which a prior in mm is refused; None if they are not known.
    """
    if not isinstance(prior, BoundaryPrior):
        raise ValueError(f"{name} must be a BoundaryPrior; got {prior!r}")
    if prior.unit == "mm" and spacing is None:
        raise ValueError(f"{name} must be in px where no spacing is given; got {prior!r}")
    return prior
