"""Pseudo-Label (Lee, ICML 2013 workshop): the class that the network now finds most probable is the target."""

import keras
from keras import ops

from thesis_lib.semi_supervised.base import SemiSupervised
from thesis_lib.semi_supervised.unsupervised import cross_entropy, most_probable


@keras.saving.register_keras_serializable("thesis_lib")
class PseudoLabel(SemiSupervised):
    """Cross-entropy of unlabelled images with the class that the network predicts for them (equations 14 and 15).

    The class is that of a prediction, so without dropout, by each step's weights; the paper does not say whether its is. (That of the
    pass with dropout would only make beliefs surer of what they are; this one also asks all that dropout leaves to agree.) The
    paper's weight is LinearRamp from 0 at epoch 100 to 3 at epoch 600; its outputs are sigmoids, those here a softmax.
    """

    def unlabelled_cost(self, inputs, outputs):
        count = ops.shape(inputs["labelled"])[0]
        predicted = self.classifier(outputs["images"][count:], training=False)
        return cross_entropy(most_probable(predicted), outputs["all_logits"][count:])
