"""Soft labels: from the integer labels that an annotator drew to a belief about the true ones.

Every rule is a frozen dataclass, called inside the training step with (labels, num_classes): integer labels (N, H, W)
in, float soft labels (N, H, W, K) that sum to one out, all in `keras.ops`. A rule reads only what it was built with.
"""

import math
from dataclasses import asdict, dataclass

import keras
import numpy as np
from keras import ops

from thesis_lib import checks
from thesis_lib.annotation.geometry import shift_boundaries
from thesis_lib.annotation.prior import BoundaryPrior, gaussian_taps
from thesis_lib.labels import IGNORE

__all__ = [
    "ClassMatrix", "OneHot", "Posterior", "RULES", "SpatiallyVarying", "Uniform", "adjacency", "blur",
    "posterior_class_matrix", "shift_boundaries", "smoothing_matrix",
]  # fmt: skip

RULES = ("fixed_uniform", "fixed_adjacent", "weighted_uniform", "weighted_adjacent")


def _serializable(rule):
    """Let Keras save a loss that holds the rule: the dataclass's fields are its configuration."""
    rule.get_config = getattr(rule, "get_config", asdict)
    rule.from_config = getattr(rule, "from_config", classmethod(lambda cls, config: cls(**config)))
    return keras.saving.register_keras_serializable("thesis_lib")(rule)


@_serializable
@dataclass(frozen=True)
class OneHot:
    """Takes the annotation at its word."""

    def __call__(self, labels, num_classes):
        return ops.one_hot(ops.cast(labels, "int32"), num_classes, dtype="float32")


@_serializable
@dataclass(frozen=True)
class Uniform:
    """Keeps `magnitude`, in (0, 1], on the annotated class and spreads the rest evenly over the others.

    Label smoothing of Szegedy et al. (CVPR 2016), whose epsilon is (1 - magnitude) K / (K - 1).
    """

    magnitude: float

    def __post_init__(self):
        checks.real("magnitude", self.magnitude, 0.0, 1.0, open_low=True)

    def __call__(self, labels, num_classes):
        if num_classes == 1:
            return OneHot()(labels, num_classes)
        rest = (1.0 - self.magnitude) / (num_classes - 1)
        return OneHot()(labels, num_classes) * (self.magnitude - rest) + rest


@_serializable
@dataclass(frozen=True, eq=False)
class ClassMatrix:
    """Replaces the annotated class j by row j of a matrix: P(true class k | drawn class j).

    Args:
        matrix: (K, K), non-negative, rows that sum to one; `smoothing_matrix` makes the published ones.
    """

    matrix: np.ndarray

    def __post_init__(self):
        matrix = np.asarray(self.matrix, "float32")
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
            raise ValueError(f"matrix must be a finite square array; got shape {matrix.shape}")
        if (matrix < 0).any() or not np.allclose(matrix.sum(1), 1.0, atol=1e-4):
            raise ValueError(f"matrix must be non-negative with rows that sum to one; got {matrix!r}")
        object.__setattr__(self, "matrix", matrix)

    def __call__(self, labels, num_classes):
        if num_classes != len(self.matrix):
            raise ValueError(f"matrix must have a row for each of the {num_classes} classes; got {len(self.matrix)}")
        return ops.matmul(OneHot()(labels, num_classes), ops.convert_to_tensor(self.matrix))

    def get_config(self):
        return {"matrix": self.matrix.tolist()}


@_serializable
@dataclass(frozen=True)
class SpatiallyVarying:
    """Spatially varying label smoothing (Islam & Glocker, IPMI 2021).

    The one-hot labels are filtered by a 3 x 3 Gaussian of standard deviation `sigma` (px, more than 0) whose centre
    weight is raised to the sum of its neighbours; the image is continued by its edge pixels.
    """

    sigma: float = 1.0

    def __post_init__(self):
        checks.real("sigma", self.sigma, 0.0, open_low=True)

    def __call__(self, labels, num_classes):
        one_hot = ops.pad(OneHot()(labels, num_classes), [[0, 0], [1, 1], [1, 1], [0, 0]], mode="symmetric")
        kernel = np.tile(self.kernel()[:, :, None, None], (1, 1, num_classes, 1)).astype("float32")
        return ops.depthwise_conv(one_hot, kernel, padding="valid")

    def kernel(self):
        """(3, 3) weights that sum to one; the centre holds one half."""
        line = np.exp(-0.5 * (np.arange(-1, 2) / self.sigma) ** 2)
        kernel = np.outer(line, line)
        kernel[1, 1] = kernel.sum() - kernel[1, 1]
        return kernel / kernel.sum()


