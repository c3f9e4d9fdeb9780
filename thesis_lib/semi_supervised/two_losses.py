"""A model whose loss is that of labelled images, plus a weighted one of images without labels."""

import keras
import numpy as np

from thesis_lib import checks
from thesis_lib.semi_supervised.ramps import MOST_WEIGHT, LinearRamp, SigmoidRamp

PARTS_OF_LOSS = ("supervised_loss", "unsupervised_loss")  # of a training step


class TwoLosses(keras.Model):
    """What methods for few labels share: two losses, the step that the weight depends on, and how all is saved.

    `call` returns a dict with "labels" and "logits" of the labelled images for a batch to train on, and logits for
    plain images, which are validated as Keras does.

    Args:
        weight: of the unsupervised loss: a number from 0 to 1e30, or a ramp of `thesis_lib.semi_supervised.ramps`.
    """

    parts: tuple[str, ...] = ("weight",)  # arguments that Keras serialises

    def __init__(self, weight=1.0, **options):
        super().__init__(**options)
        is_ramp = isinstance(weight, (LinearRamp, SigmoidRamp))
        self.weight = weight if is_ramp else checks.real("weight", weight, 0.0, MOST_WEIGHT)
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")
        self.loss_parts = [keras.metrics.Mean(name) for name in PARTS_OF_LOSS]
        self.built = True  # its parts are

    def _supervised_loss(self, inputs, outputs):
        """The loss that the model was compiled with, of the labelled images."""
        return super().compute_loss(inputs, outputs["labels"], outputs["logits"], None, True)

    def unsupervised_loss(self, inputs, outputs):
        """A scalar from a batch and from what `call` returned for it."""
        raise NotImplementedError

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if not isinstance(y_pred, dict):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        if y is not None or sample_weight is not None:
            raise ValueError('batches must hold their labels as "labels", with neither y nor sample_weight beside them')
        supervised, unsupervised = self._supervised_loss(x, y_pred), self.unsupervised_loss(x, y_pred)
        weight = self.weight if isinstance(self.weight, float) else self.weight(self.step)
        self.step.assign_add(1)
        for tracker, value in zip(self.loss_parts, (supervised, unsupervised)):
            tracker.update_state(value)
        return supervised + weight * unsupervised

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if isinstance(y_pred, dict):
            y, y_pred = y_pred["labels"], y_pred["logits"]
            return super().compute_metrics(x, y, y_pred, sample_weight)
        # Plain images have no parts of the loss; those of the last training step would be reported as theirs.
        values = super().compute_metrics(x, y, y_pred, sample_weight)
        return {name: value for name, value in values.items() if name not in PARTS_OF_LOSS}

    def save_own_variables(self, store):
        """Save also the state of every random part, which Keras leaves out: a loaded model draws the same numbers."""
        super().save_own_variables(store)
        for i, state in enumerate(self._random_states()):
            store[f"random{i}"] = np.array(state)

    def load_own_variables(self, store):
        names = list(store.keys())
        super().load_own_variables({name: store[name] for name in names if not name.startswith("random")})
        for i, state in enumerate(self._random_states()):
            state.assign(store[f"random{i}"])

    def _random_states(self):
        return [v for v in self.variables if v.path.endswith("seed_generator_state")]

    def get_config(self):
        own = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in self.parts}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        own = {name: keras.saving.deserialize_keras_object(config[name]) for name in cls.parts}
        return cls(**{**config, **own})
