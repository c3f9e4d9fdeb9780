"""The Bayesian teacher: a mean teacher for segmentation whose labels are imprecise, and missing for most images."""

import math
from functools import partial

import keras
from keras import ops

from thesis_lib import backend, checks
from thesis_lib.labels import IGNORE
from thesis_lib.segmentation.taught import TaughtByAverage, predicted
from thesis_lib.semi_supervised.unsupervised import cross_entropy
from thesis_lib.targets.expectation import ForwardDice, shares, votes
from thesis_lib.targets.losses import ForwardLikelihood
from thesis_lib.targets.overlap import SoftDice
from thesis_lib.targets.shift import ShiftLikelihood, shifted


@keras.saving.register_keras_serializable("thesis_lib")
class BayesianTeacher(TaughtByAverage):
    """The EMA teacher says where the true labels are, given what was drawn, and what unlabelled images show.

    Labels: each drawn pixel has one vote, shared among the true pixels that the teacher and the annotator's error make
    probable (`votes`, the E-step of EM). The network learns from the votes by cross-entropy, and by the Dice loss
    against their shares where the likelihood is a `ForwardDice`. Were the teacher the network itself, the
    cross-entropy would have the likelihood's gradient (Fisher's identity). Votes of several annotators add up.

    Unlabelled images: cross-entropy with the teacher's probabilities, each pixel weighted by the teacher's confidence,
    1 - entropy / log K.

    Args:
        likelihood: how the labels were drawn: a `ForwardLikelihood`, `ForwardDice` or `ShiftLikelihood` without class
            weights. Compile with it, too: validation labels are judged by it.

    Example: a tenth of the images is labelled, by an annotator of a known error.
        >>> likelihood = ForwardDice(BoundaryPrior.known(sigma=1.5))
        >>> model = BayesianTeacher(network, likelihood, OtherColours(), weight=SigmoidRamp(1000, 1.0))
        >>> model.compile("adam", likelihood)
        >>> model.fit(PartlyLabelledBatches(labelled, unlabelled), epochs=2, shuffle=False)
    """

    parts = ("network", "likelihood", "strong", "weight")

    def __init__(self, network, likelihood, strong=None, weight=1.0, decay=0.99, **options):
        super().__init__(network, strong, weight, decay, **options)
        kinds = (ForwardLikelihood, ForwardDice, ShiftLikelihood)
        checks.instance("likelihood", likelihood, kinds, "a ForwardLikelihood, ForwardDice or ShiftLikelihood")
        inner = likelihood.likelihood if isinstance(likelihood, ForwardDice) else likelihood
        if getattr(inner, "class_weights", None) is not None or getattr(inner, "loss", None) is not None:
            raise ValueError("likelihood must be without class_weights, and without a loss of its own")
        self.likelihood, self.prior = likelihood, inner.prior
        self.spacing, self.drawing = inner.spacing, None
        if isinstance(likelihood, ShiftLikelihood):
            self.drawing = partial(shifted, background=likelihood.background, spacing=self.spacing)
        self.dice = SoftDice() if isinstance(likelihood, ForwardDice) else None

    def _supervised_loss(self, inputs, outputs):
        labels, logits = ops.cast(outputs["labels"], "int32"), outputs["logits"]
        believed = backend.softmax(self.teacher(ops.cast(inputs["labelled"], "float32"), training=False))
        shared = ops.stop_gradient(votes(labels, believed, self.prior, self.spacing, self.drawing))
        known = ops.sum(ops.cast(ops.not_equal(labels, IGNORE), "float32"))
        loss = -ops.sum(shared * ops.log_softmax(logits, axis=-1)) / ops.maximum(known, 1.0)
        return loss if self.dice is None else loss + self.dice(shares(shared), logits)

    def _lesson(self, images):
        return self._varied(images), {"target": predicted(self.teacher, images)}

    def unsupervised_loss(self, inputs, outputs):
        target = outputs["target"]
        entropy = -ops.sum(target * ops.log(ops.maximum(target, keras.config.epsilon())), axis=-1)
        confidence = 1.0 - entropy / math.log(target.shape[-1])
        return cross_entropy(target, outputs["unlabelled"], ops.maximum(confidence, 0.0))
