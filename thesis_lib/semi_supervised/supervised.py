"""Supervised training on the labelled part of a batch: what every method is compared with."""

import keras
from keras import ops

from thesis_lib.semi_supervised.base import SemiSupervised


@keras.saving.register_keras_serializable("thesis_lib")
class Supervised(SemiSupervised):
    """Takes the same batches as the other methods and ignores the unlabelled images."""

    def call(self, inputs, training=False):
        if not isinstance(inputs, dict):
            return super().call(inputs, training)
        logits = self.classifier(self.varied(inputs["labelled"]), training=training)
        return {"labels": inputs["labels"], "logits": logits}

    def unsupervised_loss(self, inputs, outputs):
        return ops.zeros(())
