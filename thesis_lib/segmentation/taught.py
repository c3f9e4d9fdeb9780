"""What the methods for few labels share: a network that learns from labels, and from what it is taught of other images.

Each method is a keras.Model, to be fitted on batches {"labelled", "labels", "unlabelled"}, such as
`PartlyLabelledBatches`. The network sees the unlabelled images with other colours (`strong`), and is taught by what is
predicted for them as they are. Nothing moves, so that pixels stay where they are.
"""

import keras
from keras import ops

from thesis_lib import checks
from thesis_lib.semi_supervised.ema import checked_decay, ema_copy, ema_update
from thesis_lib.semi_supervised.two_losses import TwoLosses
from thesis_lib.semi_supervised.unsupervised import probabilities


class Taught(TwoLosses):
    """What the methods share: one pass of the network over labelled and unlabelled images together.

    Args:
        network: functional keras.Model from images (N, H, W, C) to logits (N, H, W, K) of two classes or more, or from
            volumes (N, D, H, W, C) to (N, D, H, W, K).
        strong: a Keras layer that draws other colours for unlabelled images, such as `OtherColours()`; None: none.
        weight: of the unsupervised loss: a number from 0 to 1e30, or a ramp of `thesis_lib.semi_supervised`.
    """

    parts: tuple[str, ...] = ("network", "strong", "weight")

    def __init__(self, network, strong=None, weight=1.0, **options):
        super().__init__(weight, **options)
        self.network = checked_network("network", network)
        if strong is not None:
            checks.instance("strong", strong, keras.layers.Layer, "a Keras layer or None")
        self.strong = strong

    @property
    def predictor(self):
        """The network that predicts: the student, or its EMA copy where the method has one."""
        return self.network

    def call(self, inputs, training=False):
        if not isinstance(inputs, dict):
            return self.predictor(inputs, training=training)
        unlabelled, taught = self._lesson(ops.cast(inputs["unlabelled"], "float32"))
        images = ops.concatenate([ops.cast(inputs["labelled"], "float32"), unlabelled])
        logits, count = self.network(images, training=training), ops.shape(inputs["labelled"])[0]
        outputs = {"labels": inputs["labels"], "logits": logits[:count], "unlabelled": pixels(logits[count:])}
        return {**outputs, "images": images, **taught}

    def _lesson(self, images):
        """(unlabelled images as the network sees them, what it is taught of them: a dict of tensors)."""
        return self._varied(images), {}

    def _varied(self, images):
        return images if self.strong is None else ops.cast(self.strong(images, training=True), "float32")


class TaughtByAverage(Taught):
    """Methods with an EMA copy of the network, the teacher, which predicts.

    A step first updates the teacher with the weights that the last step left, then asks it. The decay is lower in the
    first steps (see `ema_update`). The teacher's batch normalisation uses its averaged statistics.

    Args:
        decay: of the EMA copy, in [0, 1).
    """

    def __init__(self, network, strong=None, weight=1.0, decay=0.99, **options):
        super().__init__(network, strong, weight, **options)
        self.decay = checked_decay(decay)
        self.teacher = ema_copy(network)

    @property
    def predictor(self):
        return self.teacher

    def call(self, inputs, training=False):
        if isinstance(inputs, dict):
            ema_update(self.teacher, self.network, self.decay, self.step)
        return super().call(inputs, training=training)

    def get_config(self):
        return {**super().get_config(), "decay": self.decay}


def pixels(maps):
    """Maps (N, H, W, K), or of volumes, as rows (N * H * W, K)."""
    return ops.reshape(maps, (-1, maps.shape[-1]))


def predicted(network, images):
    """A network's probabilities of each pixel of images, (N * H * W, K); no gradient."""
    return ops.stop_gradient(probabilities(pixels(network(images, training=False))))


def maps_like(images, rows):
    """Rows (N * H * W, K) as maps (N, H, W, K) of images (N, H, W, C), or of volumes."""
    return ops.reshape(rows, (*ops.shape(images)[:-1], rows.shape[-1]))


def checked_network(name, network):
    """A keras.Model from images, or volumes, to logits of two classes or more."""
    shape = getattr(network, "output_shape", None)
    one_output = isinstance(shape, tuple) and len(shape) in (4, 5) and isinstance(shape[-1], int)
    if not isinstance(network, keras.Model) or not one_output or shape[-1] < 2:
        raise ValueError(
            f"{name} must be a keras.Model, functional and built, from images to logits (N, H, W, K) of two classes or "
            f"more, or from volumes to (N, D, H, W, K); got {checks.shown(network)}"
        )
    return network
