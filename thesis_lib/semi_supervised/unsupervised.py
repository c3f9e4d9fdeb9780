"""Targets for images without a label, and the losses that compare predicted probabilities with them.

They take tensors of Keras's backend, and arrays. Shapes and types are checked always; values of arrays alone, since on
a device that would cost time.
"""

import keras
import numpy as np
from keras import ops

from thesis_lib import checks
from thesis_lib.targets.base import fits, numeric

# TensorFlow draws from a Beta distribution by a ratio of numbers. With a smaller alpha both may be too small for single
# precision, and the ratio one half, the least probable value.
ALPHAS = (0.1, 1e6)
MOST_IMAGES = 2**24  # of a batch
ROWS = "(N, K)"  # images and classes


def probabilities(logits):
    """softmax over the classes: (N, K), or (S, N, K) of several networks, float32 that sum to one."""
    return ops.softmax(_logits(logits, axes=(2, 3)), axis=-1)


def sharpen(probabilities, temperature):
    """p^(1/T), normalised (Berthelot et al. 2019, equation 7), of probabilities (N, K).

    T -> 0 gives the one-hot vector of the most probable class; T = 1 changes nothing.
    """
    probabilities = _distributions("probabilities", probabilities)
    temperature = checks.real("temperature", temperature, 0.0, open_low=True)
    powers = (probabilities / ops.max(probabilities, axis=-1, keepdims=True)) ** (1.0 / temperature)
    return powers / ops.sum(powers, axis=-1, keepdims=True)


def most_probable(logits):
    """One-hot vector of the class with the highest score, (N, K)."""
    logits = _logits(logits)
    return ops.one_hot(ops.argmax(logits, axis=-1), logits.shape[-1], dtype="float32")


def mixup_weights(count, alpha, seed):
    """Weights of the first image of each pair: max(b, 1 - b) with b from Beta(alpha, alpha), (count,), in [1/2, 1].

    (Zhang et al. 2018; at least one half since Berthelot et al. 2019, equation 9, so that order is kept.)

    Args:
        count: number of pairs.
        alpha: of the Beta distribution; see `checked_alpha`.
        seed: a whole number from 0 to 2**32 - 1, or a keras.random.SeedGenerator.
    """
    if not ops.is_tensor(count):  # as it is where a graph takes batches of several sizes
        count = checks.integer("count", count, 1, MOST_IMAGES)
    if not isinstance(seed, keras.random.SeedGenerator):
        seed = checks.integer("seed", seed, 0, 2**32 - 1)
    alpha = checked_alpha(alpha)
    weights = keras.random.beta((count,), alpha, alpha, seed=seed)
    return ops.maximum(weights, 1.0 - weights)


def checked_alpha(alpha):
    """alpha of MixUp's Beta(alpha, alpha) as a float, in [0.1, 1e6]."""
    return checks.real("alpha", alpha, *ALPHAS)


def squared_difference(predicted, target, weights=None):
    """Mean over images and classes of the squared difference of probabilities (N, K): a scalar.

    Each image is weighted by `weights`, (N,), 0 or more, if given. No gradient flows into the target.
    """
    predicted, target = _distributions("predicted", predicted), _distributions("target", target)
    _check_alike("predicted", predicted, "target", target)
    each = ops.mean(ops.square(predicted - ops.stop_gradient(target)), axis=-1)
    return _mean(each, weights)


def cross_entropy(target, logits, weights=None):
    """Mean over images of the cross-entropy of logits with soft targets (N, K): a scalar.

    Each image is weighted by `weights`, (N,), 0 or more, if given. No gradient flows into the target.
    """
    target, logits = _distributions("target", target), _logits(logits)
    _check_alike("target", target, "logits", logits)
    return _mean(ops.categorical_crossentropy(ops.stop_gradient(target), logits, from_logits=True), weights)


def kl_divergence(target, logits):
    """Mean over images of KL(target || softmax(logits)), of (N, K): a scalar. No gradient flows into the target."""
    target, logits = ops.stop_gradient(_distributions("target", target)), _logits(logits)
    _check_alike("target", target, "logits", logits)
    logs = ops.log(ops.maximum(target, keras.config.epsilon()))
    return ops.mean(ops.sum(target * (logs - ops.log_softmax(logits, axis=-1)), axis=-1))


def check_distributions(name, values):
    """Raise unless every row of an array is one of probabilities: numbers in [0, 1] that sum to one."""
    found = checks.number_array(name, values, f"probabilities in [0, 1], shape {ROWS}", low=0.0)
    if found.ndim != 2 or not found.size or np.abs(found.sum(-1) - 1).max() > 1e-3:
        raise ValueError(f"{name} must be probabilities that sum to one, shape {ROWS}; got {checks.shown(values)}")


def _distributions(name, values):
    """Probabilities (N, K) in single precision."""
    values = _rows(name, values)
    if isinstance(values, np.ndarray):
        check_distributions(name, values)
    return ops.cast(values, "float32")


def _logits(logits, axes=(2,)):
    """Logits (N, K) in single precision."""
    logits = _rows("logits", logits, axes)
    if isinstance(logits, np.ndarray):
        limit = float(np.finfo(np.float32).max)
        if not (np.abs(checks.number_array("logits", logits)) <= limit).all():
            raise ValueError(f"logits must be numbers that single precision holds; got {checks.shown(logits)}")
    return ops.cast(logits, "float32")


def _rows(name, values, axes=(2,)):
    """An array or a tensor of numbers that is not empty, with one of these numbers of axes."""
    values = numeric(name, values)
    if len(values.shape) not in axes or 0 in values.shape:
        raise ValueError(f"{name} must be an array or a tensor of shape {ROWS}; got shape {tuple(values.shape)}")
    return values


def _check_alike(first_name, first, second_name, second):
    """Raise unless two tensors have the same shape, where it is known: one would be broadcast silently."""
    if not fits(first.shape, second.shape):
        raise ValueError(
            f"{first_name} and {second_name} must have the same shape; "
            f"got {tuple(first.shape)} and {tuple(second.shape)}"
        )


def _mean(each, weights):
    """The mean of the losses of images, weighted if there are weights."""
    if weights is None:
        return ops.mean(each)
    weights = numeric("weights", weights)
    _check_alike("weights", weights, "the images", each)
    if isinstance(weights, np.ndarray):
        weights = checks.number_array("weights", weights, "finite numbers, 0 or more", low=0.0)
    return ops.mean(ops.cast(weights, "float32") * each)
