"""The labels that the network and the annotator expect together, and the Dice loss against them."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from thesis_lib.annotation import BoundaryPrior
from thesis_lib.targets import (
    ForwardDice,
    ForwardLikelihood,
    ShiftLikelihood,
    SoftDice,
    blur,
    expected_labels,
    objective,
    shifted,
)
from thesis_lib.targets.expectation import votes

PRIOR = BoundaryPrior(0.0, 3.0, 2.6, 2.0)
shift = partial(shifted, background=1)


@pytest.fixture
def batch():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, (2, 12, 14))
    labels[0, :4, :4] = 255
    return labels, generator.normal(0, 2, (2, 12, 14, 3)).astype("float32")


def gradient(function, logits):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = function(logits)
    return tape.gradient(value, logits).numpy()


@pytest.mark.parametrize("drawing", [None, shift], ids=["blur", "shift"])
def test_cross_entropy_against_the_votes_has_the_gradient_of_the_likelihood(batch, drawing):
    """Fisher's identity, up to the image's border and beside pixels of no class."""
    labels, logits = batch
    likelihood = ForwardLikelihood(PRIOR) if drawing is None else ShiftLikelihood(PRIOR, background=1)
    fixed = votes(labels, keras.ops.softmax(logits), PRIOR, drawing=drawing)
    assert float(keras.ops.min(fixed)) >= 0
    of_votes = gradient(lambda z: -tf.reduce_sum(fixed * tf.nn.log_softmax(z)) / np.sum(labels != 255), logits)
    of_likelihood = gradient(lambda z: likelihood(labels, z), logits)
    np.testing.assert_allclose(of_votes, of_likelihood, atol=1e-6)


def test_every_drawn_pixel_has_one_vote_and_far_inside_an_object_it_stays_there(batch):
    labels, logits = batch
    shared = votes(labels, keras.ops.softmax(logits), PRIOR)
    assert float(keras.ops.sum(shared)) == pytest.approx((labels != 255).sum(), rel=1e-4)
    sure = np.full((1, 40, 40, 2), 0.01, "float32")
    sure[..., 1] = 0.99
    inside = np.asarray(votes(np.ones((1, 40, 40), int), sure, PRIOR))[0, 20, 20]
    np.testing.assert_allclose(inside, [0, 1], atol=1e-3)


def test_the_expected_labels_are_the_probabilities_times_the_blurred_ratio_of_drawn_and_expected(batch):
    """Away from the image's border, where the blur is its own transpose."""
    generator = np.random.default_rng(1)
    labels, logits = generator.integers(0, 3, (1, 30, 30)), generator.normal(0, 2, (1, 30, 30, 3)).astype("float32")
    prior, probabilities = BoundaryPrior.known(1.0), keras.ops.softmax(logits)
    by_hand = probabilities * blur(keras.ops.one_hot(labels, 3) / blur(probabilities, prior), prior)
    by_hand = by_hand / keras.ops.sum(by_hand, axis=-1, keepdims=True)
    inside = (slice(None), slice(8, -8), slice(8, -8))  # two reaches of the kernel from the border
    expected = expected_labels(labels, probabilities, prior)
    np.testing.assert_allclose(np.asarray(expected)[inside], np.asarray(by_hand)[inside], atol=1e-5)


def test_without_an_error_it_is_cross_entropy_and_dice(batch):
    labels, logits = batch
    exact = ForwardDice(BoundaryPrior.known(0.0))(labels, logits)
    assert float(exact) == pytest.approx(float(objective("one_hot_dice")(labels, logits)), rel=1e-4)


def test_no_gradient_passes_through_the_expected_labels(batch):
    labels, logits = batch
    fixed = expected_labels(labels, keras.ops.softmax(logits), PRIOR)
    whole = gradient(lambda z: tf.reduce_mean(ForwardDice(PRIOR).call(labels, z)), logits)
    likelihood = gradient(lambda z: tf.reduce_mean(ForwardLikelihood(PRIOR).call(labels, z)), logits)
    dice = gradient(lambda z: tf.reduce_mean(SoftDice().call(fixed, z)), logits)
    np.testing.assert_allclose(whole, likelihood + dice, atol=1e-5)


def test_the_expected_map_of_a_blurred_disc_is_sharper_than_its_posterior():
    rows, columns = np.indices((40, 40)) - 20
    mask = np.hypot(rows, columns) < 8
    sure = np.stack([~mask, mask], -1)[None] * 0.98 + 0.01
    expected = keras.ops.convert_to_numpy(expected_labels(mask[None].astype(int), sure.astype("float32"), PRIOR))
    assert np.abs(expected[0, ..., 1] - mask).mean() < 0.02


@pytest.mark.parametrize("label", [-1, 0.5, np.nan, 3])
def test_labels_that_are_no_classes_are_named(label):
    labels = np.full((1, 4, 4), label)
    with pytest.raises(ValueError, match=r"labels must be classes in 0..2, or 255; got values from"):
        expected_labels(labels, np.full((1, 4, 4, 3), 1 / 3), PRIOR)


def test_it_is_saved_with_its_prior():
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(ForwardDice(PRIOR)))
    assert again.likelihood.prior == PRIOR
    with pytest.raises(ValueError, match="prior must be a BoundaryPrior"):
        ForwardDice(2.0)
