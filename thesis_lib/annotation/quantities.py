"""What `Variation.table` lists, computed from the displacements of many objects."""

from dataclasses import dataclass, replace

import numpy as np

from thesis_lib.annotation import empirical_bayes
from thesis_lib.annotation.moments import Moments, SurfaceMoments


@dataclass(frozen=True)
class Measured:
    """What all quantities are computed from, an array entry for each object.

    Args:
        moments: Moments of the displacements.
        powers: (4, n), means of the first four powers of each object's displacements.
        diameters: of the objects.
        pixel: side of a pixel in the unit of all lengths: 1 for px.
    """

    moments: Moments | SurfaceMoments
    powers: np.ndarray
    diameters: np.ndarray
    pixel: float = 1.0

    @classmethod
    def of(cls, series, diameters, points=None):
        powers = np.array([[np.mean(one**power) for power in (1, 2, 3, 4)] for one in series]).T
        moments = Moments.of(series) if points is None else SurfaceMoments.of(series, points)
        return cls(moments, powers, np.asarray(diameters, float))

    def scaled(self, spacing):
        """The same in mm, from the side of a pixel for each object."""
        moments = self.moments
        moments = replace(moments, means=moments.means * spacing, variances=moments.variances * spacing**2)
        powers = self.powers * np.stack([spacing**power for power in (1, 2, 3, 4)])
        return Measured(moments, powers, self.diameters * spacing, float(np.exp(np.log(spacing).mean())))

    @property
    def diameter(self):
        """Geometric mean: all parameters are of an object of this diameter."""
        return float(np.exp(np.log(self.diameters).mean()))

    def quantities(self, along, weights=None):
        """dict of the quantities of `Variation.table` but the rates.

        Args:
            along: Correlation, px.
            weights: how often each object counts; once if None.
        """
        weights = np.ones(len(self.diameters)) if weights is None else weights
        objects = self.moments.objects(along)
        bias, mean_weight, shape, scale, growth = 0.0, np.inf, np.inf, 0.0, 0.0  # nobody errs
        if self.powers[1].any():
            sizes = self.diameters / self.diameter
            bias, mean_weight, shape, scale, growth = empirical_bayes.fit_with_growth(objects, sizes, weights)
        sigma = np.sqrt(scale if np.isinf(shape) else scale / shape)
        each = weights * self.moments.lengths  # displacements
        mean, square = np.average(self.powers[:2], axis=1, weights=each)
        variance = square - mean**2
        of_normal = 3 * objects.freedom / (objects.freedom + 2)
        own_mean, own_variance = self.powers[0], self.powers[1] - self.powers[0] ** 2
        return {
            "bias": bias,
            "mean_weight": mean_weight,
            "shape": shape,
            "scale": scale,
            "tail": 2 * shape,
            "sigma": sigma,
            "offset": sigma / np.sqrt(mean_weight),
            "deviation": np.sqrt(max(variance, 0.0)),
            "diameter": float(np.exp(np.average(np.log(self.diameters), weights=weights))),
            "growth": growth,
            "correlation_length": along.length * self.pixel,
            "correlation_growth": along.growth,
            "offset_share": 1 / (1 + mean_weight),
            "between_share": 1 - np.average(own_variance, weights=each) / variance if variance > 0 else np.nan,
            "kurtosis": _kurtosis(self.powers, mean, variance, each, 3.0),
            "kurtosis_within": _kurtosis(self.powers, own_mean, own_variance, each, of_normal),
        }


def _kurtosis(powers, mean, variance, weights, normal):
    """Mean fourth power of (d - mean) / sqrt(variance) minus that of a Normal; missing without any variance."""
    one, two, three, four = powers
    fourth = four - 4 * mean * three + 6 * mean**2 * two - 4 * mean**3 * one + mean**4
    variance, normal = np.broadcast_to(variance, one.shape), np.broadcast_to(normal, one.shape)
    varies = (variance > 1e-12) & (weights > 0)
    if not varies.any():
        return np.nan
    excess = fourth[varies] / variance[varies] ** 2 - normal[varies]
    return float(np.average(excess, weights=weights[varies]))
