"""Alternatives timed in turn, so that what else the machine does falls on all of them alike."""

import time

import keras
import numpy as np


def medians(calls, repeats, clock=time.perf_counter, warm_up=1):
    """Median seconds of each call, by name, from `repeats` rounds in which all take turns, after `warm_up` rounds."""
    times = {name: [] for name in calls}
    for _ in range(repeats + warm_up):
        for name, call in calls.items():
            start = clock()
            call()
            times[name].append(clock() - start)
    return {name: float(np.median(values[warm_up:])) for name, values in times.items()}


class InTurn(keras.callbacks.Callback):
    """Times every epoch of a fit, and after each the same number of bare compiled steps."""

    def __init__(self, batches):
        super().__init__()
        self.batches, self.fit, self.bare = batches, [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.fit.append(time.perf_counter() - self.start)
        start = time.perf_counter()
        for x, y in self.batches:
            self.model.train_on_batch(x, y)
        self.bare.append(time.perf_counter() - start)
