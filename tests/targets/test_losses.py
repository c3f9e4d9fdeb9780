import keras
import numpy as np
import pytest
from keras import ops

from thesis_lib.annotation import geometry
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.semi_supervised.virtual_adversarial import gradient
from thesis_lib.targets import losses, objectives, smoothing
from thesis_lib.targets.losses import ForwardLikelihood, SmoothedLoss, SoftDice, SoftJaccard

PRIOR = BoundaryPrior.known(1.0)


@pytest.fixture
def example():
    generator = np.random.default_rng(0)
    return generator.integers(0, 3, (2, 8, 9)), generator.normal(0, 2, (2, 8, 9, 3)).astype("float32")


def as_logits(probabilities):
    return np.log(np.maximum(probabilities, 1e-9)).astype("float32")


def one_hot(labels, k=3):
    return np.eye(k, dtype="float32")[labels]


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
    """One row of three pixels, sigma so large that every true pixel is equally likely: the mean of the beliefs."""
    beliefs = np.array([[[[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]]]])
    loss = ForwardLikelihood(BoundaryPrior.known(1000.0))
    value = float(loss(np.array([[[0, 0, 1]]]), as_logits(beliefs)))
    assert value == pytest.approx(-np.log(0.5), abs=1e-4)


def test_a_prior_fitted_on_many_scenes_gives_finite_losses(example):
    fitted = BoundaryPrior().update(np.random.default_rng(0).normal(size=5000))
    assert np.isfinite(float(ForwardLikelihood(fitted)(*example)))


def test_the_forward_likelihood_blurs_the_prediction_not_the_label(example):
    labels, logits = example
    beliefs = np.asarray(ops.softmax(logits))
    drawn = np.asarray(smoothing.blur(ops.convert_to_tensor(beliefs), PRIOR))
    expected = -np.log(np.take_along_axis(drawn, labels[..., None], -1)).mean()
    assert float(ForwardLikelihood(PRIOR)(labels, logits)) == pytest.approx(expected, rel=1e-4)


def test_without_error_the_forward_likelihood_is_cross_entropy(example):
    labels, logits = example
    plain = SmoothedLoss(smoothing.OneHot())(labels, logits)
    assert float(ForwardLikelihood(BoundaryPrior.known(0.0))(labels, logits)) == pytest.approx(float(plain), rel=1e-4)


@pytest.mark.parametrize("gap", [17.0, 40.0])
def test_a_network_that_is_sure_and_wrong_still_learns(gap):
    """A 10 px square is missed altogether: the likelihood's gradient there is as large as cross-entropy's."""
    labels = np.zeros((1, 24, 24), int)
    labels[:, 7:17, 7:17] = 1
    logits = ops.convert_to_tensor(np.stack([np.full(labels.shape, gap), np.zeros(labels.shape)], -1).astype("float32"))
    exact, blurred, usual = (
        ForwardLikelihood(BoundaryPrior.known(0.0)),
        ForwardLikelihood(BoundaryPrior.known(1.0)),
        SmoothedLoss(smoothing.OneHot()),
    )
    assert float(exact(labels, logits)) == pytest.approx(float(usual(labels, logits)), rel=1e-4)
    size = lambda loss: np.abs(np.array(gradient(lambda z: loss(labels, z), logits))).sum()
    assert size(exact) == pytest.approx(size(usual), rel=1e-3) and size(blurred) == pytest.approx(size(usual), rel=0.05)


def test_labels_of_another_rank_are_named(example):
    labels, logits = example[0], example[1]
    for loss in (ForwardLikelihood(BoundaryPrior.known(1.0)), SmoothedLoss(smoothing.OneHot())):
        with pytest.raises(ValueError, match=r"labels must be integer class maps \(N, H, W\) beside logits"):
            loss.call(labels[..., None], logits)
    with pytest.raises(ValueError, match="smoothing must be a rule of thesis_lib.targets"):
        SmoothedLoss("one_hot")
    with pytest.raises(ValueError, match="prior must be a BoundaryPrior; got 1.0"):
        smoothing.Posterior(1.0)
    with pytest.raises(ValueError, match="labels must hold a pixel that is not to be ignored"):
        losses.class_weights("largest", np.full((1, 2, 2), 255), 3, 0)


