"""What the methods refuse: settings, classifiers, labels and images that cannot be trained with; each is named."""

import keras
import numpy as np
import pytest
from keras import layers
from semi_supervised_cases import SHAPE, batch, compiled, network

from thesis_lib.semi_supervised import (
    FixMatch,
    MeanTeacher,
    MixMatch,
    PiModel,
    Supervised,
    TemporalEnsembling,
    VirtualAdversarial,
    unsupervised,
)
from thesis_lib.semi_supervised.batches import Batches
from thesis_lib.semi_supervised.ramps import LinearRamp, SigmoidRamp
from thesis_lib.semi_supervised.scoring import logits

IMAGES = np.zeros((2, *SHAPE), np.uint8)
ROWS = np.array([[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])


class Subclassed(keras.Model):
    def call(self, x):
        return x


def two_outputs():
    images = keras.Input(SHAPE)
    return keras.Model(images, [layers.Dense(2)(layers.Flatten()(images))] * 2)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: PiModel("net"), "classifier must be a keras.Model"),
        (lambda: PiModel(Subclassed()), "classifier must be a keras.Model, functional or sequential and built"),
        (
            lambda: PiModel(keras.Sequential([layers.Dense(3)])),
            "classifier must be .* functional or sequential and built",
        ),
        (lambda: PiModel(two_outputs()), "classifier must be a keras.Model, .* to logits"),
        (lambda: PiModel(network(classes=1)), "classifier must have logits of two classes or more; it has 1"),
        (lambda: PiModel(network(), augment="flip"), "augment must be a Keras layer or None; got 'flip'"),
        (lambda: FixMatch(network(), strong=len), "strong must be a Keras layer or None; got .*len"),
        (lambda: PiModel(network(), weight=-1.0), r"weight must be a finite number in \[0, 1e\+30\]; got -1.0"),
        (lambda: TemporalEnsembling(network(), 10, decay=1.0), r"decay must be a finite number in \[0, 1\); got 1.0"),
        (lambda: MeanTeacher(network(), decay=1.5), r"decay must be a finite number in \[0, 1\); got 1.5"),
        (lambda: MixMatch(network(), temperature=0.0), r"temperature must be a finite number in \(0, 1\]; got 0.0"),
        (lambda: MixMatch(network(), alpha=0), r"alpha must be .*; got 0"),
        (lambda: MixMatch(network(), views=0), "views must be a whole number from 1; got 0"),
        (lambda: VirtualAdversarial(network(), epsilon=-2), "epsilon must be .*; got -2"),
        (lambda: FixMatch(network(), threshold=2), "threshold must be .*; got 2"),
        (lambda: TemporalEnsembling(network(), 0), "num_images must be a whole number from 1 to 2147483647; got 0"),
        (lambda: LinearRamp(5, 4, 1.0), "start must be at most end; got 5 and 4"),
        (lambda: SigmoidRamp(0, 1.0), "length must be .*; got 0"),
        (lambda: SigmoidRamp(5, 1e200), "maximum must be .*; got 1e\\+200"),
        (lambda: MixMatch(network(), alpha=1e200), r"alpha must be .*\[0.1, 1e\+06\]; got 1e\+200"),
        (lambda: Batches(IMAGES, [0, 1], IMAGES, 1, 1).start(0.5), "epoch must be a whole number from -1; got 0.5"),
        (lambda: logits(network(), np.zeros((2, 3, 3, 7))), r"images must be images .* takes them: \(None, .*; got"),
        (lambda: logits(network(), np.full((2, *SHAPE), -1.0)), "images must be images .*, values 0-255"),
        (lambda: logits(len, IMAGES), "model must be a keras.Model; got"),
        (lambda: unsupervised.cross_entropy(ROWS[:1], ROWS), r"same shape; got \(1, 2\) and \(3, 2\)"),
        (lambda: unsupervised.squared_difference(ROWS, ROWS, [1.0]), r"weights and the images .* \(1,\) and \(3,\)"),
        (lambda: unsupervised.squared_difference(ROWS, ROWS, -np.ones(3)), "weights must be .* 0 or more; got"),
        (lambda: unsupervised.kl_divergence(2 * ROWS, ROWS), r"target must be probabilities that sum to one.*; got"),
        (lambda: unsupervised.sharpen(ROWS, 0), "temperature must be .*; got 0"),
        (lambda: unsupervised.most_probable([1.0, 2.0]), r"logits must be .* shape \(N, K\); got shape \(2,\)"),
        (lambda: unsupervised.probabilities(ROWS * np.nan), "logits must be .*finite numbers; got"),
        (lambda: unsupervised.mixup_weights(0, 1.0, 0), "count must be .*; got 0"),
        (lambda: unsupervised.mixup_weights(3, 1.0, None), "seed must be .*; got None"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("make", [Supervised, MeanTeacher, lambda net: TemporalEnsembling(net, 12)])
@pytest.mark.parametrize(
    "name, value", [("class_weight", {0: 100.0, 1: 0.0}), ("sample_weight", [1.0]), ("y", [0]), ("batch_size", 2)]
)
def test_what_fit_could_not_honour_is_refused(make, name, value):
    inputs = batch(labelled=6)
    batches = Batches(inputs["labelled"], np.arange(6) % 3, inputs["unlabelled"], 2, 2)
    with pytest.raises(ValueError, match=f"{name} must be left out: batches hold labels and have a size; got"):
        compiled(make(network())).fit(batches, verbose=0, **{name: value})


def test_labels_or_weights_beside_a_batch_are_refused():
    inputs = batch()
    for beside in ([inputs["labels"]], [None, np.ones(len(inputs["labels"]))]):
        with pytest.raises(ValueError, match='batches must hold their labels as "labels"'):
            compiled(PiModel(network())).train_on_batch(inputs, *beside)


def test_more_images_than_averages_are_named():
    images = np.zeros((6, 8, 8, 1), "uint8")
    model = compiled(TemporalEnsembling(network(), 10), keras.optimizers.SGD(0.0))
    with pytest.raises(ValueError, match="num_images must be at least 12, .*; got 10"):
        model.fit(Batches(images, np.zeros(6, int), images, 2, 2), verbose=0)


def test_labels_beyond_the_classifier_and_evaluation_on_training_batches_are_refused():
    model = compiled(PiModel(network()))
    inputs = batch()
    images = inputs["unlabelled"]
    wrong = Batches(images, np.arange(len(images)), images, 2, 2)
    with pytest.raises(ValueError, match="labels must be classes below the classifier's 3 outputs; got 5"):
        model.fit(wrong, verbose=0)
    with pytest.raises(
        ValueError, match="labels must hold an image of each of the classifier's 3 classes; none is of 1"
    ):
        model.fit(Batches(images, np.array([0, 2, 0, 2, 2, 2]), images, 2, 2), verbose=0)
    with pytest.raises(ValueError, match="evaluate and validate on plain images and their labels"):
        model.evaluate(Batches(images, np.zeros(len(images), int), images, 2, 2), verbose=0)
    with pytest.raises(
        ValueError, match="x must be batches of labelled and unlabelled images, such as `Batches`; got ndarray"
    ):
        model.fit(images, np.zeros(len(images), int), verbose=0)
