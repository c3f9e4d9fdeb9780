"""Losses on integer or soft labels. All take logits (N, H, W, K), subclass `keras.losses.Loss` and can be saved.

`SmoothedLoss`, `ForwardLikelihood` and their `Sum` take the integer labels (N, H, W) that an annotator drew.
`SoftDice`, `SoftJaccard` and Keras's `CategoricalCrossentropy(from_logits=True)` take soft labels (N, H, W, K). Labels
must lie in 0..K - 1: the loaders check that, the step on the device cannot. Pixels of the label 255, `IGNORE`, are not
learned from: they count in no loss and no mean. Losses are computed in single precision at least, whatever Keras's
floatx or the network's precision.

Sources: forward correction of a loss, Patrini et al. (CVPR 2017); Dice and Jaccard losses for soft labels, Wang et al.,
"Dice Semimetric Losses" (MICCAI 2023) and "Jaccard Metric Losses" (NeurIPS 2023).
"""

from dataclasses import asdict

import keras
import numpy as np
from keras import ops

from thesis_lib import checks
from thesis_lib.annotation.prior import BoundaryPrior, checked_prior
from thesis_lib.labels import IGNORE
from thesis_lib.targets.smoothing import OneHot, blur

TINY = 1e-30  # smallest likelihood; where the network is sure and wrong, its gradient is still that of cross-entropy
CLASS_WEIGHTS = ("uniform", "drop_background", "largest", "smallest", "median")


def class_weights(rule, labels, num_classes, background):
    """A weight for each class, by which the loss of the pixels drawn as that class is multiplied.

    Args:
        rule: uniform: all weights are 1; drop_background: 0 for the background and 1 for the others; largest, smallest,
            median: n / n_k, with n_k the number of pixels of class k and n that of the largest, smallest or median
            class that occurs. Classes that do not occur then have weight 0.
        labels: integer label maps (N, H, W); pixels of 255 do not count.
        num_classes: K.
        background: the background's class.

    Returns:
        float array (K,).

    Raises:
        ValueError: if the rule is unknown, the background is no class, or labels has nothing to count.
    """
    checks.one_of("class_weights", rule, CLASS_WEIGHTS)
    num_classes = checks.class_count("num_classes", num_classes)
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


def weigh(per_pixel, labels, weights, num_classes):
    """Per-pixel losses (N, H, W) times the weight of the class drawn there.

    Pixels to ignore have loss 0, and the other pixels of the batch are scaled up so that the mean is over them alone.
    """
    known = ops.cast(ops.not_equal(labels, IGNORE), per_pixel.dtype)
    per_pixel = per_pixel * known / ops.maximum(ops.mean(known), keras.config.epsilon())
    if weights is None:
        return per_pixel
    if len(weights) != num_classes:
        raise ValueError(f"class_weights must hold a weight for each of the {num_classes} classes; got {len(weights)}")
    table = np.zeros(max(num_classes, IGNORE + 1))
    table[:num_classes] = weights
    return per_pixel * ops.take(ops.convert_to_tensor(table, per_pixel.dtype), labels, axis=0)


def negative_log_likelihood(labels, probabilities, weights=None):
    """-log of the probability (N, H, W, K) of the class drawn at each pixel, weighed by `weigh`: (N, H, W)."""
    num_classes = probabilities.shape[-1]
    likelihood = ops.sum(probabilities * one_hot(labels, num_classes, probabilities.dtype), axis=-1)
    return weigh(-ops.log(ops.maximum(likelihood, TINY)), labels, weights, num_classes)


def one_hot(labels, num_classes, dtype):
    """`OneHot` in the precision of what it meets."""
    return ops.cast(OneHot()(labels, num_classes), dtype)


def labels_and_logits(labels, logits):
    """Integer labels as int32 (N, H, W), and logits (N, H, W, K) in single precision at least."""
    logits = _logits(logits)
    shape = getattr(labels, "shape", ())
    if not _fits(shape, logits.shape[:-1]):
        raise ValueError(
            "labels must be integer class maps (N, H, W) beside logits (N, H, W, K); "
            f"got shapes {tuple(shape)} and {tuple(logits.shape)}"
        )
    return ops.cast(labels, "int32"), logits


def _logits(logits):
    if len(logits.shape) != 4 or logits.shape[-1] == 1:
        raise ValueError(
            "logits must be of two classes or more, (N, H, W, K), as their softmax is learned; "
            f"got shape {tuple(logits.shape)}"
        )
    is_half = keras.backend.standardize_dtype(logits.dtype) in ("float16", "bfloat16")
    return ops.cast(logits, "float32") if is_half else logits


def _fits(shape, expected):
    """Whether a shape is the expected one, in every length that is known; others would be broadcast silently."""
    return len(shape) == len(expected) and all(None in pair or pair[0] == pair[1] for pair in zip(shape, expected))


