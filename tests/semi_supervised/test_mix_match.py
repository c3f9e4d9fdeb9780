"""MixMatch: what it guesses, how it mixes, and where no gradient flows."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import integrate, stats
from semi_supervised_cases import Brighter, batch, moved, network, unsupervised_loss

from thesis_lib.semi_supervised import MixMatch, unsupervised


def test_sharpening_by_hand():
    p = ops.convert_to_tensor([[0.6, 0.4]])
    np.testing.assert_allclose(np.array(unsupervised.sharpen(p, 0.5)), [[0.36 / 0.52, 0.16 / 0.52]], atol=1e-6)
    np.testing.assert_allclose(np.array(unsupervised.sharpen(p, 1.0)), [[0.6, 0.4]], atol=1e-6)
    np.testing.assert_allclose(np.array(unsupervised.sharpen(p, 0.01)), [[1, 0]], atol=1e-6)


@pytest.mark.parametrize("alpha", [0.1, 0.75, 2.0])
def test_mixup_draws_have_the_moments_of_the_larger_part_of_a_beta(alpha):
    draws = np.array(unsupervised.mixup_weights(40000, alpha, 1))
    assert draws.min() >= 0.5 and draws.max() <= 1
    beta = stats.beta(alpha, alpha)
    mean = 2 * integrate.quad(lambda x: x * beta.pdf(x), 0.5, 1)[0]
    square = 2 * integrate.quad(lambda x: x**2 * beta.pdf(x), 0.5, 1)[0]
    assert draws.mean() == pytest.approx(mean, abs=0.01) and (draws**2).mean() == pytest.approx(square, abs=0.01)


def test_mixmatch_by_hand():
    inputs, net = batch(), network()
    plain = MixMatch(net, Brighter(), views=2, temperature=0.5, alpha=None, decay=None)
    loss, _ = unsupervised_loss(plain, inputs)
    unknown = slice(4, None)  # the labelled images are brighter by 20, the views by 40 and 60
    mean = (moved(net, inputs, 40, unknown) + moved(net, inputs, 60, unknown)) / 2
    guess = mean**2 / (mean**2).sum(-1, keepdims=True)
    expected = [(moved(net, inputs, add, unknown) - guess) ** 2 for add in (40, 60)]
    assert loss == pytest.approx(np.mean(expected), rel=1e-3)
    mixing = MixMatch(net, alpha=0.75, decay=None)
    out = mixing({k: ops.convert_to_tensor(v) for k, v in inputs.items()}, training=True)
    shares = np.concatenate([np.array(out["labels"]), np.array(out["guessed"])])
    np.testing.assert_allclose(shares.sum(-1), 1, atol=1e-5)
    kept = np.array(out["labels"])[np.arange(4), inputs["labels"]]
    assert (kept >= 0.5 - 1e-6).all() and (kept < 1 - 1e-6).any()


def test_mixing_blends_images_and_targets_alike():
    model = MixMatch(network(), alpha=0.75, decay=None)
    value = np.random.default_rng(0).uniform(size=50).astype("float32")
    images, mixed = model.mix(
        ops.convert_to_tensor(value.reshape(50, 1, 1, 1)), ops.convert_to_tensor(np.stack([value, 1 - value], -1))
    )
    np.testing.assert_allclose(np.array(images).ravel(), np.array(mixed)[:, 0], atol=1e-6)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the gradient of all weights is asked of TensorFlow"
)
def test_no_gradient_flows_into_guessed_and_mixed_labels():
    import tensorflow

    model = MixMatch(network(), alpha=0.75, decay=None)
    with tensorflow.GradientTape() as tape:
        out = model({k: ops.convert_to_tensor(v) for k, v in batch().items()}, training=True)
        weighed = sum(ops.sum(out[name] * np.arange(3, dtype="float32")) for name in ("labels", "guessed"))
    assert all(g is None or not np.array(g).any() for g in tape.gradient(weighed, model.trainable_weights))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow's XLA has no Beta distribution")
def test_mixup_is_not_compiled_by_an_xla_that_cannot_draw_for_it():
    assert not MixMatch(network()).supports_jit and MixMatch(network(), alpha=None).supports_jit
