"""What all methods share: a classifier, its augmentation, and a cost on unlabelled images whose weight grows."""

import keras
import numpy as np
from keras import ops

from thesis_lib import checks
from thesis_lib.semi_supervised.batches import Batches
from thesis_lib.semi_supervised.ramps import LinearRamp, SigmoidRamp

PARTS = ("classifier", "augment", "weight")


class Finite(keras.callbacks.Callback):
    """Stops training by an error that names the step where the loss, or the epoch after which a weight, is not finite; no callback saves that epoch's weights."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if not np.isfinite(logs["loss"]):
            self._stop(f"the loss was {logs['loss']} at step {batch + 1} of epoch {self.epoch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        if not all(
            np.isfinite(np.asarray(weight, "float32")).all()
            for weight in self.model.predictor.get_weights() + self.model.classifier.get_weights()
        ):
            self._stop(f"weights were not finite after the last step of epoch {epoch + 1}")

    def _stop(self, found):
        raise ValueError(f"learning_rate and weight must be small enough to train with; {found}")


class SemiSupervised(keras.Model):
    """A classifier that is trained on labelled and unlabelled images together.

    Fit it on batches {"labelled": images (B, H, W, C), "labels": classes (B,), "unlabelled": images (U, H, W, C)} (see
    `thesis_lib.semi_supervised.Batches`); validate, evaluate and predict on plain images. Compile it with the loss of
    the labelled part on logits; the cost of the unlabelled part is the method's own, added with its weight. Labelled and unlabelled images
    pass the classifier in one batch, so that batch normalisation has the statistics of both: with it, a weight of 0 is not quite training on the labelled ones alone.

    Args:
        classifier: functional or sequential keras.Model, built, from images (N, H, W, C) to logits (N, K).
        augment: a Keras layer that draws a random variation of images; none if None.
        weight: of the unlabelled cost: a number, 0 or more, or a ramp of `thesis_lib.semi_supervised.ramps`.
    """

    def __init__(self, classifier, augment=None, weight=1.0, **options):
        super().__init__(**options)
        shape = getattr(classifier, "output_shape", None)
        if (
            not isinstance(classifier, keras.Model)
            or not isinstance(shape, tuple)
            or len(shape) != 2
            or not isinstance(shape[1], int)
        ):
            raise ValueError(
                f"classifier must be a keras.Model, functional or sequential and built, from images to logits (N, K); got {classifier!r}"
            )
        self.classifier = classifier
        self.augment = augment
        self.weight = weight if isinstance(weight, (LinearRamp, SigmoidRamp)) else checks.real("weight", weight, 0.0)
        self.num_classes = shape[1]
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")
        self.costs = [keras.metrics.Mean("supervised_cost"), keras.metrics.Mean("unlabelled_cost")]
        self.built = True  # its parts are

    @property
    def predictor(self):
        """The network that predicts: the classifier, or its average where a method keeps one."""
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

    def unlabelled_cost(self, inputs, outputs):
        """The method: a scalar from a batch and from what `call` made of it. Gradients flow into the classifier alone."""
        raise NotImplementedError

    def fit(self, x=None, *args, callbacks=None, **options):
        """As `keras.Model.fit`, on batches as above: `Batches` must label an image of each of the classifier's K classes and no other. They have an order of
        their own, which is that of the epoch, whether training goes on from there (`initial_epoch`) or began before; Keras's would depend on how much
        else a method draws. A loss or weight that is not finite raises ValueError."""
        own = [Finite()]
        if x is None or hasattr(x, "shape"):
            raise ValueError(
                f"x must be batches of labelled and unlabelled images, such as `Batches`; got {type(x).__name__}"
            )
        if isinstance(x, Batches):
            if x.labels.max() >= self.num_classes:
                raise ValueError(
                    f"labels must be classes below the classifier's {self.num_classes} outputs; got {x.labels.max()}"
                )
            missing = np.setdiff1d(np.arange(self.num_classes), x.labels)
            if len(missing):
                raise ValueError(
                    f"labels must hold an image of each of the classifier's {self.num_classes} classes; none is of {', '.join(map(str, missing))}"
                )
            own.append(keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs=None: x.start(epoch)))
        return super().fit(
            x,
            *args,
            callbacks=[*own, *keras.tree.flatten(callbacks or [])],
            **{"shuffle": not isinstance(x, Batches), **options},
        )

    def evaluate(self, x=None, *args, **options):
        """As `keras.Model.evaluate`, on plain images and their labels; so is validation."""
        if isinstance(x, Batches):
            raise ValueError("evaluate and validate on plain images and their labels; got batches to train on")
        return super().evaluate(x, *args, **options)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if not isinstance(y_pred, dict):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        supervised = super().compute_loss(x, y_pred["labels"], y_pred["logits"], None, training)
        cost = self.unlabelled_cost(x, y_pred)
        weight = self.weight if isinstance(self.weight, float) else self.weight(self.step)
        self.step.assign_add(1)
        for tracker, value in zip(self.costs, (supervised, cost)):
            tracker.update_state(value)
        return supervised + weight * cost

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if isinstance(y_pred, dict):
            y, y_pred = y_pred["labels"], y_pred["logits"]
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def save_own_variables(self, store):
        """Also the state of every random part, which Keras leaves out: a loaded model goes on with the same draws."""
        super().save_own_variables(store)
        for i, state in enumerate(self._random_states()):
            store[f"random{i}"] = np.array(state)

    def load_own_variables(self, store):
        super().load_own_variables({name: store[name] for name in store.keys() if not name.startswith("random")})
        for i, state in enumerate(self._random_states()):
            state.assign(store[f"random{i}"])

    def _random_states(self):
        return [v for v in self.variables if v.path.endswith("seed_generator_state")]

    def get_config(self):
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in PARTS}
        return {**super().get_config(), **parts}

    @classmethod
    def from_config(cls, config):
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in PARTS}
        return cls(**{**config, **parts})
