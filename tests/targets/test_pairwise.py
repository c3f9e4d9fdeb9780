"""A spread for each pair of classes: the sum over the true classes by hand, its limits, and what it is good for."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from scipy import optimize

from thesis_lib.annotation.agreement import agreement
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.backend import gradient
from thesis_lib.targets.blurring import blur
from thesis_lib.targets.losses import ForwardLikelihood
from thesis_lib.targets.pairwise import PairwiseLikelihood

KNOWN = BoundaryPrior.known
STUDENT = BoundaryPrior(0.0, 20.0, 10.0, 10.0)
PAIRS = {(0, 1): KNOWN(0.5), (2, 1): KNOWN(2.0), (0, 3): KNOWN(2.0)}


def example(num_classes=4, shape=(2, 12, 14), seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, num_classes, shape).astype(np.uint8)
    return labels, generator.normal(0, 3, (*shape, num_classes)).astype("float32")


def probabilities(loss, logits):
    """Of each label at each pixel, as the loss states them: (..., K)."""
    labels = (np.full(logits.shape[:-1], y) for y in range(logits.shape[-1]))
    return np.stack([np.exp(-np.asarray(loss.call(one, logits), float)) for one in labels], -1)


@pytest.mark.parametrize("prior", [STUDENT, KNOWN(0.0), KNOWN(30.0)])
def test_with_one_prior_it_is_the_forward_likelihood(prior):
    labels, logits = example()
    every = {(a, b): prior for b in range(4) for a in range(b)}
    forward = ForwardLikelihood(prior)
    slope = lambda loss: np.asarray(gradient(lambda z: loss(labels, z), ops.convert_to_tensor(logits)))
    for loss in (PairwiseLikelihood(every), PairwiseLikelihood({(3, 1): prior}, prior)):
        assert float(loss(labels, logits)) == pytest.approx(float(forward(labels, logits)), rel=1e-6)
        np.testing.assert_allclose(slope(loss), slope(forward), atol=1e-8)


def test_the_probability_of_each_label_is_the_sum_over_the_true_classes():
    _, logits = example()
    default, p = KNOWN(1.0), np.asarray(ops.softmax(logits))
    confusion = np.zeros((4, 4, *p.shape[:-1]))
    for c in range(4):
        for y in range(4):
            prior = {frozenset(pair): one for pair, one in PAIRS.items()}.get(frozenset((c, y)), default)
            confusion[c, y] = 0 if c == y else np.asarray(blur(p, prior))[..., y]
    total = confusion.sum(1)
    assert total.max() > 1.1  # so classes whose others sum to more than one are among them
    confusion /= np.maximum(total, 1)[:, None]
    for c in range(4):
        confusion[c, c] = np.maximum(1 - total[c], 0)
    expected = np.einsum("nhwc,cynhw->nhwy", p, confusion)
    np.testing.assert_allclose(probabilities(PairwiseLikelihood(PAIRS, default), logits), expected, atol=1e-6)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.lists(st.floats(0.0, 6.0), min_size=4, max_size=4), st.floats(0.1, 20.0), st.integers(0, 2**16))
def test_the_labels_of_a_pixel_have_probabilities_that_sum_to_one(sigmas, sharpness, seed):
    _, logits = example(3, (1, 5, 9), seed)
    priors = dict(zip(((0, 1), (1, 2)), map(KNOWN, sigmas)))
    found = probabilities(PairwiseLikelihood(priors, KNOWN(sigmas[2])), (sharpness * logits).astype("float32"))
    assert found.min() >= 0
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)


SIGMAS, WIDTH = (0.5, 3.0), 48  # of the boundaries between the classes 0 and 1, and 1 and 2, at 16 and 32 px
TRUE = (np.arange(WIDTH) >= 16).astype(int) + (np.arange(WIDTH) >= 32)


def drawings(count, seed):
    """Strips (count, 1, WIDTH) whose two boundaries are displaced, each by its own sigma."""
    first, second = np.random.default_rng(seed).normal((16, 32), SIGMAS, (count, 2)).T
    at = np.arange(WIDTH) + 0.5
    return ((at > first[:, None]).astype(np.uint8) + (at > np.maximum(first, second)[:, None]))[:, None]


def recovered(loss, drawn):
    """The map (WIDTH, 3) of probabilities under which drawings of one scene are most likely."""
    shares = np.stack([(drawn == k).mean(0) for k in range(3)]).astype("float32")
    labels = np.arange(3)[:, None, None] + np.zeros((3, 1, WIDTH), np.uint8)

    def value(logits):
        each = ops.broadcast_to(ops.reshape(logits, (1, 1, WIDTH, 3)), (3, 1, WIDTH, 3))
        return ops.sum(shares * loss.call(labels, each))

    def with_gradient(logits):
        logits = ops.convert_to_tensor(logits.astype("float32"))
        return float(value(logits)), np.asarray(gradient(value, logits), float)

    best = optimize.minimize(with_gradient, np.zeros(WIDTH * 3), jac=True, method="L-BFGS-B", options={"maxiter": 20})
    return np.asarray(ops.softmax(best.x.reshape(WIDTH, 3)))


def test_two_sigmas_recover_the_true_map_and_one_pooled_sigma_does_not():
    """The pooled sigma is too small for the imprecise boundary, which stays blurred over several pixels."""
    own = PairwiseLikelihood({(0, 1): KNOWN(SIGMAS[0]), (1, 2): KNOWN(SIGMAS[1])}, KNOWN(1.0))
    pooled = ForwardLikelihood(KNOWN(np.sqrt(np.mean(np.square(SIGMAS)))))
    wrong = [(1 - recovered(loss, drawings(200, 0))[np.arange(WIDTH), TRUE]).sum() for loss in (own, pooled)]
    assert wrong[0] < 0.5 and wrong[1] > 2 * wrong[0] and wrong[1] > 1.0
    others = drawings(200, 1)
    truth = np.broadcast_to(12 * np.eye(3, dtype="float32")[TRUE], (*others.shape, 3))
    assert float(own(others, truth)) < 0.85 * float(pooled(others, truth))


def test_what_agreement_measures_is_taken_as_it_is():
    true = np.zeros((4, 40, 40), np.uint8)
    true[:, 8:32, 8:20], true[:, 8:32, 20:32] = 1, 2
    measured = agreement({"ann": true, "bob": np.roll(true, 1, 1)}, background=0)
    loss = PairwiseLikelihood(measured.pairs, measured.prior)
    assert set(loss.priors) == {(0, 1), (0, 2), (1, 2)}
    assert np.isfinite(float(loss(true, 4 * np.eye(3, dtype="float32")[true])))


def test_volumes_classes_that_weigh_more_and_unknown_pixels():
    labels, logits = example(3, (1, 4, 6, 7))
    labels[:, 2:] = 255
    in_mm = {(0, 1): BoundaryPrior.known(1.0, unit="mm")}
    loss = PairwiseLikelihood(in_mm, BoundaryPrior.known(0.3, unit="mm"), [1.0, 0.0, 2.0], (3.0, 1.0, 1.0))
    slope = np.asarray(gradient(lambda z: loss(labels, z), ops.convert_to_tensor(logits)))
    assert np.isfinite(slope).all() and np.abs(slope[:, :2]).max() > 1e-3 and np.abs(slope[:, 3:]).max() < 1e-6
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert copy.get_config() == loss.get_config()
    assert float(copy(labels, logits)) == pytest.approx(float(loss(labels, logits)))
    assert float(loss(np.full_like(labels, 255), logits)) == 0


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: PairwiseLikelihood([KNOWN(1.0)]), "priors must be a dict from pairs of classes to BoundaryPrior"),
        (lambda: PairwiseLikelihood({}, KNOWN(1.0)), "priors must be a dict .*; got an empty one"),
        (lambda: PairwiseLikelihood({1: KNOWN(1.0)}), "priors must be a dict .*; got the pair 1"),
        (lambda: PairwiseLikelihood({(1, 1): KNOWN(1.0)}), r"each pair of two classes once; got \(1, 1\)"),
        (lambda: PairwiseLikelihood({(1, 0): KNOWN(1.0), (0, 1): KNOWN(1.0)}), "each pair of two classes once"),
        (lambda: PairwiseLikelihood({(0, -1): KNOWN(1.0)}), "classes of priors must be a whole number from 0; got -1"),
        (lambda: PairwiseLikelihood({(0, 1): 1.0}), "priors must be a BoundaryPrior; got 1.0"),
        (lambda: PairwiseLikelihood(PAIRS, 1.0), "default must be a BoundaryPrior; got 1.0"),
        (lambda: PairwiseLikelihood({(0, 1): BoundaryPrior(unit="mm")}), "priors must be in px where no spacing"),
        (lambda: PairwiseLikelihood(PAIRS)(*example()), r"priors has none of the classes \(0, 2\); got None"),
        (lambda: PairwiseLikelihood(PAIRS, KNOWN(1.0))(*example(3)), r"of the 3 classes of the logits; got \(0, 3\)"),
    ],
)
def test_wrong_values_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
