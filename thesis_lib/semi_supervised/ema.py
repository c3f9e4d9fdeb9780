"""Exponential moving averages (EMA) of a network's weights: the teacher of mean teacher, MixMatch's predictor."""

import keras
from keras import ops

from thesis_lib import checks


def ema_copy(network):
    """A copy that is not trained by gradients; its batch normalisation always uses its (averaged) statistics."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy


def ema_update(average, network, decay, step):
    """average <- d * average + (1 - d) * network, for every weight, batch-norm statistics included.

    d is min(1 - 1 / (step + 1), decay). In the first steps the average is thus the plain mean of the weights so far.
    The random weights at the start count once, not with the share decay^step.
    """
    step = ops.cast(step, "float32")
    decay = ops.minimum(1.0 - 1.0 / (step + 1.0), decay)
    for old, new in zip(average.weights, network.weights):
        old.assign(decay * old + (1.0 - decay) * new)


def checked_decay(decay):
    return checks.real("decay", decay, 0.0, 1.0, open_high=True)
