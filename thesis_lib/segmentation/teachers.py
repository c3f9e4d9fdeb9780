"""Methods for segmentation where most images carry no label, and the labels were drawn by people.

Each is a keras.Model, to be fitted on batches {"labelled", "labels", "unlabelled"}, such as `PartlyLabelledBatches`.
The network sees the unlabelled images with other colours (`strong`), and is taught by what is predicted for them as
they are. Nothing moves, so that pixels stay where they are.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import keras
from keras import ops

from thesis_lib import backend, checks
from thesis_lib.labels import IGNORE
from thesis_lib.segmentation.strong import CutMix, OtherColours
from thesis_lib.semi_supervised.ema import checked_decay, ema_copy, ema_update
from thesis_lib.semi_supervised.ramps import SigmoidRamp
from thesis_lib.semi_supervised.two_losses import TwoLosses
from thesis_lib.semi_supervised.unsupervised import cross_entropy, most_probable, probabilities, squared_difference
from thesis_lib.targets.expectation import ForwardDice, shares, votes
from thesis_lib.targets.losses import ForwardLikelihood
from thesis_lib.targets.overlap import SoftDice
from thesis_lib.targets.shift import ShiftLikelihood, shifted


class Taught(TwoLosses):
    """What the methods share: one pass of the network over labelled and unlabelled images together.

    Args:
        network: functional keras.Model from images (N, H, W, C) to logits (N, H, W, K).
        strong: a Keras layer that draws other colours for unlabelled images, such as `OtherColours()`; None: none.
        weight: of the unsupervised loss: a number from 0 to 1e30, or a ramp of `thesis_lib.semi_supervised`.
    """

    parts = ("network", "strong", "weight")

    def __init__(self, network, strong=None, weight=1.0, **options):
        super().__init__(weight, **options)
        self.network = checks.instance("network", network, keras.Model, "a keras.Model from images to logits")
        if strong is not None:
            checks.instance("strong", strong, keras.layers.Layer, "a Keras layer or None")
        self.strong = strong

    @property
    def predictor(self):
        """The network that predicts: the student, or its EMA copy where the method has one."""
        return self.network

    def call(self, inputs, training=False):
        if not isinstance(inputs, dict):
            return self.predictor(inputs, training=training)
        unlabelled, taught = self.lesson(ops.cast(inputs["unlabelled"], "float32"))
        images = ops.concatenate([ops.cast(inputs["labelled"], "float32"), unlabelled])
        logits, count = self.network(images, training=training), ops.shape(inputs["labelled"])[0]
        outputs = {"labels": inputs["labels"], "logits": logits[:count], "unlabelled": pixels(logits[count:])}
        return {**outputs, "images": images, **taught}

    def lesson(self, images):
        """(unlabelled images as the network sees them, what it is taught of them: a dict of tensors)."""
        return self.varied(images), {}

    def varied(self, images):
        return images if self.strong is None else ops.cast(self.strong(images, training=True), "float32")


class TaughtByAverage(Taught):
    """Methods with an EMA copy of the network, the teacher, which predicts.

    A step first updates the teacher with the weights that the last step left, then asks it. The decay is lower in the
    first steps (see `ema_update`). The teacher's batch normalisation uses its averaged statistics.

    Args:
        decay: of the EMA copy, in [0, 1).
    """

    def __init__(self, network, strong=None, weight=1.0, decay=0.99, **options):
        super().__init__(network, strong, weight, **options)
        self.decay = checked_decay(decay)
        self.teacher = ema_copy(network)

    @property
    def predictor(self):
        return self.teacher

    def call(self, inputs, training=False):
        if isinstance(inputs, dict):
            ema_update(self.teacher, self.network, self.decay, self.step)
        return super().call(inputs, training=training)

    def get_config(self):
        return {**super().get_config(), "decay": self.decay}


@keras.saving.register_keras_serializable("thesis_lib")
class SegmentingMeanTeacher(TaughtByAverage):
    """Mean teacher (Tarvainen & Valpola, NIPS 2017): squared difference to the teacher's probabilities, pixel by pixel.

    Example: a tenth of the images is labelled.
        >>> model = SegmentingMeanTeacher(network, OtherColours(), weight=SigmoidRamp(length=1000, maximum=10.0))
        >>> model.compile("adam", objective("one_hot_dice"))
        >>> model.fit(PartlyLabelledBatches(labelled, unlabelled), epochs=20, shuffle=False)
        >>> logits = model.predict(images)  # the teacher's
    """

    def lesson(self, images):
        return self.varied(images), {"target": predicted(self.teacher, images)}

    def unsupervised_loss(self, inputs, outputs):
        return squared_difference(probabilities(outputs["unlabelled"]), outputs["target"])


@keras.saving.register_keras_serializable("thesis_lib")
class BayesianTeacher(TaughtByAverage):
    """The EMA teacher says where the true labels are, given what was drawn, and what unlabelled images show.

    Labels: each drawn pixel has one vote, shared among the true pixels that the teacher and the annotator's error make
    probable (`votes`, the E-step of EM). The network learns from the votes by cross-entropy, and by the Dice loss
    against their shares where the likelihood is a `ForwardDice`. Were the teacher the network itself, the
    cross-entropy would have the likelihood's gradient (Fisher's identity). Votes of several annotators add up.

    Unlabelled images: cross-entropy with the teacher's probabilities, each pixel weighted by the teacher's confidence,
    1 - entropy / log K.

    Args:
        likelihood: how the labels were drawn: a `ForwardLikelihood`, `ForwardDice` or `ShiftLikelihood` without class
            weights. Compile with it, too: validation labels are judged by it.

    Example: a tenth of the images is labelled, by an annotator of a known error.
        >>> likelihood = ForwardDice(BoundaryPrior.known(sigma=1.5))
        >>> model = BayesianTeacher(network, likelihood, OtherColours(), weight=SigmoidRamp(1000, 1.0))
        >>> model.compile("adam", likelihood)
        >>> model.fit(PartlyLabelledBatches(labelled, unlabelled), epochs=20, shuffle=False)
    """

    parts = ("network", "likelihood", "strong", "weight")

    def __init__(self, network, likelihood, strong=None, weight=1.0, decay=0.99, **options):
        super().__init__(network, strong, weight, decay, **options)
        kinds = (ForwardLikelihood, ForwardDice, ShiftLikelihood)
        checks.instance("likelihood", likelihood, kinds, "a ForwardLikelihood, ForwardDice or ShiftLikelihood")
        inner = likelihood.likelihood if isinstance(likelihood, ForwardDice) else likelihood
        if getattr(inner, "class_weights", None) is not None or getattr(inner, "loss", None) is not None:
            raise ValueError("likelihood must be without class_weights, and without a loss of its own")
        self.likelihood, self.prior = likelihood, inner.prior
        self.spacing = getattr(inner, "spacing", None)
        self.drawing = None
        if isinstance(likelihood, ShiftLikelihood):
            self.drawing = partial(shifted, background=likelihood.background)
        self.dice = SoftDice() if isinstance(likelihood, ForwardDice) else None

    def supervised_loss(self, inputs, outputs):
        labels, logits = ops.cast(outputs["labels"], "int32"), outputs["logits"]
        believed = backend.softmax(self.teacher(ops.cast(inputs["labelled"], "float32"), training=False))
        shared = ops.stop_gradient(votes(labels, believed, self.prior, self.spacing, self.drawing))
        known = ops.sum(ops.cast(ops.not_equal(labels, IGNORE), "float32"))
        loss = -ops.sum(shared * ops.log_softmax(logits, axis=-1)) / ops.maximum(known, 1.0)
        return loss if self.dice is None else loss + self.dice(shares(shared), logits)

    def lesson(self, images):
        return self.varied(images), {"target": predicted(self.teacher, images)}

    def unsupervised_loss(self, inputs, outputs):
        target = outputs["target"]
        entropy = -ops.sum(target * ops.log(ops.maximum(target, keras.config.epsilon())), axis=-1)
        confidence = 1.0 - entropy / math.log(target.shape[-1])
        return cross_entropy(target, outputs["unlabelled"], ops.maximum(confidence, 0.0))


@keras.saving.register_keras_serializable("thesis_lib")
class SegmentingFixMatch(TaughtByAverage):
    """FixMatch (Sohn et al., NeurIPS 2020), pixel by pixel, with CutMix, as in UniMatch (Yang et al., CVPR 2023).

    Where the network is confident on unlabelled images as they are, its most probable class is the label of the strong
    variation. UniMatch adds a second strong variation and one of the features. The EMA copy predicts.

    Args:
        mix: a Keras layer on (images, targets) such as `CutMix()`; None: images stay whole.
        threshold: least probability of a class that counts, in [0, 1].
    """

    parts = ("network", "strong", "mix", "weight")

    def __init__(self, network, strong=None, mix=None, weight=1.0, threshold=0.95, decay=0.99, **options):
        super().__init__(network, strong, weight, decay, **options)
        if mix is not None:
            checks.instance("mix", mix, keras.layers.Layer, "a Keras layer or None")
        self.mix, self.threshold = mix, checks.real("threshold", threshold, 0.0, 1.0)

    def lesson(self, images):
        target, varied = maps_like(images, predicted(self.network, images)), self.varied(images)
        if self.mix is not None:
            varied, target = self.mix(varied, target)
        return varied, {"target": pixels(target)}

    def unsupervised_loss(self, inputs, outputs):
        target = outputs["target"]
        confident = ops.cast(ops.max(target, axis=-1) >= self.threshold, "float32")
        return cross_entropy(most_probable(target), outputs["unlabelled"], confident)

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}


@keras.saving.register_keras_serializable("thesis_lib")
class CrossPseudo(Taught):
    """Cross pseudo supervision (Chen et al., CVPR 2021): two networks of different first weights teach each other.

    Each learns from the labels, and from the most probable class that the other predicts for unlabelled images. The
    first one predicts.

    Args:
        other: a network like the first one, with other weights.
    """

    parts = ("network", "other", "strong", "weight")

    def __init__(self, network, other, strong=None, weight=1.0, **options):
        super().__init__(network, strong, weight, **options)
        self.other = checks.instance("other", other, keras.Model, "a keras.Model from images to logits")

    def call(self, inputs, training=False):
        outputs = super().call(inputs, training=training)
        if not isinstance(inputs, dict):
            return outputs
        logits, count = self.other(outputs["images"], training=training), ops.shape(inputs["labelled"])[0]
        return {**outputs, "other_logits": logits[:count], "other_unlabelled": pixels(logits[count:])}

    def supervised_loss(self, inputs, outputs):
        other = {**outputs, "logits": outputs["other_logits"]}
        return super().supervised_loss(inputs, outputs) + super().supervised_loss(inputs, other)

    def unsupervised_loss(self, inputs, outputs):
        first, second = outputs["unlabelled"], outputs["other_unlabelled"]
        return cross_entropy(most_probable(second), first) + cross_entropy(most_probable(first), second)


def pixels(maps):
    """Maps (N, H, W, K) as rows (N * H * W, K)."""
    return ops.reshape(maps, (-1, maps.shape[-1]))


def predicted(network, images):
    """A network's probabilities of each pixel of images, (N * H * W, K); no gradient."""
    return ops.stop_gradient(probabilities(pixels(network(images, training=False))))


