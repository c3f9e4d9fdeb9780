"""One step of every method, without random parts, on the backend that KERAS_BACKEND names; run by test_fit.py."""

import sys

import keras
import numpy as np
from keras import layers
from semi_supervised_cases import batch, compiled

from thesis_lib.semi_supervised import (
    FixMatch,
    MeanTeacher,
    MixMatch,
    PiModel,
    PseudoLabel,
    TemporalEnsembling,
    VirtualAdversarial,
)
from thesis_lib.semi_supervised.virtual_adversarial import adversarial_direction

inputs = batch()
methods = {
    "pseudo_label": PseudoLabel,
    "pi_model": PiModel,
    "temporal_ensembling": lambda net: TemporalEnsembling(net, 10),
    "mean_teacher": MeanTeacher,
    "vat": lambda net: VirtualAdversarial(net, epsilon=1e-6),  # its direction is drawn at random
    "mix_match": lambda net: MixMatch(net, alpha=None, weight=5.0),
    "fix_match": lambda net: FixMatch(net, threshold=0.3),
}
results = {"backend": keras.backend.backend()}
for name, make in methods.items():
    hidden = layers.Dense(8, activation="tanh")
    body = [keras.Input((4, 4, 1)), layers.Rescaling(1 / 255), layers.Flatten(), hidden, layers.BatchNormalization()]
    net = keras.Sequential([*body, layers.Dense(3)])
    start = np.random.default_rng(1)
    net.set_weights([start.normal(0, 0.3, w.shape) if w.trainable else np.array(w) for w in net.weights])
    model = make(net)
    compiled(model)
    for _ in range(2):
        logs = model.train_on_batch(inputs, return_dict=True)
    results |= {f"{name}_{k}": float(v) for k, v in logs.items()}
    results |= {f"{name}_{i}": np.array(w) for i, w in enumerate(model.weights)}
linear = keras.Sequential([keras.Input((4, 4, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)])
linear.set_weights([np.random.default_rng(2).normal(0, 0.3, w.shape) for w in linear.weights])
images = keras.ops.convert_to_tensor(inputs["unlabelled"].astype("float32"))
# The direction is drawn at random, and then the same but for its sign.
results["direction"] = np.abs(np.array(adversarial_direction(linear, images, seed=1)))
with_random_parts = {"mixed": MixMatch(linear), "both": MeanTeacher(linear, adversarial=0.5)}
for name, model in with_random_parts.items():
    logs = compiled(model).train_on_batch({**inputs, "labels": inputs["labels"] % 2}, return_dict=True)
    results[f"{name}_finite"] = np.array(all(np.isfinite(float(v)) for v in logs.values()))
np.savez(sys.argv[1], **results)