def test_over_many_annotations_the_sharp_truth_has_the_highest_likelihood(disc):
    """Blurred predictions, and predictions that are too large or too small, are less likely than the truth."""
    from thesis_lib.annotation.simulated import DisplacementField

    drawn = DisplacementField(2.0, 4.0, background=0)(np.stack([disc.astype(int)] * 100), 0)
    loss = ForwardLikelihood(BoundaryPrior.known(2.0))
    value = lambda p: float(loss(drawn, as_logits(np.stack([np.stack([1 - p, p], -1)] * 100))))
    clip = lambda mask: np.clip(np.asarray(mask, float), 0.001, 0.999)
    blurred = np.asarray(smoothing.Posterior(BoundaryPrior.known(2.0))(disc[None].astype(int), 2))[0, ..., 1]
    truth = value(clip(disc))
    assert truth < value(clip(blurred))
    for pixels in (-2.0, 2.0):
        assert truth < value(clip(geometry.shift_boundaries(disc, pixels)))
    # cross-entropy on the same annotations prefers the blur
    plain = SmoothedLoss(smoothing.OneHot())
    score = lambda p: float(plain(drawn, as_logits(np.stack([np.stack([1 - p, p], -1)] * 100))))
    assert score(clip(blurred)) < score(clip(disc))


def test_any_loss_can_score_the_blurred_belief(example):
    labels, logits = example
    plain = SmoothedLoss(smoothing.OneHot())
    forward = lambda loss, sigma=1.0: float(ForwardLikelihood(BoundaryPrior.known(sigma), loss=loss)(labels, logits))
    assert forward(plain) == pytest.approx(float(ForwardLikelihood(PRIOR)(labels, logits)), rel=1e-4)
    dice = SmoothedLoss(smoothing.OneHot(), SoftDice())
    assert forward(dice, 0.0) == pytest.approx(float(dice(labels, logits)), rel=1e-4)
    blurred = np.asarray(smoothing.blur(ops.softmax(logits), PRIOR))
    assert forward(dice) == pytest.approx(float(dice(labels, as_logits(blurred))), rel=1e-4)


def test_a_sum_of_losses_is_the_sum_of_their_means(example):
    labels, logits = example
    parts = [SmoothedLoss(smoothing.OneHot()), SmoothedLoss(smoothing.OneHot(), SoftDice())]
    assert float(losses.Sum(parts)(labels, logits)) == pytest.approx(
        sum(float(p(labels, logits)) for p in parts), rel=1e-5
    )


@pytest.mark.parametrize(
    "loss, usual", [(SoftDice(), lambda i, total: 2 * i / total), (SoftJaccard(), lambda i, total: i / (total - i))]
)
def test_on_hard_labels_the_semimetric_forms_equal_the_usual_ones(loss, usual, example):
    labels, logits = example
    target, belief = one_hot(labels), np.asarray(ops.softmax(logits))
    intersection, total = (target * belief).sum((1, 2)), (target + belief).sum((1, 2))
    assert float(loss(target, logits)) == pytest.approx(1 - usual(intersection, total).mean(), abs=1e-5)


@pytest.mark.parametrize("loss", [SoftDice(), SoftJaccard()])
def test_on_soft_labels_the_optimum_is_the_label_itself(loss):
    target = np.zeros((1, 4, 4, 2), "float32")
    target[..., 0], target[..., 1] = 0.5, 0.5
    value = lambda p: float(loss(target, as_logits(np.stack([np.full((1, 4, 4), p), np.full((1, 4, 4), 1 - p)], -1))))
    assert value(0.5) == pytest.approx(0.0, abs=1e-5)
    assert min(value(p) for p in (0.01, 0.3, 0.45, 0.55, 0.7, 0.99)) > 0.02


def test_a_class_that_is_nowhere_costs_nothing():
    target = one_hot(np.zeros((1, 4, 4), int))
    assert float(SoftDice()(target, 100 * target)) == pytest.approx(0.0, abs=1e-5)


LABELS = np.array([[[0, 0, 0, 0], [1, 1, 2, 2]], [[0, 0, 0, 0], [1, 1, 2, 2]]])[:, :, :3]  # counts 6, 4, 2


@pytest.mark.parametrize(
    "rule, expected",
    [("uniform", [1, 1, 1, 0]), ("drop_background", [0, 1, 1, 1]), ("largest", [1, 1.5, 3, 0]),
     ("smallest", [1 / 3, 0.5, 1, 0]), ("median", [4 / 6, 1, 2, 0])],
)  # fmt: skip
def test_class_weights_by_hand(rule, expected):
    weights = losses.class_weights(rule, LABELS, 4, background=0)
    if rule == "uniform":
        expected = [1, 1, 1, 1]
    np.testing.assert_allclose(weights, expected)


@pytest.mark.parametrize(
    "make", [lambda w: SmoothedLoss(smoothing.OneHot(), class_weights=w), lambda w: ForwardLikelihood(PRIOR, w)]
)
def test_a_pixel_of_weight_zero_does_not_count(make, example):
    labels, logits = example
    only = make([0.0, 1.0, 0.0])
    changed = labels.copy()
    changed[labels == 0] = 2
    assert float(only(labels, logits)) == pytest.approx(float(only(changed, logits)), rel=1e-6)
    assert float(make([2.0, 2.0, 2.0])(labels, logits)) == pytest.approx(
        2 * float(make(None)(labels, logits)), rel=1e-5
    )


