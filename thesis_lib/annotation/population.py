"""Simulated annotators who draw every object with a bias and a spread of its own, as people do."""

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.spatial import cKDTree

from thesis_lib import checks
from thesis_lib.annotation import geometry, surfaces, voxels
from thesis_lib.annotation.displacements import diameter
from thesis_lib.annotation.drawing import annotate
from thesis_lib.annotation.fits import same_unit
from thesis_lib.annotation.moments import spectrum
from thesis_lib.annotation.prior import BoundaryPrior

GRID_VARIANCE = 1 / 12  # px^2
POINTS_APART = 0.25  # px, between the points of a simulated boundary
ATTEMPTS = 20  # to draw an object, before it is left out
LONGEST = 1e6  # points, of the correlation length: beyond it an object has one displacement
RANGES = (
    ("diameter", 1e-9, 1e9),
    ("growth", -3.0, 3.0),
    ("correlation_growth", -3.0, 3.0),
    ("factor", 0.0, 1e6),
    ("invented", 0.0, 1e3),
    ("missed", 0.0, 1.0),
)


@dataclass(frozen=True)
class Population:
    """Draws every object with a bias and a spread of its own, as people do.

    Object i of diameter D gets sigma_i^2 ~ InverseGamma(shape, scale) and a bias mu_i ~ Normal(mean, sigma_i^2 /
    mean_weight), both times `factor` (D / `diameter`)^`growth`. Its boundary is displaced along the normal by a
    Gaussian process of that bias and spread, whose correlation at distance r along the boundary is exp(-r / length).
    Drawing on the pixel grid adds a variance of 1/12 px^2 (Sheppard's correction), so the process has so much less; a
    spread below half a pixel comes out smaller than asked. An error under which nothing of the object is left is drawn
    again, up to 20 times. Whole objects are missed, and others are invented where there is background. An object is a
    connected region of a class, or has a number of its own in `objects`. In a volume distances r are straight ones
    between places on the surface. All lengths have the unit of the prior; one in mm needs a spacing when labels are
    drawn.

    Args:
        prior: BoundaryPrior of an object of `diameter`, such as `BoundaryPrior.fit_population` returns, or a mapping of
            its fields: mean, mean_weight, shape, scale, unit.
        correlation_length: of an object of `diameter`, more than 0.
        diameter: of the objects that `prior` describes, from 1e-9 to 1e9; an object's diameter is that of a
            disc of its area, or of a ball of its volume.
        growth: exponent by which errors grow with the diameter, from -3 to 3; 0: not at all.
        correlation_growth: the same for the correlation length.
        factor: on all displacements, from 0 to 1e6.
        missed: probability that an object is not drawn.
        invented: number of objects drawn where there is none, for each true object of the image, on average, at most
            1000. Each has the shape of another object of the image.
        background: the background's class; the most frequent one if None.

    Raises:
        ValueError: if a parameter is not in its range.

    Example: an annotator who errs like those that drew these images twice, but twice as far.
        >>> prior = BoundaryPrior().fit_pair(first, second, background=0, population=True)
        >>> drawn = Population(prior, correlation_length=5.0, factor=2.0)(labels, seed=0)
    """

    prior: BoundaryPrior
    correlation_length: float
    diameter: float = 1.0
    growth: float = 0.0
    correlation_growth: float = 0.0
    factor: float = 1.0
    missed: float = 0.0
    invented: float = 0.0
    background: int | None = None

    def __post_init__(self):
        if isinstance(self.prior, dict) and {*self.prior} <= {*BoundaryPrior.__dataclass_fields__}:
            object.__setattr__(self, "prior", BoundaryPrior(**self.prior))
        if not isinstance(self.prior, BoundaryPrior):
            raise ValueError(f"prior must be a BoundaryPrior or a mapping of its fields; got {self.prior!r}")
        numbers = {"correlation_length": checks.real("correlation_length", self.correlation_length, 0.0, open_low=True)}
        for name, least, most in RANGES:
            numbers[name] = checks.real(name, getattr(self, name), least, most)
        for name, value in numbers.items():  # as floats of full precision
            object.__setattr__(self, name, value)

    def __call__(self, labels, seed, objects=None, spacing=None):
        """Draw label maps.

        Args:
            labels: label maps (N, H, W) or (H, W), or volumes (N, D, H, W).
            seed: whole number.
            objects: integers of the labels' shape, 0 or the number of the object of each pixel; None for connected
                regions.
            spacing: sides of a pixel or voxel, mm, for a prior in mm; 1 px if None.

        Returns:
            label maps of the same shape and dtype.
        """
        labels = voxels.label_maps("labels", labels)
        same_unit(self.prior, spacing)
        lengths = voxels.lengths(spacing, voxels.axes(labels))
        count = len(voxels.each(labels))
        numbers = voxels.object_numbers(objects, labels)
        return annotate(self._draw, labels, seed, self.background, [lengths] * count, numbers)

    def _draw(self, labels, generator, background, lengths, numbers):
        drawn = np.full(labels.shape, background)
        height = np.zeros(labels.shape)  # distance inside the drawn boundary of the object that a pixel belongs to
        found = list(geometry.objects(labels, background, 0, numbers))
        for k, window, mask in found:
            if generator.random() >= self.missed:
                self._draw_object(drawn, height, k, window, mask, generator, lengths)
        for _ in range(generator.poisson(self.invented * len(found))):
            k, window, mask = found[generator.integers(len(found))]
            corner = [int(generator.integers(n - side + 1)) for n, side in zip(labels.shape, mask.shape)]
            there = drawn[tuple(slice(start, start + side) for start, side in zip(corner, mask.shape))]
            if (there[mask] == background).all():
                there[mask] = k
        return drawn

    def _draw_object(self, drawn, height, k, window, mask, generator, lengths):
        """Draw one object where it lies deeper inside its boundary than inside that of an object drawn before."""
        size = diameter(mask, lengths) / self.diameter
        along = self.correlation_length * size**self.correlation_growth
        for _ in range(ATTEMPTS):
            bias, sigma = self._error(size, generator, lengths)
            reach = np.minimum(np.ceil((abs(bias) + 4 * sigma) / lengths), drawn.shape).astype(int) + 1
            before = [min(far, side.start) for far, side in zip(reach, window)]
            after = [min(far, n - side.stop) for far, side, n in zip(reach, window, drawn.shape)]
            padded = np.pad(mask, list(zip(before, after)))
            displaced = _displaced if mask.ndim == 2 else _displaced_surface
            inside = displaced(padded, bias, sigma, along, generator, lengths)
            if (inside > 0).any():
                break
        window = tuple(slice(s.start - b, s.stop + a) for s, b, a in zip(window, before, after))
        deeper = inside > height[window]
        height[window][deeper], drawn[window][deeper] = inside[deeper], k

    def _error(self, size, generator, lengths):
        """(bias, sigma) of an object of `size` times `diameter`, without the error that the pixel grid adds."""
        prior, times = self.prior, self.factor * size**self.growth
        if prior.is_known:
            bias, sigma = prior.mean, np.sqrt(prior.scale)
        else:
            sigma = np.sqrt(prior.scale / generator.gamma(prior.shape))
            bias = generator.normal(prior.mean, sigma / np.sqrt(prior.mean_weight))
        return times * bias, np.sqrt(max((times * sigma) ** 2 - np.mean(lengths**2) * GRID_VARIANCE, 0.0))


