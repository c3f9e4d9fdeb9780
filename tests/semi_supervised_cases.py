"""What the tests of semi-supervised methods share: each method by name, a small network and a batch for it."""

import keras
import numpy as np
from keras import layers
from scipy.special import softmax as scipy_softmax

from thesis_lib.semi_supervised import (
    FixMatch,
    MeanTeacher,
    MixMatch,
    PiModel,
    PseudoLabel,
    TemporalEnsembling,
    VirtualAdversarial,
)

SHAPE, K = (4, 4, 1), 3
# Parameters of a `Run` on small images that takes a second.
QUICK = {"data": "faces", "labels": 10, "epochs": 1, "batch_size": 5, "unlabelled_batch_size": 20, "width": 8}
# How each method is made from a classifier, the number of images, an augmentation and a weight.
METHODS = {
    "pseudo_label": lambda net, n, augment, weight: PseudoLabel(net, augment, weight),
    "pi_model": lambda net, n, augment, weight: PiModel(net, augment, weight),
    "temporal_ensembling": lambda net, n, augment, weight: TemporalEnsembling(net, n, augment, weight),
    "mean_teacher": lambda net, n, augment, weight: MeanTeacher(net, augment, weight, decay=0.95),
    "mean_teacher_vat": lambda net, n, augment, weight: MeanTeacher(net, augment, weight, decay=0.95, adversarial=0.1),
    "vat": lambda net, n, augment, weight: VirtualAdversarial(net, augment, weight),
    "mix_match": lambda net, n, augment, weight: MixMatch(net, augment, weight, decay=0.95),
    "mix_match_plain": lambda net, n, augment, weight: MixMatch(net, augment, weight, alpha=None, decay=None),
    "fix_match": lambda net, n, augment, weight: FixMatch(
        net, augment, layers.RandomTranslation(0.2, 0.2), weight, decay=0.95
    ),
}


def batch(labelled=4, unlabelled=6, seed=0):
    generator = np.random.default_rng(seed)
    draw = lambda n: generator.integers(0, 256, (n, *SHAPE)).astype(np.uint8)
    return {
        "labelled": draw(labelled),
        "labels": generator.integers(0, K, labelled),
        "unlabelled": draw(unlabelled),
        "labelled_index": np.arange(labelled),
        "unlabelled_index": labelled + np.arange(unlabelled),
    }


def network(dropout=0.0, norm=False, seed=0, classes=K):
    keras.utils.set_random_seed(seed)
    body = [keras.Input(SHAPE), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(8, activation="tanh")]
    if norm:
        body.append(layers.BatchNormalization(momentum=0.5))
    if dropout:
        body.append(layers.Dropout(dropout))
    return keras.Sequential([*body, layers.Dense(classes)])


def compiled(model, optimizer=None):
    losses = keras.losses
    loss = losses.CategoricalCrossentropy if model.soft_labels else losses.SparseCategoricalCrossentropy
    model.compile(optimizer or keras.optimizers.SGD(0.5), loss(from_logits=True))
    return model


def softmax(x):
    return scipy_softmax(x, axis=-1)


def unsupervised_loss(model, inputs):
    """The method's loss on one batch, and the logits of all images; the optimizer changes nothing."""
    compiled(model, keras.optimizers.SGD(0.0))
    logs = model.train_on_batch(inputs, return_dict=True)
    images = np.concatenate([inputs["labelled"], inputs["unlabelled"]])
    return float(logs["unsupervised_loss"]), np.array(model.classifier(images))


@keras.saving.register_keras_serializable("tests")
class Brighter(layers.Layer):
    """An augmentation that adds 20, then 40, then 60, ...: so that two passes differ in a known way."""

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = self.add_weight(shape=(), trainable=False, initializer="zeros")

    def call(self, images, training=False):
        self.calls.assign_add(1.0)
        return images + 20.0 * self.calls


def moved(net, inputs, add, part=slice(None)):
    """The probabilities of the images, or of a part of them, to whose values a number is added."""
    images = np.concatenate([inputs["labelled"], inputs["unlabelled"]])[part].astype("float32")
    return softmax(np.array(net(images + add)))
