"""The Bayesian teacher: a mean teacher for segmentation whose labels are imprecise, and missing for most images."""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import keras
from keras import ops

from thesis_lib import backend, checks
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.labels import IGNORE
from thesis_lib.segmentation.taught import TaughtByAverage
from thesis_lib.semi_supervised.unsupervised import cross_entropy
from thesis_lib.targets.expectation import ForwardDice, shares, votes
from thesis_lib.targets.losses import ForwardLikelihood
from thesis_lib.targets.overlap import SoftDice
from thesis_lib.targets.overlapping import Overlapping, of_each, two_classes
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

    Structures that overlap: the votes of each are shared between inside and outside, by its own likelihood.

    Args:
        likelihood: how the labels were drawn: a `ForwardLikelihood`, `ForwardDice` or `ShiftLikelihood` without class
            weights, or an `Overlapping` of these, whose structures then overlap. Compile with it, too: validation
            labels are judged by it.

    Example: a tenth of the images is labelled, by an annotator of a known error.
        >>> likelihood = ForwardDice(BoundaryPrior.known(sigma=1.5))
        >>> model = BayesianTeacher(network, likelihood, OtherColours(), weight=SigmoidRamp(1000, 1.0))
        >>> model.compile("adam", likelihood)
        >>> model.fit(PartlyLabelledBatches(labelled, unlabelled), epochs=2, shuffle=False)
    """

    parts = ("network", "likelihood", "strong", "weight")

    def __init__(self, network, likelihood, strong=None, weight=1.0, decay=0.99, **options):
        overlapping = isinstance(likelihood, Overlapping)
        super().__init__(network, strong, weight, decay, overlapping=overlapping, **options)
        self.likelihood = likelihood
        count, structures = len(self._votings()), network.output_shape[-1]
        if overlapping and count != structures:
            raise ValueError(
                f"likelihood must have a loss for each of the network's {structures} structures; got {count}"
            )

    def _votings(self):
        """(`_Voting`, share in the loss) of each structure, or of all classes: a list."""
        if not self.overlapping:
            return [(_voting(self.likelihood), 1.0)]
        return [(_voting(one), share) for one, share in of_each(self.likelihood, self.network.output_shape[-1])]

    def _supervised_loss(self, inputs, outputs):
        labels, logits = ops.cast(outputs["labels"], "int32"), outputs["logits"]
        of_teacher = self.teacher(ops.cast(inputs["labelled"], "float32"), training=False)
        channels = [(labels, of_teacher, logits)]
        if self.overlapping:
            drawn, guessed, inside = (ops.unstack(maps, axis=-1) for maps in channels[0])
            channels = zip(drawn, map(two_classes, guessed), map(two_classes, inside))
        return sum(share * _from_votes(*maps, voting) for (voting, share), maps in zip(self._votings(), channels))

    def _lesson(self, images):
        return self._varied(images), {"target": self.predicted(self.teacher, images)}

    def unsupervised_loss(self, inputs, outputs):
        target = outputs["target"]
        entropy = -ops.sum(target * ops.log(ops.maximum(target, keras.config.epsilon())), axis=-1)
        confidence = 1.0 - entropy / math.log(target.shape[-1])
        return cross_entropy(target, outputs["unlabelled"], ops.maximum(confidence, 0.0))

    def get_config(self):
        config = super().get_config()
        del config["overlapping"]  # which the likelihood says
        return config


class _Voting(NamedTuple):
    """What `votes` takes of a likelihood, and its Dice loss against their shares, or None."""

    prior: BoundaryPrior
    spacing: list | None
    drawing: Callable | None
    dice: SoftDice | None


def _voting(likelihood):
    """The `_Voting` of a user's likelihood of class maps."""
    what = "a ForwardLikelihood, ForwardDice or ShiftLikelihood, or an Overlapping of these"
    checks.instance("likelihood", likelihood, (ForwardLikelihood, ForwardDice, ShiftLikelihood), what)
    inner = likelihood.likelihood if isinstance(likelihood, ForwardDice) else likelihood
    if getattr(inner, "class_weights", None) is not None or getattr(inner, "loss", None) is not None:
        raise ValueError("likelihood must be without class_weights, and without a loss of its own")
    drawing = None
    if isinstance(likelihood, ShiftLikelihood):
        drawing = partial(shifted, background=likelihood.background, spacing=inner.spacing)
    return _Voting(inner.prior, inner.spacing, drawing, SoftDice() if isinstance(likelihood, ForwardDice) else None)


def _from_votes(labels, of_teacher, logits, voting):
    """Cross-entropy of logits with the votes of labels by the teacher's logits, a scalar."""
    shared = ops.stop_gradient(votes(labels, backend.softmax(of_teacher), *voting[:3]))
    known = ops.sum(ops.cast(ops.not_equal(labels, IGNORE), "float32"))
    loss = -ops.sum(shared * ops.log_softmax(logits, axis=-1)) / ops.maximum(known, 1.0)
    return loss if voting.dice is None else loss + voting.dice(shares(shared), logits)
