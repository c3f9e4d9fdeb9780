"""Every loss on the backend that KERAS_BACKEND names: `backend_losses.py FILE`; run by test_backends.py.

Writes the value of each loss and its gradient with respect to the logits, of maps and of volumes, with pixels to
ignore, and the soft labels of each rule.
"""

import sys

import keras
import numpy as np
from keras import ops

from thesis_lib.annotation import BoundaryPrior
from thesis_lib.backend import gradient
from thesis_lib.targets import (
    OBJECTIVES,
    ForwardDice,
    ForwardLikelihood,
    Overlapping,
    PairwiseLikelihood,
    Posterior,
    ShiftLikelihood,
    SmoothedLoss,
    SoftDice,
    SoftJaccard,
    SpatiallyVarying,
    Sum,
    adjacency,
    objective,
)

PRIOR = BoundaryPrior(0.0, 20.0, 10.0, 10.0)
WIDE = BoundaryPrior.known(9.0)  # whose blur reaches beyond the image
generator = np.random.default_rng(0)
labels = generator.integers(0, 3, (2, 4, 5)).repeat(8, 1).repeat(8, 2).astype(np.uint8)
logits = generator.normal(0, 2, (*labels.shape, 3)).astype("float32")
results = {"backend": keras.backend.backend()}
if keras.backend.backend() == "jax":
    import jax


def record(name, loss, labels, logits):
    of_logits = lambda values: loss(labels, values)
    both = lambda values: (of_logits(values), gradient(of_logits, values))
    if keras.backend.backend() == "jax":  # one graph, as in a training: JAX compiles each operation of a plain call
        both = jax.jit(both)
    value, slope = both(ops.convert_to_tensor(logits))
    results[f"{name}_value"], results[f"{name}_gradient"] = map(ops.convert_to_numpy, (value, slope))


soft_labels = {"svls": SpatiallyVarying(0.8), "posterior": Posterior(PRIOR), "wide": Posterior(WIDE)}
for name, rule in soft_labels.items():
    results[f"soft_{name}"] = ops.convert_to_numpy(rule(labels, 3))
counts = adjacency(labels, 3)
labels[:, 3:6] = 255
losses = {name: objective(name, prior=BoundaryPrior.known(0.2), adjacency=counts, background=0) for name in OBJECTIVES}
losses["student"], losses["wide"] = ForwardLikelihood(PRIOR), ForwardLikelihood(WIDE)
losses["weighted"] = ForwardLikelihood(PRIOR, [1.0, 2.0, 0.0])
losses["pairwise"] = PairwiseLikelihood({(1, 0): PRIOR, (1, 2): BoundaryPrior.known(0.4)}, BoundaryPrior.known(2.0))
losses["shift_far"] = ShiftLikelihood(BoundaryPrior.known(1.5), 0)
for name, loss in losses.items():
    record(name, loss, labels, logits)
soft = np.eye(4, dtype="float32")[np.minimum(labels, 3)][..., :3] * 0.8
for loss in (SoftDice(), SoftJaccard()):
    record(loss.name, loss, soft, logits)
first = {"data_format": "channels_first"}
record("student_first", ForwardLikelihood(PRIOR, **first), labels, np.moveaxis(logits, -1, 1))
record("soft_dice_first", SoftDice(**first), np.moveaxis(soft, -1, 1), np.moveaxis(logits, -1, 1))
volumes, scores = labels[:, :12].reshape(1, 8, 6, 20), logits[:, :12].reshape(1, 8, 6, 20, 3)
known = BoundaryPrior.known(1.0)
parts = Sum([SmoothedLoss(Posterior(known)), ShiftLikelihood(known, 0), ForwardDice(known)])
for name, loss in {"forward": ForwardLikelihood(PRIOR), "parts": parts}.items():
    record(f"volume_{name}", loss, volumes, scores)
record("volume_forward_first", ForwardLikelihood(PRIOR, **first), volumes, np.moveaxis(scores, -1, 1))
channels = np.where(labels == 255, 255, labels > 0), np.where(labels == 2, 1, 0)
structures, inside = np.stack(channels, -1).astype(np.uint8), logits[..., :2]
several = [ForwardDice(known), Sum([ForwardLikelihood(PRIOR), SmoothedLoss(Posterior(known), SoftDice())])]
record("overlapping", Overlapping(several, [1.0, 2.0]), structures, inside)
moved = [np.moveaxis(values, -1, 1) for values in (structures, inside)]
record("overlapping_first", Overlapping(several, [1.0, 2.0], **first), *moved)
np.savez(sys.argv[1], **results)
