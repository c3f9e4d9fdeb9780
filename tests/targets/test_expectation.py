"""The labels that the network and the annotator expect together, and the Dice loss against them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from thesis_lib.annotation import BoundaryPrior
from thesis_lib.targets import ForwardDice, ForwardLikelihood, SoftDice, blur, expected_labels, objective

PRIOR = BoundaryPrior(0.0, 3.0, 2.6, 2.0)


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


def test_cross_entropy_against_the_expected_labels_has_the_gradient_of_the_likelihood():
    generator = np.random.default_rng(1)
    labels, logits = generator.integers(0, 3, (1, 30, 30)), generator.normal(0, 2, (1, 30, 30, 3)).astype("float32")
    prior = BoundaryPrior.known(1.0)
    probabilities = keras.ops.softmax(logits)
    votes = probabilities * blur(keras.ops.one_hot(labels, 3) / blur(probabilities, prior), prior)
    total = keras.ops.sum(votes, axis=-1)
    expected = expected_labels(labels, probabilities, prior)
    np.testing.assert_allclose(expected, votes / total[..., None], atol=1e-5)
    of_labels = gradient(
        lambda z: tf.reduce_sum(total * keras.losses.categorical_crossentropy(expected, z, True)), logits
    )
    of_likelihood = gradient(lambda z: tf.reduce_sum(ForwardLikelihood(prior).call(labels, z)), logits)
    inside = (slice(None), slice(8, -8), slice(8, -8))  # two reaches of the kernel from the edge
    np.testing.assert_allclose(of_labels[inside], of_likelihood[inside], atol=1e-4)


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


def test_it_is_saved_with_its_prior():
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(ForwardDice(PRIOR)))
    assert again.likelihood.prior == PRIOR
    with pytest.raises(ValueError, match="prior must be a BoundaryPrior"):
        ForwardDice(2.0)
