"""Each method as a model that is trained: fitted, saved, in half precision, on both backends, and to some use."""

from functools import cache

import keras
import numpy as np
import pytest
from keras import layers
from semi_supervised_cases import METHODS, batch, compiled, network

from thesis_lib.data import classification
from thesis_lib.models.small_convnet import small_convnet
from thesis_lib.semi_supervised import MeanTeacher, PseudoLabel
from thesis_lib.semi_supervised.batches import Batches, choose_labelled
from thesis_lib.semi_supervised.ramps import LinearRamp
from thesis_lib.semi_supervised.scoring import logits


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"mix_match"}))
def test_without_weight_each_method_is_supervised_training(name):
    """The same steps on the labelled part alone end in the same weights.

    There is no batch normalisation, which would see the whole batch; MixMatch's MixUp changes the labelled part, too.
    """
    net, alone = network(), network()
    model = compiled(METHODS[name](net, 10, None, 0.0))
    alone.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for step in range(3):
        inputs = batch(seed=step)
        model.train_on_batch(inputs)
        alone.train_on_batch(inputs["labelled"], inputs["labels"])
    for weight, expected in zip(net.get_weights(), alone.get_weights()):
        np.testing.assert_allclose(weight, expected, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_saving_and_loading_continues_the_same_training(name, tmp_path):
    augment = keras.Sequential([layers.RandomTranslation(0.2, 0.2, fill_mode="constant")])
    model = compiled(
        METHODS[name](network(dropout=0.3, norm=True), 10, augment, LinearRamp(0, 4, 1.0)), keras.optimizers.Adam(0.01)
    )
    for step in range(2):
        model.train_on_batch(batch(seed=step))
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    images = batch()["labelled"]
    np.testing.assert_allclose(copy.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-5)
    for step in range(2, 4):
        model.train_on_batch(batch(seed=step))
        copy.train_on_batch(batch(seed=step))
    for weight, expected in zip(copy.get_weights(), model.get_weights()):
        np.testing.assert_allclose(weight, expected, atol=1e-4)
    assert int(copy.step) == 4


@pytest.mark.parametrize("name", ["mean_teacher", "mix_match"])
def test_fit_goes_on_where_a_saved_training_was(name, tmp_path):
    data = batch(7, 12)
    batches = lambda: Batches(data["labelled"], data["labels"], data["unlabelled"], 3, 4, seed=1)
    model = compiled(
        METHODS[name](network(dropout=0.3), 19, layers.RandomTranslation(0.2, 0.2, seed=1), 1.0),
        keras.optimizers.Adam(0.01),
    )
    model.fit(
        batches(), epochs=4, verbose=0, callbacks=keras.callbacks.ModelCheckpoint(tmp_path / "model{epoch}.keras")
    )
    copy = keras.saving.load_model(tmp_path / "model2.keras")
    copy.fit(batches(), initial_epoch=2, epochs=4, verbose=0)
    for weight, expected in zip(copy.get_weights(), model.get_weights()):
        np.testing.assert_allclose(weight, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["mean_teacher_vat", "mix_match", "temporal_ensembling", "fix_match"])
def test_half_precision_trains(name):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = compiled(
            METHODS[name](network(), 10, layers.RandomTranslation(0.2, 0.2), 1.0), keras.optimizers.Adam(0.01)
        )
        logs = model.train_on_batch(batch(), return_dict=True)
        assert all(np.isfinite(float(value)) for value in logs.values())
    finally:
        keras.config.set_dtype_policy("float32")


def test_fit_validates_evaluates_and_predicts_on_plain_images():
    data = batch(10, 30)
    batches = Batches(data["labelled"], data["labels"], data["unlabelled"], 4, 10)
    model = compiled(MeanTeacher(network()))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(batches, validation_data=(data["labelled"], data["labels"]), epochs=2, verbose=0).history
    measured = {"loss", "accuracy", "supervised_loss", "unsupervised_loss", "val_loss", "val_accuracy"}
    assert set(history) == measured  # plain images have no parts of the loss
    accuracy = np.mean(model.predict(data["labelled"], verbose=0).argmax(-1) == data["labels"])
    assert model.evaluate(data["labelled"], data["labels"], return_dict=True, verbose=0)["accuracy"] == pytest.approx(
        accuracy
    )
    assert len(model.evaluate(data["labelled"], data["labels"], verbose=0)) == 2  # loss and accuracy


@pytest.fixture(scope="module")
def digits():
    return classification.load_images("digits")


def error(split, make, labels, epochs, with_digits=True):
    """Share of wrong answers on all images that were not trained on, after training with so many labels.

    The unlabelled images are the other digits, or, without digits, the labelled images over and over.
    """
    known = choose_labelled(split.train.labels, labels, 0)
    labelled, unlabelled = split.train[known], split.train[np.setdiff1d(np.arange(len(split.train)), known)]
    keras.utils.set_random_seed(0)
    augment = layers.RandomTranslation(0.1, 0.1, fill_mode="constant", seed=0)
    model = make(small_convnet(10, width=8), len(split.train), augment)
    compiled(model, keras.optimizers.Adam(0.01))
    others = unlabelled.images if with_digits else np.resize(labelled.images, unlabelled.images.shape)
    model.fit(Batches(labelled.images, labelled.labels, others, min(labels, 25), 100), epochs=epochs, verbose=0)
    parts = (split.validation, split.test)
    return np.concatenate([logits(model, part.images).argmax(-1) != part.labels for part in parts]).mean()


@pytest.fixture(scope="module")
def supervised_error(digits):
    """By the numbers of labels and epochs; each is trained once."""
    supervised = lambda net, n, augment: PseudoLabel(net, augment, 0.0)
    return cache(lambda labels, epochs: error(digits, supervised, labels, epochs))


# Labels, epochs, weight of the unsupervised loss, and by how much the error must be lower than that of supervised
# training, and than the method's own without the other digits. One image is 0.002. VAT smooths about any image: with
# the labelled images alone it is about as good.
GAINS = {
    "pseudo_label": (50, 16, 1.0, 0.02, 0.01),
    "pi_model": (50, 16, 30.0, 0.02, 0.01),
    "temporal_ensembling": (50, 16, 30.0, 0.02, 0.005),
    "mean_teacher": (50, 16, 30.0, 0.02, 0.007),
    "vat": (20, 16, 1.0, 0.02, None),
    "mix_match": (50, 24, 10.0, 0.025, 0.003),
    "fix_match": (50, 16, 1.0, 0.02, 0.005),
}


@pytest.mark.parametrize("name", GAINS)
def test_unlabelled_digits_help(name, digits, supervised_error):
    """A method that ignored the unlabelled digits would do as well without them."""
    labels, epochs, weight, over_supervised, over_itself = GAINS[name]
    make = lambda net, n, augment: METHODS[name](net, n, augment, LinearRamp(0, 6 * epochs, weight))
    with_digits = error(digits, make, labels, epochs)
    assert with_digits <= supervised_error(labels, epochs) - over_supervised
    assert over_itself is None or with_digits <= error(digits, make, labels, epochs, False) - over_itself


def test_what_vat_learns_depends_on_the_unlabelled_images():
    learned = []
    for unlabelled in (batch()["unlabelled"], batch()["unlabelled"], batch(seed=1)["unlabelled"]):
        net = network()
        compiled(METHODS["vat"](net, 10, None, 1.0)).train_on_batch({**batch(), "unlabelled": unlabelled})
        learned.append(net.get_weights()[0])
    np.testing.assert_allclose(learned[0], learned[1], atol=1e-6)
    assert np.abs(learned[0] - learned[2]).max() > 1e-4