@pytest.mark.parametrize("name", objectives.OBJECTIVES)
def test_every_objective_is_finite_and_survives_being_saved(name, example):
    labels, logits = example
    counts = smoothing.adjacency(labels, 3)
    tiny = BoundaryPrior.known(0.3)
    loss = objectives.objective(name, prior=tiny, adjacency=counts)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    value = float(loss(labels, logits))
    assert np.isfinite(value) and float(copy(labels, logits)) == pytest.approx(value)


def test_wrong_values_are_named():
    with pytest.raises(ValueError, match="objective must be one of dice, fixed_adjacent, .*'magic'"):
        objectives.objective("magic")
    with pytest.raises(ValueError, match="prior must be a BoundaryPrior for the objective 'forward'"):
        objectives.objective("forward")
    with pytest.raises(ValueError, match="prior must be a BoundaryPrior; got 1.0"):
        ForwardLikelihood(1.0)
    with pytest.raises(ValueError, match="class_weights must be one of drop_background, largest, median"):
        losses.class_weights("heavy", LABELS, 4, 0)
    with pytest.raises(ValueError, match="class_weights must be a list of finite numbers"):
        ForwardLikelihood(PRIOR, [1.0, -1.0])
    with pytest.raises(ValueError, match="a weight for each of the 3 classes; got 2"):
        ForwardLikelihood(PRIOR, [1.0, 1.0])(LABELS, np.zeros(LABELS.shape + (3,), "float32"))
    with pytest.raises(ValueError, match="class_weights must be None for the objective 'dice'"):
        objectives.objective("dice", class_weights=[1.0, 1.0])
    with pytest.raises(ValueError, match="class_weights must be None beside a loss"):
        ForwardLikelihood(PRIOR, [1.0, 1.0, 1.0], loss=SmoothedLoss(smoothing.OneHot()))
    with pytest.raises(ValueError, match="one value a pixel; soft_dice has one an image"):
        SmoothedLoss(smoothing.OneHot(), SoftDice(), [1.0, 1.0, 1.0])(LABELS, np.zeros(LABELS.shape + (3,), "float32"))


@pytest.mark.parametrize("name", objectives.OBJECTIVES)
def test_pixels_to_ignore_are_not_learned_from(example, name):
    labels, logits = example
    labels = labels.astype(np.uint8)
    loss = objectives.objective(name, prior=BoundaryPrior.known(0.4), adjacency=smoothing.adjacency(labels, 3))
    labels[:, 5:] = 255
    altered = logits.copy()
    altered[:, 7:] += 3 * np.random.default_rng(1).normal(size=altered[:, 7:].shape)  # out of the blurs' reach, 2 px
    assert not np.array_equal(altered, logits)
    assert np.isfinite(float(loss(labels, logits)))
    np.testing.assert_allclose(float(loss(labels, altered)), float(loss(labels, logits)), rtol=1e-5)
    # As if the image ended there, for what looks at pixels alone.
    if name in ("one_hot", "uniform", "weighted_adjacent", "dice", "jaccard"):
        np.testing.assert_allclose(float(loss(labels, logits)), float(loss(labels[:, :5], logits[:, :5])), rtol=1e-5)
    nothing = np.full_like(labels, 255)
    assert float(loss(nothing, logits)) == pytest.approx(0, abs=1e-6)
    together = float(loss(np.concatenate([labels, nothing]), np.concatenate([logits, logits])))
    np.testing.assert_allclose(together, float(loss(labels, logits)), rtol=1e-5)


def test_a_blur_beside_pixels_to_ignore_still_makes_whole_labels(example):
    labels, logits = example
    labels[:] = 1
    labels[:, 4:] = 255
    soft, plain = (SmoothedLoss(rule)(labels, logits) for rule in (smoothing.Posterior(PRIOR), smoothing.OneHot()))
    np.testing.assert_allclose(float(soft), float(plain), rtol=1e-5)  # nothing but class 1 is known


def test_class_weights_and_ignored_pixels(example):
    labels, logits = example
    labels[:, 4:] = 255
    np.testing.assert_allclose(
        losses.class_weights("largest", labels, 3, 0), losses.class_weights("largest", labels[:, :4], 3, 0)
    )
    loss = SmoothedLoss(smoothing.OneHot(), class_weights=[1.0, 2.0, 3.0])
    np.testing.assert_allclose(float(loss(labels, logits)), float(loss(labels[:, :4], logits[:, :4])), rtol=1e-5)
