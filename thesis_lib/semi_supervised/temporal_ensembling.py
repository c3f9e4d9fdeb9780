"""Temporal ensembling (Laine & Aila, ICLR 2017): agree with the moving average of earlier predictions."""

import keras
from keras import ops

from thesis_lib import checks
from thesis_lib.semi_supervised.base import SemiSupervised
from thesis_lib.semi_supervised.batches import Batches
from thesis_lib.semi_supervised.ema import checked_decay
from thesis_lib.semi_supervised.unsupervised import probabilities, squared_difference


@keras.saving.register_keras_serializable("thesis_lib")
class TemporalEnsembling(SemiSupervised):
    """Squared difference to the EMA of the probabilities of the same image, corrected for its start (algorithm 2).

    Batches also hold "labelled_index" and "unlabelled_index": each image's index, 0 to num_images - 1. The averages
    take num_images * K * 4 bytes. An image's average is updated when the image is seen, which is the paper's update for
    unlabelled images, seen once an epoch. The loss of an image that is seen for the first time is zero. The weight
    belongs to a mean over the batch and the supervised loss is a mean over its labelled images; the paper divides both
    by the size of the batch.

    Args:
        num_images: number of labelled and unlabelled images together.
        decay: of the EMA, in [0, 1).
    """

    def __init__(self, classifier, num_images, augment=None, weight=1.0, decay=0.6, **options):
        super().__init__(classifier, augment, weight, **options)
        self.num_images = checks.integer("num_images", num_images, 1, 2**31 - 1)
        self.decay = checked_decay(decay)
        frozen = {"initializer": "zeros", "trainable": False}
        self.ema = self.add_weight(shape=(self.num_images, self.num_classes), name="ema", **frozen)
        self.visits = self.add_weight(shape=(self.num_images,), name="visits", **frozen)

    def fit(self, x=None, y=None, **options):
        """As `SemiSupervised.fit`; raises ValueError if the batches hold more images than there are averages."""
        if isinstance(x, Batches) and len(x.labelled) + len(x.unlabelled) > self.num_images:
            raise ValueError(
                f"num_images must be at least {len(x.labelled) + len(x.unlabelled)}, "
                f"that of the labelled and unlabelled images; got {self.num_images}"
            )
        return super().fit(x, y, **options)

    def unsupervised_loss(self, inputs, outputs):
        index = ops.concatenate([inputs["labelled_index"], inputs["unlabelled_index"]])
        predicted = probabilities(outputs["all_logits"])
        average = ops.take(self.ema, index, axis=0)
        visits = ops.take(self.visits, index, axis=0)
        seen = ops.cast(visits > 0, "float32")
        target = average / ops.maximum(1.0 - self.decay**visits, keras.config.epsilon())[:, None]
        updated = self.decay * average + (1.0 - self.decay) * ops.stop_gradient(predicted)
        self.ema.assign(ops.scatter_update(self.ema, index[:, None], updated))
        self.visits.assign(ops.scatter_update(self.visits, index[:, None], visits + 1.0))
        return squared_difference(predicted, target, seen)

    def get_config(self):
        return {**super().get_config(), "num_images": self.num_images, "decay": self.decay}
