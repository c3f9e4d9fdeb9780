"""One training step with given weights, on the backend that KERAS_BACKEND names: `backend_step.py FILE OBJECTIVE ...`.

Writes, for each objective, the loss and, from a step of plain gradient descent with learning rate 1, the gradients and
the batch normalisation's new averages. Run by test_callbacks.py on TensorFlow and on JAX.
"""

import sys

import keras
import numpy as np

from thesis_lib.annotation import BoundaryPrior
from thesis_lib.data import load_scenes
from thesis_lib.models import symmetric, unet
from thesis_lib.targets import adjacency, objective

path, *names = sys.argv[1:]
batch = load_scenes("sample").train[:4]
images, labels = batch.images[:, :32, :40], batch.labels[:, :32, :40]
results = {"backend": keras.backend.backend()}
for name in names:
    model = unet(11, **symmetric(4, 1), image_shape=(32, 40, 1))
    generator = np.random.default_rng(0)
    before = [generator.normal(0, 0.2, w.shape) if w.trainable else np.array(w) for w in model.weights]
    model.set_weights(before)
    prior = BoundaryPrior(0.0, 20.0, 10.0, 10.0)
    model.compile(keras.optimizers.SGD(1.0), objective(name, prior=prior, adjacency=adjacency(labels, 11)))
    results[f"{name}_loss"] = model.train_on_batch(images, labels)
    for i, (old, new) in enumerate(zip(before, model.weights)):
        results[f"{name}_change{i}"] = old - np.array(new)
np.savez(path, **results)
