"""Moving averages of a network's weights: the teacher of mean teacher, the evaluated network of MixMatch."""

import keras

from thesis_lib import checks


def shadow(network):
    """A copy that is not trained by gradients; its batch normalisation always uses its (averaged) statistics."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy


def follow(average, network, decay):
    """average <- decay * average + (1 - decay) * network, for every weight, batch-norm statistics included."""
    for old, new in zip(average.weights, network.weights):
        old.assign(decay * old + (1.0 - decay) * new)


def checked_decay(decay):
    return checks.real("decay", decay, 0.0, 1.0)
