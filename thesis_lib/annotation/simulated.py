"""Simulated annotators: a clean label map gets the boundary error of a person.

Each annotator is a frozen dataclass. It is called with (labels, seed) and returns label maps of the same shape and
dtype. The same seed gives the same errors, and the errors of different images are independent. `DisplacementField` is
the noise model of the project's prior. The others test whether a method holds when its noise model is wrong:
`MarkovBoundary` is that of Yao et al. (ICLR 2023), `Morphological` is dilation and erosion by whole pixels.
`Population` errs like the people whom `BoundaryPrior.fit_population` has measured.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from thesis_lib import checks
from thesis_lib.annotation import geometry
from thesis_lib.annotation.moments import spectrum
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.labels import IGNORE, background_class, fill_ignored

GRID_VARIANCE = 1 / 12  # px^2
POINTS_APART = 0.25  # px, between the points of a simulated boundary
ATTEMPTS = 20  # to draw an object, before it is left out


def _annotate(draw, labels, seed, background, objects=None):
    """Apply draw(labels (H, W), generator, background) to every map, each with a random generator of its own.

    Pixels to ignore stay as they are. Where `objects` is given, draw takes the objects' numbers of the map as well.
    """
    labels = checks.label_maps("labels", labels)
    background = background_class(labels, background)
    maps = labels.reshape((-1,) + labels.shape[-2:])
    seeds = np.random.SeedSequence(checks.integer("seed", seed, 0)).spawn(len(maps))
    others = [()] * len(maps) if objects is None else [(one,) for one in np.reshape(objects, maps.shape)]
    drawn = []
    for one, own_seed, other in zip(maps, seeds, others):
        ignored = one == IGNORE  # nowhere in a mask
        new = draw(fill_ignored(one, ignored), np.random.default_rng(own_seed), background, *other)
        drawn.append(np.where(ignored, one, new))
    return np.stack(drawn).astype(labels.dtype).reshape(labels.shape)


@dataclass(frozen=True)
class Identity:
    """An annotator without error."""

    def __call__(self, labels, seed=0):
        return checks.label_maps("labels", labels).copy()


@dataclass(frozen=True)
class DisplacementField:
    """Draws the true map z through a smooth random displacement u: y(r) = z(r + u(r)).

    Both components of u are stationary Gaussian fields of standard deviation `sigma`, whose correlation at distance r
    is exp(-r^2 / (2 correlation_length^2)). The displacement along any boundary's normal is Normal(mean, sigma^2).

    Args:
        sigma: standard deviation of the displacement, px, 0 or more.
        correlation_length: px, more than 0.
        mean: bias along the boundary's normal, px; positive draws outside the object.
        background: the background's class; the most frequent one if None. Only a mean other than 0 needs it.

    Raises:
        ValueError: if a parameter is not in its range.

    Example: an annotator who draws 1 px outside, with a standard deviation of 2 px that varies over about 4 px.
        >>> drawn = DisplacementField(sigma=2.0, correlation_length=4.0, mean=1.0)(labels, seed=0)
    """

    sigma: float
    correlation_length: float
    mean: float = 0.0
    background: int | None = None

    def __post_init__(self):
        checks.real("sigma", self.sigma, 0.0)
        checks.real("correlation_length", self.correlation_length, 0.0, open_low=True)
        checks.real("mean", self.mean)

    def __call__(self, labels, seed):
        return _annotate(self._draw, labels, seed, self.background)

    def _draw(self, labels, generator, background):
        shifted = geometry.shift_boundaries(labels, self.mean, background)
        displacement = [self.field(labels.shape, generator) for _ in range(2)]
        where = np.indices(labels.shape) + displacement
        return ndimage.map_coordinates(shifted, where, order=0, mode="nearest")

    def field(self, shape, generator):
        """One component of the displacement: float array of the given shape (H, W), px."""
        # White noise filtered by a Gaussian of standard deviation s has correlation exp(-r^2 / (4 s^2)).
        width = self.correlation_length / np.sqrt(2.0)
        margin = int(np.ceil(4 * width))
        kernel = np.exp(-0.5 * (np.arange(-margin, margin + 1) / width) ** 2)
        kernel *= 1.0 / np.sqrt(np.sum(kernel**2))
        noise = generator.standard_normal([n + 2 * margin for n in shape])
        for axis in (0, 1):
            noise = ndimage.correlate1d(noise, kernel, axis=axis, mode="constant")
        return self.sigma * noise[margin : margin + shape[0], margin : margin + shape[1]]


@dataclass(frozen=True)
class MarkovBoundary:
    """The Markov model of boundary errors of Yao et al., "Learning to Segment from Noisy Annotations" (ICLR 2023).

    In each of `steps` steps a coin decides for the whole image whether the objects grow (probability theta1) or shrink.
    Every pixel just outside (or just inside) an object then flips with probability theta2. At the end every pixel
    within two pixels of a boundary flips with probability theta3, and each class is smoothed by a Gaussian of 1 px. The
    paper treats one object; here a pixel that joins an object joins the nearest one.

    Args:
        steps: number of steps T, 0 or more.
        theta1, theta2, theta3: probabilities in [0, 1].
        background: the background's class; the most frequent one if None.
    """

    steps: int
    theta1: float
    theta2: float
    theta3: float
    background: int | None = None

    def __post_init__(self):
        checks.integer("steps", self.steps, 0)
        for name in ("theta1", "theta2", "theta3"):
            checks.real(name, getattr(self, name), 0.0, 1.0)

    def __call__(self, labels, seed):
        return _annotate(self._draw, labels, seed, self.background)

    def _draw(self, labels, generator, background):
        if not (labels != background).any():
            return labels
        for _ in range(self.steps):
            grows = generator.random() < self.theta1
            objects = labels != background
            if grows:
                candidates = ndimage.binary_dilation(objects) & ~objects
            else:
                candidates = objects & ~ndimage.binary_erosion(objects, border_value=1)
            labels = _flip(labels, candidates & (generator.random(labels.shape) < self.theta2), background)
            if not (labels != background).any():
                return labels
        near = geometry.near_boundary(labels, 2.0)
        labels = _flip(labels, near & (generator.random(labels.shape) < self.theta3), background)
        classes = np.unique(labels)
        smooth = [ndimage.gaussian_filter((labels == k).astype(float), 1.0, mode="nearest") for k in classes]
        return classes[np.argmax(smooth, axis=0)]


def _flip(labels, flips, background):
    """Object pixels among `flips` become background; background pixels take the class of the nearest object."""
    nearest = ndimage.distance_transform_edt(labels == background, return_distances=False, return_indices=True)
    other = np.where(labels == background, labels[tuple(nearest)], background)
    return np.where(flips, other, labels)


@dataclass(frozen=True)
class Morphological:
    """Dilates the objects by a whole number of pixels, drawn uniformly from low..high; a negative number erodes them.

    There is one number for each image, so all its objects are drawn too large, or all too small.

    Args:
        low, high: whole numbers of px, low <= high.
        background: the background's class; the most frequent one if None.
    """

    low: int
    high: int
    background: int | None = None

    def __post_init__(self):
        checks.integer("low", self.low)
        checks.integer("high", self.high, self.low)

    def __call__(self, labels, seed):
        return _annotate(self._draw, labels, seed, self.background)

    def _draw(self, labels, generator, background):
        pixels = float(generator.integers(self.low, self.high, endpoint=True))
        return geometry.shift_boundaries(labels, pixels, background)


@dataclass(frozen=True)
class Population:
    """Draws every object with a bias and a spread of its own, as people do.

    Object i of diameter D gets sigma_i^2 ~ InverseGamma(shape, scale) and a bias mu_i ~ Normal(mean, sigma_i^2 /
    mean_weight), both times `factor` (D / `diameter`)^`growth`. Its boundary is displaced along the normal by a
    Gaussian process of that bias and spread, whose correlation at distance r along the boundary is exp(-r / length).
    Drawing on the pixel grid adds a variance of 1/12 px^2 (Sheppard's correction), so the process has so much less; a
    spread below half a pixel comes out smaller than asked. An error under which nothing of the object is left is drawn
    again, up to 20 times. Whole objects are missed, and others are invented where there is background. An object is a
    connected region of a class, or has a number of its own in `objects`.

    Args:
        prior: BoundaryPrior of an object of `diameter`, such as `BoundaryPrior.fit_population` returns, or a mapping of
            its fields: mean, mean_weight, shape, scale.
        correlation_length: of an object of `diameter`, px, more than 0.
        diameter: px, of the objects that `prior` describes; an object's diameter is that of a disc of its area.
        growth: exponent by which errors grow with the diameter; 0: not at all.
        correlation_growth: the same for the correlation length.
        factor: on all displacements, 0 or more.
        missed: probability that an object is not drawn.
        invented: number of objects drawn where there is none, for each true object of the image, on average. Each has
            the shape of another object of the image.
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
        if isinstance(self.prior, dict):
            object.__setattr__(self, "prior", BoundaryPrior(**self.prior))
        if not isinstance(self.prior, BoundaryPrior):
            raise ValueError(f"prior must be a BoundaryPrior or a mapping of its fields; got {self.prior!r}")
        for name in ("correlation_length", "diameter"):
            checks.real(name, getattr(self, name), 0.0, open_low=True)
        for name in ("growth", "correlation_growth"):
            checks.real(name, getattr(self, name))
        for name in ("factor", "invented"):
            checks.real(name, getattr(self, name), 0.0)
        checks.real("missed", self.missed, 0.0, 1.0)

    def __call__(self, labels, seed, objects=None):
        """Draw label maps; `objects` (labels' shape) holds 0 or the number of the object of each pixel, or is None."""
        if objects is not None:
            checks.same_shape("labels", np.asarray(labels), "objects", np.asarray(objects))
        return _annotate(self._draw, labels, seed, self.background, objects)

    def _draw(self, labels, generator, background, numbers=None):
        drawn = np.full(labels.shape, background)
        height = np.zeros(labels.shape)  # distance inside the drawn boundary of the object that a pixel belongs to
        found = list(geometry.objects(labels, background, 0, numbers))
        for k, window, mask in found:
            if generator.random() >= self.missed:
                self._draw_object(drawn, height, k, window, mask, generator)
        for _ in range(generator.poisson(self.invented * len(found))):
            k, window, mask = found[generator.integers(len(found))]
            top, left = (int(generator.integers(n - side + 1)) for n, side in zip(labels.shape, mask.shape))
            there = drawn[top : top + mask.shape[0], left : left + mask.shape[1]]
            if (there[mask] == background).all():
                there[mask] = k
        return drawn

    def _draw_object(self, drawn, height, k, window, mask, generator):
        """Draw one object where it lies deeper inside its boundary than inside that of an object drawn before."""
        size = 2 * np.sqrt(mask.sum() / np.pi) / self.diameter
        along = self.correlation_length * size**self.correlation_growth
        for _ in range(ATTEMPTS):
            bias, sigma = self._error(size, generator)
            reach = int(np.ceil(abs(bias) + 4 * sigma)) + 1
            before = [min(reach, side.start) for side in window]
            after = [min(reach, n - side.stop) for side, n in zip(window, drawn.shape)]
            inside = _displaced(np.pad(mask, list(zip(before, after))), bias, sigma, along, generator)
            if (inside > 0).any():
                break
        window = tuple(slice(s.start - b, s.stop + a) for s, b, a in zip(window, before, after))
        deeper = inside > height[window]
        height[window][deeper], drawn[window][deeper] = inside[deeper], k

    def _error(self, size, generator):
        """(bias, sigma), px, of an object of `size` times `diameter`, without the error that the pixel grid adds."""
        prior, times = self.prior, self.factor * size**self.growth
        if prior.is_known:
            bias, sigma = prior.mean, np.sqrt(prior.scale)
        else:
            sigma = np.sqrt(prior.scale / generator.gamma(prior.shape))
            bias = generator.normal(prior.mean, sigma / np.sqrt(prior.mean_weight))
        return times * bias, np.sqrt(max((times * sigma) ** 2 - GRID_VARIANCE, 0.0))


def _displaced(mask, bias, sigma, along, generator):
    """Distance (H, W), px, inside the boundary of a mask whose boundary has moved outwards by a random process.

    The process has the given bias and sigma, and a correlation of exp(-r / along) at distance r along each contour.
    """
    contours = geometry.contours(mask, spacing=POINTS_APART)
    if not contours:  # the object fills the image
        return np.where(mask, np.inf, -np.inf)
    displacement = []
    for points in contours:
        power = spectrum(len(points), along / POINTS_APART)
        noise = np.fft.fft(generator.standard_normal(len(points)))
        displacement.append(bias + sigma * np.fft.ifft(noise * np.sqrt(power)).real)
    centres = np.indices(mask.shape).reshape(2, -1).T
    distance, nearest = cKDTree(np.concatenate(contours)).query(centres)
    inside = np.where(mask.ravel(), distance, -distance) + np.concatenate(displacement)[nearest]
    return inside.reshape(mask.shape)


ANNOTATORS = {
    "none": Identity,
    "displacement": DisplacementField,
    "markov": MarkovBoundary,
    "morphological": Morphological,
    "population": Population,
}


def annotator(name, **parameters):
    """The annotator of that name with its parameters.

    Args:
        name: one of ANNOTATORS: displacement, markov, morphological, population, or none.
        parameters: the fields of that annotator; none takes and ignores any, so that a sweep may include it.

    Returns:
        an annotator.

    Raises:
        ValueError: if the name or a parameter is not known, or a parameter is not in its range.
    """
    if name == "none":
        return Identity()
    kind = ANNOTATORS[checks.one_of("annotator", name, ANNOTATORS)]
    try:
        return kind(**parameters)
    except TypeError as error:
        accepted = ", ".join(kind.__dataclass_fields__) or "no parameters"
        raise ValueError(f"annotator_parameters of {name!r} must be {accepted}; got {parameters!r}") from error
