import keras
import numpy as np
import pytest
from keras import ops

from thesis_lib.annotation import geometry
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.simulated import DisplacementField
from thesis_lib.backend import gradient
from thesis_lib.targets import blurring, class_matrices, losses, objectives, smoothing
from thesis_lib.targets.expectation import ForwardDice, expected_labels
from thesis_lib.targets.losses import ForwardLikelihood, SmoothedLoss
from thesis_lib.targets.overlap import SoftDice, SoftJaccard
from thesis_lib.targets.shift import ShiftLikelihood, shifted

PRIOR = BoundaryPrior.known(1.0)


@pytest.fixture
def example():
    generator = np.random.default_rng(0)
    return generator.integers(0, 3, (2, 8, 9)), generator.normal(0, 2, (2, 8, 9, 3)).astype("float32")


def as_logits(probabilities):
    return np.log(np.maximum(probabilities, 1e-9)).astype("float32")


def two_classes(inside):
    """Probabilities (..., 2) from those of the second class."""
    return np.stack([1 - np.asarray(inside), inside], -1)


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


def test_labels_of_another_rank_are_named(example):
    labels, logits = example
    for loss in (ForwardLikelihood(BoundaryPrior.known(1.0)), SmoothedLoss(smoothing.OneHot())):
        with pytest.raises(ValueError, match=r"labels must be integer class maps \(N, H, W\) beside logits"):
            loss.call(labels[..., None], logits)
    with pytest.raises(ValueError, match="smoothing must be a rule of thesis_lib.targets"):
        SmoothedLoss("one_hot")
    with pytest.raises(ValueError, match="prior must be a BoundaryPrior; got 1.0"):
        smoothing.Posterior(1.0)
    with pytest.raises(ValueError, match="labels must hold a pixel that is not to be ignored"):
        losses.class_weights("largest", np.full((1, 2, 2), 255), 3, 0)


EVERY_LOSS = [
    ForwardLikelihood(PRIOR),
    ForwardDice(PRIOR),
    ShiftLikelihood(PRIOR, 0),
    SmoothedLoss(smoothing.OneHot()),
    SmoothedLoss(smoothing.OneHot(), SoftDice()),
    SmoothedLoss(smoothing.OneHot(), SoftJaccard()),
]


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=lambda loss: loss.name)
@pytest.mark.parametrize("shape", [(1, 8, 9), (2, 1, 9), (2, 1, 1), (2, 9, 8)])
def test_labels_of_another_size_are_refused_not_broadcast(loss, shape, example):
    with pytest.raises(ValueError, match=r"labels must be integer class maps \(N, H, W\) beside logits"):
        loss(np.zeros(shape, int), example[1])


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=lambda loss: loss.name)
def test_logits_of_one_class_which_no_loss_can_teach_are_refused(loss, example):
    labels, logits = example
    with pytest.raises(ValueError, match="logits must be of two classes or more"):
        loss(labels, logits[..., :1])


def test_soft_labels_of_another_size_are_refused(example):
    _, logits = example
    for loss in (SoftDice(), SoftJaccard()):
        for shape in ((2, 8, 9), (1, 8, 9, 3), (2, 8, 9, 1)):
            with pytest.raises(ValueError, match=r"soft labels must be \(N, H, W, K\) as the logits are"):
                loss(np.ones(shape), logits)