def _displaced(mask, bias, sigma, along, generator, lengths):
    """Distance (H, W) inside the boundary of a mask whose boundary has moved outwards by a random process.

    The process has the given bias and sigma, and a correlation of exp(-r / along) at distance r along each contour.
    """
    step = POINTS_APART * float(np.sqrt(lengths.prod()))
    contours = geometry.spaced_contours(mask, step, 0.5, lengths)
    if not contours:  # the object fills the image
        return np.where(mask, np.inf, -np.inf)
    displacement = []
    for points in contours:
        power = spectrum(len(points), min(along / step, LONGEST))
        noise = np.fft.fft(generator.standard_normal(len(points)))
        displacement.append(bias + sigma * np.fft.ifft(noise * np.sqrt(power)).real)
    centres = np.indices(mask.shape).reshape(2, -1).T * lengths
    distance, nearest = cKDTree(np.concatenate(contours) * lengths).query(centres)
    inside = np.where(mask.ravel(), distance, -distance) + np.concatenate(displacement)[nearest]
    return inside.reshape(mask.shape)


def _displaced_surface(mask, bias, sigma, along, generator, lengths):
    """As `_displaced`, in a volume (D, H, W): the process is a Gaussian field in space, read where the surface is."""
    found = surfaces.nearest(mask, lengths)
    if found is None:
        return np.where(mask, np.inf, -np.inf)
    distance, place = found
    field = _exponential_field(mask.shape, along / lengths, generator)
    where = np.rint(place / lengths).astype(int)
    return np.where(mask, distance, -distance) + bias + sigma * field[tuple(np.moveaxis(where, -1, 0))]


def _exponential_field(shape, along, generator):
    """A stationary Gaussian field of variance 1 whose correlation at distance r is exp(-r).

    It is drawn on a torus, so large that its ends correlate little (circulant embedding, Dietrich & Newsam, SIAM
    Journal on Scientific Computing, 1997).

    Args:
        shape: of the array.
        along: correlation length in voxels along each axis, at most about that of the array.
        generator: NumPy's random generator.
    """
    along = np.minimum(along, 4.0 * max(shape))
    sides = [fft.next_fast_len(n + int(min(np.ceil(3 * length), n))) for n, length in zip(shape, along)]
    steps = [np.minimum(np.arange(n), n - np.arange(n)) / length for n, length in zip(sides, along)]
    apart = np.sqrt(sum(one**2 for one in np.meshgrid(*steps, indexing="ij", sparse=True)))
    power = np.maximum(fft.fftn(np.exp(-apart)).real, 0.0)
    field = fft.ifftn(fft.fftn(generator.standard_normal(sides)) * np.sqrt(power / power.mean())).real
    return field[tuple(slice(n) for n in shape)]
