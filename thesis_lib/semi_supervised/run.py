"""One training run with few labels, from names to a row of results: what notebooks 5 to 7 and their tables are made of."""

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np
from keras import layers
from sklearn.metrics import f1_score

from thesis_lib import checks
from thesis_lib.data.image_table import ImageTable
from thesis_lib.models.convnet13 import convnet13
from thesis_lib.models.mlp import mlp, pretrain
from thesis_lib.models.resnet import BLOCKS, resnet_classifier
from thesis_lib.models.small_convnet import small_convnet
from thesis_lib.models.wide_resnet import wide_resnet
from thesis_lib.semi_supervised.batches import Batches, choose_labelled
from thesis_lib.semi_supervised.fix_match import FixMatch
from thesis_lib.semi_supervised.mean_teacher import MeanTeacher
from thesis_lib.semi_supervised.mix_match import MixMatch
from thesis_lib.semi_supervised.pi_model import PiModel
from thesis_lib.semi_supervised.pseudo_label import PseudoLabel
from thesis_lib.semi_supervised.ramps import LinearRamp, SigmoidRamp
from thesis_lib.semi_supervised.supervised import Supervised
from thesis_lib.semi_supervised.temporal_ensembling import TemporalEnsembling
from thesis_lib.semi_supervised.virtual_adversarial import VirtualAdversarial


class Method(NamedTuple):
    """A method by its name: what tables call it, the usual weight of its unlabelled cost, which of METHOD_SETTINGS it has, and what makes the keras.Model of it from `Parts`."""

    title: str
    weight: float
    settings: tuple[str, ...]
    build: Callable


class Network(NamedTuple):
    """A network by its name: what tables call it, its family, its usual width and rate of dropout (None: it has none to choose), and what makes
    it from (run, num_classes, image_shape)."""

    title: str
    family: str
    width: int
    dropout: float | None
    build: Callable


