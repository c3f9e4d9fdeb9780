"""Augmentation of images and labels together, on the device, inside the training step.

Keras's preprocessing layers make the transformations; `AugmentedSegmenter` applies them in `Model.fit`.
"""

import keras
from keras import layers, ops

from thesis_lib import checks
from thesis_lib.models import arguments


def augmentation(image_shape, rotation=10.0, shift=2.0, zoom=0.1, seed=None):
    """Random rotation, shift and zoom, the same for an image (bilinear) and its label map (nearest neighbour).

    Args:
        image_shape: (H, W, C) of the images, px.
        rotation: largest angle, degrees, in [0, 360].
        shift: largest shift along each axis, px, at most the shorter side of the images.
        zoom: largest relative change of size, in [0, 1).
        seed: of the random transformations, a whole number from 0 to 2**32 - 1; None for another one each time.

    Returns:
        keras layer on {"images", "segmentation_masks"}. Beyond the border the image is continued by its edge pixels.
    """
    height, width, _ = arguments.image_shape(image_shape)
    rotation = checks.real("rotation", rotation, 0.0, 360.0)
    shift = checks.real("shift", shift, 0.0, min(height, width))
    zoom = checks.real("zoom", zoom, 0.0, 1.0, open_high=True)
    seed = seed if seed is None else checks.integer("seed", seed, 0, 2**32 - 1)
    # Layers with the same seed would draw the same numbers.
    seeds = [None] * 3 if seed is None else [3 * seed + i for i in range(3)]
    return layers.Pipeline(
        [
            layers.RandomRotation(rotation / 360, fill_mode="nearest", seed=seeds[0]),
            layers.RandomTranslation(shift / height, shift / width, fill_mode="nearest", seed=seeds[1]),
            layers.RandomZoom((-zoom, zoom), (-zoom, zoom), fill_mode="nearest", seed=seeds[2]),
        ]
    )


@keras.saving.register_keras_serializable("thesis_lib")
class AugmentedSegmenter(keras.Model):
    """Trains a segmentation network on augmented images and labels.

    Fit it on a dictionary, and predict with it on images. Only training augments.

    Args:
        network: keras.Model from images (N, H, W, C) to logits (N, H, W, K).
        augment: a Keras layer such as `augmentation` makes.

    Raises:
        ValueError: if network is no keras.Model, or augment no layer.

    Example:
        >>> model = AugmentedSegmenter(network, augmentation((64, 84, 1), seed=0))
        >>> model.compile("adam", loss)
        >>> model.fit({"images": images, "labels": labels})
        >>> logits = model.predict(images)
    """

    def __init__(self, network, augment, **options):
        super().__init__(**options)
        self.network = checks.instance("network", network, keras.Model, "a keras.Model from images to logits")
        self.augment = checks.instance("augment", augment, layers.Layer, "a Keras layer, such as `augmentation` makes")
        self.built = True  # as both parts are; BackupAndRestore asks for it

    def call(self, inputs, training=False):
        if not isinstance(inputs, dict):
            return self.network(inputs, training=training)
        images, labels = inputs["images"], inputs["labels"]
        if training:
            masks = ops.cast(labels, "float32")[..., None]
            augmented = self.augment(
                {"images": ops.cast(images, "float32"), "segmentation_masks": masks}, training=True
            )
            images, labels = augmented["images"], ops.cast(augmented["segmentation_masks"][..., 0], "int32")
        return {"logits": self.network(images, training=training), "labels": labels}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return super().compute_loss(x, y_pred["labels"], y_pred["logits"], sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, y_pred["labels"], y_pred["logits"], sample_weight)

    def get_config(self):
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "augment": keras.saving.serialize_keras_object(self.augment),
        }

    @classmethod
    def from_config(cls, config):
        network = keras.saving.deserialize_keras_object(config["network"])
        augment = keras.saving.deserialize_keras_object(config["augment"])
        return cls(**{**config, "network": network, "augment": augment})
