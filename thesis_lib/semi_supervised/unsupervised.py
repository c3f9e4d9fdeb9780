"""Targets for images without a label, and the losses that compare predicted probabilities with them."""

import keras
from keras import ops


def probabilities(logits):
    """softmax over the classes: (N, K) float32 that sum to one."""
    return ops.softmax(ops.cast(logits, "float32"), axis=-1)


def sharpen(probabilities, temperature):
    """p^(1/T), normalised (Berthelot et al. 2019, equation 7).

    T -> 0 gives the one-hot vector of the most probable class; T = 1 changes nothing.
    """
    powers = (probabilities / ops.max(probabilities, axis=-1, keepdims=True)) ** (1.0 / temperature)
    return powers / ops.sum(powers, axis=-1, keepdims=True)


def most_probable(logits):
    """One-hot vector of the class with the highest score, (N, K)."""
    return ops.one_hot(ops.argmax(logits, axis=-1), logits.shape[-1], dtype="float32")


def mixup_weights(count, alpha, seed):
    """Weights of the first image of each pair: max(b, 1 - b) with b from Beta(alpha, alpha), (count,), in [1/2, 1].

    (Zhang et al. 2018; at least one half since Berthelot et al. 2019, equation 9, so that order is kept.)
    """
    weights = keras.random.beta((count,), alpha, alpha, seed=seed)
    return ops.maximum(weights, 1.0 - weights)


def squared_difference(predicted, target, weights=None):
    """Mean over images and classes of the squared difference of probabilities (N, K): a scalar.

    Each image is weighted by `weights`, (N,), if given. No gradient flows into the target.
    """
    each = ops.mean(ops.square(predicted - ops.stop_gradient(target)), axis=-1)
    return ops.mean(each if weights is None else weights * each)


def cross_entropy(target, logits, weights=None):
    """Mean over images of the cross-entropy of logits with soft targets (N, K): a scalar.

    Each image is weighted by `weights`, (N,), if given. No gradient flows into the target.
    """
    each = ops.categorical_crossentropy(ops.stop_gradient(target), ops.cast(logits, "float32"), from_logits=True)
    return ops.mean(each if weights is None else weights * each)


def kl_divergence(target, logits):
    """Mean over images of KL(target || softmax(logits)): a scalar. No gradient flows into the target."""
    target = ops.stop_gradient(target)
    logs = ops.log(ops.maximum(target, keras.config.epsilon()))
    return ops.mean(ops.sum(target * (logs - ops.log_softmax(ops.cast(logits, "float32"), axis=-1)), axis=-1))
