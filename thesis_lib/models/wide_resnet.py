"""Wide ResNet (Zagoruyko & Komodakis, BMVC 2016): residual blocks of few layers and many filters, usually 28-2."""

import keras
from keras import layers

from thesis_lib import checks
from thesis_lib.models import arguments

DEEPEST, WIDEST = 1000, 64  # several times the largest of the paper, 40-4, 28-12 and 16-10


def wide_resnet(num_classes, image_shape=(32, 32, 3), depth=28, width=2):
    """Three groups of (depth - 4) / 6 pre-activation blocks with 16, 32 and 64 times `width` filters.

    Args:
        num_classes: K.
        image_shape: (H, W, C); H and W may be None.
        depth: 6 n + 4 with n from 1 up, at most 1000.
        width: factor of the filters, 1 to 64.

    Returns:
        keras.Model from images (N, H, W, C), 0-255, to float32 logits (N, K).
    """
    num_classes, image_shape = arguments.num_classes(num_classes), arguments.image_shape(image_shape, free=True)
    width = checks.integer("width", width, 1, WIDEST)
    depth = checks.integer("depth", depth, 10, DEEPEST)
    if depth % 6 != 4:
        raise ValueError(f"depth must be 6 n + 4, such as 10, 16, 22 or 28; got {depth!r}")
    images = keras.Input(image_shape, name="images")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(images)
    x = _conv(x, 16, 3, 1, "stem")
    for group, filters in enumerate((16 * width, 32 * width, 64 * width)):
        for block in range((depth - 4) // 6):
            x = _block(x, filters, 2 if group and not block else 1, f"group{group}_block{block}")
    x = layers.GlobalAveragePooling2D(name="average")(_activate(x, "last"))
    return keras.Model(images, layers.Dense(num_classes, dtype="float32", name="classes")(x), name="wide_resnet")


def _conv(x, filters, kernel, stride, name):
    return layers.Conv2D(filters, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal", name=name)(x)


def _activate(x, name):
    return layers.LeakyReLU(negative_slope=0.1, name=f"{name}_relu")(
        layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    )


def _block(x, filters, stride, name):
    """BN-ReLU-conv twice, added to what came in; projected where the number of filters or the resolution changes."""
    active = _activate(x, f"{name}_0")
    same = x.shape[-1] == filters and stride == 1
    y = _activate(_conv(active, filters, 3, stride, f"{name}_conv0"), f"{name}_1")
    y = _conv(y, filters, 3, 1, f"{name}_conv1")
    return layers.Add(name=f"{name}_add")([x if same else _conv(active, filters, 1, stride, f"{name}_project"), y])
