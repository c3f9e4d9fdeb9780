"""Structures that overlap, such as a whole tumour and its core: a channel each, and a sigmoid for the softmax."""

import keras
import numpy as np
from keras import ops

from thesis_lib import backend
from thesis_lib.labels import IGNORE
from thesis_lib.targets.base import DATA_FORMATS, MapLoss, fits, numeric
from thesis_lib.targets.losses import SmoothedLoss, checked_loss, checked_weights, of_images
from thesis_lib.targets.overlap import SoftDice, SoftJaccard
from thesis_lib.targets.smoothing import OneHot

ON_SOFT_LABELS = (
    SoftDice,
    SoftJaccard,
    keras.losses.CategoricalCrossentropy,
    keras.losses.CategoricalFocalCrossentropy,
)
OF_KERAS = (*ON_SOFT_LABELS[2:], keras.losses.SparseCategoricalCrossentropy)


@keras.saving.register_keras_serializable("thesis_lib")
class Overlapping(MapLoss):
    """The loss of structures that may overlap, one value for each image: the mean over the structures.

    Labels are integers (N, H, W, S) or (N, D, H, W, S): in channel s, 1 in the structure, 0 outside, and 255 where
    nothing is known of it. A structure that nobody drew in an image is 255 everywhere. The network has a logit z for
    each structure, and sigmoid(z) is its probability. Each structure is a problem of two classes, outside and inside,
    with the logits (0, z), whose softmax is that sigmoid. So every loss on two classes serves, such as
    `ForwardLikelihood` with a prior of the structure's own.

    Args:
        losses: a loss for all structures, or a list of S: `keras.losses.Loss` on integer labels, or one on soft labels
            (SoftDice, SoftJaccard, Keras's categorical ones), which is given one-hot labels. Keras's sparse
            cross-entropy knows no 255 unless it is its ignore_class. Losses of pixels are averaged over the pixels of
            the batch where the structure is known. An overlap loss is the mean over inside and outside.
        weights: S numbers, 0 or more, of the structures in the mean; all equal if None.
        data_format: channels_last, or channels_first if labels and logits are (N, S, H, W) or (N, S, D, H, W).
        name, reduction: as of `keras.losses.Loss`.

    Raises:
        ValueError: if an argument is not of this kind. When it is called: if labels and logits differ in shape or have
            not S channels, or an array of labels holds another value than 0, 1 and 255.

    Example: the core is drawn less precisely than the whole tumour.
        >>> whole, core = BoundaryPrior.known(sigma=0.8), BoundaryPrior.known(sigma=2.0)
        >>> model.compile("adam", Overlapping([ForwardLikelihood(whole), ForwardLikelihood(core)]))
        >>> model.fit(images, structures(class_maps, {"whole": (1, 2), "core": (2,)}))  # thesis_lib.data
    """

    def __init__(self, losses, weights=None, name="overlapping", **options):
        super().__init__(name=name, **options)
        is_list = isinstance(losses, (list, tuple))
        if is_list and not losses:
            raise ValueError(f"losses must be a keras.losses.Loss, or a list of one for each structure; got {losses!r}")
        self.losses = [_of_two_classes(loss) for loss in losses] if is_list else _of_two_classes(losses)
        self.weights = checked_weights(weights, "weights", "structure")
        if is_list and self.weights is not None and len(self.weights) != len(losses):
            raise ValueError(f"weights must be one for each of the {len(losses)} losses; got {len(self.weights)}")

    @backend.uncompiled
    def __call__(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = numeric("labels", y_true), numeric("logits", y_pred)
        self._check_shapes(y_true.shape, y_pred.shape, self.data_format)
        if isinstance(y_true, np.ndarray):
            other = y_true[(y_true != 0) & (y_true != 1) & (y_true != IGNORE)]
            if other.size:
                raise ValueError(f"labels must be 0, 1 or {IGNORE} in the channel of each structure; got {other[0]:g}")
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, labels, logits):
        self._check_shapes(labels.shape, logits.shape)
        losses = of_each(self, logits.shape[-1])
        channels = (ops.unstack(maps, axis=-1) for maps in (ops.cast(labels, "int32"), logits))
        total = 0.0
        for (loss, share), drawn, inside in zip(losses, *channels):
            if isinstance(loss, ON_SOFT_LABELS):
                loss = SmoothedLoss(OneHot(), loss)
            total = total + share * of_images(loss.call(drawn, two_classes(inside)))
        return total

    def _check_shapes(self, labels, logits, data_format="channels_last"):
        """Raise unless labels and logits have one shape, with a channel for each structure."""
        several = self.losses if isinstance(self.losses, list) else self.weights
        if len(logits) in (4, 5) and fits(labels, logits):
            channels = logits[-1] if data_format == "channels_last" else logits[1]
            if several is None or channels == len(several):
                return
        number = "each structure" if several is None else f"each of the {len(several)} structures"
        raise ValueError(
            f"labels and logits must both be {DATA_FORMATS[data_format].replace('K', 'S')}, with a channel for "
            f"{number}; got shapes {tuple(labels)} and {tuple(logits)}"
        )

    def get_config(self):
        save = keras.saving.serialize_keras_object
        losses = [save(loss) for loss in self.losses] if isinstance(self.losses, list) else save(self.losses)
        return {**super().get_config(), "losses": losses, "weights": self.weights}

    @classmethod
    def from_config(cls, config):
        losses, load = config["losses"], keras.saving.deserialize_keras_object
        losses = [load(loss) for loss in losses] if isinstance(losses, list) else load(losses)
        return cls(**{**config, "losses": losses})


def two_classes(logits):
    """Logits of structures, each as those of two classes, outside and inside: a last axis of (0, z) more."""
    return ops.stack([ops.zeros_like(logits), logits], axis=-1)


def _of_two_classes(loss):
    """A user's loss on two classes; others of Keras, such as the binary ones, would fail on the shapes in a step."""
    if type(checked_loss("losses", loss)).__module__.startswith("keras.") and not isinstance(loss, OF_KERAS):
        known = ", ".join(one.__name__ for one in OF_KERAS)
        raise ValueError(f"losses must be on two classes, of Keras's own one of {known}; got {type(loss).__name__}")
    return loss


def of_each(overlapping, count):
    """(loss, share in the mean) of each of so many structures, a list, of an `Overlapping` loss."""
    losses = overlapping.losses if isinstance(overlapping.losses, list) else [overlapping.losses] * count
    weights = overlapping.weights or (1.0,) * count
    return [(loss, weight / sum(weights)) for loss, weight in zip(losses, weights)]
