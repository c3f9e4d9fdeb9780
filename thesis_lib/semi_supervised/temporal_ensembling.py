"""Temporal ensembling (Laine & Aila, ICLR 2017): agree with the average of one's own earlier probabilities."""

import keras
from keras import ops

from thesis_lib import checks
from thesis_lib.semi_supervised.base import SemiSupervised
from thesis_lib.semi_supervised.batches import Batches
from thesis_lib.semi_supervised.ema import checked_decay
from thesis_lib.semi_supervised.unsupervised import probabilities, squared_difference


@keras.saving.register_keras_serializable("thesis_lib")
class TemporalEnsembling(SemiSupervised):
    """Squared difference to a moving average of the probabilities about the same image, corrected for its start (algorithm 2).

    Batches also hold "labelled_index" and "unlabelled_index": each image's number, 0 to num_images - 1. The averages
    take num_images * K * 4 bytes. They are updated when an image is seen, which once an epoch, as unlabelled images are, is the
    paper's update; an image that is seen for the first time costs nothing. The weight is of a mean over the batch, the
    classification cost a mean over its labelled images: the paper divides both by the size of the batch.

    Args:
        num_images: of labelled and unlabelled images together.
        decay: of the average, in [0, 1).
    """

    def __init__(self, classifier, num_images, augment=None, weight=1.0, decay=0.6, **options):
        super().__init__(classifier, augment, weight, **options)
        self.num_images = checks.integer("num_images", num_images, 1)
        self.decay = checked_decay(decay)
        frozen = {"initializer": "zeros", "trainable": False}
        self.averages = self.add_weight(shape=(self.num_images, self.num_classes), name="averages", **frozen)
        self.visits = self.add_weight(shape=(self.num_images,), name="visits", **frozen)

    def fit(self, x=None, *args, **options):
        """As `SemiSupervised.fit`; raises if the batches are of more images than there are averages."""
        if isinstance(x, Batches) and len(x.labelled) + len(x.unlabelled) > self.num_images:
            raise ValueError(
                f"num_images must be at least {len(x.labelled) + len(x.unlabelled)}, that of the labelled and unlabelled images; got {self.num_images}"
            )
        return super().fit(x, *args, **options)

    def unlabelled_cost(self, inputs, outputs):
        index = ops.concatenate([inputs["labelled_index"], inputs["unlabelled_index"]])
        belief = probabilities(outputs["all_logits"])
        average, visits = ops.take(self.averages, index, axis=0), ops.take(self.visits, index, axis=0)
        seen = ops.cast(visits > 0, "float32")
        target = average / ops.maximum(1.0 - self.decay**visits, keras.config.epsilon())[:, None]
        updated = self.decay * average + (1.0 - self.decay) * ops.stop_gradient(belief)
        self.averages.assign(ops.scatter_update(self.averages, index[:, None], updated))
        self.visits.assign(ops.scatter_update(self.visits, index[:, None], visits + 1.0))
        return squared_difference(belief, target, seen)

    def get_config(self):
        return {**super().get_config(), "num_images": self.num_images, "decay": self.decay}
