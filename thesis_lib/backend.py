"""Imports Keras, or says how to get a backend for it, and holds the few operations that each backend needs its own way.

Packages that use Keras import this module first.
"""

import contextlib
import functools
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
    return linear(*picking(labels, num_classes))(maps)


def picking(labels, num_classes):
    """The functions from maps (..., K) to the values (...) at each label's class, and its transposed; on PyTorch."""
    import torch

    classes = labels.clamp(0, num_classes - 1)
    known = classes == labels
    # One index for each value is several times as fast as `gather` and `scatter_` along the classes.
    at = torch.arange(0, labels.numel() * num_classes, num_classes, device=labels.device).add_(classes.reshape(-1))

    def pick(maps):
        return maps.reshape(-1).index_select(0, at).reshape(labels.shape) * known

    def put(values):
        maps = values.new_zeros(at.numel() * num_classes)
        return maps.scatter_(0, at, (values * known).reshape(-1)).reshape(*labels.shape, num_classes)

    return pick, put


def linear(function, transposed):
    """A linear function of one tensor, and what its gradient is: neither keeps the tensor in memory.

    Args:
        function: from a tensor to a tensor; its arithmetic is not followed by the backend.
        transposed: from a gradient with respect to the result to the one with respect to the tensor.

    Returns:
        the function, on PyTorch and JAX.
    """
    if is_torch():
        return lambda value: _torch_linear().apply(value, function, transposed)
    slope = lambda *values, upstream=None: transposed(values[-1] if upstream is None else upstream)
    return ops.custom_gradient(lambda value: (function(value), slope))


@functools.cache  # a class for each call would take longer than what it computes
def _torch_linear():
    import torch

    class Linear(torch.autograd.Function):
        @staticmethod
        def forward(context, value, function, transposed):
            context.transposed = transposed
            return function(value)

        @staticmethod
        def backward(context, upstream):
            return context.transposed(upstream), None, None

    return Linear


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