@_serializable
@dataclass(frozen=True)
class Posterior:
    """The Bayesian posterior of the true class under the boundary prior: the labels blurred by the prior's spread.

    A bias of the annotator is not part of it: take it out of the labels first, once, by
    `shift_boundaries(labels, -prior.mean)`.

    Args:
        prior: BoundaryPrior.
    """

    prior: BoundaryPrior

    def __post_init__(self):
        if not isinstance(self.prior, BoundaryPrior):
            raise ValueError(f"prior must be a BoundaryPrior; got {self.prior!r}")

    def __call__(self, labels, num_classes):
        return blur(OneHot()(labels, num_classes), self.prior)

    def get_config(self):
        return {"prior": asdict(self.prior)}

    @classmethod
    def from_config(cls, config):
        return cls(BoundaryPrior(**config["prior"]))


def blur(maps, prior):
    """Class maps averaged over where the boundary may truly be, by the prior's spread (its bias is left out).

    The Student-t is a sum of a few Gaussians, each applied by a column pass and a row pass. Near the image's border
    the weights that fall outside are shared out among those inside, so a scene may be smaller than the kernel and
    maps that sum to one still do.

    Args:
        maps: float tensor (N, H, W, K).
        prior: BoundaryPrior.

    Returns:
        tensor of the same shape.
    """
    return sum(weight * _gaussian_blur(maps, sigma) for weight, sigma in prior.gaussians())


def _gaussian_blur(maps, sigma, deviations=4.0):
    radius = math.ceil(deviations * sigma)
    if radius == 0:
        return maps
    taps = gaussian_taps(sigma, radius).astype("float32")
    if float(taps[radius]) == 1.0:
        return maps
    inside = ops.ones_like(maps[:1, :, :, :1])
    return _two_passes(maps, taps) / _two_passes(inside, taps)


def _two_passes(maps, taps):
    channels = maps.shape[-1]
    column = np.tile(taps[:, None, None, None], (1, 1, channels, 1))
    row = np.tile(taps[None, :, None, None], (1, 1, channels, 1))
    return ops.depthwise_conv(ops.depthwise_conv(maps, column, padding="same"), row, padding="same")


