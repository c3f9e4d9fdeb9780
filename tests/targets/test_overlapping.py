"""Overlapping structures: each is the problem of two classes that its logit states, whatever the loss."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.backend import gradient
from thesis_lib.targets.expectation import ForwardDice
from thesis_lib.targets.losses import ForwardLikelihood, SmoothedLoss, Sum
from thesis_lib.targets.objectives import OBJECTIVES, objective
from thesis_lib.targets.overlap import SoftDice
from thesis_lib.targets.overlapping import Overlapping
from thesis_lib.targets.shift import ShiftLikelihood
from thesis_lib.targets.smoothing import OneHot

PRIOR = BoundaryPrior.known(1.0)
PARTS = {"prior": BoundaryPrior.known(0.4), "adjacency": np.array([[9, 3], [3, 9]]), "background": 0}
CROSS_ENTROPY = SmoothedLoss(OneHot())


def example(shape=(2, 6, 7), structures=2, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.choice([0, 0, 1, 1, 255], (*shape, structures)).astype(np.uint8)
    return labels, generator.normal(0, 2, labels.shape).astype("float32")


def stacked(logits):
    return np.stack([np.zeros_like(logits), logits], -1)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(OBJECTIVES)), st.integers(1, 3), st.integers(0, 2**16))
def test_each_structure_has_the_loss_of_two_classes(name, structures, seed):
    labels, logits = example(structures=structures, seed=seed)
    of_two = objective(name, **PARTS)
    expected = [float(of_two(labels[..., s], stacked(logits[..., s]))) for s in range(structures)]
    assert float(Overlapping(of_two)(labels, logits)) == pytest.approx(np.mean(expected), rel=1e-5, abs=1e-7)


def test_each_structure_has_a_loss_and_a_weight_of_its_own():
    labels, logits = example((1, 3, 5, 6), 3)
    several = [ForwardLikelihood(PRIOR), ForwardDice(PRIOR), Sum([ShiftLikelihood(PRIOR, 0), CROSS_ENTROPY])]
    expected = [float(loss(labels[..., s], stacked(logits[..., s]))) for s, loss in enumerate(several)]
    found = Overlapping(several, [1.0, 0.0, 3.0])(labels, logits)
    assert float(found) == pytest.approx((expected[0] + 3 * expected[2]) / 4, rel=1e-5)
    first = Overlapping(several, [1.0, 0.0, 3.0], data_format="channels_first")
    assert float(first(np.moveaxis(labels, -1, 1), np.moveaxis(logits, -1, 1))) == pytest.approx(float(found), rel=1e-6)


def test_cross_entropy_is_keras_binary_cross_entropy():
    labels, logits = example()
    labels %= 2
    expected = keras.losses.BinaryCrossentropy(from_logits=True)(labels, logits)
    for loss in (CROSS_ENTROPY, keras.losses.CategoricalCrossentropy(from_logits=True)):
        assert float(Overlapping(loss)(labels, logits)) == pytest.approx(float(expected), rel=1e-5)


def test_losses_on_soft_labels_see_one_hot_labels():
    labels, logits = example()
    expected = Overlapping(SmoothedLoss(OneHot(), SoftDice()))(labels, logits)
    assert float(Overlapping(SoftDice())(labels, logits)) == pytest.approx(float(expected))


def test_what_is_unknown_of_one_structure_is_not_learned_from_and_the_others_are():
    labels, logits = example()
    labels[..., 1] = 255
    loss = Overlapping([CROSS_ENTROPY, Sum([ForwardLikelihood(PRIOR), SmoothedLoss(OneHot(), SoftDice())])])
    slope = np.asarray(gradient(lambda values: loss(labels, values), ops.convert_to_tensor(logits)))
    assert np.isfinite(slope).all() and not slope[..., 1].any()
    assert (slope[..., 0] != 0).sum() == (labels[..., 0] != 255).sum()
    alone = float(CROSS_ENTROPY(labels[..., 0], stacked(logits[..., 0])))
    assert float(loss(labels, logits)) == pytest.approx(alone / 2, rel=1e-5)


def test_each_image_has_a_value():
    labels, logits = example()
    each = np.asarray(Overlapping(ForwardLikelihood(PRIOR), reduction=None)(labels, logits))
    assert each.shape == (2,)
    whole = float(Overlapping(ForwardLikelihood(PRIOR))(labels, logits))
    assert each.mean() == pytest.approx(whole, rel=1e-6)
    weighted = Overlapping(ForwardLikelihood(PRIOR))(labels, logits, sample_weight=np.array([1.0, 0.0], "float32"))
    assert float(weighted) == pytest.approx(each[0] / 2, rel=1e-5)


def test_a_network_learns_two_structures_that_overlap():
    generator = np.random.default_rng(0)
    images = generator.random((8, 12, 12, 1)).astype("float32")
    labels = np.concatenate([images > 0.3, images > 0.7], -1).astype(np.uint8)
    model = keras.Sequential([keras.Input((12, 12, 1)), keras.layers.Conv2D(2, 1)])
    loss = Overlapping([CROSS_ENTROPY, ForwardLikelihood(BoundaryPrior.known(0.1))])
    model.compile(keras.optimizers.Adam(0.5), loss, jit_compile=False)
    model.fit(images, labels, epochs=60, batch_size=8, verbose=0)
    assert ((np.asarray(model(images)) > 0) == labels).mean() > 0.95


@pytest.mark.parametrize("losses", [ForwardLikelihood(PRIOR), [ForwardLikelihood(PRIOR), SoftDice()]])
def test_it_survives_being_saved(losses):
    labels, logits = example()
    loss = Overlapping(losses, (1.0, 2.0))
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert float(copy(labels, logits)) == pytest.approx(float(loss(labels, logits)))


LABELS, LOGITS = example()
PAIR = [CROSS_ENTROPY, CROSS_ENTROPY]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Overlapping([]), r"losses must be a keras.losses.Loss, or a list of one for each structure; got \[\]"),
        (
            lambda: Overlapping([CROSS_ENTROPY, keras.losses.BinaryCrossentropy(from_logits=True)]),
            "losses must be on two classes, of Keras's own one of .*; got BinaryCrossentropy",
        ),
        (lambda: Overlapping(keras.losses.Dice()), "losses must be on two classes.*; got Dice"),
        (lambda: Overlapping("mse"), "losses must be a keras.losses.Loss; got 'mse'"),
        (lambda: Overlapping(PAIR, [1.0]), "weights must be one for each of the 2 losses; got 1"),
        (lambda: Overlapping(PAIR, [0.0, 0.0]), "weights must be a list of .* not all 0, one for each structure"),
        (lambda: Overlapping(PAIR)(*example(structures=3)), r"each of the 2 structures; got shapes \(2, 6, 7, 3\)"),
        (lambda: Overlapping(CROSS_ENTROPY, [1, 2, 3])(LABELS, LOGITS), "with a channel for each of the 3 structures"),
        (
            lambda: Overlapping(CROSS_ENTROPY)(LABELS[..., 0], LOGITS),
            r"labels and logits must both be \(N, H, W, S\) or .*; got shapes \(2, 6, 7\) and \(2, 6, 7, 2\)",
        ),
        (lambda: Overlapping(CROSS_ENTROPY)(LABELS, LOGITS[..., :1]), r"both be .* got .* and \(2, 6, 7, 1\)"),
        (lambda: Overlapping(CROSS_ENTROPY)(LABELS, np.moveaxis(LOGITS, -1, 1)), r"both be .* and \(2, 2, 6, 7\)"),
        (
            lambda: Overlapping(PAIR)(np.moveaxis(LABELS, -1, 1), np.moveaxis(LOGITS, -1, 1)),
            r"\(N, H, W, S\) or \(N, D, H, W, S\), with a channel for each of the 2",
        ),
        (
            lambda: Overlapping(PAIR, data_format="channels_first")(LABELS, LOGITS),
            r"\(N, S, H, W\) or \(N, S, D, H, W\), with a channel for each of the 2",
        ),
        (lambda: Overlapping(PAIR)(LABELS + (LABELS == 1), LOGITS), "labels must be 0, 1 or 255 in .*; got 2"),
        (lambda: Overlapping(PAIR)(LOGITS, LABELS), "labels must be 0, 1 or 255"),
    ],
)
def test_wrong_values_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
