"""Training whose weights are averaged over its steps: the average predicts."""

import keras

from thesis_lib import checks
from thesis_lib.semi_supervised.ema import checked_decay, ema_copy, ema_update


@keras.saving.register_keras_serializable("thesis_lib")
class AveragedSegmenter(keras.Model):
    """Trains a network as usual; an exponential moving average (EMA) of its weights validates and predicts.

    It is the mean teacher without images that it could teach. Averaging the weights of a training is due to Polyak and
    Juditsky (SIAM J. Control Optim., 1992). Keras's own, `use_ema` of an optimizer, keeps one decay from the second
    step on, and leaves out the statistics of batch normalisation.

    Args:
        network: keras.Model, functional and built.
        decay: of the average, in [0, 1); lower in the first steps, see `ema_update`.

    Raises:
        ValueError: if network is no keras.Model, or decay out of its range.

    Example:
        >>> model = AveragedSegmenter(network, decay=0.99)
        >>> model.compile("adam", loss)
        >>> model.fit(images, labels)
        >>> logits = model.predict(images)  # the average's
    """

    def __init__(self, network, decay=0.99, **options):
        super().__init__(**options)
        self.network = checks.instance("network", network, keras.Model, "a keras.Model from images to logits")
        self.decay = checked_decay(decay)
        self.predictor = ema_copy(network)
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")
        self.built = True  # its parts are

    def call(self, inputs, training=False):
        """Logits of the network in training, whose last step the average takes up first; else those of the average."""
        if not training:
            return self.predictor(inputs, training=False)
        ema_update(self.predictor, self.network, self.decay, self.step)
        self.step.assign_add(1)
        return self.network(inputs, training=True)

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network, "decay": self.decay}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "network": keras.saving.deserialize_keras_object(config["network"])})
