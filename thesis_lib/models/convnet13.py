"""The 13-layer network of the semi-supervised papers (Laine & Aila 2017, table 5; Tarvainen & Valpola 2017)."""

import keras
from keras import layers

from thesis_lib import checks
from thesis_lib.models import arguments


def convnet13(num_classes, image_shape=(32, 32, 3), width=128, dropout=0.5):
    """Three blocks of three convolutions; 128, 256 and 512-256-128 filters in the papers.

    It has batch normalisation where the papers have weight normalisation with mean-only batch normalisation. Their
    noise on the input (Gaussian, standard deviation 0.15) is left to the augmentation.

    Args:
        num_classes: K.
        image_shape: (H, W, C); H and W from 12 up, since the third block's first convolution is not padded.
        width: filters of the first block, 128 in the papers; the other blocks keep the proportions.
        dropout: rate in [0, 1) after the first two blocks.

    Returns:
        keras.Model from images (N, H, W, C), 0-255, to float32 logits (N, K).
    """
    num_classes, image_shape = arguments.num_classes(num_classes), arguments.image_shape(image_shape)
    width = checks.integer("width", width, 1, arguments.MOST_FILTERS // 4)
    dropout = arguments.rate("dropout", dropout)
    for name, size in zip(("height", "width"), image_shape):
        checks.integer(f"{name} of image_shape", size, 12)
    images = keras.Input(image_shape, name="images")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(images)
    for block, filters in enumerate((width, 2 * width)):
        for i in range(3):
            x = _convolve(x, filters, 3, "same", f"block{block}_{i}")
        x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
        x = layers.Dropout(dropout, name=f"block{block}_dropout")(x)
    for i, (filters, kernel) in enumerate(((4 * width, 3), (2 * width, 1), (width, 1))):
        x = _convolve(x, filters, kernel, "valid", f"block2_{i}")
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(images, layers.Dense(num_classes, dtype="float32", name="classes")(x), name="convnet13")


def _convolve(x, filters, kernel, padding, name):
    x = layers.Conv2D(filters, kernel, padding=padding, use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.LeakyReLU(negative_slope=0.1, name=f"{name}_relu")(x)
