"""Targets for images without a label, and the losses that compare predicted probabilities with them.

They take tensors of Keras's backend, and arrays.
"""

import keras
from keras import ops

from thesis_lib import checks
from thesis_lib.semi_supervised import arguments


def probabilities(logits):
    """softmax over the classes: (N, K), or (S, N, K) of several networks, float32 that sum to one."""
    return ops.softmax(arguments.logits(logits, axes=(2, 3)), axis=-1)


def sharpen(probabilities, temperature):
    """p^(1/T), normalised (Berthelot et al. 2019, equation 7), of probabilities (N, K).

    T -> 0 gives the one-hot vector of the most probable class; T = 1 changes nothing.
    """
    probabilities = arguments.distributions("probabilities", probabilities)
    temperature = checks.real("temperature", temperature, 0.0, open_low=True)
    powers = (probabilities / ops.max(probabilities, axis=-1, keepdims=True)) ** (1.0 / temperature)
    return powers / ops.sum(powers, axis=-1, keepdims=True)


def most_probable(logits):
    """One-hot vector of the class with the highest score, (N, K)."""
    logits = arguments.logits(logits)
    return ops.one_hot(ops.argmax(logits, axis=-1), logits.shape[-1], dtype="float32")


def mixup_weights(count, alpha, seed):
    """Weights of the first image of each pair: max(b, 1 - b) with b from Beta(alpha, alpha), (count,), in [1/2, 1].

    (Zhang et al. 2018; at least one half since Berthelot et al. 2019, equation 9, so that order is kept.)

    Args:
        count: number of pairs.
        alpha: of the Beta distribution, in [0.1, 1e6].
        seed: a whole number from 0 to 2**32 - 1, or a keras.random.SeedGenerator.
    """
    if not ops.is_tensor(count):  # as it is where a graph takes batches of several sizes
        count = checks.integer("count", count, 1, arguments.MOST_IMAGES)
    if not isinstance(seed, keras.random.SeedGenerator):
        seed = checks.integer("seed", seed, 0, 2**32 - 1)
    alpha = arguments.alpha(alpha)
    weights = keras.random.beta((count,), alpha, alpha, seed=seed)
    return ops.maximum(weights, 1.0 - weights)


def squared_difference(predicted, target, weights=None):
    """Mean over images and classes of the squared difference of probabilities (N, K): a scalar.

    Each image is weighted by `weights`, (N,), 0 or more, if given. No gradient flows into the target.
    """
    predicted, target = arguments.distributions("predicted", predicted), arguments.distributions("target", target)
    arguments.check_alike("predicted", predicted, "target", target)
    each = ops.mean(ops.square(predicted - ops.stop_gradient(target)), axis=-1)
    return _mean(each, weights)


def cross_entropy(target, logits, weights=None):
    """Mean over images of the cross-entropy of logits with soft targets (N, K): a scalar.

    Each image is weighted by `weights`, (N,), 0 or more, if given. No gradient flows into the target.
    """
    target, logits = arguments.distributions("target", target), arguments.logits(logits)
    arguments.check_alike("target", target, "logits", logits)
    return _mean(ops.categorical_crossentropy(ops.stop_gradient(target), logits, from_logits=True), weights)


def kl_divergence(target, logits):
    """Mean over images of KL(target || softmax(logits)), of (N, K): a scalar. No gradient flows into the target."""
    target, logits = ops.stop_gradient(arguments.distributions("target", target)), arguments.logits(logits)
    arguments.check_alike("target", target, "logits", logits)
    logs = ops.log(ops.maximum(target, keras.config.epsilon()))
    return ops.mean(ops.sum(target * (logs - ops.log_softmax(logits, axis=-1)), axis=-1))


def _mean(each, weights):
    """The mean of the losses of images, weighted if there are weights."""
    return ops.mean(each if weights is None else arguments.weights(weights, each) * each)
