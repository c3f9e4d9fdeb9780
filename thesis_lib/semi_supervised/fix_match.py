"""FixMatch (Sohn et al., NeurIPS 2020): a confident prediction on a weakly augmented image labels the strong one."""

import keras
from keras import ops

from thesis_lib import checks
from thesis_lib.semi_supervised.base import SemiSupervised, checked_layer
from thesis_lib.semi_supervised.ema import checked_decay, ema_copy, ema_update
from thesis_lib.semi_supervised.unsupervised import cross_entropy, most_probable, probabilities


@keras.saving.register_keras_serializable("thesis_lib")
class FixMatch(SemiSupervised):
    """Cross-entropy of strongly augmented images with the confidently predicted class of the weak ones (equation 4).

    The strongly augmented images are a batch of their own for batch normalisation. The caller chooses the weak and the
    strong augmentation; the paper's strong one is RandAugment or CTAugment with Cutout.

    Args:
        strong: a Keras layer, the strong augmentation; `augment` is the weak one.
        threshold: least probability of a class that counts, in [0, 1].
        decay: of the EMA copy that predicts, in [0, 1), lower in the first steps (see `ema_update`).
    """

    def __init__(self, classifier, augment=None, strong=None, weight=1.0, threshold=0.95, decay=0.999, **options):
        super().__init__(classifier, augment, weight, **options)
        self.strong = checked_layer("strong", strong)
        self.threshold = checks.real("threshold", threshold, 0.0, 1.0)
        self.decay = checked_decay(decay)
        self.ema = ema_copy(classifier)

    @property
    def predictor(self):
        return self.ema

    def unsupervised_loss(self, inputs, outputs):
        ema_update(self.ema, self.classifier, self.decay, self.step)
        weak = ops.stop_gradient(outputs["all_logits"][ops.shape(inputs["labelled"])[0] :])
        images = ops.cast(inputs["unlabelled"], "float32")
        strong = images if self.strong is None else self.strong(images, training=True)
        confident = ops.cast(ops.max(probabilities(weak), axis=-1) >= self.threshold, "float32")
        return cross_entropy(most_probable(weak), self.classifier(strong, training=True), confident)

    def get_config(self):
        strong = keras.saving.serialize_keras_object(self.strong)
        return {**super().get_config(), "threshold": self.threshold, "decay": self.decay, "strong": strong}

    @classmethod
    def from_config(cls, config):
        return super().from_config({**config, "strong": keras.saving.deserialize_keras_object(config["strong"])})
