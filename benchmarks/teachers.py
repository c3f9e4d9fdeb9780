"""Training steps of methods that learn from unlabelled images, beside a supervised step on as many images."""

import keras
import numpy as np
from timing import medians

from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.models.unet import symmetric, unet
from thesis_lib.segmentation.bayesian_teacher import BayesianTeacher
from thesis_lib.segmentation.strong import OtherColours
from thesis_lib.segmentation.teachers import SegmentingMeanTeacher
from thesis_lib.targets.expectation import ForwardDice
from thesis_lib.targets.shift import ShiftLikelihood
from thesis_lib.training.optimization import use_xla

PRIOR = BoundaryPrior.known(1.5)
COUNT, SIDE = 12, 64  # labelled images, and as many without a label; px


def network():
    return unet(2, **symmetric(8, 3), image_shape=(SIDE, SIDE, 1))


def teachers(report):
    """Steps on 12 labelled and 12 unlabelled images beside supervised ones on 24 labelled images, of the same loss."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (2 * COUNT, SIDE, SIDE, 1)).astype(np.uint8)
    labels = generator.integers(0, 2, (2 * COUNT, SIDE, SIDE)).astype(np.uint8)
    given = {"labelled": images[:COUNT], "labels": labels[:COUNT], "unlabelled": images[COUNT:]}
    for name, loss in {
        "forward + Dice of expected labels": ForwardDice(PRIOR),
        "shift": ShiftLikelihood(PRIOR, background=0),
    }.items():
        models = {
            "supervised": network(),
            "mean teacher": SegmentingMeanTeacher(network(), OtherColours()),
            "Bayesian teacher": BayesianTeacher(network(), loss, OtherColours()),
        }
        for model in models.values():
            model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=use_xla("auto"))
        calls = {kind: lambda m=model: m.train_on_batch(given) for kind, model in models.items()}
        calls["supervised"] = lambda m=models["supervised"]: m.train_on_batch(images, labels)
        found = medians(calls, 15)
        for kind in ("mean teacher", "Bayesian teacher"):
            what = f"step, {name}: {kind} / supervised, as many images"
            report(what, found[kind] / found["supervised"], "<= 2.50")
