"""Augmentation of images and labels together, on the device, inside the training step."""

import keras
from keras import layers, ops


def augmentation(image_shape, rotation=10.0, shift=2.0, zoom=0.1, seed=None):
    """Random rotation, shift and zoom that Keras applies alike to images and (by nearest neighbour) to label maps.

    Args:
        image_shape: (H, W, C) of the images, px.
        rotation: largest angle, degrees.
        shift: largest shift along each axis, px.
        zoom: largest relative change of size.
        seed: of the draws.

    Returns:
        a Keras layer on {"images", "segmentation_masks"}; what enters at the border repeats the edge.
    """
    height, width = image_shape[:2]
    seeds = [None] * 3 if seed is None else [3 * seed + i for i in range(3)]  # layers of one seed would vary alike
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

    Fit it on a dictionary: `fit({"images": images, "labels": labels})`; predict with it on images. Validation and
    prediction augment nothing.

    Args:
        network: keras.Model from images (N, H, W, C) to logits (N, H, W, K).
        augment: a layer as from `augmentation`.
    """

    def __init__(self, network, augment, **options):
        super().__init__(**options)
        self.network = network
        self.augment = augment
        self.built = True  # both parts are, and backups need to know

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
        parts = {k: keras.saving.serialize_keras_object(getattr(self, k)) for k in ("network", "augment")}
        return {**super().get_config(), **parts}

    @classmethod
    def from_config(cls, config):
        parts = {k: keras.saving.deserialize_keras_object(config[k]) for k in ("network", "augment")}
        return cls(**{**config, **parts})
