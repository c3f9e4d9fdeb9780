"""Exponential moving averages (EMA) of a network's weights: the teacher of mean teacher, MixMatch's predictor."""

import copy

import keras
from keras import ops

from thesis_lib import backend, checks


def ema_copy(network):
    """A copy that is not trained by gradients; its batch normalisation always uses its (averaged) statistics.

    The network may hold modules of PyTorch, in `keras.layers.TorchModuleWrapper`.
    """
    average = keras.models.clone_model(network, clone_function=_copied)
    average.set_weights(network.get_weights())
    average.trainable = False
    return average


def _copied(layer):
    """A layer like this one, with weights of its own."""
    if not torch_modules(layer):
        return type(layer).from_config(layer.get_config())
    if isinstance(layer, keras.Model):
        return keras.models.clone_model(layer, clone_function=_copied)
    # Keras saves a module of PyTorch by pickling it, and then refuses to read it.
    from thesis_lib.semi_supervised.torch_average import AveragedModule

    return AveragedModule(copy.deepcopy(layer.module), name=layer.name, output_shape=layer.output_shape)


def torch_modules(layer):
    """The modules of PyTorch that a layer or network wraps."""
    if not backend.is_torch():
        return []
    if isinstance(layer, keras.layers.TorchModuleWrapper):
        return [layer.module]
    return [module for inner in getattr(layer, "layers", ()) for module in torch_modules(inner)]


def buffers(network):
    """Tensors of a network's modules of PyTorch that are no weights, such as statistics of batch normalisation."""
    return [tensor for module in torch_modules(network) for tensor in module.buffers()]


def ema_update(average, network, decay, step):
    """average <- d * average + (1 - d) * network, for every weight, batch-norm statistics included.

    d is min(1 - 1 / (step + 1), decay). In the first steps the average is thus the plain mean of the weights so far.
    The random weights at the start count once, not with the share decay^step.
    """
    step = ops.cast(step, "float32")
    decay = ops.minimum(1.0 - 1.0 / (step + 1.0), decay)
    if getattr(decay, "is_meta", False):  # Keras learns shapes, and averages without values would stay in its scope
        return
    for old, new in zip(average.weights, network.weights):
        old.assign(decay * old + (1.0 - decay) * new)
    for old, new in zip(buffers(average), buffers(network)):
        old.copy_(decay * old + (1.0 - decay) * new if old.is_floating_point() else new)


def checked_decay(decay):
    return checks.real("decay", decay, 0.0, 1.0, open_high=True)
