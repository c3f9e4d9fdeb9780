"""The pi-model (Laine & Aila, ICLR 2017): two noisy passes over an image must agree."""

import keras

from thesis_lib.semi_supervised.base import SemiSupervised
from thesis_lib.semi_supervised.unsupervised import probabilities, squared_difference


@keras.saving.register_keras_serializable("thesis_lib")
class PiModel(SemiSupervised):
    """Squared difference to the probabilities of a second pass with other augmentation and dropout (algorithm 1).

    The second pass is a target without gradient; by symmetry that halves the expected gradient of the paper, where both
    passes have one, so that a weight here counts half as much as there. (The classification cost is a mean over the labelled images of a batch; the
    paper divides it by the size of the whole batch.)
    """

    def unlabelled_cost(self, inputs, outputs):
        images = keras.ops.concatenate([inputs["labelled"], inputs["unlabelled"]])
        second = self.classifier(self.varied(images), training=True)
        return squared_difference(probabilities(outputs["all_logits"]), probabilities(second))
