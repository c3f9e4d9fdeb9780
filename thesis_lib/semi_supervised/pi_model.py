"""The pi-model (Laine & Aila, ICLR 2017): two noisy passes over an image must agree."""

import keras

from thesis_lib.semi_supervised.base import SemiSupervised
from thesis_lib.semi_supervised.unsupervised import probabilities, squared_difference


@keras.saving.register_keras_serializable("thesis_lib")
class PiModel(SemiSupervised):
    """Squared difference to the probabilities of a second pass with other augmentation and dropout (algorithm 1).

    The second pass is a target without gradient. In the paper gradients flow into both passes; by symmetry, the
    expected gradient here is half as large, so that a weight here counts half as much. The supervised loss is a mean
    over the labelled images of a batch; the paper divides it by the size of the whole batch.
    """

    def unsupervised_loss(self, inputs, outputs):
        images = keras.ops.concatenate([inputs["labelled"], inputs["unlabelled"]])
        second = self.classifier(self.varied(images), training=True)
        return squared_difference(probabilities(outputs["all_logits"]), probabilities(second))