@pytest.mark.parametrize("floatx, tolerance", [("float64", 1e-6), ("float16", 5e-3)])
@pytest.mark.parametrize("name", objectives.OBJECTIVES)
def test_every_objective_keeps_its_value_in_double_and_half_precision(name, floatx, tolerance, example):
    labels, logits = example
    parts = {"prior": BoundaryPrior.known(0.3), "adjacency": class_matrices.adjacency(labels, 3), "background": 0}
    expected = float(objectives.objective(name, **parts)(labels, logits))
    keras.config.set_floatx(floatx)
    try:
        loss = objectives.objective(name, **parts)
        assert float(loss(labels, logits)) == pytest.approx(expected, rel=tolerance)
    finally:
        keras.config.set_floatx("float32")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: losses.Sum("ab"), "losses must be a list of one keras.losses.Loss or more; got 'ab'"),
        (lambda: losses.Sum([]), r"losses must be a list of one .*; got \[\]"),
        (lambda: losses.Sum(["mse"]), "losses must be a keras.losses.Loss; got 'mse'"),
        (lambda: ForwardLikelihood(PRIOR, loss="mse"), "loss must be a keras.losses.Loss; got 'mse'"),
        (lambda: SmoothedLoss(smoothing.OneHot(), "mse"), "loss must be a keras.losses.Loss; got 'mse'"),
        (
            lambda: SmoothedLoss(smoothing.OneHot(), keras.losses.CategoricalCrossentropy()),
            "loss must take logits, from_logits=True; got categorical_crossentropy of probabilities",
        ),
        (lambda: SmoothedLoss(smoothing.OneHot), "smoothing must be a rule of thesis_lib.targets"),
        (
            lambda: ForwardLikelihood(PRIOR, {0: 1.0, 1: 2.0}),
            r"class_weights must be a list .*; got \{0: 1.0, 1: 2.0\}",
        ),
        (lambda: ForwardLikelihood(PRIOR, ["a", "b"]), r"class_weights must be a list .*; got \['a', 'b'\]"),
        (
            lambda: ForwardLikelihood(PRIOR, [[1.0], [1.0, 2.0]]),
            "class_weights must be an array, its rows of one length",
        ),
        (lambda: ForwardLikelihood(PRIOR, [0.0, 0.0]), "class_weights must be .* not all 0"),
        (
            lambda: ForwardLikelihood(PRIOR, [1.0, 1e300]),
            r"class_weights must be .* from 0 to 1e30.*; got \[1.0, 1e\+300\]",
        ),
        (lambda: ForwardLikelihood(PRIOR, [1.0, float("nan")]), "class_weights must be a list of finite numbers"),
        (
            lambda: losses.class_weights("largest", [[0, 1], [1]], 2, 0),
            "labels must be an array, its rows of one length",
        ),
        (lambda: losses.class_weights("uniform", LABELS, "4", 0), "num_classes must be .* from 1 to 65536; got '4'"),
        (
            lambda: losses.class_weights("uniform", LABELS, 10**400, 0),
            "num_classes must be .* from 1 to 65536; got 1000",
        ),
        (lambda: blurring.blur(np.zeros((4, 4)), PRIOR), r"maps must be a float tensor \(N, H, W, K\); got \(4, 4\)"),
        (lambda: blurring.blur(np.zeros((1, 4, 4, 2)), 1.0), "prior must be a BoundaryPrior; got 1.0"),
        (lambda: shifted("ab", PRIOR, 0), r"maps must be a float tensor \(N, H, W, K\); got str"),
        (
            lambda: expected_labels("ab", np.zeros((1, 4, 4, 2)), PRIOR),
            "labels must be an array or a tensor of numbers; got 'ab'",
        ),
        (lambda: ForwardLikelihood(PRIOR)(LABELS, None), "logits must be an array or a tensor of numbers; got None"),
        (
            lambda: ForwardLikelihood(PRIOR)(LABELS + 9, SCORES),
            "labels must be classes in 0..2, .* 9 to 11",
        ),
        (lambda: ForwardLikelihood(PRIOR)(SCORES, LABELS), r"labels must come first and logits second"),
        (lambda: ForwardLikelihood(PRIOR, data_format="last"), "data_format must be one of channels_first, channels_l"),
        (
            lambda: ForwardLikelihood(PRIOR)(LABELS, SCORES.transpose(0, 3, 1, 2)),
            "labels must be integer class maps .* which fit data_format='channels_first'",
        ),
        (lambda: SmoothedLoss(len), "smoothing must be a rule of thesis_lib.targets, such as OneHot"),
        (lambda: smoothing.OneHot()(LABELS / 2, 3), "labels must be integer class maps"),
        (lambda: smoothing.Uniform(0.9)(LABELS, None), "num_classes must be a whole number from 1"),
        (lambda: smoothing.ClassMatrix([[1e200]]), "matrix must be non-negative with rows that sum to one"),
        (lambda: blurring.blur(np.full((1, 2, 2, 2), np.nan), PRIOR), "maps must be an array of finite numbers"),
        (lambda: objectives.objectives_needing(np.array([])), "what must be one of adjacency, background, magnitude"),
        (lambda: expected_labels(LABELS, [0.5], PRIOR), r"probabilities must be a float tensor .*; got list"),
        (lambda: shifted(np.zeros((1, 4, 4, 2), "float32"), PRIOR, 2), "background must be a whole number from 0 to 1"),
    ],
)
def test_wrong_parts_of_a_loss_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


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
    "loss, usual", [(SoftDice(), lambda i, total: 2 * i / total), (SoftJaccard(), lambda i, total: i / (total - i))]
)
def test_on_hard_labels_the_semimetric_forms_equal_the_usual_ones(loss, usual, example):
    labels, logits = example
    target, predicted = one_hot(labels), np.asarray(ops.softmax(logits))
    intersection, total = (target * predicted).sum((1, 2)), (target + predicted).sum((1, 2))
    assert float(loss(target, logits)) == pytest.approx(1 - usual(intersection, total).mean(), abs=1e-5)


