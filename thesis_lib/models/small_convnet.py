"""A small convolutional network, which a laptop trains on small images in seconds."""

import keras
from keras import layers

from thesis_lib import checks
from thesis_lib.models import arguments


def small_convnet(num_classes, image_shape=(16, 16, 1), width=16, dropout=0.3):
    """Two convolutions with stride 2 and a dense layer, without batch normalisation.

    Args:
        num_classes: K.
        image_shape: (H, W, C).
        width: filters of the first convolution; the second has twice as many.
        dropout: rate in [0, 1) before the dense layer.

    Returns:
        keras.Model from images (N, H, W, C), 0-255, to float32 logits (N, K).
    """
    num_classes, image_shape = arguments.num_classes(num_classes), arguments.image_shape(image_shape)
    width = checks.integer("width", width, 1, arguments.MOST_FILTERS // 2)
    dropout = arguments.rate("dropout", dropout)
    images = keras.Input(image_shape, name="images")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(images)
    for i, filters in enumerate((width, 2 * width)):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", name=f"conv{i}")(x)
        x = layers.LeakyReLU(negative_slope=0.1, name=f"relu{i}")(x)
    x = layers.Dropout(dropout, name="dropout")(layers.Flatten(name="flatten")(x))
    return keras.Model(images, layers.Dense(num_classes, dtype="float32", name="classes")(x), name="small_convnet")
