"""Losses of soft labels and of the annotator's error: by hand, at their limits, and over many annotations."""

import keras
import numpy as np
import pytest
from keras import ops
from loss_cases import as_logits, one_hot, two_classes

from thesis_lib.annotation import geometry
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.simulated import DisplacementField
from thesis_lib.backend import gradient
from thesis_lib.targets import blurring, losses, smoothing
from thesis_lib.targets.losses import ForwardLikelihood, SmoothedLoss
from thesis_lib.targets.overlap import SoftDice

PRIOR = BoundaryPrior.known(1.0)


def test_one_hot_training_is_keras_cross_entropy(example):
    labels, logits = example
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    assert float(SmoothedLoss(smoothing.OneHot())(labels, logits)) == pytest.approx(float(expected), rel=1e-5)


def test_cross_entropy_is_least_at_the_soft_target(example):
    labels, logits = example
    rule = smoothing.Posterior(PRIOR)
    loss = SmoothedLoss(rule)
    q = np.asarray(rule(labels, 3))
    best = float(loss(labels, as_logits(q)))
    assert best < float(loss(labels, as_logits(0.9 * q + 0.1 / 3)))
    assert best < float(loss(labels, as_logits(one_hot(labels) * 0.98 + 0.01)))


def test_the_forward_likelihood_by_hand():
    """Three pixels, and a sigma so large that every true pixel is equally likely: the blur is the mean."""
    predicted = np.array([[[[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]]]])
    loss = ForwardLikelihood(BoundaryPrior.known(1000.0))
    value = float(loss(np.array([[[0, 0, 1]]]), as_logits(predicted)))
    assert value == pytest.approx(-np.log(0.5), abs=1e-4)


def test_a_prior_fitted_on_many_scenes_gives_finite_losses(example):
    fitted = BoundaryPrior().update(np.random.default_rng(0).normal(size=5000))
    assert np.isfinite(float(ForwardLikelihood(fitted)(*example)))


def test_the_forward_likelihood_blurs_the_prediction_not_the_label(example):
    labels, logits = example
    drawn = np.asarray(blurring.blur(ops.softmax(logits), PRIOR))
    expected = -np.log(np.take_along_axis(drawn, labels[..., None], -1)).mean()
    assert float(ForwardLikelihood(PRIOR)(labels, logits)) == pytest.approx(expected, rel=1e-4)


def test_without_error_the_forward_likelihood_is_cross_entropy(example):
    labels, logits = example
    plain = SmoothedLoss(smoothing.OneHot())(labels, logits)
    assert float(ForwardLikelihood(BoundaryPrior.known(0.0))(labels, logits)) == pytest.approx(float(plain), rel=1e-4)


@pytest.mark.parametrize("gap", [17.0, 40.0])
def test_a_network_that_is_sure_and_wrong_still_learns(gap):
    """A 10 px square is missed altogether: the likelihood's gradient there is as large as that of cross-entropy."""
    labels = np.zeros((1, 24, 24), int)
    labels[:, 7:17, 7:17] = 1
    logits = np.zeros(labels.shape + (2,), "float32")
    logits[..., 0] = gap
    usual = SmoothedLoss(smoothing.OneHot())
    exact, blurred = ForwardLikelihood(BoundaryPrior.known(0.0)), ForwardLikelihood(BoundaryPrior.known(1.0))
    assert float(exact(labels, logits)) == pytest.approx(float(usual(labels, logits)), rel=1e-4)

    def size(loss):
        return np.abs(np.array(gradient(lambda z: loss(labels, z), ops.convert_to_tensor(logits)))).sum()

    assert size(exact) == pytest.approx(size(usual), rel=1e-3)
    assert size(blurred) == pytest.approx(size(usual), rel=0.05)


def test_over_many_annotations_the_sharp_truth_has_the_highest_likelihood(disc):
    """Blurred predictions, and predictions that are too large or too small, are less likely than the truth."""
    drawn = DisplacementField(2.0, 4.0, background=0)(np.stack([disc.astype(int)] * 100), 0)
    forward = ForwardLikelihood(BoundaryPrior.known(2.0))

    def value(loss, inside):
        probabilities = two_classes(np.clip(np.asarray(inside, float), 0.001, 0.999))
        return float(loss(drawn, as_logits(np.stack([probabilities] * len(drawn)))))

    blurred = np.asarray(smoothing.Posterior(BoundaryPrior.known(2.0))(disc[None].astype(int), 2))[0, ..., 1]
    truth = value(forward, disc)
    assert truth < value(forward, blurred)
    for pixels in (-2.0, 2.0):
        assert truth < value(forward, geometry.shift_boundaries(disc, pixels))
    # Cross-entropy on the same annotations prefers the blurred prediction.
    cross_entropy = SmoothedLoss(smoothing.OneHot())
    assert value(cross_entropy, blurred) < value(cross_entropy, disc)


