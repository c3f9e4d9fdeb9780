"""A training of seconds that can be killed when an epoch begins."""

import keras
import numpy as np
from killed import Killed

from thesis_lib.training.callbacks import callbacks


def model_and_data():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dropout(0.5), keras.layers.Dense(2)]
    )
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", run_eagerly=True)
    images = np.random.default_rng(0).normal(size=(8, 4))
    return model, images, images[:, :2]


class Stop(keras.callbacks.Callback):
    """Kills when an epoch begins."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise Killed


def fit(folder, epochs, *others, schedule="cosine", patience=10, run=None):
    model, images, labels = model_and_data()
    found = callbacks(folder, patience, schedule, tensorboard=False, run=run)
    options = {"verbose": 0, "shuffle": False, "callbacks": [*others, *found]}
    model.fit(images, labels, validation_data=(images, labels), epochs=epochs, **options)
    return model.get_weights()
