"""Mean teacher, FixMatch and cross pseudo supervision for segmentation: each pixel is taught as an image would be.

Where structures overlap, so is each pixel of each structure. FixMatch's threshold is on the probability of inside or
of outside, and cross pseudo supervision teaches which of the two is more probable.
"""

import keras
from keras import ops

from thesis_lib import checks
from thesis_lib.segmentation.taught import Taught, TaughtByAverage, checked_network
from thesis_lib.semi_supervised.unsupervised import cross_entropy, most_probable, probabilities, squared_difference


@keras.saving.register_keras_serializable("thesis_lib")
class SegmentingMeanTeacher(TaughtByAverage):
    """Mean teacher (Tarvainen & Valpola, NIPS 2017): squared difference to the teacher's probabilities, pixel by pixel.

    Example: a tenth of the images is labelled.
        >>> model = SegmentingMeanTeacher(network, OtherColours(), weight=SigmoidRamp(length=1000, maximum=10.0))
        >>> model.compile("adam", objective("one_hot_dice"))
        >>> model.fit(PartlyLabelledBatches(labelled, unlabelled), epochs=2, shuffle=False)
        >>> logits = model.predict(images)  # the teacher's
    """

    def _lesson(self, images):
        return self._varied(images), {"target": self.predicted(self.teacher, images)}

    def unsupervised_loss(self, inputs, outputs):
        return squared_difference(probabilities(outputs["unlabelled"]), outputs["target"])


@keras.saving.register_keras_serializable("thesis_lib")
class SegmentingFixMatch(TaughtByAverage):
    """FixMatch (Sohn et al., NeurIPS 2020), pixel by pixel, with CutMix, as in UniMatch (Yang et al., CVPR 2023).

    Where the network is confident on unlabelled images as they are, its most probable class is the label of the strong
    variation. UniMatch adds a second strong variation and one of the features. The EMA copy predicts.

    Args:
        mix: a Keras layer on (images, targets) such as `CutMix()`; None: images stay whole.
        threshold: least probability of a class that counts, in [0, 1].
    """

    parts = ("network", "strong", "mix", "weight")

    def __init__(self, network, strong=None, mix=None, weight=1.0, threshold=0.95, decay=0.99, **options):
        super().__init__(network, strong, weight, decay, **options)
        if mix is not None:
            checks.instance("mix", mix, keras.layers.Layer, "a Keras layer or None")
        self.mix, self.threshold = mix, checks.real("threshold", threshold, 0.0, 1.0)

    def _lesson(self, images):
        target, varied = self.predicted(self.network, images), self._varied(images)
        if self.mix is not None:
            maps = ops.reshape(target, (*ops.shape(images)[:-1], -1))
            varied, maps = self.mix(varied, maps)
            target = ops.reshape(maps, (-1, target.shape[-1]))
        return varied, {"target": target}

    def unsupervised_loss(self, inputs, outputs):
        target = outputs["target"]
        confident = ops.cast(ops.max(target, axis=-1) >= self.threshold, "float32")
        return cross_entropy(most_probable(target), outputs["unlabelled"], confident)

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}


@keras.saving.register_keras_serializable("thesis_lib")
class CrossPseudo(Taught):
    """Cross pseudo supervision (Chen et al., CVPR 2021): two networks of different first weights teach each other.

    Each learns from the labels, and from the most probable class that the other predicts for unlabelled images. The
    first one predicts.

    Args:
        other: a network like the first one, with other weights.
    """

    parts = ("network", "other", "strong", "weight")

    def __init__(self, network, other, strong=None, weight=1.0, **options):
        super().__init__(network, strong, weight, **options)
        self.other = checked_network("other", other, self.overlapping)
        if other is network or other.output_shape != network.output_shape:
            raise ValueError(
                f"other must be another network than the first, with logits {network.output_shape}; "
                f"got {checks.shown(other)} with {other.output_shape}"
            )

    def call(self, inputs, training=False):
        outputs = super().call(inputs, training=training)
        if not isinstance(inputs, dict):
            return outputs
        logits, count = self.other(outputs["images"], training=training), ops.shape(inputs["labelled"])[0]
        return {**outputs, "other_logits": logits[:count], "other_unlabelled": self.pixels(logits[count:])}

    def _supervised_loss(self, inputs, outputs):
        other = {**outputs, "logits": outputs["other_logits"]}
        return super()._supervised_loss(inputs, outputs) + super()._supervised_loss(inputs, other)

    def unsupervised_loss(self, inputs, outputs):
        first, second = outputs["unlabelled"], outputs["other_unlabelled"]
        return cross_entropy(most_probable(second), first) + cross_entropy(most_probable(first), second)
