"""Losses on the integer labels that an annotator drew. They subclass `keras.losses.Loss` and can be saved.

`SmoothedLoss`, `ForwardLikelihood` and their `Sum` take integer labels (N, H, W) and logits (N, H, W, K), or volumes.
Labels must lie in 0..K - 1: the loaders check that, the step on the device cannot. Pixels of the label 255, `IGNORE`,
are not learned from: they count in no loss and no mean. Losses are computed in single precision at least, whatever
Keras's floatx or the network's precision.

Source: forward correction of a loss, Patrini et al. (CVPR 2017).
"""

import math
from dataclasses import asdict

import keras
import numpy as np
from keras import ops

from thesis_lib import backend, checks
from thesis_lib.annotation.prior import BoundaryPrior, checked_prior
from thesis_lib.labels import IGNORE
from thesis_lib.targets.base import MapLoss, labels_and_logits
from thesis_lib.targets.blurring import blur, blur_of_class, checked_spacing

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
    per_pixel = per_pixel * (known / ops.maximum(ops.mean(known), keras.config.epsilon()))
    if weights is None:
        return per_pixel
    if len(weights) != num_classes:
        raise ValueError(f"class_weights must hold a weight for each of the {num_classes} classes; got {len(weights)}")
    table = np.zeros(max(num_classes, IGNORE + 1))
    table[:num_classes] = weights
    return per_pixel * ops.take(ops.convert_to_tensor(table, per_pixel.dtype), labels, axis=0)


def of_images(values):
    """One value for each image: the mean over its pixels, if a loss has a value for each of them."""
    axes = tuple(range(1, len(values.shape)))
    return ops.mean(values, axis=axes) if axes else values


def negative_log_likelihood(labels, likelihood, weights, num_classes):
    """-log of the likelihood of what is drawn at each pixel, weighed by `weigh`: (N, H, W)."""
    return weigh(-ops.log(ops.clip(likelihood, TINY, math.inf)), labels, weights, num_classes)


def checked_weights(weights, name="class_weights", of="class"):
    """A user's weights of classes, or of others, as a tuple of floats, which can be saved; None stays None."""
    if weights is None:
        return None
    what = f"a list of finite numbers from 0 to 1e30, not all 0, one for each {of}"
    found = checks.number_array(name, weights, what, low=0.0)
    if found.ndim != 1 or not found.any() or found.max() > 1e30:  # its product with a loss is a number
        raise ValueError(f"{name} must be {what}; got {weights!r}")
    return tuple(found.astype(float).tolist())


def checked_loss(name, loss):
    """A Keras loss that takes logits; one that takes probabilities would give a wrong value silently."""
    if not isinstance(loss, keras.losses.Loss):
        raise ValueError(f"{name} must be a keras.losses.Loss; got {loss!r}")
    if not loss.get_config().get("from_logits", True):
        raise ValueError(f"{name} must take logits, from_logits=True; got {loss.name} of probabilities")
    return loss


@keras.saving.register_keras_serializable("thesis_lib")
class SmoothedLoss(MapLoss):
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
        if not callable(smoothing) or isinstance(smoothing, type) or not hasattr(smoothing, "get_config"):
            raise ValueError(f"smoothing must be a rule of thesis_lib.targets, such as OneHot(); got {smoothing!r}")
        self.smoothing = smoothing
        self.loss = None if loss is None else checked_loss("loss", loss)
        self.class_weights = checked_weights(class_weights)

    def call(self, labels, logits):
        labels, logits = labels_and_logits(labels, logits)
        soft_labels = ops.cast(self.smoothing(labels, logits.shape[-1]), logits.dtype)
        soft_labels = soft_labels * ops.cast(ops.not_equal(labels, IGNORE), soft_labels.dtype)[..., None]
        # Next to pixels to ignore a blurred label sums to less than one.
        soft_labels = soft_labels / ops.maximum(ops.sum(soft_labels, axis=-1, keepdims=True), keras.config.epsilon())
        if self.loss is None:
            values = backend.cross_entropy(soft_labels, logits)
        else:
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
class ForwardLikelihood(MapLoss):
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
        spacing: sides of a pixel or voxel, mm, as for `blur`; a prior in mm needs it.
        options: data_format, name and reduction, as of `MapLoss`.

    Raises:
        ValueError: if an argument is not of this kind.

    Example: train with the error of an annotator measured on a few images with true maps.
        >>> prior = BoundaryPrior().fit(drawn[:20], true[:20], background=0)
        >>> labels = shift_boundaries(drawn, -prior.mean, background=0)
        >>> model.compile("adam", ForwardLikelihood(prior))
        >>> model.fit(images, labels)

    Volumes (N, D, H, W) whose voxels are 3 x 0.8 x 0.8 mm large, by a prior in mm.
        >>> in_mm = BoundaryPrior(unit="mm").fit(drawn_volumes, true_volumes, background=0, spacing=(3.0, 0.8, 0.8))
        >>> volume_model.compile("adam", ForwardLikelihood(in_mm, spacing=(3.0, 0.8, 0.8)))

    In a loop of PyTorch: logits (N, K, H, W) of one's own `torch.nn.Module`, and labels (N, H, W), which come first.
        >>> criterion = ForwardLikelihood(prior, data_format="channels_first")
        >>> criterion(labels, network(images)).backward()  # doctest: +SKIP
    """

    def __init__(self, prior, class_weights=None, loss=None, spacing=None, name="forward_likelihood", **options):
        super().__init__(name=name, **options)
        if loss is not None and class_weights is not None:
            raise ValueError(f"class_weights must be None beside a loss, which has its own; got {class_weights!r}")
        self.prior, self.spacing = checked_prior(prior, spacing=spacing), checked_spacing(spacing)
        self.class_weights = checked_weights(class_weights)
        self.loss = None if loss is None else checked_loss("loss", loss)

    def call(self, labels, logits):
        labels, logits = labels_and_logits(labels, logits)
        probabilities = backend.softmax(logits)
        if self.loss is not None:
            return self.loss.call(labels, ops.log(ops.maximum(blur(probabilities, self.prior, self.spacing), TINY)))
        likelihood = blur_of_class(probabilities, labels, self.prior, self.spacing)
        return negative_log_likelihood(labels, likelihood, self.class_weights, logits.shape[-1])

    def get_config(self):
        return {
            **super().get_config(),
            "prior": asdict(self.prior),
            "spacing": self.spacing,
            "loss": keras.saving.serialize_keras_object(self.loss),
            "class_weights": self.class_weights,
        }

    @classmethod
    def from_config(cls, config):
        prior = BoundaryPrior(**config["prior"])
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "prior": prior, "loss": loss})


@keras.saving.register_keras_serializable("thesis_lib")
class Sum(MapLoss):
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
        self.losses = [checked_loss("losses", loss) for loss in losses]

    def call(self, labels, logits):
        total = 0.0
        for loss in self.losses:
            total = total + of_images(loss.call(labels, logits))
        return total

    def get_config(self):
        losses = [keras.saving.serialize_keras_object(loss) for loss in self.losses]
        return {**super().get_config(), "losses": losses}

    @classmethod
    def from_config(cls, config):
        losses = [keras.saving.deserialize_keras_object(loss) for loss in config["losses"]]
        return cls(**{**config, "losses": losses})
