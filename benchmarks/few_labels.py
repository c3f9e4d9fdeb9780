"""What mean teacher and MixMatch cost: their steps, and their input pipeline."""

import keras
import numpy as np
from timing import InTurn, medians

from thesis_lib.models.convnet13 import convnet13
from thesis_lib.semi_supervised import Batches, MeanTeacher, MixMatch
from thesis_lib.training import optimization

LABELLED, UNLABELLED = 32, 64


class BarePasses(keras.Model):
    """The passes of a MixMatch step alone: forward over the views, then forward and backward over everything."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.built = True

    def call(self, images, training=False):
        guess = keras.ops.stop_gradient(self.network(images[LABELLED:], training=training))
        return self.network(images, training=training) + 1e-6 * keras.ops.mean(guess)


def few_labels(report):
    """Steps of mean teacher and MixMatch, and their input pipeline, on a convolutional network."""
    generator = np.random.default_rng(0)
    draw = lambda n: generator.integers(0, 256, (n, 28, 28, 1)).astype(np.uint8)
    network = lambda: convnet13(10, (28, 28, 1), width=32)
    hard, soft = (
        kind(from_logits=True)
        for kind in (keras.losses.SparseCategoricalCrossentropy, keras.losses.CategoricalCrossentropy)
    )
    models = {
        "supervised": network(),
        "mean teacher": MeanTeacher(network()),
        "passes": BarePasses(network()),
        "mixmatch": MixMatch(network()),
    }
    for name, model in models.items():
        model.compile(
            keras.optimizers.Adam(1e-3), soft if name == "mixmatch" else hard, jit_compile=optimization.use_xla("auto")
        )
    inputs = {"labelled": draw(LABELLED), "labels": generator.integers(0, 10, LABELLED), "unlabelled": draw(UNLABELLED)}
    same, more = (draw(LABELLED + k * UNLABELLED).astype("float32") for k in (1, 2))
    classes = lambda images: generator.integers(0, 10, len(images))
    found = medians({
        "supervised": lambda: models["supervised"].train_on_batch(same, classes(same)),
        "mean teacher": lambda: models["mean teacher"].train_on_batch(inputs),
        "passes": lambda: models["passes"].train_on_batch(more, classes(more)),
        "mixmatch": lambda: models["mixmatch"].train_on_batch(inputs),
    }, 15)  # fmt: skip
    report("step: mean teacher / supervised, as many images", found["mean teacher"] / found["supervised"], "<= 2.20")
    report("step: MixMatch, K = 2 / its passes alone", found["mixmatch"] / found["passes"], "<= 1.15")

    batches = Batches(draw(100), np.arange(100) % 10, draw(1280), LABELLED, UNLABELLED)
    resident = [
        ({k: keras.ops.convert_to_tensor(v) for k, v in batches[i][0].items()}, None) for i in range(len(batches))
    ]
    times = InTurn(resident)
    models["mean teacher"].fit(batches, epochs=6, verbose=0, callbacks=[times])
    report(
        "fit, few labels: throughput / that of the bare step",
        np.median(times.bare[1:]) / np.median(times.fit[1:]),
        ">= 0.95",
    )
