"""What every loss of the library shares: the order and the shapes of its arguments, and where the channels are."""

import copy
import re

import keras
import numpy as np
from keras import ops

from thesis_lib import backend, checks
from thesis_lib.labels import IGNORE

NUMBERS = re.compile(r"\b(bool|u?int\d+|b?float\d+)")  # in the name of a dtype, on any backend
DATA_FORMATS = {
    "channels_last": "(N, H, W, K) or (N, D, H, W, K)",
    "channels_first": "(N, K, H, W) or (N, K, D, H, W)",
}


class MapLoss(keras.losses.Loss):
    """A loss on maps: `loss(labels, logits)`, labels first, in Keras's `compile` and in anyone's own loop.

    In a loop of PyTorch (KERAS_BACKEND=torch) it is called like a loss of `torch.nn`, on tensors of any device. It
    keeps their gradients, and computes in single precision under autocast. A step that `torch.compile` compiles calls
    it as it is, uncompiled (so fullgraph=True cannot be asked for).

    Args:
        data_format: channels_last: logits are (N, H, W, K), or (N, D, H, W, K) for volumes; channels_first: they are
            (N, K, H, W) or (N, K, D, H, W), and so are soft labels. Integer labels have no channels. Of a loss within
            another one, the outer one's counts.
        name, reduction: as of `keras.losses.Loss`. A `sample_weight` has a number for each image (N,) or, with losses
            of pixels, for each pixel (N, H, W).

    Raises:
        ValueError: if the data format is unknown, or the loss is called with shapes that do not fit.
    """

    def __init__(self, data_format="channels_last", **options):
        super().__init__(**options)
        self.data_format = checks.one_of("data_format", data_format, DATA_FORMATS)

    @backend.uncompiled
    def __call__(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = numeric("labels", y_true), numeric("logits", y_pred)
        with backend.beside(y_pred):
            labels, logits = y_true.shape, y_pred.shape
            if len(labels) == len(logits) + 1:
                raise ValueError(
                    "labels must come first and logits second, loss(labels, logits); "
                    f"got shapes {tuple(labels)} and {tuple(logits)}"
                )
            if self.data_format == "channels_first":
                if len(labels) == len(logits):
                    y_true = ops.moveaxis(y_true, 1, -1)
                else:
                    check_labels(labels, logits, self.data_format)
                y_pred = ops.moveaxis(y_pred, 1, -1)
            if len(labels) == len(logits) - 1 and (y_pred.shape[-1] or 0) > 1:
                check_classes(y_true, y_pred.shape[-1])
            if sample_weight is None:
                return super().__call__(y_true, y_pred)
            return weighted(self, y_true, y_pred, sample_weight)

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}


def weighted(loss, labels, logits, sample_weight):
    """A keras.losses.Loss with a weight for each image (N,) or, where it has a value for each pixel, for each pixel.

    Keras aligns weights with the last axis, where those of N images would be those of N columns.
    """
    of_each = copy.copy(loss)
    of_each.reduction = "none"
    values = keras.losses.Loss.__call__(of_each, labels, logits)
    weights = ops.cast(numeric("sample_weight", sample_weight), values.dtype)
    places = tuple(values.shape)
    if getattr(weights.shape, "rank", 0) is None:  # in a graph of TensorFlow's fit
        weights = ops.reshape(weights, ops.shape(values))
    given = tuple(weights.shape)
    if given[len(places) :] == (1,):
        weights = ops.squeeze(weights, -1)
    shape = tuple(weights.shape)
    if len(shape) > len(places) or any(None not in pair and pair[0] not in (1, pair[1]) for pair in zip(shape, places)):
        each = f", or one for each pixel, {places}" if len(places) > 1 else ""
        raise ValueError(f"sample_weight must be one number for each image, ({places[0]},){each}; got shape {given}")
    weights = ops.reshape(weights, (*ops.shape(weights), *[1] * (len(places) - len(shape)))) * ops.ones_like(values)
    values = values * weights
    if loss.reduction in (None, "none"):
        return values
    if loss.reduction == "sum":
        return ops.sum(values)
    if loss.reduction == "mean_with_sample_weight":
        return ops.sum(values) / ops.maximum(ops.sum(weights), keras.config.epsilon())
    return ops.mean(values)


