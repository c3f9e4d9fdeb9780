"""What the methods for few labels share: a network that learns from labels, and from what it is taught of other images.

Each method is a keras.Model, to be fitted on batches {"labelled", "labels", "unlabelled"}, such as
`PartlyLabelledBatches`. The network sees the unlabelled images with other colours (`strong`), and is taught by what is
predicted for them as they are. Nothing moves, so that pixels stay where they are.

Where structures overlap, each pixel of each structure is taught on its own, as one of two classes: outside and inside,
with the logits (0, z), whose softmax is the structure's sigmoid.
"""

import keras
from keras import ops

from thesis_lib import checks
from thesis_lib.semi_supervised.ema import checked_decay, ema_copy, ema_update
from thesis_lib.semi_supervised.two_losses import TwoLosses
from thesis_lib.semi_supervised.unsupervised import probabilities
from thesis_lib.targets.overlapping import Overlapping, two_classes


class Taught(TwoLosses):
    """What the methods share: one pass of the network over labelled and unlabelled images together.

    Args:
        network: functional keras.Model from images (N, H, W, C) to logits (N, H, W, K) of two classes or more, or from
            volumes (N, D, H, W, C) to (N, D, H, W, K). Of structures that overlap, to a logit of each, (N, H, W, S).
        strong: a Keras layer that draws other colours for unlabelled images, such as `OtherColours()`; None: none.
        weight: of the unsupervised loss: a number from 0 to 1e30, or a ramp of `thesis_lib.semi_supervised`.
        overlapping: whether each logit is of a structure that may overlap others, with a sigmoid of its own, as for
            `targets.Overlapping`.
    """

    parts: tuple[str, ...] = ("network", "strong", "weight")

    def __init__(self, network, strong=None, weight=1.0, overlapping=False, **options):
        super().__init__(weight, **options)
        self.overlapping = checks.boolean("overlapping", overlapping)
        self.network = checked_network("network", network, overlapping)
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
        outputs = {"labels": inputs["labels"], "logits": logits[:count], "unlabelled": self.pixels(logits[count:])}
        return {**outputs, "images": images, **taught}

    def _supervised_loss(self, inputs, outputs):
        if isinstance(self.loss, Overlapping) and not self.overlapping:
            raise ValueError("overlapping must be True where the loss is an Overlapping one; got False")
        return super()._supervised_loss(inputs, outputs)

    def _lesson(self, images):
        """(unlabelled images as the network sees them, what it is taught of them: a dict of tensors)."""
        return self._varied(images), {}

    def _varied(self, images):
        return images if self.strong is None else ops.cast(self.strong(images, training=True), "float32")

    def pixels(self, logits):
        """Logits (N, H, W, K), or of volumes, as rows (N * H * W, K); of structures (N * H * W * S, 2)."""
        logits = two_classes(logits) if self.overlapping else logits
        return ops.reshape(logits, (-1, logits.shape[-1]))

    def predicted(self, network, images):
        """A network's probabilities of images, as rows like those of `pixels`; no gradient."""
        return ops.stop_gradient(probabilities(self.pixels(network(images, training=False))))

    def get_config(self):
        return {**super().get_config(), "overlapping": self.overlapping}


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


def checked_network(name, network, overlapping=False):
    """A keras.Model from images, or volumes, to logits of two classes or more, or of one structure or more."""
    shape = getattr(network, "output_shape", None)
    one_output = isinstance(shape, tuple) and len(shape) in (4, 5) and isinstance(shape[-1], int)
    if not isinstance(network, keras.Model) or not one_output or (shape[-1] < 2 and not overlapping):
        what = "one structure" if overlapping else "two classes"
        raise ValueError(
            f"{name} must be a keras.Model, functional and built, from images to logits (N, H, W, K) of {what} or "
            f"more, or from volumes to (N, D, H, W, K); got {checks.shown(network)}"
        )
    return network
