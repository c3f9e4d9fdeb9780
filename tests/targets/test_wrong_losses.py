"""What losses, rules and their parts refuse, and how they say so."""

import keras
import numpy as np
import pytest

from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.targets import blurring, losses, objectives, smoothing
from thesis_lib.targets.expectation import ForwardDice, expected_labels
from thesis_lib.targets.losses import ForwardLikelihood, SmoothedLoss
from thesis_lib.targets.overlap import SoftDice, SoftJaccard
from thesis_lib.targets.shift import ShiftLikelihood, shifted

PRIOR = BoundaryPrior.known(1.0)
LABELS = np.array([[[0, 0, 0], [1, 1, 2]]] * 2)
SCORES = np.zeros((*LABELS.shape, 3), "float32")


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
        ForwardLikelihood(PRIOR, [1.0, 1.0])(LABELS, SCORES)
    with pytest.raises(ValueError, match=r"class_weights must be None for the objective 'dice'.*got \[1.0, 1.0\]"):
        objectives.objective("dice", class_weights=[1.0, 1.0])
    with pytest.raises(ValueError, match="class_weights must be None beside a loss"):
        ForwardLikelihood(PRIOR, [1.0, 1.0, 1.0], loss=SmoothedLoss(smoothing.OneHot()))
    with pytest.raises(ValueError, match="one value a pixel; soft_dice has one an image"):
        SmoothedLoss(smoothing.OneHot(), SoftDice(), [1.0, 1.0, 1.0])(LABELS, SCORES)
