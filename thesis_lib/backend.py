"""Imports Keras, or says how to get a backend for it, and holds the few operations that each backend needs its own way.

Packages that use Keras import this module first.
"""

import contextlib
import os

from thesis_lib.startup import as_log_level_says

try:
    with as_log_level_says():
        import keras
        from keras import ops
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "Keras needs a backend: install the extra 'jax', 'torch' or 'notebooks' (TensorFlow) of this library and set "
        "the environment variable KERAS_BACKEND to jax, torch or tensorflow; "
        f"got {os.environ.get('KERAS_BACKEND', 'tensorflow')}, and {error.name} is not installed",
        name=error.name,
    ) from error


def is_torch():
    """Whether Keras runs on PyTorch."""
    return keras.backend.backend() == "torch"


def is_jax():
    """Whether Keras runs on JAX."""
    return keras.backend.backend() == "jax"


def uncompiled(function):
    """The function, which `torch.compile` leaves as it is: what it computes by NumPy would break the graph."""
    if not is_torch():
        return function
    import torch

    return torch.compiler.disable(function)


@contextlib.contextmanager
def beside(tensor):
    """Compute on the device of a PyTorch tensor, and in its own precision; nothing changes on other backends.

    Keras would move tensors to its default device. Autocast would take convolutions to half precision.
    """
    device = getattr(tensor, "device", None)
    if not is_torch() or not hasattr(device, "type"):
        yield
        return
    import torch

    with keras.device(str(device)), torch.autocast(device.type, enabled=False):
        yield


def softmax(logits):
    """Probabilities of logits (..., K) over the last axis."""
    if not is_torch():
        return ops.softmax(logits, axis=-1)
    # PyTorch is many times as fast over an axis that is not the last one in memory.
    return ops.moveaxis(ops.softmax(ops.moveaxis(logits, -1, 1), axis=1), 1, -1)


def cross_entropy(soft_labels, logits):
    """Cross-entropy of logits with soft labels (..., K), one value for each pixel."""
    if not is_torch():
        return ops.categorical_crossentropy(soft_labels, logits, from_logits=True)
    first = (ops.moveaxis(values, -1, 1) for values in (soft_labels, logits))
    return ops.categorical_crossentropy(*first, from_logits=True, axis=1)


def one_hot(labels, num_classes, dtype="float32"):
    """1 at the class of each label, (..., K); only 0 for a label that is no class, such as 255, on every backend."""
    labels = ops.cast(labels, "int32")
    if not is_torch():
        return ops.one_hot(labels, num_classes, dtype=dtype)
    return ops.cast(ops.equal(labels[..., None], ops.arange(num_classes, dtype="int32")), dtype)


def of_class(maps, labels):
    """The value of maps (..., K) at each label's class, (...); 0 where the label is no class."""
    num_classes = maps.shape[-1]
    if not is_torch():
        return ops.sum(maps * one_hot(labels, num_classes, maps.dtype), axis=-1)
    classes = labels.clamp(0, num_classes - 1)
    return maps.gather(-1, classes.long()[..., None])[..., 0] * (classes == labels)


def gradient(function, value):
    """Gradient of a scalar function at a tensor. The function must not change any state.

    Args:
        function: from the tensor to a scalar tensor.
        value: float tensor.

    Returns:
        tensor of the same shape; None or zeros if the function does not depend on it.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        with tensorflow.GradientTape() as tape:
            tape.watch(value)
            result = function(value)
        return tape.gradient(result, value)
    if backend == "jax":
        import jax

        return jax.grad(function)(value)
    import torch

    with torch.enable_grad():
        value = value.detach().requires_grad_()
        result = function(value)
    if not result.requires_grad:  # nor has what Keras computes only to learn shapes
        return torch.zeros_like(value)
    return torch.autograd.grad(result, value, materialize_grads=True)[0]
