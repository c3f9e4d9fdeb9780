"""What a loss and its gradient cost beside cross-entropy, on the backend that KERAS_BACKEND names.

    KERAS_BACKEND=torch python benchmarks/losses.py

Prints rows of the table of `make bench`. Alternatives take turns on one thread, and their processor times are compared,
so that other processes count little.
"""

import functools
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import keras
import numpy as np
from keras import ops
from timing import medians

from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.targets.losses import ForwardLikelihood, SmoothedLoss
from thesis_lib.targets.smoothing import Posterior, SpatiallyVarying

BACKEND = keras.backend.backend()
K = 11
processor_times = functools.partial(medians, clock=time.process_time, warm_up=2)
KNOWN, FITTED = BoundaryPrior.known(1.0), BoundaryPrior(0.0, 200.0, 60.0, 60.0)


def compiled(function):
    """The function as the backend runs it in training."""
    if BACKEND == "tensorflow":
        import tensorflow

        return tensorflow.function(function)
    if BACKEND == "jax":
        import jax

        fast = jax.jit(function)
        return lambda *values: jax.block_until_ready(fast(*values))
    return function


def step(loss, labels, logits):
    """A function that computes the loss and its gradient."""
    labels, logits = ops.convert_to_tensor(labels), ops.convert_to_tensor(logits)
    if BACKEND == "torch":
        logits.requires_grad_()

        def backward():
            logits.grad = None
            loss(labels, logits).backward()

        return backward
    if BACKEND == "jax":
        import jax

        both = compiled(jax.value_and_grad(lambda logits: loss(labels, logits)))
        return lambda: both(logits)
    import tensorflow

    def value_and_gradient():
        with tensorflow.GradientTape() as tape:
            tape.watch(logits)
            value = loss(labels, logits)
        return value, tape.gradient(value, logits)

    return compiled(value_and_gradient)


def cross_entropy():
    """The backend's own, and where it has the channels."""
    if BACKEND != "torch":
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True), "channels_last"
    import torch

    usual = torch.nn.CrossEntropyLoss()
    return (lambda labels, logits: usual(logits, labels)), "channels_first"


def losses(report, shape, what):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, K, shape)
    logits = generator.normal(0, 1, (*shape, K)).astype("float32")
    usual, data_format = cross_entropy()
    if data_format == "channels_first":
        logits = np.ascontiguousarray(np.moveaxis(logits, -1, 1))
    options = {"data_format": data_format}
    calls = {
        "cross-entropy": usual,
        "forward likelihood, sigma known": ForwardLikelihood(KNOWN, **options),
        "forward likelihood, fitted prior": ForwardLikelihood(FITTED, **options),
        "posterior soft labels, sigma known": SmoothedLoss(Posterior(KNOWN), **options),
    }
    found = processor_times({name: step(loss, labels, logits) for name, loss in calls.items()}, 9)
    for name in list(calls)[1:]:
        aim = "<= 2" if name == "forward likelihood, sigma known" else ""
        report(f"{BACKEND}, {what}: {name} / cross-entropy", found[name] / found["cross-entropy"], aim)


def published(kernel):
    """Spatially varying smoothing as its authors' layer does it: one-hot, continued by edge pixels, one convolution."""
    if BACKEND == "torch":
        import torch

        weights = torch.tensor(np.tile(kernel, (K, 1, 1, 1)), dtype=torch.float32)

        def smooth(labels):
            one_hot = (labels[..., None] == torch.arange(K)).permute(0, 3, 1, 2).float()
            padded = torch.nn.functional.pad(one_hot, (1, 1, 1, 1), mode="replicate")
            return torch.conv2d(padded, weights, groups=K) / weights[0].sum()

        return smooth
    weights = np.tile(kernel[:, :, None, None], (1, 1, K, 1)).astype("float32")

    def smooth(labels):
        one_hot = ops.cast(ops.equal(labels[..., None], ops.arange(K, dtype=labels.dtype)), "float32")
        padded = ops.pad(one_hot, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="symmetric")
        return ops.depthwise_conv(padded, weights, padding="valid") / ops.sum(weights[:, :, 0])

    return smooth


def spatially_varying(report):
    rule = SpatiallyVarying()
    labels = ops.convert_to_tensor(np.random.default_rng(0).integers(0, K, (4, 256, 256)), "int32")
    rules = {"published": published(rule.kernel()), "ours": lambda labels: rule(labels, K)}
    calls = {name: functools.partial(compiled(smooth), labels) for name, smooth in rules.items()}
    found = processor_times(calls, 15)
    aim = ">= 3" if BACKEND == "tensorflow" else ">= 1"
    report(f"{BACKEND}: spatially varying smoothing, published layer / ours", found["published"] / found["ours"], aim)


def main():
    if BACKEND == "torch":
        import torch

        torch.set_num_threads(1)
    report = lambda what, ratio, aim: print(f"| {what} | {ratio:.2f} | {aim} |", flush=True)
    losses(report, (4, 256, 256), "4 x 256 x 256")
    losses(report, (1, 32, 96, 96), "32 x 96 x 96")
    spatially_varying(report)


if __name__ == "__main__":
    main()
