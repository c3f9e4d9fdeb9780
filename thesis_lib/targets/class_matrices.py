"""Matrices for class-level label smoothing, P(true class k | drawn class j), and the adjacency that they depend on.

They are computed once from the label maps of the training images, for the rule `smoothing.ClassMatrix`.
"""

import math

import numpy as np

from thesis_lib import checks
from thesis_lib.annotation.prior import checked_prior
from thesis_lib.labels import IGNORE
from thesis_lib.targets.blurring import checked_spacing

RULES = ("fixed_uniform", "fixed_adjacent", "weighted_uniform", "weighted_adjacent")


def adjacency(labels, num_classes):
    """How often each pair of classes touches: counts of ordered pairs of 4-neighbours.

    Args:
        labels: integer label maps (N, H, W) or (H, W), classes 0..num_classes - 1; pixels of 255 do not count.
        num_classes: K, from 1 to 4096.

    Returns:
        int64 array (K, K), symmetric. Each pair of neighbouring pixels counts once in each direction, so a pair within
        class j counts twice in (j, j).

    Raises:
        ValueError: if an argument is not of this kind.

    Example: two pixels of class 0, then one of class 1.
        >>> adjacency(np.array([[0, 0, 1]]), 2).tolist()
        [[2, 1], [1, 0]]
    """
    num_classes = checks.paired_class_count("num_classes", num_classes)
    labels = checks.array("labels", labels)
    if num_classes <= IGNORE and (labels == IGNORE).any():
        return adjacency(np.where(labels == IGNORE, num_classes, labels), num_classes + 1)[:num_classes, :num_classes]
    labels = checks.label_maps("labels", labels, num_classes)
    if labels.dtype == np.uint64:  # which NumPy mixes with int64 to floats
        labels = labels.astype(np.int64)
    maps = labels.reshape((-1,) + labels.shape[-2:])
    counts = np.zeros((num_classes, num_classes), np.int64)
    for start in range(0, len(maps), 64):
        part = maps[start : start + 64]
        # Most neighbours are of one class: count the few pairs that differ, and the others by class.
        flat, width = part.ravel(), part.shape[2]
        below = np.flatnonzero(part[:, 1:] != part[:, :-1])
        below += (below // (width * (part.shape[1] - 1) or 1) + 1) * width
        beside = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        beside = beside[beside % width != 0]
        pairs = np.zeros((num_classes, num_classes), np.int64)
        for second, step in ((below, width), (beside, 1)):
            both = flat[second].astype(np.int64) * num_classes + flat[second - step]
            pairs += np.bincount(both, minlength=num_classes**2).reshape(num_classes, num_classes)
        # Each pixel ends a pair along both axes, except in the first row and the first column.
        seconds = 2 * _class_counts(flat, num_classes)
        seconds -= _class_counts(part[:, 0].ravel(), num_classes)
        seconds -= _class_counts(part[:, :, 0].ravel(), num_classes)
        counts += pairs + pairs.T + 2 * np.diag(seconds - pairs.sum(1))
    return counts


def _class_counts(labels, num_classes):
    """Number of pixels of each class, (K,); for few classes counting one by one is faster than `bincount`."""
    if num_classes > 64:
        return np.bincount(labels, minlength=num_classes)
    return np.array([np.count_nonzero(labels == k) for k in range(num_classes)])


def smoothing_matrix(rule, magnitude, adjacency):
    """A class-level smoothing matrix: {fixed, weighted} magnitude x {uniform, adjacent} spread.

    fixed_*: the diagonal is `magnitude` m. weighted_*: it is m + (1 - m) A[j, j] / sum_k A[j, k].
    *_uniform: the rest is spread evenly over the other classes. *_adjacent: in proportion to A[j, k].
    A class that touches no other class keeps all its weight under *_adjacent; a class that never occurs keeps it under
    weighted_* as well.

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


def posterior_class_matrix(prior, adjacency, spacing=None):
    """The average of the posterior soft label over all pixels drawn as each class.

    This is weighted_adjacent smoothing at the magnitude m that the prior fixes. With E|d| the expected boundary error,
    1 - m = E|d| pi / 2, which is sigma sqrt(pi / 2) for a Gaussian. The reason: a boundary of length L crosses 4 L / pi
    edges of the pixel grid, and the pixels drawn as j that truly are k have a total area of L E|d| / 2. For errors of
    more than 2 / pi = 0.64 px m is negative and `smoothing_matrix` does not accept it, but the rows are still
    probabilities as long as the objects are large beside the error.

    In volumes a surface of area A crosses 3 A / 2 faces of the voxel grid, and 1 - m = 2 E|d|. Where an error is in mm,
    E|d| counts in mean sides of a pixel or voxel. Surfaces are taken to run in all directions alike.

    Args:
        prior: BoundaryPrior.
        adjacency: (K, K) counts as from `adjacency`; of volumes, of the neighbours along all three axes.
        spacing: sides of a pixel (rows, columns) or a voxel (planes, rows, columns) that was counted, mm, which a prior
            in mm needs; one number for square pixels. Volumes have three sides; for a prior in px only their number
            counts.

    Returns:
        float array (K, K), rows sum to one.

    Raises:
        ValueError: if the objects are too small for the prior, so that a weight would be negative, or the prior expects
            no finite error.
    """
    error, sides = checked_prior(prior, spacing=spacing).expected_error(), checked_spacing(spacing) or (1.0, 1.0)
    if math.isinf(error):
        raise ValueError(f"prior must have a shape of more than 1/2 to expect a finite error; got {prior.shape:g}")
    in_sides = error / np.mean(sides) if prior.unit == "mm" else error
    rest = in_sides * (math.pi / 2 if len(sides) == 2 else 2.0)
    matrix = _class_matrix("weighted_adjacent", rest, _counts(adjacency))
    if (matrix < 0).any():
        j = int(np.argmin(np.diag(matrix)))
        raise ValueError(
            f"prior must expect an error small beside the objects; {error:.2f} {prior.unit} "
            f"leaves class {j} the weight {matrix[j, j]:.2f}"
        )
    return matrix


def _counts(adjacency):
    """A user's adjacency as a float array, if it is a square one of counts."""
    what = "a square array of counts, 0 or more"
    counts = checks.number_array("adjacency", adjacency, what, low=0.0)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"adjacency must be {what}; got shape {counts.shape}")
    return counts.astype(float)


def _class_matrix(rule, rest, counts):
    """The matrix of one of RULES; `rest` is the weight 1 - m that the drawn class loses."""
    magnitude, spread = rule.split("_")
    num_classes = len(counts)
    others = counts * (1 - np.eye(num_classes))
    total, of_others = counts.sum(1), others.sum(1)
    moved = np.full(num_classes, float(rest))
    if magnitude == "weighted":
        moved *= np.divide(of_others, total, out=np.zeros(num_classes), where=total > 0)
    if spread == "uniform":
        shares = (1 - np.eye(num_classes)) / max(num_classes - 1, 1)
    else:
        shares = np.divide(others, of_others[:, None], out=np.zeros_like(others), where=of_others[:, None] > 0)
    moved = moved * (shares.sum(1) > 0)
    return np.diag(1 - moved) + moved[:, None] * shares
