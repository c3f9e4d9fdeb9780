"""Losses on integer or soft targets, all on logits (N, H, W, K), all `keras.losses.Loss` and serialisable.

Losses that take the integer labels (N, H, W) that an annotator drew: `SmoothedLoss`, `ForwardLikelihood` and their `Sum`. Losses
that take soft labels (N, H, W, K): Keras's `CategoricalCrossentropy(from_logits=True)`, `SoftDice`, `SoftJaccard`.
Labels must lie in 0..K - 1: the loaders check that, the step on the device cannot. Pixels of the label 255, `IGNORE`, are
not learned from: they count in no loss and no mean.
"""

from dataclasses import asdict

import keras
import numpy as np
from keras import ops

from thesis_lib import checks
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.labels import IGNORE
from thesis_lib.targets.smoothing import OneHot, blur

TINY = 1e-30  # of a likelihood: where the network is sure and wrong it must still learn, as by cross-entropy on logits
CLASS_WEIGHTS = ("uniform", "drop_background", "largest", "smallest", "median")


def class_weights(rule, labels, num_classes, background):
    """A weight for each class, to be applied to the pixels drawn as that class.

    Args:
        rule: uniform (all 1), drop_background (0 for the background, else 1), or balanced: n / n_k with n_k the
            pixels of class k and n those of the largest, smallest or median class that occurs. Classes that do not
            occur get 0.
        labels: integer label maps (N, H, W).
        num_classes: K.
        background: the background's class.

    Returns:
        float array (K,).
    """
    checks.one_of("class_weights", rule, CLASS_WEIGHTS)
    checks.integer("background", background, 0, num_classes - 1)
    if rule == "uniform":
        return np.ones(num_classes)
    if rule == "drop_background":
        return (np.arange(num_classes) != background).astype(float)
    labels = checks.label_maps("labels", labels, num_classes, ignore=IGNORE)
    counts = np.bincount(labels[labels != IGNORE], minlength=num_classes).astype(float)
    present = counts > 0
    if not present.any():
        raise ValueError(f"labels must hold a pixel that is not to be ignored for class_weights {rule!r}; got none")
    reference = {"largest": np.max, "smallest": np.min, "median": np.median}[rule](counts[present])
    return np.divide(reference, counts, out=np.zeros(num_classes), where=present)


def _weigh(per_pixel, labels, weights, num_classes):
    """Per-pixel losses (N, H, W) times the weight of the class drawn there; the others of a batch stand in for pixels to ignore."""
    known = ops.cast(ops.not_equal(labels, IGNORE), per_pixel.dtype)
    per_pixel = per_pixel * known / ops.maximum(ops.mean(known), keras.config.epsilon())
    if weights is None:
        return per_pixel
    if len(weights) != num_classes:
        raise ValueError(f"class_weights must hold a weight for each of the {num_classes} classes; got {len(weights)}")
    table = np.zeros(max(num_classes, IGNORE + 1), "float32")
    table[:num_classes] = weights
    return per_pixel * ops.take(ops.convert_to_tensor(table), labels, axis=0)


def _class_maps(labels, logits):
    """The labels as int32 (N, H, W); whatever else would be broadcast against the logits without a word."""
    if len(labels.shape) != len(logits.shape) - 1:
        raise ValueError(
            f"labels must be integer class maps (N, H, W) beside logits (N, H, W, K); got shapes {tuple(labels.shape)} and {tuple(logits.shape)}"
        )
    return ops.cast(labels, "int32")


def _as_tuple(weights):
    if weights is None:
        return None
    weights = np.asarray(weights, float)
    if weights.ndim != 1 or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(f"class_weights must be a list of finite numbers, 0 or more; got {weights!r}")
    return tuple(weights.tolist())


@keras.saving.register_keras_serializable("thesis_lib")
class SmoothedLoss(keras.losses.Loss):
    """A loss against soft labels that are made from integer labels on the device, inside the step.

    Args:
        smoothing: a rule of `thesis_lib.targets`.
        loss: a loss on soft targets and logits; cross-entropy if None.
        class_weights: K weights of the pixels drawn as each class; needs a loss with one value a pixel.
    """

    def __init__(self, smoothing, loss=None, class_weights=None, name="smoothed_loss", **options):
        super().__init__(name=name, **options)
        if not callable(smoothing):
            raise ValueError(f"smoothing must be a rule of thesis_lib.targets, such as OneHot(); got {smoothing!r}")
        self.smoothing = smoothing
        self.loss = loss or keras.losses.CategoricalCrossentropy(from_logits=True)
        self.class_weights = _as_tuple(class_weights)

    def call(self, labels, logits):
        labels = _class_maps(labels, logits)
        soft_labels = self.smoothing(labels, logits.shape[-1])
        soft_labels = soft_labels * ops.cast(ops.not_equal(labels, IGNORE), soft_labels.dtype)[..., None]
        # Beside pixels to ignore a blur finds less than one label.
        soft_labels = soft_labels / ops.maximum(ops.sum(soft_labels, axis=-1, keepdims=True), keras.config.epsilon())
        values = self.loss.call(soft_labels, logits)
        if len(values.shape) == len(labels.shape):
            return _weigh(values, labels, self.class_weights, logits.shape[-1])
        if self.class_weights is not None:
            raise ValueError(f"class_weights need a loss with one value a pixel; {self.loss.name} has one an image")
        return values

    def get_config(self):
        parts = {k: keras.saving.serialize_keras_object(getattr(self, k)) for k in ("smoothing", "loss")}
        return {**super().get_config(), **parts, "class_weights": self.class_weights}

    @classmethod
    def from_config(cls, config):
        parts = {k: keras.saving.deserialize_keras_object(config[k]) for k in ("smoothing", "loss")}
        return cls(**{**config, **parts})


