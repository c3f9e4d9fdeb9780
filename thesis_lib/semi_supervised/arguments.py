"""Checks of the arguments of `unsupervised`: tensors of Keras's backend, or arrays.

Shapes and types are checked always; values of arrays alone, since on a device that would cost time.
"""

import numpy as np
from keras import ops

from thesis_lib import checks
from thesis_lib.targets.base import fits, numeric

ROWS = "(N, K)"  # images and classes
MOST_IMAGES = 2**24  # of a batch
# TensorFlow draws from a Beta distribution by a ratio of numbers. With a smaller alpha both may be too small for single
# precision, and the ratio one half, the least probable value.
ALPHAS = (0.1, 1e6)


def alpha(value):
    """alpha of MixUp's Beta(alpha, alpha) as a float, in [0.1, 1e6]."""
    return checks.real("alpha", value, *ALPHAS)


def check_distributions(name, values):
    """Raise unless every row of an array is one of probabilities: numbers in [0, 1] that sum to one."""
    found = checks.number_array(name, values, f"probabilities in [0, 1], shape {ROWS}", low=0.0)
    if found.ndim != 2 or not found.size or np.abs(found.sum(-1) - 1).max() > 1e-3:
        raise ValueError(f"{name} must be probabilities that sum to one, shape {ROWS}; got {checks.shown(values)}")


def distributions(name, values):
    """Probabilities (N, K) in single precision."""
    values = _rows(name, values)
    if isinstance(values, np.ndarray):
        check_distributions(name, values)
    return ops.cast(values, "float32")


def logits(values, axes=(2,)):
    """Logits (N, K), or of another one of these numbers of axes, in single precision."""
    values = _rows("logits", values, axes)
    if isinstance(values, np.ndarray):
        limit = float(np.finfo(np.float32).max)
        if not (np.abs(checks.number_array("logits", values)) <= limit).all():
            raise ValueError(f"logits must be numbers that single precision holds; got {checks.shown(values)}")
    return ops.cast(values, "float32")


def _rows(name, values, axes=(2,)):
    """An array or a tensor of numbers that is not empty, with one of these numbers of axes."""
    values = numeric(name, values)
    if len(values.shape) not in axes or 0 in values.shape:
        raise ValueError(f"{name} must be an array or a tensor of shape {ROWS}; got shape {tuple(values.shape)}")
    return values


def weights(values, losses):
    """Weights of the losses of images, (N,), in single precision."""
    values = numeric("weights", values)
    check_alike("weights", values, "the images", losses)
    if isinstance(values, np.ndarray):
        values = checks.number_array("weights", values, "finite numbers, 0 or more", low=0.0)
    return ops.cast(values, "float32")


def check_alike(first_name, first, second_name, second):
    """Raise unless two tensors have the same shape, where it is known: one would be broadcast silently."""
    if not fits(first.shape, second.shape):
        raise ValueError(
            f"{first_name} and {second_name} must have the same shape; "
            f"got {tuple(first.shape)} and {tuple(second.shape)}"
        )
