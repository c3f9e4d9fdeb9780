"""Pseudo-Label (Lee, ICML 2013 workshop): the class that the network finds most probable is the target."""

import keras
from keras import ops

from thesis_lib.semi_supervised.base import SemiSupervised
from thesis_lib.semi_supervised.unsupervised import cross_entropy, most_probable


@keras.saving.register_keras_serializable("thesis_lib")
class PseudoLabel(SemiSupervised):
    """Cross-entropy of unlabelled images with the class that the network predicts for them (equations 14 and 15).

    The class is predicted without dropout, by each step's weights; the paper does not say whether dropout is on. (The
    class of the pass with dropout would only make predictions more confident. The class without dropout also asks all
    thinned networks to agree.) The paper ramps the weight linearly from 0 at epoch 100 to 3 at epoch 600; its outputs
    are sigmoids, the outputs here are a softmax.
    """

    def unsupervised_loss(self, inputs, outputs):
        count = ops.shape(inputs["labelled"])[0]
        predicted = self.classifier(outputs["images"][count:], training=False)
        return cross_entropy(most_probable(predicted), outputs["all_logits"][count:])
