"""Strong variations of images, and of volumes, that leave every pixel where it is, so that its label stays right."""

import keras
from keras import ops

from thesis_lib import checks


@keras.saving.register_keras_serializable("thesis_lib")
class OtherColours(keras.layers.Layer):
    """Random contrast, brightness, blur and noise, drawn for each image (H, W, C) or volume (D, H, W, C).

    Values stay in 0-255, or in the range that the image has where that is wider.

    Args:
        contrast: largest relative change of the differences from the image's mean, in [0, 1].
        brightness: largest change of all values, as a share of 255, in [0, 1].
        blur: largest share of a mean over 5 px, or voxels, along each axis that is mixed in, in [0, 1].
        noise: largest standard deviation of Gaussian noise, as a share of 255, in [0, 1].
        seed: of the variations; None for others each time.
    """

    def __init__(self, contrast=0.5, brightness=0.25, blur=1.0, noise=0.1, seed=None, **options):
        super().__init__(**options)
        sizes = {"contrast": contrast, "brightness": brightness, "blur": blur, "noise": noise}
        self.sizes = {name: checks.real(name, size, 0.0, 1.0) for name, size in sizes.items()}
        self.seed = seed if seed is None else checks.integer("seed", seed, 0, 2**32 - 1)
        self.generator = keras.random.SeedGenerator(self.seed)

    def call(self, images, training=False):
        images = ops.cast(images, "float32")
        if not training:
            return images
        whole = {"axis": tuple(range(1, len(images.shape))), "keepdims": True}
        low, high = ops.minimum(ops.min(images, **whole), 0.0), ops.maximum(ops.max(images, **whole), 255.0)
        mean = ops.mean(images, **whole)
        images = mean + (images - mean) * (1.0 + self._drawn(images, "contrast", -1.0))
        images = images + 255.0 * self._drawn(images, "brightness", -1.0)
        smooth = ops.average_pool(images, 5, strides=1, padding="same", data_format="channels_last")
        images = images + self._drawn(images, "blur") * (smooth - images)
        noise = keras.random.normal(ops.shape(images), seed=self.generator)
        return ops.minimum(ops.maximum(images + 255.0 * self._drawn(images, "noise") * noise, low), high)

    def _drawn(self, images, name, low=0.0):
        """A number for each image, from low to 1 times the size of that name."""
        shape = (ops.shape(images)[0], *[1] * (len(images.shape) - 1))
        return self.sizes[name] * keras.random.uniform(shape, low, 1.0, seed=self.generator)

    def get_config(self):
        return {**super().get_config(), **self.sizes, "seed": self.seed}


@keras.saving.register_keras_serializable("thesis_lib")
class CutMix(keras.layers.Layer):
    """A rectangle of each image comes from the next one of the batch, and so does its target (Yun et al., ICCV 2019).

    As French et al. (BMVC 2020) do for segmentation, each rectangle covers half of the image; its shape and place are
    drawn. Of a volume it is a box.

    Args:
        seed: of the rectangles; None for others each time.
    """

    def __init__(self, seed=None, **options):
        super().__init__(**options)
        self.seed = seed if seed is None else checks.integer("seed", seed, 0, 2**32 - 1)
        self.generator = keras.random.SeedGenerator(self.seed)

    def call(self, images, targets):
        """Images (N, H, W, C) and targets (N, H, W, K), or volumes and theirs, mixed alike, as float32."""
        images, targets, shape = ops.cast(images, "float32"), ops.cast(targets, "float32"), ops.shape(images)
        axes, along = len(images.shape) - 2, [1] * (len(images.shape) - 1)
        drawn = keras.random.uniform((2 * axes - 1, shape[0], *along), seed=self.generator)
        # Each side is a share from 1/2 to 1, a power of 1/2; as the exponents sum to one, the shares' product is 1/2.
        cuts = ops.unstack(ops.sort(drawn[: axes - 1], axis=0), axes - 1)
        cuts = [ops.zeros_like(drawn[0]), *cuts, ops.ones_like(drawn[0])]
        sides = [0.5 ** (high - low) for low, high in zip(cuts, cuts[1:])][::-1]
        inside = 1.0
        for axis, (side, length) in enumerate(zip(sides, shape[1:-1])):
            at = (ops.cast(ops.arange(length), "float32") + 0.5) / ops.cast(length, "float32")
            at = ops.reshape(at, [1, *along[:axis], -1, *along[axis + 1 :]])
            start = drawn[axes - 1 + axis] * (1.0 - side)
            inside = inside * ops.cast(ops.logical_and(at >= start, at < start + side), "float32")
        return tuple(inside * ops.roll(one, 1, axis=0) + (1.0 - inside) * one for one in (images, targets))

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
