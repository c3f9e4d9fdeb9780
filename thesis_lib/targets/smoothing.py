"""Soft labels: from the integer labels that an annotator drew to probabilities of the true classes.

Every rule is a frozen dataclass. It is called inside the training step with (labels, num_classes), turns integer labels
(N, H, W) into float soft labels (N, H, W, K) that sum to one, and uses `keras.ops` alone. A rule reads only what it was
built with. Sources: label smoothing, Szegedy et al. (CVPR 2016); spatially varying smoothing, Islam & Glocker (IPMI
2021). `Posterior` is the posterior of the true class under `thesis_lib.annotation.BoundaryPrior`.
"""

import math
from dataclasses import asdict, dataclass

import keras
import numpy as np
from keras import ops

from thesis_lib import backend, checks
from thesis_lib.annotation.prior import BoundaryPrior, checked_prior
from thesis_lib.targets.base import checked_labels
from thesis_lib.targets.blurring import blur, checked_spacing
from thesis_lib.targets.filters import depthwise


def _from_fields(cls, config):
    return cls(**config)


def _serializable(rule):
    """Let Keras save a loss that holds the rule: the fields of the dataclass are its configuration."""
    rule.get_config = getattr(rule, "get_config", asdict)
    rule.from_config = getattr(rule, "from_config", classmethod(_from_fields))
    return keras.saving.register_keras_serializable("thesis_lib")(rule)


@_serializable
@dataclass(frozen=True)
class OneHot:
    """Keeps all weight on the annotated class."""

    def __call__(self, labels, num_classes):
        return backend.one_hot(*checked_labels(labels, num_classes))


@_serializable
@dataclass(frozen=True)
class Uniform:
    """Keeps `magnitude` on the annotated class and spreads the rest evenly over the others.

    This is the label smoothing of Szegedy et al. (CVPR 2016), whose epsilon is (1 - magnitude) K / (K - 1).

    Args:
        magnitude: weight kept on the annotated class, in (0, 1].
    """

    magnitude: float

    def __post_init__(self):
        checks.real("magnitude", self.magnitude, 0.0, 1.0, open_low=True)

    def __call__(self, labels, num_classes):
        labels, num_classes = checked_labels(labels, num_classes)
        if num_classes == 1:
            return OneHot()(labels, num_classes)
        rest = (1.0 - self.magnitude) / (num_classes - 1)
        return OneHot()(labels, num_classes) * (self.magnitude - rest) + rest


@_serializable
@dataclass(frozen=True, eq=False)
class ClassMatrix:
    """Replaces the annotated class j by row j of a matrix: P(true class k | drawn class j).

    Args:
        matrix: (K, K), non-negative, rows sum to one. `smoothing_matrix` makes the published matrices.
    """

    matrix: np.ndarray

    def __post_init__(self):
        matrix = checks.number_array("matrix", self.matrix)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"matrix must be a finite square array; got shape {matrix.shape}")
        if (matrix < 0).any() or not np.allclose(matrix.sum(1), 1.0, atol=1e-4):
            raise ValueError(f"matrix must be non-negative with rows that sum to one; got {matrix!r}")
        object.__setattr__(self, "matrix", matrix.astype("float32"))

    def __call__(self, labels, num_classes):
        labels, num_classes = checked_labels(labels, num_classes)
        if num_classes != len(self.matrix):
            raise ValueError(f"matrix must have a row for each of the {num_classes} classes; got {len(self.matrix)}")
        return ops.matmul(OneHot()(labels, num_classes), ops.convert_to_tensor(self.matrix))

    def get_config(self):
        return {"matrix": self.matrix.tolist()}


@_serializable
@dataclass(frozen=True)
class SpatiallyVarying:
    """Spatially varying label smoothing (Islam & Glocker, IPMI 2021).

    The one-hot labels are filtered by a 3 x 3 Gaussian whose centre weight is raised to the sum of its neighbours. The
    image is continued by its edge pixels.

    Args:
        sigma: standard deviation of the Gaussian, px, more than 0.
    """

    sigma: float = 1.0

    def __post_init__(self):
        checks.real("sigma", self.sigma, 0.0, open_low=True)

    def __call__(self, labels, num_classes):
        labels, num_classes = checked_labels(labels, num_classes)
        if len(labels.shape) != 3:
            raise ValueError(f"labels must be maps (N, H, W) for SpatiallyVarying; got shape {tuple(labels.shape)}")
        labels = ops.concatenate([labels[:, :1], labels, labels[:, -1:]], axis=1)
        labels = ops.concatenate([labels[:, :, :1], labels, labels[:, :, -1:]], axis=2)
        return depthwise(OneHot()(labels, num_classes), self.kernel())

    def kernel(self):
        """The weights of the filter, (3, 3); they sum to one and the centre holds one half."""
        # Relative to the weight beside the centre, which vanishes itself where sigma is small.
        corner = math.exp(-0.5 * min(1 / self.sigma, 1e3) ** 2)
        kernel = np.array([[corner, 1.0, corner], [1.0, 4 + 4 * corner, 1.0], [corner, 1.0, corner]])
        return kernel / kernel.sum()


@_serializable
@dataclass(frozen=True)
class Posterior:
    """The posterior of the true class under the boundary prior: the labels, blurred by the prior's spread.

    The blur leaves out the annotator's bias. Remove it from the labels first, once, by
    `thesis_lib.annotation.shift_boundaries(labels, -prior.mean)`.

    Args:
        prior: BoundaryPrior.
        spacing: sides of a pixel or voxel, mm, as for `blur`; a prior in mm needs it.
    """

    prior: BoundaryPrior
    spacing: tuple | None = None

    def __post_init__(self):
        checked_prior(self.prior, spacing=self.spacing)
        checked_spacing(self.spacing)

    def __call__(self, labels, num_classes):
        return blur(OneHot()(labels, num_classes), self.prior, self.spacing)

    def get_config(self):
        return {"prior": asdict(self.prior), "spacing": checked_spacing(self.spacing)}

    @classmethod
    def from_config(cls, config):
        return cls(BoundaryPrior(**config["prior"]), config.get("spacing"))
