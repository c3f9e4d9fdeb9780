"""Virtual adversarial training: the direction by hand, and the loss along it."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from semi_supervised_cases import SHAPE, batch, network, softmax

from thesis_lib.semi_supervised.virtual_adversarial import adversarial_direction, adversarial_loss


def test_adversarial_images_leave_the_batch_norm_statistics_alone():
    inputs, net = batch(), network(norm=True)
    images = ops.convert_to_tensor(np.concatenate([inputs["labelled"], inputs["unlabelled"]]).astype("float32"))
    outputs = {"images": images, "all_logits": net(images, training=True)}
    before = net.get_weights()
    adversarial_loss(net, outputs, 2.0, seed=1)
    for old, new in zip(before, net.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_the_adversarial_direction_does_not_vanish_in_half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        net = network()
        images = ops.convert_to_tensor(batch()["unlabelled"].astype("float32"))
        direction = np.array(adversarial_direction(net, images, seed=1)).reshape(len(images), -1)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(np.linalg.norm(direction, axis=1), 1, atol=1e-3)


def test_the_adversarial_direction_of_a_linear_classifier_is_its_weight():
    """Two classes and logits linear in the image: only a change along the difference of the weights matters."""
    net = keras.Sequential([keras.Input(SHAPE), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)])
    images = ops.convert_to_tensor(batch()["labelled"].astype("float32"))
    direction = np.array(adversarial_direction(net, images, seed=1)).reshape(4, -1)
    weight = net.get_weights()[0]
    expected = (weight[:, 0] - weight[:, 1]) / np.linalg.norm(weight[:, 0] - weight[:, 1])
    np.testing.assert_allclose(np.abs(direction @ expected), 1, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(direction, axis=1), 1, atol=1e-5)
    logits = np.array(net(images))
    outputs = {"images": images, "all_logits": ops.convert_to_tensor(logits)}
    loss = float(adversarial_loss(net, outputs, 0.5, seed=1))
    step = 0.5 * np.linalg.norm(weight[:, 0] - weight[:, 1]) * np.sign(direction @ expected)
    p, q = softmax(logits), softmax(np.stack([logits[:, 0] - logits[:, 1] + step, np.zeros(4)], -1))
    assert loss == pytest.approx((p * np.log(p / q)).sum(-1).mean(), rel=1e-3)