def maps_like(images, rows):
    """Rows (N * H * W, K) as maps (N, H, W, K) of images (N, H, W, C)."""
    return ops.reshape(rows, (*ops.shape(images)[:-1], rows.shape[-1]))


class Method(NamedTuple):
    """A method by its name.

    title: what tables call it; weight: the usual weight of its unsupervised loss; settings: which of METHOD_SETTINGS it
    has; build: makes the keras.Model from `Parts`; objectives: those that it can train by, None for any.
    """

    title: str
    weight: float
    settings: tuple[str, ...]
    build: Callable
    objectives: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Parts:
    """What a method is made of: the `Run`, its network, its loss, and the step from which the weight is whole."""

    run: object
    network: keras.Model
    loss: keras.losses.Loss
    end: int

    @property
    def other(self):
        """A second network, whose first weights are drawn after those of the first one."""
        return self.run.built_network()

    @property
    def weight(self):
        return SigmoidRamp(self.end, self.run.weight)

    @property
    def strong(self):
        return OtherColours(seed=self.run.seed)


METHOD_SETTINGS = ("consistency_weight", "ramp", "decay")  # fields of Run that some methods have
RAMPED = METHOD_SETTINGS[:2]
METHODS = {
    "supervised": Method("labelled images alone", 0.0, (), lambda p: p.network),
    "mean_teacher": Method(
        "mean teacher",
        10.0,
        METHOD_SETTINGS,
        lambda p: SegmentingMeanTeacher(p.network, p.strong, p.weight, p.run.decay),
    ),
    "fix_match": Method(
        "FixMatch with CutMix",
        1.0,
        METHOD_SETTINGS,
        lambda p: SegmentingFixMatch(p.network, p.strong, CutMix(seed=p.run.seed), p.weight, decay=p.run.decay),
    ),
    "cross_pseudo": Method(
        "cross pseudo supervision", 1.0, RAMPED, lambda p: CrossPseudo(p.network, p.other, weight=p.weight)
    ),
    "bayesian_teacher": Method(
        "Bayesian teacher",
        1.0,
        METHOD_SETTINGS,
        lambda p: BayesianTeacher(p.network, p.loss, p.strong, p.weight, p.run.decay),
        ("forward", "forward_expected_dice", "shift"),
    ),
}