@keras.saving.register_keras_serializable("thesis_lib")
class ForwardLikelihood(keras.losses.Loss):
    """The negative log likelihood of the annotation, given the network's belief about the true map.

    The softmax of the logits is a belief about the true class of every pixel. The annotator displaces it by the
    prior's spread, so the belief, not the label, is blurred: -log sum_delta w(delta) p_y(r)(r - delta). The optimum
    is the sharp true map. (Loss correction with a forward model: Patrini et al., CVPR 2017, there with a matrix of
    class confusions.) A bias is taken out of the labels first, by `smoothing.shift_boundaries(labels, -prior.mean)`.

    Args:
        prior: BoundaryPrior.
        class_weights: K weights of the pixels drawn as each class.
        loss: another loss on integer labels and logits, to score the blurred belief by in place of its log likelihood.
    """

    def __init__(self, prior, class_weights=None, loss=None, name="forward_likelihood", **options):
        super().__init__(name=name, **options)
        if not isinstance(prior, BoundaryPrior):
            raise ValueError(f"prior must be a BoundaryPrior; got {prior!r}")
        if loss is not None and class_weights is not None:
            raise ValueError("class_weights must be None beside a loss, which brings its own")
        self.prior = prior
        self.class_weights = _as_tuple(class_weights)
        self.loss = loss

    def call(self, labels, logits):
        labels = _class_maps(labels, logits)
        drawn = blur(ops.softmax(logits, axis=-1), self.prior)
        if self.loss is not None:
            return self.loss.call(labels, ops.log(ops.maximum(drawn, TINY)))
        likelihood = ops.sum(drawn * OneHot()(labels, logits.shape[-1]), axis=-1)
        loss = -ops.log(ops.maximum(likelihood, TINY))
        return _weigh(loss, labels, self.class_weights, logits.shape[-1])

    def get_config(self):
        parts = {"prior": asdict(self.prior), "loss": keras.saving.serialize_keras_object(self.loss)}
        return {**super().get_config(), **parts, "class_weights": self.class_weights}

    @classmethod
    def from_config(cls, config):
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "prior": BoundaryPrior(**config["prior"]), "loss": loss})


@keras.saving.register_keras_serializable("thesis_lib")
class Sum(keras.losses.Loss):
    """The sum of several losses on the same labels and logits, one value an image (means over its pixels)."""

    def __init__(self, losses, name="sum", **options):
        super().__init__(name=name, **options)
        self.losses = list(losses)

    def call(self, labels, logits):
        values = [loss.call(labels, logits) for loss in self.losses]
        return sum(v if len(v.shape) == 1 else ops.mean(v, axis=range(1, len(v.shape))) for v in values)

    def get_config(self):
        return {**super().get_config(), "losses": [keras.saving.serialize_keras_object(loss) for loss in self.losses]}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "losses": [keras.saving.deserialize_keras_object(loss) for loss in config["losses"]]})


class _SemimetricOverlap(keras.losses.Loss):
    """One minus an overlap of softmax(logits) and soft targets, per image, averaged over the classes.

    Pixels whose targets are all 0 are not learned from, and images of nothing else do not count in the batch's mean.
    """

    def call(self, targets, logits):
        known = ops.any(targets > 0, axis=-1, keepdims=True)
        beliefs = ops.softmax(logits, axis=-1) * ops.cast(known, logits.dtype)
        total = ops.sum(beliefs + targets, axis=(1, 2))
        apart = ops.sum(ops.abs(beliefs - targets), axis=(1, 2))
        counts = ops.cast(ops.any(known, axis=(1, 2, 3)), logits.dtype)
        lost = 1.0 - ops.mean(self.overlap(total, apart), axis=-1)
        return lost * counts / ops.maximum(ops.mean(counts), keras.config.epsilon())


@keras.saving.register_keras_serializable("thesis_lib")
class SoftDice(_SemimetricOverlap):
    """The Dice loss that stays correct on soft targets (Wang et al., "Dice Semimetric Losses", MICCAI 2023).

    With the intersection (|p| + |t| - |p - t|) / 2 it equals the usual soft Dice loss on hard targets and is least
    exactly at p = t on soft ones. Targets: soft labels (N, H, W, K); one value an image. A class that the target does not
    hold counts as missed, nearly whole, until the probabilities of all its pixels add up to less than 1e-7.
    """

    def __init__(self, name="soft_dice", **options):
        super().__init__(name=name, **options)

    def overlap(self, total, apart):
        epsilon = keras.config.epsilon()
        return (total - apart + epsilon) / (total + epsilon)


@keras.saving.register_keras_serializable("thesis_lib")
class SoftJaccard(_SemimetricOverlap):
    """The Jaccard loss that stays correct on soft targets (Wang et al., "Jaccard Metric Losses", NeurIPS 2023).

    As `SoftDice`, with the union (|p| + |t| + |p - t|) / 2 below the intersection.
    """

    def __init__(self, name="soft_jaccard", **options):
        super().__init__(name=name, **options)

    def overlap(self, total, apart):
        epsilon = keras.config.epsilon()
        return (total - apart + epsilon) / (total + apart + epsilon)