def _checked_weights(weights):
    """A user's class weights as a tuple of floats, which can be saved; None stays None."""
    if weights is None:
        return None
    what = "a list of finite numbers, 0 or more and not all 0, one for each class"
    found = checks.number_array("class_weights", weights, what, low=0.0)
    if found.ndim != 1 or not found.any():
        raise ValueError(f"class_weights must be {what}; got {weights!r}")
    return tuple(found.astype(float).tolist())


def _checked_loss(name, loss):
    """A Keras loss that takes logits; one that takes probabilities would give a wrong value silently."""
    if not isinstance(loss, keras.losses.Loss):
        raise ValueError(f"{name} must be a keras.losses.Loss; got {loss!r}")
    if not loss.get_config().get("from_logits", True):
        raise ValueError(f"{name} must take logits, from_logits=True; got {loss.name} of probabilities")
    return loss


@keras.saving.register_keras_serializable("thesis_lib")
class SmoothedLoss(keras.losses.Loss):
    """A loss against soft labels that are made from integer labels on the device, inside the training step.

    Args:
        smoothing: a smoothing rule of `thesis_lib.targets`, such as `OneHot()`.
        loss: a loss on soft labels and logits; cross-entropy if None.
        class_weights: K weights, 0 or more, of the pixels drawn as each class; needs a loss with one value for each
            pixel.

    Raises:
        ValueError: if an argument is not of this kind.

    Example: train on label smoothing with the soft Dice loss.
        >>> model.compile("adam", SmoothedLoss(Uniform(magnitude=0.9), SoftDice()))
        >>> model.fit(images, labels)  # labels: integers (N, H, W)
    """

    def __init__(self, smoothing, loss=None, class_weights=None, name="smoothed_loss", **options):
        super().__init__(name=name, **options)
        if not callable(smoothing) or isinstance(smoothing, type):
            raise ValueError(f"smoothing must be a rule of thesis_lib.targets, such as OneHot(); got {smoothing!r}")
        self.smoothing = smoothing
        self.loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        if loss is not None:
            self.loss = _checked_loss("loss", loss)
        self.class_weights = _checked_weights(class_weights)

    def call(self, labels, logits):
        labels, logits = labels_and_logits(labels, logits)
        soft_labels = ops.cast(self.smoothing(labels, logits.shape[-1]), logits.dtype)
        soft_labels = soft_labels * ops.cast(ops.not_equal(labels, IGNORE), soft_labels.dtype)[..., None]
        # Next to pixels to ignore a blurred label sums to less than one.
        soft_labels = soft_labels / ops.maximum(ops.sum(soft_labels, axis=-1, keepdims=True), keras.config.epsilon())
        values = self.loss.call(soft_labels, logits)
        if len(values.shape) == len(labels.shape):
            return weigh(values, labels, self.class_weights, logits.shape[-1])
        if self.class_weights is not None:
            raise ValueError(
                f"class_weights must be None unless the loss has one value a pixel; {self.loss.name} has one an image"
            )
        return values

    def get_config(self):
        return {
            **super().get_config(),
            "smoothing": keras.saving.serialize_keras_object(self.smoothing),
            "loss": keras.saving.serialize_keras_object(self.loss),
            "class_weights": self.class_weights,
        }

    @classmethod
    def from_config(cls, config):
        smoothing = keras.saving.deserialize_keras_object(config["smoothing"])
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "smoothing": smoothing, "loss": loss})


@keras.saving.register_keras_serializable("thesis_lib")
class ForwardLikelihood(keras.losses.Loss):
    """The negative log likelihood of the annotation, given the network's predicted probabilities of the true map.

    The softmax p of the logits states the probabilities of the true class of every pixel. The annotator displaces the
    true map by the prior's spread, so the prediction is blurred, and the label y never is: the loss at the pixel r is
    -log sum_delta w(delta) p_y(r)(r - delta). Its optimum is the sharp true map. (Forward correction of a loss: Patrini
    et al., CVPR 2017, who correct by a matrix of class confusions.)

    The blur leaves out the annotator's bias. Remove it from the labels first by
    `thesis_lib.annotation.shift_boundaries(labels, -prior.mean)`.

    Args:
        prior: BoundaryPrior.
        class_weights: K weights, 0 or more, of the pixels drawn as each class; None if `loss` is given.
        loss: a loss on integer labels and logits that scores the blurred prediction instead of the log likelihood.

    Raises:
        ValueError: if an argument is not of this kind.

    Example: train with the error of an annotator measured on a few images with true maps.
        >>> prior = BoundaryPrior().fit(drawn[:20], true[:20], background=0)
        >>> labels = shift_boundaries(drawn, -prior.mean, background=0)
        >>> model.compile("adam", ForwardLikelihood(prior))
        >>> model.fit(images, labels)
    """

    def __init__(self, prior, class_weights=None, loss=None, name="forward_likelihood", **options):
        super().__init__(name=name, **options)
        if loss is not None and class_weights is not None:
            raise ValueError(f"class_weights must be None beside a loss, which has its own; got {class_weights!r}")
        self.prior = checked_prior(prior)
        self.class_weights = _checked_weights(class_weights)
        self.loss = None if loss is None else _checked_loss("loss", loss)

    def call(self, labels, logits):
        labels, logits = labels_and_logits(labels, logits)
        drawn = blur(ops.softmax(logits, axis=-1), self.prior)
        if self.loss is not None:
            return self.loss.call(labels, ops.log(ops.maximum(drawn, TINY)))
        return negative_log_likelihood(labels, drawn, self.class_weights)

    def get_config(self):
        return {
            **super().get_config(),
            "prior": asdict(self.prior),
            "loss": keras.saving.serialize_keras_object(self.loss),
            "class_weights": self.class_weights,
        }

    @classmethod
    def from_config(cls, config):
        prior = BoundaryPrior(**config["prior"])
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "prior": prior, "loss": loss})