def adjacency(labels, num_classes):
    """How often each pair of classes touches: ordered counts over 4-neighbours.

    Args:
        labels: integer label maps (N, H, W) or (H, W), classes 0..num_classes - 1, or 255: to ignore.
        num_classes: K.

    Returns:
        int64 array (K, K), symmetric: entry (j, k) counts each unordered pair of neighbours once from j to k; a pair
        within class j counts twice in (j, j), once in each direction.
    """
    num_classes = checks.integer("num_classes", num_classes, 1)
    labels = np.asarray(labels)
    if num_classes <= IGNORE and (labels == IGNORE).any():
        return adjacency(np.where(labels == IGNORE, num_classes, labels), num_classes + 1)[:num_classes, :num_classes]
    labels = checks.label_maps("labels", labels, num_classes)
    maps = labels.reshape((-1,) + labels.shape[-2:])
    counts = np.zeros((num_classes, num_classes), np.int64)
    for start in range(0, len(maps), 64):
        part = maps[start : start + 64]
        # Most neighbours are alike: count the few pairs that differ, and the rest by class.
        flat, width = part.ravel(), part.shape[2]
        below = np.flatnonzero(part[:, 1:] != part[:, :-1])
        below += (below // (width * (part.shape[1] - 1) or 1) + 1) * width
        beside = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        beside = beside[beside % width != 0]
        pairs = np.zeros((num_classes, num_classes), np.int64)
        for second, step in ((below, width), (beside, 1)):
            both = flat[second].astype(np.int64) * num_classes + flat[second - step]
            pairs += np.bincount(both, minlength=num_classes**2).reshape(num_classes, num_classes)
        # Each pixel is the second of a pair in both directions, but for the first row and column.
        seconds = 2 * _class_counts(flat, num_classes)
        seconds -= _class_counts(part[:, 0].ravel(), num_classes) + _class_counts(part[:, :, 0].ravel(), num_classes)
        counts += pairs + pairs.T + 2 * np.diag(seconds - pairs.sum(1))
    return counts


def _class_counts(labels, num_classes):
    if num_classes > 64:
        return np.bincount(labels, minlength=num_classes)
    return np.array([np.count_nonzero(labels == k) for k in range(num_classes)])


def smoothing_matrix(rule, magnitude, adjacency):
    """A class-level smoothing matrix: {fixed, weighted} magnitude x {uniform, adjacent} spread.

    fixed_*: the diagonal is `magnitude` m; weighted_*: it is m + (1 - m) A[j, j] / sum_k A[j, k].
    *_uniform: the rest is spread evenly over the other classes; *_adjacent: in proportion to A[j, k].
    A class that touches no other one keeps all its weight under *_adjacent and, if it never occurs, under weighted_*.

    Args:
        rule: fixed_uniform, fixed_adjacent, weighted_uniform or weighted_adjacent.
        magnitude: m, the weight kept on the annotated class, in (0, 1].
        adjacency: (K, K) counts as from `adjacency`.

    Returns:
        float array (K, K), rows sum to one: P(true class k | drawn class j).
    """
    checks.one_of("rule", rule, RULES)
    magnitude = checks.real("magnitude", magnitude, 0.0, 1.0, open_low=True)
    return _class_matrix(rule, 1.0 - magnitude, _counts(adjacency))


def posterior_class_matrix(prior, adjacency):
    """The average of the posterior soft label over all pixels drawn as each class.

    It is weighted_adjacent smoothing at the magnitude that the prior fixes: with E|d| the expected boundary error,
    1 - m = E|d| pi / 2, for a Gaussian sigma sqrt(pi / 2). A boundary of length L crosses 4 L / pi edges of the
    pixel grid, and pixels drawn as j lie on the true side k of it with a total of L E|d| / 2. For errors of more than
    2 / pi = 0.64 px m is negative, outside the range that `smoothing_matrix` takes, yet the rows are still
    probabilities until the objects are too small for the prior; then this raises ValueError.

    Args:
        prior: BoundaryPrior.
        adjacency: (K, K) counts as from `adjacency`.

    Returns:
        float array (K, K), rows sum to one.
    """
    matrix = _class_matrix("weighted_adjacent", prior.expected_error() * math.pi / 2, _counts(adjacency))
    if (matrix < 0).any():
        j = int(np.argmin(np.diag(matrix)))
        raise ValueError(
            f"prior must expect an error small beside the objects; {prior.expected_error():.2f} px "
            f"leaves class {j} the weight {matrix[j, j]:.2f}"
        )
    return matrix


def _counts(adjacency):
    counts = np.asarray(adjacency, float)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError(f"adjacency must be a square array of counts, 0 or more; got shape {counts.shape}")
    return counts


def _class_matrix(rule, rest, counts):
    magnitude, spread = rule.split("_")
    num_classes = len(counts)
    off = counts * (1 - np.eye(num_classes))
    total = counts.sum(1)
    moved = np.full(num_classes, float(rest))
    if magnitude == "weighted":
        moved *= np.divide(off.sum(1), total, out=np.zeros(num_classes), where=total > 0)
    if spread == "uniform":
        shares = (1 - np.eye(num_classes)) / max(num_classes - 1, 1)
    else:
        shares = np.divide(off, off.sum(1, keepdims=True), out=np.zeros_like(off), where=off.sum(1, keepdims=True) > 0)
    moved = moved * (shares.sum(1) > 0)
    return np.diag(1 - moved) + moved[:, None] * shares