def test_any_loss_can_score_the_blurred_prediction(example):
    labels, logits = example
    plain = SmoothedLoss(smoothing.OneHot())

    def forward(loss, sigma=1.0):
        return float(ForwardLikelihood(BoundaryPrior.known(sigma), loss=loss)(labels, logits))

    assert forward(plain) == pytest.approx(float(ForwardLikelihood(PRIOR)(labels, logits)), rel=1e-4)
    dice = SmoothedLoss(smoothing.OneHot(), SoftDice())
    assert forward(dice, 0.0) == pytest.approx(float(dice(labels, logits)), rel=1e-4)
    blurred = np.asarray(blurring.blur(ops.softmax(logits), PRIOR))
    assert forward(dice) == pytest.approx(float(dice(labels, as_logits(blurred))), rel=1e-4)


def test_a_sum_of_losses_is_the_sum_of_their_means(example):
    labels, logits = example
    parts = [SmoothedLoss(smoothing.OneHot()), SmoothedLoss(smoothing.OneHot(), SoftDice())]
    separately = sum(float(loss(labels, logits)) for loss in parts)
    assert float(losses.Sum(parts)(labels, logits)) == pytest.approx(separately, rel=1e-5)


@pytest.mark.parametrize(
    "rule, expected",
    [
        ("uniform", [1, 1, 1, 1]),
        ("drop_background", [0, 1, 1, 1]),
        ("largest", [1, 1.5, 3, 0]),
        ("smallest", [1 / 3, 0.5, 1, 0]),
        ("median", [4 / 6, 1, 2, 0]),
    ],
)
def test_class_weights_by_hand(rule, expected):
    labels = np.repeat([0, 1, 2], [6, 4, 2]).reshape(1, 3, 4)
    np.testing.assert_allclose(losses.class_weights(rule, labels, 4, background=0), expected)


@pytest.mark.parametrize(
    "make", [lambda w: SmoothedLoss(smoothing.OneHot(), class_weights=w), lambda w: ForwardLikelihood(PRIOR, w)]
)
def test_a_pixel_of_weight_zero_does_not_count(make, example):
    labels, logits = example
    only = make([0.0, 1.0, 0.0])
    changed = labels.copy()
    changed[labels == 0] = 2
    assert float(only(labels, logits)) == pytest.approx(float(only(changed, logits)), rel=1e-6)
    doubled, plain = make([2.0, 2.0, 2.0]), make(None)
    assert float(doubled(labels, logits)) == pytest.approx(2 * float(plain(labels, logits)), rel=1e-5)


def test_blurred_labels_next_to_pixels_to_ignore_sum_to_one(example):
    labels, logits = example
    labels[:] = 1
    labels[:, 4:] = 255
    soft, plain = (SmoothedLoss(rule)(labels, logits) for rule in (smoothing.Posterior(PRIOR), smoothing.OneHot()))
    np.testing.assert_allclose(float(soft), float(plain), rtol=1e-5)  # nothing but class 1 is known


def test_class_weights_and_ignored_pixels(example):
    labels, logits = example
    labels[:, 4:] = 255
    weights, expected = (losses.class_weights("largest", maps, 3, 0) for maps in (labels, labels[:, :4]))
    np.testing.assert_allclose(weights, expected)
    loss = SmoothedLoss(smoothing.OneHot(), class_weights=[1.0, 2.0, 3.0])
    np.testing.assert_allclose(float(loss(labels, logits)), float(loss(labels[:, :4], logits[:, :4])), rtol=1e-5)


def test_a_training_does_not_need_to_know_the_size_of_a_batch_or_of_an_image():
    import tensorflow

    loss = ForwardLikelihood(BoundaryPrior.known(1.5))
    generator = np.random.default_rng(0)
    labels, logits = generator.integers(0, 3, (2, 6, 9)), generator.normal(size=(2, 6, 9, 3)).astype("float32")
    for sides in ((6, 9), (None, None)):
        given = [tensorflow.TensorSpec((None, *sides), "int64"), tensorflow.TensorSpec((None, *sides, 3), "float32")]
        traced = tensorflow.function(loss, input_signature=given)
        np.testing.assert_allclose(traced(labels, logits), loss(labels, logits), rtol=1e-6)
