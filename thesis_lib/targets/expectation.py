"""The Dice loss without volume bias: Dice against the labels that the network and the annotator expect together."""

from dataclasses import asdict

import keras
from keras import ops

from thesis_lib import backend
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.targets.base import MapLoss, check_classes, labels_and_logits, numeric, spatial_axes
from thesis_lib.targets.blurring import blur_of_class, checked_maps
from thesis_lib.targets.losses import TINY, ForwardLikelihood
from thesis_lib.targets.overlap import SoftDice


def votes(labels, probabilities, prior, spacing=None, drawing=None):
    """What was drawn, shared among the true pixels and classes that can have caused it (the E-step of EM).

    Each drawn pixel has one vote. It is shared among the pixels within the annotator's reach in proportion to how
    probable each makes what was drawn: v_k = p_k dL / dp_k, with L the log likelihood of the drawing. For displacements
    in all directions this is p_k blur(onehot(y)_k / blur(p)_k), up to the image's border. Cross-entropy against the
    votes, held fixed, has the gradient of the likelihood at p (Fisher's identity; Dempster, Laird & Rubin, Journal of
    the Royal Statistical Society B, 1977).

    Args:
        labels: integer (N, H, W) or (N, D, H, W), as drawn; 255 casts no vote.
        probabilities: float array with a last axis K more, predicted for the true classes.
        prior, spacing: as for `blur`.
        drawing: how annotators err, a function from (probabilities, prior) to those of what is drawn, such as an
            objective's; `blur` with the spacing if None. Of one that is no mixture, such as `shifted`, a vote against a
            class counts as one for all others.

    Returns:
        float array of the shape of `probabilities`, 0 or more: the votes for each class of each true pixel.

    Raises:
        ValueError: if an argument is not of this kind.

    Example: without an error each pixel's vote stays where it was drawn; 255 casts none.
        >>> half = np.full((1, 1, 3, 2), 0.5, "float32")
        >>> found = votes(np.array([[[0, 1, 255]]]), half, BoundaryPrior.known(sigma=0.0))
        >>> np.asarray(found)[0, 0].tolist()
        [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    """
    probabilities = ops.convert_to_tensor(checked_maps("probabilities", probabilities))
    labels = numeric("labels", labels)
    check_classes(labels, probabilities.shape[-1])
    labels, probabilities = labels_and_logits(labels, probabilities)

    def log_likelihood(maps):
        if drawing is None:
            likelihood = blur_of_class(maps, labels, prior, spacing)
        else:
            likelihood = backend.of_class(drawing(maps, prior), labels)
        return ops.sum(ops.log(ops.maximum(likelihood, TINY)))

    slopes = backend.gradient(log_likelihood, ops.stop_gradient(probabilities))
    if drawing is not None:  # the same number added to all slopes of a pixel changes no gradient of the logits
        slopes = slopes - ops.minimum(ops.min(slopes, axis=-1, keepdims=True), 0.0)
    return ops.stop_gradient(probabilities) * slopes


def expected_labels(labels, probabilities, prior, spacing=None):
    """The posterior of the true classes, given what was drawn and what the network predicts: the share of `votes`.

    Args:
        labels, probabilities, prior, spacing: as for `votes`.

    Returns:
        float array of the shape of `probabilities`; sums to one, or is 0 where no vote comes from.

    Raises:
        ValueError: if an argument is not of this kind.
    """
    return shares(votes(labels, probabilities, prior, spacing))


def shares(votes):
    """Votes, normalised over the classes: (..., K); 0 where there is none."""
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
        >>> model.compile("adam", ForwardDice(BoundaryPrior.known(sigma=1.5)))
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