@pytest.mark.parametrize("loss", [SoftDice(), SoftJaccard()])
def test_on_soft_labels_the_optimum_is_the_label_itself(loss):
    target = np.full((1, 4, 4, 2), 0.5, "float32")
    value = lambda p: float(loss(target, as_logits(two_classes(np.full((1, 4, 4), p)))))
    assert value(0.5) == pytest.approx(0.0, abs=1e-5)
    assert min(value(p) for p in (0.01, 0.3, 0.45, 0.55, 0.7, 0.99)) > 0.02


def test_a_class_that_is_nowhere_costs_nothing():
    target = one_hot(np.zeros((1, 4, 4), int))
    assert float(SoftDice()(target, 100 * target)) == pytest.approx(0.0, abs=1e-5)


LABELS = np.array([[[0, 0, 0, 0], [1, 1, 2, 2]], [[0, 0, 0, 0], [1, 1, 2, 2]]])[:, :, :3]  # counts 6, 4, 2
SCORES = np.zeros((*LABELS.shape, 3), "float32")


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
    np.testing.assert_allclose(losses.class_weights(rule, LABELS, 4, background=0), expected)


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


@pytest.mark.parametrize("name", objectives.OBJECTIVES)
def test_every_objective_is_finite_and_survives_being_saved(name, example):
    labels, logits = example
    counts = class_matrices.adjacency(labels, 3)
    tiny = BoundaryPrior.known(0.3)
    loss = objectives.objective(name, prior=tiny, adjacency=counts, background=0)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    value = float(loss(labels, logits))
    assert np.isfinite(value) and float(copy(labels, logits)) == pytest.approx(value)


def test_wrong_values_are_named():
    with pytest.raises(ValueError, match="objective must be one of dice, fixed_adjacent, .*'magic'"):
        objectives.objective("magic")
    with pytest.raises(ValueError, match="prior for the objective 'forward' must be a BoundaryPrior; got None"):
        objectives.objective("forward")
    with pytest.raises(ValueError, match="prior must be a BoundaryPrior; got 1.0"):
        ForwardLikelihood(1.0)
    with pytest.raises(ValueError, match="class_weights must be one of drop_background, largest, median"):
        losses.class_weights("heavy", LABELS, 4, 0)
    with pytest.raises(ValueError, match="class_weights must be a list of finite numbers"):
        ForwardLikelihood(PRIOR, [1.0, -1.0])
    with pytest.raises(ValueError, match="a weight for each of the 3 classes; got 2"):
        ForwardLikelihood(PRIOR, [1.0, 1.0])(LABELS, np.zeros(LABELS.shape + (3,), "float32"))
    with pytest.raises(ValueError, match=r"class_weights must be None for the objective 'dice'.*got \[1.0, 1.0\]"):
        objectives.objective("dice", class_weights=[1.0, 1.0])
    with pytest.raises(ValueError, match="class_weights must be None beside a loss"):
        ForwardLikelihood(PRIOR, [1.0, 1.0, 1.0], loss=SmoothedLoss(smoothing.OneHot()))
    with pytest.raises(ValueError, match="one value a pixel; soft_dice has one an image"):
        SmoothedLoss(smoothing.OneHot(), SoftDice(), [1.0, 1.0, 1.0])(LABELS, np.zeros(LABELS.shape + (3,), "float32"))


@pytest.mark.parametrize("name", objectives.OBJECTIVES)
def test_pixels_to_ignore_are_not_learned_from(example, name):
    labels, logits = example
    labels = labels.astype(np.uint8)
    loss = objectives.objective(
        name, prior=BoundaryPrior.known(0.4), adjacency=class_matrices.adjacency(labels, 3), background=0
    )
    labels[:, 5:] = 255
    altered = logits.copy()
    altered[:, 7:] += 3 * np.random.default_rng(1).normal(size=altered[:, 7:].shape)  # 2 px off, beyond every blur
    assert not np.array_equal(altered, logits)
    assert np.isfinite(float(loss(labels, logits)))
    np.testing.assert_allclose(float(loss(labels, altered)), float(loss(labels, logits)), rtol=1e-5)
    # Losses of single pixels are those of an image that ends there.
    if name in ("one_hot", "uniform", "weighted_adjacent", "dice", "jaccard"):
        np.testing.assert_allclose(float(loss(labels, logits)), float(loss(labels[:, :5], logits[:, :5])), rtol=1e-5)
    nothing = np.full_like(labels, 255)
    assert float(loss(nothing, logits)) == pytest.approx(0, abs=1e-6)
    together = float(loss(np.concatenate([labels, nothing]), np.concatenate([logits, logits])))
    np.testing.assert_allclose(together, float(loss(labels, logits)), rtol=1e-5)


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