@keras.saving.register_keras_serializable("thesis_lib")
class Sum(keras.losses.Loss):
    """The sum of several losses on the same labels and logits, one value for each image (means over its pixels).

    Args:
        losses: list of keras.losses.Loss, one or more.

    Raises:
        ValueError: if it is no such list.
    """

    def __init__(self, losses, name="sum", **options):
        super().__init__(name=name, **options)
        if not isinstance(losses, (list, tuple)) or not losses:
            raise ValueError(f"losses must be a list of one keras.losses.Loss or more; got {losses!r}")
        self.losses = [_checked_loss("losses", loss) for loss in losses]

    def call(self, labels, logits):
        total = 0.0
        for loss in self.losses:
            values = loss.call(labels, logits)
            if len(values.shape) > 1:
                values = ops.mean(values, axis=tuple(range(1, len(values.shape))))
            total = total + values
        return total

    def get_config(self):
        losses = [keras.saving.serialize_keras_object(loss) for loss in self.losses]
        return {**super().get_config(), "losses": losses}

    @classmethod
    def from_config(cls, config):
        losses = [keras.saving.deserialize_keras_object(loss) for loss in config["losses"]]
        return cls(**{**config, "losses": losses})


class _SemimetricOverlap(keras.losses.Loss):
    """What `SoftDice` and `SoftJaccard` share: 1 minus an overlap of predicted and target probabilities of each class.

    There is one value for each image, the mean over classes. Pixels whose targets are all 0 are not learned from, and
    images of such pixels alone do not count in the batch's mean.
    """

    def call(self, targets, logits):
        logits = _logits(logits)
        if not _fits(targets.shape, logits.shape):
            raise ValueError(
                "soft labels must be (N, H, W, K) as the logits are; "
                f"got shapes {tuple(targets.shape)} and {tuple(logits.shape)}"
            )
        targets = ops.cast(targets, logits.dtype)
        known = ops.any(targets > 0, axis=-1, keepdims=True)
        predicted = ops.softmax(logits, axis=-1) * ops.cast(known, logits.dtype)
        total = ops.sum(predicted + targets, axis=(1, 2))
        difference = ops.sum(ops.abs(predicted - targets), axis=(1, 2))
        counts = ops.cast(ops.any(known, axis=(1, 2, 3)), logits.dtype)
        losses = 1.0 - ops.mean(self.overlap(total, difference), axis=-1)
        return losses * counts / ops.maximum(ops.mean(counts), keras.config.epsilon())


@keras.saving.register_keras_serializable("thesis_lib")
class SoftDice(_SemimetricOverlap):
    """The Dice loss that stays correct on soft labels (Wang et al., "Dice Semimetric Losses", MICCAI 2023).

    The intersection is (|p| + |t| - |p - t|) / 2. On hard labels the loss equals the usual soft Dice loss; on soft
    labels its only minimum is p = t. It takes soft labels (N, H, W, K) and has one value for each image. A class that
    the labels of an image do not hold contributes nearly the largest loss, until its predicted probabilities add up to
    less than 1e-7.
    """

    def __init__(self, name="soft_dice", **options):
        super().__init__(name=name, **options)

    def overlap(self, total, difference):
        epsilon = keras.config.epsilon()
        return (total - difference + epsilon) / (total + epsilon)


@keras.saving.register_keras_serializable("thesis_lib")
class SoftJaccard(_SemimetricOverlap):
    """The Jaccard loss that stays correct on soft labels (Wang et al., "Jaccard Metric Losses", NeurIPS 2023).

    As `SoftDice`, with the intersection divided by the union (|p| + |t| + |p - t|) / 2.
    """

    def __init__(self, name="soft_jaccard", **options):
        super().__init__(name=name, **options)

    def overlap(self, total, difference):
        epsilon = keras.config.epsilon()
        return (total - difference + epsilon) / (total + difference + epsilon)
