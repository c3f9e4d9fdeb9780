"""Simulated annotators: a clean label map gets the boundary error of a person.

Each annotator is a frozen dataclass. It is called with (labels, seed) and returns label maps of the same shape and
dtype, of images or of volumes. The same seed gives the same errors, and the errors of different images are independent.
`DisplacementField` is the noise model of the project's prior. The others test whether a method holds when its noise
model is wrong: `MarkovBoundary` is that of Yao et al. (ICLR 2023), `Morphological` is dilation and erosion by whole
pixels. `Population` errs like the people whom `BoundaryPrior.fit_population` has measured.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from thesis_lib import checks
from thesis_lib.annotation import geometry, voxels
from thesis_lib.annotation.drawing import annotate
from thesis_lib.annotation.population import Population

# Standard deviation of a kernel in an image or a volume, px; fields with a wider one are drawn on a coarser grid.
WIDE = {2: 32.0, 3: 6.0}
MOST_PIXELS = 1000  # that objects are dilated or eroded by


@dataclass(frozen=True)
class Identity:
    """An annotator without error."""

    def __call__(self, labels, seed=0):
        return voxels.label_maps("labels", labels).copy()


@dataclass(frozen=True)
class DisplacementField:
    """Draws the true map z through a smooth random displacement u: y(r) = z(r + u(r)).

    The components of u are stationary Gaussian fields of standard deviation `sigma`, whose correlation at distance r
    is exp(-r^2 / (2 correlation_length^2)). The displacement along any boundary's normal is Normal(mean, sigma^2).

    Args:
        sigma: standard deviation of the displacement, px, or mm where a spacing is given, 0 or more.
        correlation_length: px or mm, more than 0.
        mean: bias along the boundary's normal, px or mm; positive draws outside the object.
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

    def __call__(self, labels, seed, spacing=None):
        """Draw label maps (N, H, W) or (H, W), or volumes (N, D, H, W); spacing: sides of a pixel or voxel, mm."""
        labels = voxels.label_maps("labels", labels)
        lengths = voxels.lengths(spacing, voxels.axes(labels))
        return annotate(self._draw, labels, seed, self.background, [lengths] * len(voxels.each(labels)))

    def _draw(self, labels, generator, background, lengths):
        shifted = geometry.shift(labels, self.mean, background, lengths)
        displacement = [self.field(labels.shape, generator, lengths) / length for length in lengths]
        where = np.indices(labels.shape) + displacement
        return ndimage.map_coordinates(shifted, where, order=0, mode="nearest")

    def field(self, shape, generator, lengths=None):
        """One component of the displacement: float array of the given shape (H, W) or (D, H, W).

        Args:
            shape: two or three numbers of pixels.
            generator: NumPy's random generator.
            lengths: sides of a pixel; 1 px if None.
        """
        what = "a shape of two or three sides"
        shape = checks.lengths("shape", shape, 3 if hasattr(shape, "__len__") and len(shape) == 3 else 2, what)
        if math.prod(shape) > 2**31:
            raise ValueError(f"shape must be {what}, of 2^31 pixels at most; got {checks.shown(shape)}")
        checks.instance("generator", generator, np.random.Generator, "NumPy's random generator")
        lengths = np.ones(len(shape)) if lengths is None else lengths
        # White noise filtered by a Gaussian of standard deviation s has correlation exp(-r^2 / (4 s^2)).
        widths = self.correlation_length / np.sqrt(2.0) / lengths
        wide = WIDE[len(shape)]
        coarser = np.where(widths > wide, 2 * widths / wide, 1.0)
        size = [n if c == 1 else int(np.ceil((n - 1) / c)) + 2 for n, c in zip(shape, coarser)]
        margins = np.ceil(4 * widths / coarser).astype(int)
        noise = generator.standard_normal([n + 2 * margin for n, margin in zip(size, margins)])
        for axis, (width, margin) in enumerate(zip(widths / coarser, margins)):
            kernel = np.exp(-0.5 * (np.arange(-margin, margin + 1) / width) ** 2)
            kernel *= 1.0 / np.sqrt(np.sum(kernel**2))
            noise = ndimage.correlate1d(noise, kernel, axis=axis, mode="constant")
        noise = self.sigma * noise[tuple(slice(margin, margin + n) for n, margin in zip(size, margins))]
        if (coarser == 1).all():
            return noise
        return ndimage.map_coordinates(noise, np.stack([i / c for i, c in zip(np.indices(shape), coarser)]), order=3)


@dataclass(frozen=True)
class MarkovBoundary:
    """The Markov model of boundary errors of Yao et al., "Learning to Segment from Noisy Annotations" (ICLR 2023).

    In each of `steps` steps a coin decides for the whole image whether the objects grow (probability theta1) or shrink.
    Every pixel just outside (or just inside) an object then flips with probability theta2. At the end every pixel
    within two pixels of a boundary flips with probability theta3, and each class is smoothed by a Gaussian of 1 px. The
    paper treats one object; here a pixel that joins an object joins the nearest one.

    Args:
        steps: number of steps T, from 0 to 1000.
        theta1, theta2, theta3: probabilities in [0, 1].
        background: the background's class; the most frequent one if None.
    """

    steps: int
    theta1: float
    theta2: float
    theta3: float
    background: int | None = None

    def __post_init__(self):
        checks.integer("steps", self.steps, 0, 1000)
        for name in ("theta1", "theta2", "theta3"):
            checks.real(name, getattr(self, name), 0.0, 1.0)

    def __call__(self, labels, seed):
        return annotate(self._draw, labels, seed, self.background)

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
        near = geometry.near_boundary(labels[None], 2.0)[0]
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
        low, high: whole numbers of px, from -1000 to 1000, low <= high.
        background: the background's class; the most frequent one if None.
    """

    low: int
    high: int
    background: int | None = None

    def __post_init__(self):
        for name in ("low", "high"):
            checks.integer(name, getattr(self, name), -MOST_PIXELS, MOST_PIXELS)
        if self.low > self.high:
            raise ValueError(f"low must be at most high; got {self.low} and {self.high}")

    def __call__(self, labels, seed):
        return annotate(self._draw, labels, seed, self.background)

    def _draw(self, labels, generator, background):
        pixels = float(generator.integers(self.low, self.high, endpoint=True))
        return geometry.shift(labels, pixels, background, np.ones(labels.ndim))


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
    kind = ANNOTATORS[checks.one_of("name", name, ANNOTATORS)]
    if kind is Identity:
        return Identity()
    try:
        return kind(**parameters)
    except TypeError as error:
        accepted = ", ".join(kind.__dataclass_fields__) or "no parameters"
        raise ValueError(f"annotator_parameters of {name!r} must be {accepted}; got {parameters!r}") from error
