"""Each method's targets and losses against hand-computed cases of its paper's formula."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from semi_supervised_cases import Brighter, batch, compiled, moved, network, softmax, unsupervised_loss

from thesis_lib.backend import gradient
from thesis_lib.semi_supervised import (
    FixMatch,
    MeanTeacher,
    MixMatch,
    PiModel,
    PseudoLabel,
    TemporalEnsembling,
    unsupervised,
)
from thesis_lib.semi_supervised.ramps import LinearRamp, SigmoidRamp
from thesis_lib.semi_supervised.virtual_adversarial import adversarial_loss


def test_ramps_by_hand():
    linear, sigmoid = LinearRamp(100, 600, 3.0), SigmoidRamp(80, 10.0)
    assert [float(linear(s)) for s in (0, 100, 350, 600, 9999)] == pytest.approx([0, 0, 1.5, 3, 3])
    assert [float(LinearRamp(5, 5, 3.0)(s)) for s in (4, 5, 6)] == [0, 3, 3]
    assert [float(sigmoid(s)) for s in (0, 40, 80, 99)] == pytest.approx([10 * np.exp(-5), 10 * np.exp(-1.25), 10, 10])


def test_losses_send_no_gradient_into_the_target():
    predicted = ops.convert_to_tensor(np.array([[0.2, 0.3, 0.5]], "float32"))
    logits = ops.convert_to_tensor(np.array([[0.1, 0.7, 0.2]], "float32"))
    for loss in (
        lambda t: unsupervised.squared_difference(predicted, t),
        lambda t: unsupervised.cross_entropy(t, logits),
        lambda t: unsupervised.kl_divergence(t, logits),
    ):
        slope = gradient(loss, ops.convert_to_tensor(np.array([[0.5, 0.25, 0.25]], "float32")))
        assert slope is None or not np.array(slope).any()
    assert np.array(gradient(lambda z: unsupervised.kl_divergence(predicted, z), logits)).any()


def test_the_loss_of_pseudo_labels_is_the_cross_entropy_with_the_most_probable_class():
    inputs = batch()
    loss, logits = unsupervised_loss(PseudoLabel(network()), inputs)
    assert loss == pytest.approx(-np.log(softmax(logits[4:]).max(-1)).mean(), rel=1e-4)


def test_pseudo_labels_are_the_classes_of_predictions_and_are_learned_with_dropout():
    inputs = batch()
    model = compiled(PseudoLabel(keras.Sequential([network(), layers.Dropout(0.5, seed=0)])), keras.optimizers.SGD(0.0))
    predicted = np.array(model.classifier(np.concatenate([inputs["labelled"], inputs["unlabelled"]])))[4:].argmax(-1)
    outputs = model(inputs, training=True)
    noisy = np.array(outputs["all_logits"])[4:]
    assert (noisy.argmax(-1) != predicted).any()
    expected = -np.log(softmax(noisy)[np.arange(len(noisy)), predicted]).mean()
    assert float(model.unsupervised_loss(inputs, outputs)) == pytest.approx(expected, rel=1e-4)


def test_the_loss_of_the_pi_model_is_the_squared_difference_of_two_passes():
    inputs, net = batch(), network()
    loss, _ = unsupervised_loss(PiModel(net, Brighter()), inputs)
    assert loss == pytest.approx(((moved(net, inputs, 20) - moved(net, inputs, 40)) ** 2).mean(), rel=1e-3)


def test_the_gradient_is_that_of_the_first_pass_alone():
    """The weights move as if the second pass were a constant."""
    inputs, net = batch(), network()
    before, target = net.get_weights(), ops.convert_to_tensor(moved(net, inputs, 40))
    images = ops.convert_to_tensor(np.concatenate([inputs["labelled"], inputs["unlabelled"]]).astype("float32") + 20)
    bias = lambda value: unsupervised.squared_difference(
        unsupervised.probabilities(net(images) - before[-1] + value), target
    )
    supervised = lambda value: ops.mean(
        ops.sparse_categorical_crossentropy(inputs["labels"], (net(images) - before[-1] + value)[:4], from_logits=True)
    )
    start = ops.convert_to_tensor(before[-1])
    expected = np.array(gradient(bias, start)) + np.array(gradient(supervised, start))
    compiled(PiModel(net, Brighter()), keras.optimizers.SGD(1.0)).train_on_batch(inputs)
    np.testing.assert_allclose(before[-1] - net.get_weights()[-1], expected, atol=1e-5)


def test_temporal_ensembling_averages_its_predictions_and_corrects_for_the_start():
    inputs, net = batch(), network()
    model = compiled(TemporalEnsembling(net, 10, Brighter(), decay=0.6), keras.optimizers.SGD(0.0))
    losses = []
    for _ in range(2):
        model.reset_metrics()
        losses.append(float(model.train_on_batch(inputs, return_dict=True)["unsupervised_loss"]))
    first, second = moved(net, inputs, 20), moved(net, inputs, 40)
    assert losses[0] == 0  # nothing is known of an image that is seen for the first time
    assert losses[1] == pytest.approx(((second - first) ** 2).mean(), rel=1e-3)  # 0.4 first / (1 - 0.6) = first
    np.testing.assert_allclose(np.array(model.ema), 0.6 * 0.4 * first + 0.4 * second, atol=1e-5)
    assert np.array(model.visits).tolist() == [2.0] * 10


def test_the_teacher_is_the_closed_form_average_of_the_student():
    """The first steps average evenly, until 1 - 1 / (step + 1) exceeds the decay.

    Batch-norm statistics are included: those after the step's forward pass, with the weights before its update.
    """
    model = compiled(MeanTeacher(network(norm=True), decay=0.6))
    seen, decays = [], [min(1 - 1 / (step + 1), 0.6) for step in range(5)]
    for step in range(5):
        before = model.classifier.get_weights()
        model.train_on_batch(batch(seed=step))
        after = model.classifier.get_weights()
        seen.append([b if w.trainable else a for w, b, a in zip(model.classifier.weights, before, after)])
    weights = [(1 - d) * np.prod(decays[i + 1 :]) for i, d in enumerate(decays)]
    assert sum(weights) == pytest.approx(1)
    for i, weight in enumerate(model.teacher.get_weights()):
        np.testing.assert_allclose(weight, sum(w * s[i] for w, s in zip(weights, seen)), atol=1e-5)
    assert not model.teacher.trainable_weights
    images = batch()["labelled"]
    np.testing.assert_allclose(model.predict(images, verbose=0), np.array(model.teacher(images)), atol=1e-5)


def test_a_teacher_without_memory_is_the_student():
    inputs, net = batch(), network()
    loss, _ = unsupervised_loss(MeanTeacher(net, Brighter(), decay=0.0), inputs)
    assert loss == pytest.approx(((moved(net, inputs, 20) - moved(net, inputs, 40)) ** 2).mean(), rel=1e-3)


def test_the_student_agrees_with_the_average_of_its_weights():
    """In the second step the teacher is the mean of the weights before and after the first step."""
    inputs, net = batch(), network()
    model, mean = compiled(MeanTeacher(net, decay=0.6)), network()
    before = net.get_weights()
    model.train_on_batch(inputs)
    after = net.get_weights()
    mean.set_weights([(a + b) / 2 for a, b in zip(before, after)])
    expected = ((moved(net, inputs, 0) - moved(mean, inputs, 0)) ** 2).mean()
    model.reset_metrics()
    loss = float(model.train_on_batch(inputs, return_dict=True)["unsupervised_loss"])
    assert loss == pytest.approx(expected, rel=1e-3) and expected > 1e-6


def test_mean_teacher_with_vat_adds_both_losses():
    inputs = batch()
    alone, _ = unsupervised_loss(MeanTeacher(network(), Brighter()), inputs)
    model = MeanTeacher(network(), Brighter(), adversarial=0.3, epsilon=1.5)
    model.seeds = keras.random.SeedGenerator(5)
    both, _ = unsupervised_loss(model, inputs)
    net, images = network(), np.concatenate([inputs["labelled"], inputs["unlabelled"]]).astype("float32") + 20
    outputs = {"images": ops.convert_to_tensor(images), "all_logits": net(images)}
    added = float(adversarial_loss(net, outputs, 1.5, seed=keras.random.SeedGenerator(5)))
    assert both - alone == pytest.approx(0.3 * added, rel=1e-3) and added > 1e-3


@pytest.mark.parametrize("make", [lambda net: MixMatch(net, decay=0.9), lambda net: FixMatch(net, decay=0.9)])
def test_the_weights_at_the_start_count_once_in_the_average(make):
    """After two steps it is the plain mean of the weights that the two steps met; the random ones count once."""
    model = compiled(make(network()))
    seen = []
    for step in range(2):
        seen.append(model.classifier.get_weights())
        model.train_on_batch(batch(seed=step))
    for weight, *met in zip(model.predictor.get_weights(), *seen):
        np.testing.assert_allclose(weight, np.mean(met, axis=0), atol=1e-5)


def test_fixmatch_counts_only_what_is_sure():
    inputs, net = batch(), network()
    logits = np.array(net(inputs["unlabelled"]))
    confidence = softmax(logits).max(-1)
    threshold = float(np.sort(confidence)[2:4].mean())
    loss, _ = unsupervised_loss(FixMatch(net, threshold=threshold), inputs)
    assert loss == pytest.approx((-np.log(confidence) * (confidence >= threshold)).sum() / 6, rel=1e-3)


def test_fixmatch_learns_the_strongly_augmented_image():
    inputs, net = batch(), network()
    named = np.array(net(inputs["unlabelled"])).argmax(-1)
    loss, _ = unsupervised_loss(FixMatch(net, strong=Brighter(), threshold=0.0), inputs)
    assert loss == pytest.approx(-np.log(moved(net, inputs, 20, slice(4, None))[np.arange(6), named]).mean(), rel=1e-3)
