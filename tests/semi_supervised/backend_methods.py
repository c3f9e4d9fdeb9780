"""One step of every method, without random parts, on the backend that KERAS_BACKEND names; run by test_backends.py."""

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
from thesis_lib.semi_supervised.ema import torch_modules
from thesis_lib.semi_supervised.virtual_adversarial import adversarial_direction, adversarial_loss

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
if keras.backend.backend() == "torch":
    import torch

    parts = [torch.nn.Flatten(), torch.nn.Linear(16, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(), torch.nn.ReLU()]
    for method in (lambda net: MixMatch(net, decay=0.9), lambda net: MeanTeacher(net, adversarial=0.5, decay=0.9)):
        own = torch.nn.Sequential(*parts, torch.nn.Linear(8, 3))
        wrapped = keras.layers.TorchModuleWrapper(own, output_shape=(None, 3))
        model = compiled(method(keras.Sequential([keras.Input((4, 4, 1)), layers.Rescaling(1 / 255), wrapped])))
        (average,) = torch_modules(model.predictor)
        met = []  # by the first two steps, whose plain mean the average then is
        for _ in range(2):
            met.append([weight.detach().clone() for weight in own.parameters()])
            model.train_on_batch(inputs)
        for weight, both in zip(average.parameters(), zip(*met), strict=True):
            np.testing.assert_allclose(weight.numpy(force=True), np.mean([w.numpy() for w in both], axis=0), atol=1e-6)
            assert not weight.requires_grad
        assert any((a != b).any() for both in zip(*met) for a, b in [both])
        model.predictor(images, training=True)
        assert own[2].running_var.std() > 0 and not average[2].training and average[3].training
        outputs = {"images": images, "all_logits": model.classifier(images, training=False)}
        before = own[2].running_mean.clone()
        adversarial_loss(model.classifier, outputs, 2.0, seed=1)
        assert (own[2].running_mean == before).all()
np.savez(sys.argv[1], **results)
