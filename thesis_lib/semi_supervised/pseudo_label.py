"""Pseudo-Label (Lee, ICML 2013 workshop): the class that the network now finds most probable is the target."""

import keras
from keras import ops

from thesis_lib.semi_supervised.base import SemiSupervised
from thesis_lib.semi_supervised.targets import cross_entropy, most_probable


@keras.saving.register_keras_serializable("thesis_lib")
class PseudoLabel(SemiSupervised):
    """Cross-entropy of unlabelled images with their own most probable class (equations 14 and 15).

    The class is taken from the same pass, so it is drawn anew with each step's weights and dropout. The paper's weight
    is LinearRamp from 0 at epoch 100 to 3 at epoch 600; its outputs are sigmoids, those here a softmax.
    """

    def unlabelled_cost(self, inputs, outputs):
        logits = outputs["all_logits"][ops.shape(inputs["labelled"])[0] :]
        return cross_entropy(most_probable(logits), logits)
