"""Two steps of every teacher, without random parts, on the backend of KERAS_BACKEND; run by test_teachers.py."""

import sys

import keras
import numpy as np
from keras import layers

from thesis_lib.annotation import BoundaryPrior
from thesis_lib.segmentation import (
    BayesianTeacher,
    CrossPseudo,
    CutMix,
    OtherColours,
    SegmentingFixMatch,
    SegmentingMeanTeacher,
)
from thesis_lib.targets import ForwardDice, ForwardLikelihood, Overlapping, ShiftLikelihood, objective

PRIOR = BoundaryPrior(0.0, 3.0, 2.6, 2.0)
generator = np.random.default_rng(0)
labels = generator.integers(0, 3, (2, 3, 3)).repeat(4, 1).repeat(4, 2).astype(np.uint8)
labels[0, :3] = 255
draw = lambda n: generator.integers(0, 256, (n, 12, 12, 1)).astype(np.uint8)
inputs = {"labelled": draw(2), "labels": labels, "unlabelled": draw(4)}
channels = np.where(labels[..., None] == 255, 255, labels[..., None] >= np.arange(3)).astype(np.uint8)


def network(seed=1):
    images = keras.Input((None, None, 1))
    x = layers.Conv2D(4, 3, padding="same")(layers.Rescaling(1 / 255)(images))
    made = keras.Model(images, layers.Conv2D(3, 1)(layers.Activation("tanh")(layers.BatchNormalization()(x))))
    start = np.random.default_rng(seed)
    made.set_weights([start.normal(0, 0.3, w.shape) if w.trainable else np.array(w) for w in made.weights])
    return made


def stepped(model, loss):
    model.compile(keras.optimizers.SGD(0.1), loss)
    for _ in range(2):
        shown = {**inputs, "labels": channels} if model.overlapping else inputs
        logs = model.train_on_batch(shown, return_dict=True)
    return {name: float(value) for name, value in logs.items()}


plain, results = objective("one_hot_dice"), {"backend": keras.backend.backend()}
likelihoods = {"dice": ForwardDice(PRIOR), "shift": ShiftLikelihood(PRIOR, 0)}
likelihoods["structures"] = Overlapping([*likelihoods.values(), ForwardLikelihood(PRIOR)])
models = {
    "mean_teacher": (SegmentingMeanTeacher(network(), weight=5.0, decay=0.9), plain),
    "sigmoids": (SegmentingMeanTeacher(network(), weight=5.0, decay=0.9, overlapping=True), Overlapping(plain)),
    "fix_match": (SegmentingFixMatch(network(), threshold=0.4, decay=0.9), plain),
    "cross_pseudo": (CrossPseudo(network(), network(2)), plain),
    **{name: (BayesianTeacher(network(), one, decay=0.9), one) for name, one in likelihoods.items()},
}
for name, (model, loss) in models.items():
    results |= {f"{name}_{k}": value for k, value in stepped(model, loss).items()}
    results |= {f"{name}_{i}": np.array(w) for i, w in enumerate(model.weights)}
random = [SegmentingFixMatch(network(), OtherColours(), CutMix(), 1.0, 0.4, overlapping=some) for some in (False, True)]
losses = [value for one in random for value in stepped(one, Overlapping(plain) if one.overlapping else plain).values()]
results["random_finite"] = np.isfinite(losses).all()
np.savez(sys.argv[1], **results)
