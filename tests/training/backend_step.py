"""One training step with given weights, on the backend that KERAS_BACKEND names: `backend_step.py OBJECTIVE FILE`.

Writes the loss and, from a step of plain gradient descent with learning rate 1, the gradients and the batch
normalisation's new averages. Run by test_callbacks.py on TensorFlow and on JAX.
"""

import sys

import keras
import numpy as np

from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.data import splits
from thesis_lib.models.unet import symmetric, unet
from thesis_lib.targets import objectives, smoothing

name, path = sys.argv[1:]
batch = splits.load_scenes("sample").train[:4]
model = unet(11, **symmetric(4, 2), image_shape=(64, 84, 1))
generator = np.random.default_rng(0)
before = [generator.normal(0, 0.2, w.shape) if w.trainable else np.array(w) for w in model.weights]
model.set_weights(before)
prior = BoundaryPrior(0.0, 20.0, 10.0, 10.0)
loss = objectives.objective(name, prior=prior, adjacency=smoothing.adjacency(batch.labels, 11))
model.compile(keras.optimizers.SGD(1.0), loss)
value = model.train_on_batch(batch.images, batch.labels)
changes = {f"change{i}": old - np.array(new) for i, (old, new) in enumerate(zip(before, model.weights))}
np.savez(path, loss=value, backend=keras.backend.backend(), **changes)