def numeric(name, value):
    """`value`, if it is an array or a tensor of numbers; nested lists become an array."""
    if isinstance(value, (list, tuple, np.ndarray)):
        value = checks.array(name, value)
    if not hasattr(value, "shape") or not NUMBERS.search(str(getattr(value, "dtype", ""))):
        raise ValueError(f"{name} must be an array or a tensor of numbers; got {checks.shown(value)}")
    return value


def check_classes(labels, num_classes):
    """Raise if an array of labels holds other values than classes and 255; on a device that would cost time."""
    if not isinstance(labels, np.ndarray):
        return
    known = labels[labels != IGNORE]
    if ((known < 0) | (known >= num_classes) | (known % 1 != 0)).any():
        raise ValueError(
            f"labels must be classes in 0..{num_classes - 1}, or {IGNORE}; "
            f"got values from {known.min():g} to {known.max():g}"
        )


def checked_labels(labels, num_classes):
    """What a smoothing rule is called with: (labels, num_classes), the labels as int32 (N, H, W) or (N, D, H, W)."""
    labels, num_classes = numeric("labels", labels), checks.class_count("num_classes", num_classes)
    if len(labels.shape) not in (3, 4) or "float" in str(labels.dtype):
        raise ValueError(
            f"labels must be integer class maps (N, H, W) or (N, D, H, W); got {tuple(labels.shape)}, {labels.dtype}"
        )
    check_classes(labels, num_classes)
    return ops.cast(labels, "int32"), num_classes


def check_labels(labels, logits, data_format="channels_last"):
    """Raise unless shapes are those of label maps and of their logits."""
    places = _without_channels(logits, data_format)
    if len(logits) in (4, 5) and fits(labels, places):
        return
    other = next(name for name in DATA_FORMATS if name != data_format)
    hint = ""
    if len(logits) in (4, 5) and fits(labels, _without_channels(logits, other)):
        hint = f", which fit data_format={other!r}"
    raise ValueError(
        f"labels must be integer class maps (N, H, W) beside logits {DATA_FORMATS[data_format]}; "
        f"got shapes {tuple(labels)} and {tuple(logits)}{hint}"
    )


def _without_channels(logits, data_format):
    return logits[:-1] if data_format == "channels_last" else (*logits[:1], *logits[2:])


def fits(shape, expected):
    """Whether a shape is the expected one, in every length that is known; others would be broadcast silently."""
    return len(shape) == len(expected) and all(None in pair or pair[0] == pair[1] for pair in zip(shape, expected))


def labels_and_logits(labels, logits):
    """Integer labels as int32 (N, H, W), and logits (N, H, W, K) in single precision at least; or of volumes."""
    logits = checked_logits(logits)
    check_labels(getattr(labels, "shape", ()), logits.shape)
    return ops.cast(labels, "int32"), logits


def checked_logits(logits):
    """Logits of two classes or more, in single precision at least."""
    if len(logits.shape) not in (4, 5) or logits.shape[-1] == 1:
        raise ValueError(
            f"logits must be of two classes or more, {DATA_FORMATS['channels_last']}, as their softmax is learned; "
            f"got shape {tuple(logits.shape)}"
        )
    is_half = keras.backend.standardize_dtype(logits.dtype) in ("float16", "bfloat16")
    return ops.cast(logits, "float32") if is_half else logits


def spatial_axes(maps):
    """The axes of maps (N, ..., K) that are neither the image nor the class."""
    return tuple(range(1, len(maps.shape) - 1))