METHOD_SETTINGS = ("weight", "ramp", "decay")  # fields of Run that some methods have and others ignore
METHODS = {
    "supervised": Method("supervised", 0.0, (), lambda p: Supervised(p.network, p.augment)),
    "pseudo_label": Method(
        "pseudo-label",
        3.0,
        ("weight", "ramp"),
        lambda p: PseudoLabel(p.network, p.augment, LinearRamp(p.end // 6, p.end, p.peak)),
    ),
    "pi_model": Method("pi-model", 20.0, ("weight", "ramp"), lambda p: PiModel(p.network, p.augment, p.sigmoid)),
    "temporal_ensembling": Method(
        "temporal ensembling",
        20.0,
        ("weight", "ramp"),
        lambda p: TemporalEnsembling(p.network, p.num_images, p.augment, p.sigmoid),
    ),
    "mean_teacher": Method(
        "mean teacher", 20.0, METHOD_SETTINGS, lambda p: MeanTeacher(p.network, p.augment, p.sigmoid, p.run.decay)
    ),
    "vat": Method("VAT", 1.0, ("weight",), lambda p: VirtualAdversarial(p.network, p.augment, p.peak)),
    "mean_teacher_vat": Method(
        "mean teacher + VAT",
        20.0,
        METHOD_SETTINGS,
        lambda p: MeanTeacher(p.network, p.augment, p.sigmoid, p.run.decay, 1.0 / p.peak if p.peak else 0.0),
    ),
    "mix_match": Method(
        "MixMatch", 20.0, METHOD_SETTINGS, lambda p: MixMatch(p.network, p.augment, p.linear, decay=p.run.decay)
    ),
    "mix_match_no_mixup": Method(
        "MixMatch without MixUp",
        20.0,
        METHOD_SETTINGS,
        lambda p: MixMatch(p.network, p.augment, p.linear, alpha=None, decay=p.run.decay),
    ),
    "mix_match_no_ema": Method(
        "MixMatch without average",
        20.0,
        ("weight", "ramp"),
        lambda p: MixMatch(p.network, p.augment, p.linear, decay=None),
    ),
    "fix_match": Method(
        "FixMatch",
        1.0,
        ("weight", "decay"),
        lambda p: FixMatch(p.network, p.augment, augmentation(p.run, strong=True), p.peak, decay=p.run.decay),
    ),
}


def _dropout_mlp(run, num_classes, image_shape):
    return mlp(num_classes, image_shape, (run.width,), run.dropout, 0.2)


NETWORKS = {
    "mlp": Network("dense", "dense", 128, None, lambda run, k, shape: mlp(k, shape, (run.width,), 0.0, 0.0)),
    "mlp_dropout": Network("dense + dropout", "dense", 128, 0.5, _dropout_mlp),
    "mlp_dropout_dae": Network("dense + dropout + auto-encoder", "dense", 128, 0.5, _dropout_mlp),
    "convnet13": Network(
        "convolutional", "convolutional", 16, 0.5, lambda run, k, shape: convnet13(k, shape, run.width, run.dropout)
    ),
    "small_convnet": Network(
        "small convolutional",
        "convolutional",
        16,
        0.3,
        lambda run, k, shape: small_convnet(k, shape, run.width, run.dropout),
    ),
    "wide_resnet": Network(
        "Wide ResNet", "convolutional", 2, None, lambda run, k, shape: wide_resnet(k, shape, width=run.width)
    ),
    "resnet": Network(
        "ResNet", "convolutional", 18, None, lambda run, k, shape: resnet_classifier(k, shape, run.width, run.weights)
    ),
}
PRETRAINED = ("mlp_dropout_dae",)  # as denoising auto-encoders, on all images to train on


@dataclass(frozen=True)
class Run:
    """What is trained and how; the fields are the parameters of the notebooks.

    Args:
        method: one of METHODS.
        network: one of NETWORKS.
        labels: number of images that keep their label; None for all that have one.
        unlabelled: number of the other images that are used; None for all.
        seed: of the choice of labels, of the weights and of the order.
        epochs: passes over the unlabelled images.
        batch_size, unlabelled_batch_size: images a batch, at most as many as there are.
        learning_rate: of Adam, falling to zero along a cosine.
        weight: of the unlabelled cost at the end of its ramp; the method's usual one if None.
        ramp: share of the training after which the weight is whole, in (0, 1].
        decay: of averages of weights (mean teacher, MixMatch, FixMatch).
        shift: largest random translation, as a share of the image; 0 for none.
        noise: standard deviation of Gaussian noise on the pixels, 0-255; 0 for none.
        mirror: whether images are mirrored at random.
        width: of the network: units of an mlp's hidden layer, filters of convnet13's first block or of
            small_convnet's first layer, factor of wide_resnet, depth of
            resnet; the network's usual one if None.
        dropout: rate in [0, 1) of mlp_dropout's hidden units, of convnet13 or small_convnet; the network's usual one if None.
        weights: of resnet: "imagenet", a folder, or None.
        pretraining_epochs: of mlp_dropout_dae's auto-encoder.
    """

    method: str
    network: str = "convnet13"
    labels: int | None = 100
    unlabelled: int | None = None
    seed: int = 0
    epochs: int = 20
    batch_size: int = 32
    unlabelled_batch_size: int = 128
    learning_rate: float = 0.003
    weight: float | None = None
    ramp: float = 0.4
    decay: float = 0.99
    shift: float = 0.1
    noise: float = 0.0
    mirror: bool = False
    width: int | None = None
    dropout: float | None = None
    weights: str | None = None
    pretraining_epochs: int = 10

    def __post_init__(self):
        checks.one_of("method", self.method, METHODS)
        checks.one_of("network", self.network, NETWORKS)
        network = NETWORKS[self.network]
        if network.dropout is None and self.dropout is not None:
            raise ValueError(
                f"dropout must be None for the network {self.network}, which has none to choose; got {self.dropout!r}"
            )
        for name, usual in (
            ("weight", METHODS[self.method].weight),
            ("width", network.width),
            ("dropout", network.dropout),
        ):
            if getattr(self, name) is None:
                object.__setattr__(self, name, usual)
        checked = {
            name: checks.integer(name, getattr(self, name), 1)
            for name in ("epochs", "batch_size", "unlabelled_batch_size", "width", "pretraining_epochs")
        }
        checked |= {
            name: checks.integer(name, getattr(self, name), 1)
            for name in ("labels", "unlabelled")
            if getattr(self, name) is not None
        }
        checked |= {
            "seed": checks.integer("seed", self.seed, 0, 2**32 - 1),
            "learning_rate": checks.real("learning_rate", self.learning_rate, 0.0, open_low=True),
            "ramp": checks.real("ramp", self.ramp, 0.0, 1.0, open_low=True),
            "decay": checks.real("decay", self.decay, 0.0, 1.0, open_high=True),
            "shift": checks.real("shift", self.shift, 0.0, 1.0),
            "noise": checks.real("noise", self.noise, 0.0, 255.0),
            "weight": checks.real("weight", self.weight, 0.0),
            "mirror": checks.boolean("mirror", self.mirror),
        }
        if self.dropout is not None:
            checked["dropout"] = checks.real("dropout", self.dropout, 0.0, 1.0, open_high=True)
        for name, value in checked.items():  # NumPy's numbers as Python's, which Keras asks for
            object.__setattr__(self, name, value)
        if self.network == "resnet" and self.width not in BLOCKS:
            raise ValueError(
                f"width of a resnet is its depth, one of {', '.join(map(str, BLOCKS))}; got {self.width!r}"
            )
        if self.weights is not None and (
            self.network != "resnet" or not isinstance(self.weights, str) or not self.weights
        ):
            raise ValueError(
                f'weights must be None, or for the network resnet "imagenet" or a folder; got {self.weights!r} for {self.network}'
            )


def classifier(run, num_classes, image_shape, images=None):
    """The network of a run; `images`, an array or an `ImageTable`, are what one of PRETRAINED is pretrained on."""
    network = NETWORKS[run.network].build(run, num_classes, image_shape)
    if run.network in PRETRAINED:
        pretrain(network, images, epochs=run.pretraining_epochs, seed=run.seed)
    return network


def augmentation(run, strong=False):
    """The run's random variation of images, or None; the strong one also turns, zooms and changes contrast."""
    fill, seeds = {"fill_mode": "constant"}, itertools.count(10 * run.seed)  # layers of one seed would vary alike
    parts = [layers.RandomTranslation(run.shift, run.shift, **fill, seed=next(seeds))] if run.shift else []
    parts += [layers.RandomFlip("horizontal", seed=next(seeds))] if run.mirror else []
    if run.noise:  # Keras's noise is for values from 0 to 1
        parts += [
            layers.Rescaling(1 / 255),
            layers.GaussianNoise(run.noise / 255, seed=next(seeds)),
            layers.Rescaling(255.0),
        ]
    if strong:
        parts += [
            layers.RandomRotation(0.1, **fill, seed=next(seeds)),
            layers.RandomZoom(0.2, **fill, seed=next(seeds)),
        ]
        parts += [layers.RandomContrast((0.5, 0.5), seed=next(seeds))]
    return keras.Sequential(parts) if parts else None


@dataclass(frozen=True)
class Parts:
    """What the methods are made of.

    Args:
        run: Run.
        network: its classifier.
        num_images: labelled and unlabelled ones together.
        end: training step after which the weight of the unlabelled cost is whole.
    """

    run: Run
    network: keras.Model
    num_images: int
    end: int

    @property
    def augment(self):
        return augmentation(self.run)

    @property
    def peak(self):
        """The whole weight."""
        return float(self.run.weight)

    @property
    def linear(self):
        return LinearRamp(0, self.end, self.peak)

    @property
    def sigmoid(self):
        return SigmoidRamp(self.end, self.peak)


def method(run, network, num_images, steps):
    """The keras.Model of a run's method, compiled.

    Args:
        run: Run.
        network: its classifier.
        num_images: labelled and unlabelled ones together.
        steps: of the whole training.
    """
    model = METHODS[run.method].build(Parts(run, network, num_images, max(int(run.ramp * steps), 1)))
    soft = isinstance(model, MixMatch)
    loss = keras.losses.CategoricalCrossentropy if soft else keras.losses.SparseCategoricalCrossentropy
    rate = keras.optimizers.schedules.CosineDecay(run.learning_rate, steps)
    model.compile(keras.optimizers.Adam(rate), loss(from_logits=True))
    model.optimizer.build(model.trainable_variables)  # TensorFlow traces a step that makes variables twice
    return model


def _numbers(run, splits):
    """Which of the images to train on are the run's labelled and unlabelled ones."""
    kept = np.flatnonzero(splits.train.labels >= 0)
    if run.labels is not None:
        kept = choose_labelled(splits.train.labels, run.labels, run.seed)
    rest = np.setdiff1d(np.arange(len(splits.train)), kept)
    if run.unlabelled is not None:
        if not len(rest):
            raise ValueError(f"unlabelled must be None where all images keep their label; got {run.unlabelled}")
        count = checks.integer("unlabelled", run.unlabelled, 1, len(rest))
        rest = np.random.default_rng(run.seed).choice(rest, count, replace=False)
    return kept, rest if len(rest) else kept  # all labelled: the images themselves


def prepare(run, splits):
    """(labelled, unlabelled) `Images` of a run, from those to train on; no array is copied."""
    kept, rest = _numbers(run, splits)
    return splits.train.view(kept), splits.train.view(rest)


def train(run, splits, callbacks=(), verbose=0, workers=None):
    """Train one run.

    Args:
        run: Run.
        splits: of `data.classification`.
        callbacks, verbose: of `fit`.
        workers: threads that read images from files, 1 or more; None: one for each core. Arrays need none.

    Returns:
        (model, history): the trained method, and a dict of lists by epoch.

    Raises:
        ValueError: if a batch is larger than its set, or the loss stops being finite; what `callbacks` saved by then stays.
    """
    kept, rest = _numbers(run, splits)
    labelled, unlabelled, both = map(splits.train.view, (kept, rest, np.union1d(kept, rest)))
    workers = checks.integer("workers", os.cpu_count() if workers is None else workers, 1)
    keras.utils.set_random_seed(run.seed)
    threads = workers if isinstance(splits.train.images, ImageTable) else 1
    batches = Batches(
        labelled.images,
        labelled.labels,
        unlabelled.images,
        run.batch_size,
        run.unlabelled_batch_size,
        run.seed,
        workers=threads,
    )
    network = classifier(run, len(splits.class_names), splits.image_shape, both.images)
    model = method(run, network, len(labelled) + len(unlabelled), run.epochs * len(batches))
    return model, model.fit(batches, epochs=run.epochs, callbacks=callbacks, verbose=verbose).history


def logits(model, images):
    """What a model, or a network, says of images, an array or an `ImageTable`: (N, K). A call holds what every layer gives of its batch: small images are many."""
    batch_size = max(32, 2**17 // int(np.prod(images.shape[1:3])))
    parts = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    return np.concatenate([np.array(model(part, training=False)) for part in parts])


def scores(model, images):
    """Error (%) and macro-averaged F1 of a model, or a network, on an `Images`: dict."""
    predicted = logits(model, images.images).argmax(-1)
    return {
        "error_percent": 100 * float(np.mean(predicted != images.labels)),
        "f1": float(f1_score(images.labels, predicted, average="macro")),
    }


class Scored(keras.callbacks.Callback):
    """Scores the model that is fitted after each epoch, and the student beside its teacher where there are two.

    Args:
        images: `Images`, for error and F1.
        labelled: `Images`, for the classification cost (mean cross-entropy, nats), without augmentation and dropout; none if None.
    """

    def __init__(self, images, labelled=None):
        super().__init__()
        self.images, self.labelled = images, labelled
        self.history = []

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, **(logs or {}), **self._found(self.model)}
        if self.model.predictor is not self.model.classifier:
            row |= {f"student_{name}": value for name, value in self._found(self.model.classifier).items()}
        self.history.append(row)

    def _found(self, model):
        found = scores(model, self.images)
        if self.labelled is not None:
            costs = keras.losses.sparse_categorical_crossentropy(
                self.labelled.labels, logits(model, self.labelled.images), from_logits=True
            )
            found["classification_cost"] = float(np.mean(np.array(costs)))
        return found
