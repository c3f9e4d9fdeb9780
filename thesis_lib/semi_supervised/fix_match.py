"""FixMatch (Sohn et al., NeurIPS 2020): what is sure of a weakly augmented image is the label of a strongly augmented one."""

import keras
from keras import ops

from thesis_lib import checks
from thesis_lib.semi_supervised.base import SemiSupervised
from thesis_lib.semi_supervised.ema import checked_decay, ema_copy, ema_update
from thesis_lib.semi_supervised.unsupervised import cross_entropy, most_probable, probabilities


@keras.saving.register_keras_serializable("thesis_lib")
class FixMatch(SemiSupervised):
    """Cross-entropy of strongly augmented images with the class of the weakly augmented one, where that is sure (equation 4).

    The strongly augmented images are a batch of their own for batch normalisation. Which augmentations are weak and strong is for the
    caller to say; the paper's strong one is RandAugment or CTAugment with Cutout.

    Args:
        strong: a Keras layer, the strong augmentation; `augment` is the weak one.
        threshold: least probability of a class that counts, in [0, 1].
        decay: of the average of the weights that predicts, in [0, 1), lower in the first steps (`averages.follow`).
    """

    def __init__(self, classifier, augment=None, strong=None, weight=1.0, threshold=0.95, decay=0.999, **options):
        super().__init__(classifier, augment, weight, **options)
        self.strong = strong
        self.threshold = checks.real("threshold", threshold, 0.0, 1.0)
        self.decay = checked_decay(decay)
        self.average = ema_copy(classifier)

    @property
    def predictor(self):
        return self.average

    def unlabelled_cost(self, inputs, outputs):
        ema_update(self.average, self.classifier, self.decay, self.step)
        weak = ops.stop_gradient(outputs["all_logits"][ops.shape(inputs["labelled"])[0] :])
        images = ops.cast(inputs["unlabelled"], "float32")
        strong = images if self.strong is None else self.strong(images, training=True)
        sure = ops.cast(ops.max(probabilities(weak), axis=-1) >= self.threshold, "float32")
        return cross_entropy(most_probable(weak), self.classifier(strong, training=True), sure)

    def get_config(self):
        own = {
            "threshold": self.threshold,
            "decay": self.decay,
            "strong": keras.saving.serialize_keras_object(self.strong),
        }
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        return super().from_config({**config, "strong": keras.saving.deserialize_keras_object(config["strong"])})
