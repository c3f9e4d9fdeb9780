"""What all methods share: a classifier, its augmentation, and an unsupervised loss whose weight grows."""

import keras
import numpy as np
from keras import ops

from thesis_lib.semi_supervised.batches import Batches
from thesis_lib.semi_supervised.two_losses import TwoLosses
from thesis_lib.training.callbacks import InOrder

UNUSED = ("y", "sample_weight", "class_weight", "batch_size")  # by fit, as batches hold all


class Finite(keras.callbacks.Callback):
    """Stops a training whose loss or weights are no longer finite.

    The error names the step where the loss is not finite, or the epoch after which a weight is not finite. The callback
    runs before those that save, so that no weights of such an epoch are saved.
    """

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if not np.isfinite(logs["loss"]):
            self._stop(f"the loss was {logs['loss']} at step {batch + 1} of epoch {self.epoch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        for weight in self.model.predictor.get_weights() + self.model.classifier.get_weights():
            if not np.isfinite(np.asarray(weight, "float32")).all():
                self._stop(f"weights were not finite after the last step of epoch {epoch + 1}")

    def _stop(self, reason):
        raise ValueError(f"learning_rate and weight must be small enough to train with; {reason}")


class SemiSupervised(TwoLosses):
    """A classifier that is trained on labelled and unlabelled images together.

    Fit it on batches {"labelled": images (B, H, W, C), "labels": classes (B,), "unlabelled": images (U, H, W, C)}, such
    as `thesis_lib.semi_supervised.Batches`; validate, evaluate and predict on plain images. Compile it with the loss of
    the labelled images on logits. The method adds its unsupervised loss, times its weight.

    Labelled and unlabelled images pass the classifier in one batch, so that batch normalisation has the statistics of
    both. A classifier with batch normalisation and a weight of 0 therefore differs a little from training on the
    labelled images alone.

    Args:
        classifier: functional or sequential keras.Model, built, from images (N, H, W, C) to logits (N, K) of two
            classes or more.
        augment: a Keras layer that draws a random variation of images; None: no variation.
        weight: of the unsupervised loss: a number from 0 to 1e30, or a ramp of `thesis_lib.semi_supervised.ramps`.

    Raises:
        ValueError: if the classifier is no such model, augment is neither a layer nor None, or the weight is
            another one.
    """

    parts = ("classifier", "augment", "weight")
    soft_labels = False  # whether the supervised loss takes probabilities (N, K) instead of classes (N,)

    def __init__(self, classifier, augment=None, weight=1.0, **options):
        super().__init__(weight, **options)
        shape = getattr(classifier, "output_shape", None)
        one_output = isinstance(shape, tuple) and len(shape) == 2 and isinstance(shape[1], int)
        if not isinstance(classifier, keras.Model) or not one_output:
            raise ValueError(
                "classifier must be a keras.Model, functional or sequential and built, from images to logits (N, K); "
                f"got {classifier!r}"
            )
        if shape[1] < 2:  # the softmax of one logit is always one
            raise ValueError(f"classifier must have logits of two classes or more; it has {shape[1]}")
        self.classifier = classifier
        self.augment = checked_layer("augment", augment)
        self.num_classes = shape[1]

    @property
    def predictor(self):
        """The network that predicts: the classifier, or its EMA copy where the method has one."""
        return self.classifier

    def varied(self, images):
        """Images as float32, augmented anew at each call."""
        images = ops.cast(images, "float32")
        return images if self.augment is None else ops.cast(self.augment(images, training=True), "float32")

    def call(self, inputs, training=False):
        if not isinstance(inputs, dict):
            return self.predictor(ops.cast(inputs, "float32"), training=training)
        images = self.varied(ops.concatenate([inputs["labelled"], inputs["unlabelled"]]))
        logits = self.classifier(images, training=training)
        count = ops.shape(inputs["labelled"])[0]
        return {"labels": inputs["labels"], "logits": logits[:count], "images": images, "all_logits": logits}

    def unsupervised_loss(self, inputs, outputs):
        """The method: a scalar from a batch and from what `call` returned for it.

        Gradients flow into the classifier alone.
        """
        raise NotImplementedError

    def fit(self, x=None, y=None, *, callbacks=None, **options):
        """Train as `keras.Model.fit` does, on batches of labelled and unlabelled images.

        The batches hold labels and have a size, so there are no y, sample_weight, class_weight or batch_size. For
        classes that count unequally, compile with a loss that weighs them.
        `Batches` draw a new order for each epoch from their own seed, whether the training began at that epoch
        (`initial_epoch`) or before it. Keras's own shuffling would depend on how many random numbers a method draws.

        Raises:
            ValueError: if x is no such batches or one of these arguments is given, if `Batches` do not label an image
                of each of the classifier's K classes or label one of another class, or if the loss or a weight is no
                longer finite.
        """
        own = [Finite()]
        if x is None or hasattr(x, "shape"):
            raise ValueError(
                f"x must be batches of labelled and unlabelled images, such as `Batches`; got {type(x).__name__}"
            )
        for name in UNUSED:
            value = y if name == "y" else options.get(name)
            if value is not None:
                raise ValueError(f"{name} must be left out: batches hold labels and have a size; got {value!r}")
        if isinstance(x, Batches):
            self._check_classes(x.labels)
            own.append(InOrder(x))
            options = {"shuffle": False, **options}
        return super().fit(x, callbacks=[*own, *keras.tree.flatten(callbacks or [])], **options)

    def _check_classes(self, labels):
        outputs = f"the classifier's {self.num_classes}"
        if labels.max() >= self.num_classes:
            raise ValueError(f"labels must be classes below {outputs} outputs; got {labels.max()}")
        missing = np.setdiff1d(np.arange(self.num_classes), labels)
        if len(missing):
            raise ValueError(
                f"labels must hold an image of each of {outputs} classes; none is of {', '.join(map(str, missing))}"
            )

    def evaluate(self, x=None, *args, **options):
        """Evaluate as `keras.Model.evaluate` does, on plain images and their labels; validation does the same."""
        if isinstance(x, Batches):
            raise ValueError("evaluate and validate on plain images and their labels; got batches to train on")
        return super().evaluate(x, *args, **options)


def checked_layer(name, layer):
    """A Keras layer, or None."""
    if layer is not None and not isinstance(layer, keras.layers.Layer):
        raise ValueError(f"{name} must be a Keras layer or None; got {layer!r}")
    return layer
