"""A Student-t as a mixture of Gaussians, and the mass of a Gaussian in each pixel: the parts of a blur by a prior."""

import numpy as np
from scipy import special, stats

MIXTURE_ERROR = 5e-4  # largest difference of the distribution functions of the mixture and the Student-t
MOST_GAUSSIANS = 16  # of the mixture; with fewer than four degrees of freedom the error may then be larger


def student_t_mixture(shape):
    """A Student-t of 2 `shape` degrees of freedom, location 0 and scale 1, as a mixture of zero-mean Gaussians.

    A Student-t is a Gamma mixture of Gaussians over their precision. The nodes are those of generalised Gauss-Laguerre
    quadrature, as few as keep the error of the distribution function below `MIXTURE_ERROR`.

    Args:
        shape: more than 0; infinite for a Gaussian.

    Returns:
        list of (weight, precision); the weights sum to one.
    """
    if shape > 170:  # one Gaussian is within 5e-4, and SciPy's quadrature overflows
        return [(1.0, 1.0)]
    at = np.linspace(0.0, 30.0, 601)
    exact = stats.t.cdf(at, 2 * shape)
    for count in range(1, MOST_GAUSSIANS + 1):
        nodes, weights = special.roots_genlaguerre(count, shape - 1)
        precisions, weights = nodes / shape, weights / weights.sum()
        mixture = weights @ stats.norm.cdf(at * np.sqrt(precisions)[:, None])
        if np.abs(mixture - exact).max() < MIXTURE_ERROR:
            break
    return list(zip(weights.tolist(), precisions.tolist()))


def gaussian_taps(sigma, radius):
    """Mass of a Normal(0, sigma^2) in each of the 2 radius + 1 pixels around its mean; sigma and radius in px."""
    if sigma == 0:
        return (np.arange(-radius, radius + 1) == 0).astype(float)
    edges = np.arange(-radius - 0.5, radius + 1.0)
    return np.diff(special.ndtr(edges / sigma))
