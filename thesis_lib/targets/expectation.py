"""The Dice loss without volume bias: Dice against the labels that the network and the annotator expect together."""

from dataclasses import asdict

import keras
from keras import ops

from thesis_lib import backend
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.targets.base import MapLoss, labels_and_logits, numeric, spatial_axes
from thesis_lib.targets.blurring import blur, checked_maps
from thesis_lib.targets.losses import TINY, ForwardLikelihood
from thesis_lib.targets.overlap import SoftDice


def expected_labels(labels, probabilities, prior, spacing=None):
    """The posterior of the true classes, given what was drawn and what the network predicts (the E-step of EM).

    Each drawn pixel may come from any pixel within the annotator's reach. Its vote is shared among them in proportion
    to how probable each makes it: t_k = p_k blur(onehot(y)_k / blur(p)_k), normalised over the classes. Cross-entropy
    against t, held fixed and weighted by the votes that a pixel gets, has the gradient of `ForwardLikelihood` (Fisher's
    identity; Dempster, Laird & Rubin, Journal of the Royal Statistical Society B, 1977).

    Args:
        labels: integer (N, H, W) or (N, D, H, W), as drawn; 255 casts no vote.
        probabilities: float array with a last axis K more, predicted for the true classes.
        prior, spacing: as for `blur`.

    Returns:
        float array of the shape of `probabilities`; sums to one, or is 0 where no vote comes from.

    Raises:
        ValueError: if an argument is not of this kind.
    """
    probabilities = checked_maps("probabilities", probabilities)
    labels, _ = labels_and_logits(numeric("labels", labels), probabilities)
    drawn = ops.maximum(blur(probabilities, prior, spacing), TINY)
    one_hot = backend.one_hot(labels, probabilities.shape[-1], drawn.dtype)
    votes = probabilities * blur(one_hot / drawn, prior, spacing)
    return votes / ops.maximum(ops.sum(votes, axis=-1, keepdims=True), TINY)


@keras.saving.register_keras_serializable("thesis_lib")
class ForwardDice(MapLoss):
    """The forward likelihood + the Dice loss against the expected labels, one value for each image.

    A Dice loss against labels that are drawn imprecisely makes objects too large (the volume bias: Bertels et al.,
    Medical Image Analysis, 2021). `expected_labels` know of the annotator's error, so the Dice loss against them
    asks for the same sharp map as the likelihood. They count as fixed: no gradient passes through them.

    Args:
        prior, spacing: as for `ForwardLikelihood`.

    Raises:
        ValueError: if prior is no BoundaryPrior.

    Example:
        >>> model.compile("adam", ForwardDice(BoundaryPrior.known(sigma=1.5)))  # doctest: +SKIP
    """

    def __init__(self, prior, spacing=None, name="forward_dice", **options):
        super().__init__(name=name, **options)
        self.likelihood, self.dice = ForwardLikelihood(prior, spacing=spacing), SoftDice()

    def call(self, labels, logits):
        labels, logits = labels_and_logits(labels, logits)
        probabilities = backend.softmax(logits)
        annotator = self.likelihood.prior, self.likelihood.spacing
        targets = ops.stop_gradient(expected_labels(labels, probabilities, *annotator))
        return ops.mean(self.likelihood.call(labels, logits), axis=spatial_axes(logits)) + self.dice.call(
            targets, logits
        )

    def get_config(self):
        return {**super().get_config(), "prior": asdict(self.likelihood.prior), "spacing": self.likelihood.spacing}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "prior": BoundaryPrior(**config["prior"])})
