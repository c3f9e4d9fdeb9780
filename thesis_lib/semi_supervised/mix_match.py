"""MixMatch (Berthelot et al., NeurIPS 2019): guess labels, sharpen them, and mix everything."""

import keras
from keras import ops

from thesis_lib import checks
from thesis_lib.semi_supervised import arguments
from thesis_lib.semi_supervised.base import SemiSupervised
from thesis_lib.semi_supervised.ema import checked_decay, ema_copy, ema_update
from thesis_lib.semi_supervised.unsupervised import (
    mixup_weights,
    probabilities,
    sharpen,
    squared_difference,
)


@keras.saving.register_keras_serializable("thesis_lib")
class MixMatch(SemiSupervised):
    """Cross-entropy of mixed labelled images, squared difference of mixed unlabelled ones (algorithm 1, equations 2-5).

    The guessed label is the sharpened mean of the predicted probabilities of `views` augmentations; the pass that makes
    it also updates the statistics of batch normalisation. All mixed images pass the classifier in one batch, so that
    batch normalisation has the statistics of both kinds. Compile with a loss on soft targets,
    `CategoricalCrossentropy(from_logits=True)`.

    The paper has as many labelled images in a batch as unlabelled ones, mixes all of these, ramps the weight linearly
    to 75, and adds a weight decay, which is left to the optimizer here.

    Args:
        views: augmentations of an unlabelled image, 1 or more (K in the paper).
        temperature: of the sharpening, in (0, 1].
        alpha: of MixUp's Beta(alpha, alpha), in [0.1, 1e6]; None trains without MixUp.
        decay: of the EMA copy that predicts, in [0, 1), lower in the first steps (see `ema_update`; constant in the
            paper); None: the classifier itself predicts.
    """

    soft_labels = True

    def __init__(
        self, classifier, augment=None, weight=75.0, views=2, temperature=0.5, alpha=0.75, decay=0.999, **options
    ):
        super().__init__(classifier, augment, weight, **options)
        self.views = checks.integer("views", views, 1)
        self.temperature = checks.real("temperature", temperature, 0.0, 1.0, open_low=True)
        self.alpha = None if alpha is None else arguments.alpha(alpha)
        self.decay = None if decay is None else checked_decay(decay)
        self.ema = None if decay is None else ema_copy(classifier)
        self.seeds = keras.random.SeedGenerator()
        if alpha is not None and keras.backend.backend() == "tensorflow":  # whose XLA draws from no Beta distribution
            self.supports_jit = False

    @property
    def predictor(self):
        return self.classifier if self.ema is None else self.ema

    def call(self, inputs, training=False):
        if not isinstance(inputs, dict):
            return super().call(inputs, training)
        labelled = self.varied(inputs["labelled"])
        views = [self.varied(inputs["unlabelled"]) for _ in range(self.views)]
        guess = self.guess(views, training)
        images = ops.concatenate([labelled, *views])
        labels = ops.one_hot(inputs["labels"], self.num_classes, dtype="float32")
        targets = ops.concatenate([labels, *[guess] * self.views])
        if self.alpha is not None:
            images, targets = self.mix(images, targets)
        logits = self.classifier(images, training=training)
        count = ops.shape(labelled)[0]
        return {
            "labels": targets[:count],
            "logits": logits[:count],
            "guessed": targets[count:],
            "unlabelled_logits": logits[count:],
        }

    def guess(self, views, training=False):
        """Sharpened mean of the predicted probabilities of several views of the same images: (U, K), no gradient."""
        logits = self.classifier(ops.concatenate(views), training=training)
        each = ops.reshape(probabilities(logits), (len(views), -1, self.num_classes))
        return ops.stop_gradient(sharpen(ops.mean(each, axis=0), self.temperature))

    def mix(self, images, targets):
        """MixUp of every image with another one of the batch, each pair with its own weight."""
        count = ops.shape(images)[0]
        other = keras.random.shuffle(ops.arange(count), seed=self.seeds)
        weights = mixup_weights(count, self.alpha, self.seeds)
        blend = lambda a, w: w * a + (1.0 - w) * ops.take(a, other, axis=0)
        return blend(images, weights[:, None, None, None]), blend(targets, weights[:, None])

    def unsupervised_loss(self, inputs, outputs):
        if self.ema is not None:
            ema_update(self.ema, self.classifier, self.decay, self.step)
        return squared_difference(probabilities(outputs["unlabelled_logits"]), outputs["guessed"])

    def get_config(self):
        own = {name: getattr(self, name) for name in ("views", "temperature", "alpha", "decay")}
        return {**super().get_config(), **own}
