"""Logits and scores of a trained classifier on images of any number."""

import keras
import numpy as np
from scipy import stats
from sklearn.metrics import f1_score, log_loss

from thesis_lib import checks
from thesis_lib.semi_supervised.arguments import check_distributions
from thesis_lib.targets.base import fits


def logits(model, images):
    """Logits of a model, or a network, for images (an array or an `ImageTable`), 0-255: float32 (N, K).

    A call holds the outputs of every layer for its batch; small images go in larger batches.

    Raises:
        ValueError: if the model is none, or the images are of another shape than it takes or hold other values.
    """
    checks.instance("model", model, keras.Model, "a keras.Model")
    what = f"images (N, H, W, C), values 0-255, one or more, as the model takes them: {_input_shape(model)}"
    if not fits(getattr(images, "shape", ()), _input_shape(model)) or not len(images):
        raise ValueError(f"images must be {what}; got {checks.shown(images)}")
    if isinstance(images, np.ndarray) and checks.array("images", images).dtype != np.uint8:
        images = checks.number_array("images", images, what, low=0.0)
        if images.max() > 255:
            raise ValueError(f"images must be {what}; got values up to {images.max():g}")
    batch_size = max(32, 2**17 // int(np.prod(images.shape[1:3])))
    parts = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    of_parts = [keras.ops.convert_to_numpy(model(part, training=False)) for part in parts]
    return np.concatenate(of_parts).astype(np.float32)


def _input_shape(model):
    """(None, H, W, C) of a network, or of the classifier of a method; None for what is not known."""
    return getattr(getattr(model, "classifier", model), "input_shape", (None,) * 4)


def scores(model, images):
    """Error (%) and macro-averaged F1 of a model, or a network, on `Images`: a dict."""
    predicted = logits(model, images.images).argmax(-1)
    return {
        "error_percent": 100 * float(np.mean(predicted != images.labels)),
        "f1": float(f1_score(images.labels, predicted, average="macro")),
    }


def confidence(predicted, labels, margin=0.2):
    """How sure predictions are, and whether rightly so.

    Args:
        predicted: probabilities (N, K).
        labels: int (N,), the true classes.
        margin: difference between the two largest probabilities of an unsure prediction, in [0, 1].

    Returns:
        dict: mean entropy (nats), share of predictions with a smaller margin, log loss (nats).
    """
    checks.real("margin", margin, 0.0, 1.0)
    check_distributions("predicted", predicted)
    predicted = checks.number_array("predicted", predicted)
    labels = checks.array("labels", labels)
    if predicted.ndim != 2 or predicted.shape[1] < 2 or labels.shape != predicted.shape[:1]:
        raise ValueError(
            "predicted and labels must have shapes (N, K), of two classes or more, and (N,); "
            f"got {predicted.shape} and {labels.shape}"
        )
    if labels.dtype.kind not in "iu" or not np.isin(labels, np.arange(predicted.shape[1])).all():
        raise ValueError(f"labels must be the numbers of {predicted.shape[1]} classes; got {checks.shown(labels)}")
    second, first = np.sort(predicted, axis=-1)[:, -2:].T
    return {
        "mean entropy (nats)": float(stats.entropy(predicted, axis=-1).mean()),
        f"share with a margin below {margin:g}": float(np.mean(first - second < margin)),
        "log loss (nats)": float(log_loss(labels, predicted, labels=range(predicted.shape[1]))),
    }


class Scored(keras.callbacks.Callback):
    """Scores the model that is trained after each epoch, and the student beside its teacher where there are two.

    `history` is a list with a dict for each epoch: the epoch, counted from 1, its logs and the scores; those of the
    student begin with "student_".

    Args:
        images: `Images`, for error (%) and F1.
        labelled: `Images`, for the classification loss (mean cross-entropy, nats) without augmentation and dropout;
            None: no classification loss.
    """

    def __init__(self, images, labelled=None):
        super().__init__()
        self.images, self.labelled = images, labelled
        self.history = []

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, **(logs or {}), **self._scores(self.model)}
        if self.model.predictor is not self.model.classifier:
            row |= {f"student_{name}": value for name, value in self._scores(self.model.classifier).items()}
        self.history.append(row)

    def _scores(self, model):
        row = scores(model, self.images)
        if self.labelled is not None:
            losses = keras.losses.sparse_categorical_crossentropy(
                self.labelled.labels, logits(model, self.labelled.images), from_logits=True
            )
            row["classification_loss"] = float(np.mean(keras.ops.convert_to_numpy(losses)))
        return row
