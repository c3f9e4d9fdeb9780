"""What is optimised, by name: each objective is a training target and a loss, in a line or two.

Experiments, figures and tables refer to an objective by its key in `OBJECTIVES`. The sources are with the rules in
`smoothing` and the losses in `losses`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from thesis_lib import checks
from thesis_lib.annotation.prior import BoundaryPrior, checked_prior
from thesis_lib.targets.base import DATA_FORMATS
from thesis_lib.targets.blurring import blur
from thesis_lib.targets.class_matrices import posterior_class_matrix, smoothing_matrix
from thesis_lib.targets.expectation import ForwardDice
from thesis_lib.targets.losses import ForwardLikelihood, SmoothedLoss, Sum
from thesis_lib.targets.overlap import SoftDice, SoftJaccard
from thesis_lib.targets.shift import ShiftLikelihood, shifted
from thesis_lib.targets.smoothing import ClassMatrix, OneHot, Posterior, SpatiallyVarying, Uniform


class Objective(NamedTuple):
    """What is known of an objective.

    Args:
        title: its name in tables and figures.
        meaning: what the network is asked for, in a sentence or two.
        build: function from `Parts` to the keras.losses.Loss.
        needs: which of "prior", "adjacency", "magnitude" and "background" it uses; it ignores the others.
        takes_class_weights: whether pixels can be weighted by the class drawn there.
        drawing: function from (probabilities of the true classes, prior) to those of what is drawn: how the objective
            takes annotators to err.
        has_bias: whether the loss takes the annotator's bias into account, so that labels need not be moved first.
        likelihood: whether it is a likelihood of drawings, so that the network states the true classes, and `drawing`
            what will be drawn.
    """

    title: str
    meaning: str
    build: Callable
    needs: tuple[str, ...] = ()
    takes_class_weights: bool = True
    drawing: Callable = blur
    has_bias: bool = False
    likelihood: bool = False


@dataclass(frozen=True)
class Parts:
    """What objectives are built from; see `objective`."""

    prior: BoundaryPrior | None = None
    adjacency: np.ndarray | None = None
    magnitude: float = 0.9
    class_weights: tuple | None = None
    background: int | None = None
    spacing: tuple | None = None

    def smoothed(self, rule, loss=None):
        """The loss against labels that a rule smooths."""
        return SmoothedLoss(rule, loss, self.class_weights)

    def class_level(self, rule):
        """Cross-entropy against labels that one of the class-level `RULES` smooths."""
        return self.smoothed(ClassMatrix(smoothing_matrix(rule, self.magnitude, self.adjacency)))


def _cross_entropy_and_dice():
    return Sum([SmoothedLoss(OneHot()), SmoothedLoss(OneHot(), SoftDice())])


def _class_level(rule, meaning):
    """The entry of OBJECTIVES for one of the class-level rules."""
    return Objective(rule.replace("_", "-"), meaning, lambda p: p.class_level(rule), ("adjacency", "magnitude"))


CLASS_LEVEL = {  # meanings of RULES
    "fixed_uniform": "The same as uniform smoothing.",
    "fixed_adjacent": "Cross-entropy, where m stays on the class that is drawn. The rest is spread over the classes "
    "that it touches.",
    "weighted_uniform": "Cross-entropy, where more than m stays on the class that is drawn, the more pixels of it lie "
    "inside. The rest is spread evenly over all other classes.",
    "weighted_adjacent": "Cross-entropy, where more than m stays on the class that is drawn, the more pixels of it lie "
    "inside. The rest is spread over the classes that it touches.",
}
OBJECTIVES = {
    "one_hot": Objective("one-hot", "Cross-entropy on labels as drawn.", lambda p: p.smoothed(OneHot())),
    "uniform": Objective(
        "uniform smoothing",
        "Cross-entropy, where m stays on the class that is drawn. The rest is spread evenly over all other classes.",
        lambda p: p.smoothed(Uniform(p.magnitude)),
        ("magnitude",),
    ),
    **{rule: _class_level(rule, meaning) for rule, meaning in CLASS_LEVEL.items()},
    "weighted_adjacent_prior": Objective(
        "weighted-adjacent, m from prior",
        "weighted-adjacent, where m and the spread follow from the annotators' error.",
        lambda p: p.smoothed(ClassMatrix(posterior_class_matrix(p.prior, p.adjacency, p.spacing))),
        ("prior", "adjacency"),
    ),
    "spatially_varying": Objective(
        "spatially varying",
        "Cross-entropy on labels that are blurred by a Gaussian of 3 x 3 px (Islam and Glocker, 2021).",
        lambda p: p.smoothed(SpatiallyVarying()),
    ),
    "posterior": Objective(
        "posterior soft labels",
        "Cross-entropy on the probabilities of the true classes, given what is drawn and the annotators' error.",
        lambda p: p.smoothed(Posterior(p.prior, p.spacing)),
        ("prior",),
    ),
    "forward": Objective(
        "forward likelihood",
        "How probable the drawing is, if the annotators' error has blurred what the network predicts.",
        lambda p: ForwardLikelihood(p.prior, p.class_weights, spacing=p.spacing),
        ("prior",),
        likelihood=True,
    ),
    "forward_uniform": Objective(
        "forward likelihood, uniform smoothing",
        "Uniform smoothing on what the network predicts, blurred by the annotators' error.",
        lambda p: ForwardLikelihood(p.prior, loss=p.smoothed(Uniform(p.magnitude)), spacing=p.spacing),
        ("prior", "magnitude"),
        likelihood=True,
    ),
    "forward_dice": Objective(
        "forward likelihood + soft Dice",
        "Cross-entropy and soft Dice of what the network predicts, blurred by the annotators' error.",
        lambda p: ForwardLikelihood(p.prior, loss=_cross_entropy_and_dice(), spacing=p.spacing),
        ("prior",),
        takes_class_weights=False,
        likelihood=True,
    ),
    "forward_expected_dice": Objective(
        "forward likelihood + Dice of expected labels",
        "The forward likelihood, and soft Dice against the expected true labels, given drawing and prediction.",
        lambda p: ForwardDice(p.prior, p.spacing),
        ("prior",),
        takes_class_weights=False,
        likelihood=True,
    ),
    "shift": Objective(
        "likelihood of shifted boundaries",
        "How probable the drawing is, if the annotators' error has shifted the predicted boundaries out or in.",
        lambda p: ShiftLikelihood(p.prior, p.background, p.spacing),
        ("prior", "background"),
        takes_class_weights=False,
        drawing=shifted,
        has_bias=True,
        likelihood=True,
    ),
    "dice": Objective(
        "soft Dice",
        "The Dice loss on labels as drawn.",
        lambda p: p.smoothed(OneHot(), SoftDice()),
        takes_class_weights=False,
    ),
    "jaccard": Objective(
        "soft Jaccard",
        "The Jaccard (IoU) loss on labels as drawn.",
        lambda p: p.smoothed(OneHot(), SoftJaccard()),
        takes_class_weights=False,
    ),
    "one_hot_dice": Objective(
        "one-hot + soft Dice",
        "Cross-entropy and the Dice loss on labels as drawn: the usual training.",
        lambda p: _cross_entropy_and_dice(),
        takes_class_weights=False,
    ),
}


def objectives_needing(what):
    """Names of the objectives that use "prior", "adjacency", "magnitude" or "background", whichever `what` is."""
    checks.one_of("what", what, ("prior", "adjacency", "magnitude", "background"))
    return tuple(name for name, objective in OBJECTIVES.items() if what in objective.needs)


def objective(
    name,
    *,
    prior=None,
    adjacency=None,
    magnitude=0.9,
    class_weights=None,
    background=None,
    data_format="channels_last",
    spacing=None,
):
    """The loss of that name, on integer labels (N, H, W) and logits (N, H, W, K).

    Args:
        name: one of OBJECTIVES, whose `meaning` says what each asks for. m is `magnitude`; `smoothing_matrix` and
            `posterior_class_matrix` have the rules by class, `ForwardLikelihood`, `ForwardDice` and `ShiftLikelihood`
            the likelihoods.
        prior: BoundaryPrior, for the objectives that need one.
        adjacency: (K, K) counts, for the objectives that need them.
        magnitude: weight kept on the annotated class, in (0, 1], for the objectives that need it.
        class_weights: K weights, 0 or more, or None; None for objectives that do not take them.
        background: the background's class, for the objectives that need it.
        data_format: "channels_first" if logits are (N, K, H, W), as PyTorch has them.
        spacing: sides of a pixel or voxel, mm, as for `blur`, which a prior in mm needs. For weighted_adjacent_prior,
            of what was counted in adjacency.

    Returns:
        keras.losses.Loss.

    Raises:
        ValueError: if the name is unknown, or the objective lacks what it needs or does not take class weights.

    Example:
        >>> from thesis_lib.annotation import BoundaryPrior
        >>> loss = objective("forward", prior=BoundaryPrior.known(sigma=1.5))
    """
    checks.one_of("objective", name, OBJECTIVES)
    chosen = OBJECTIVES[name]
    if "prior" in chosen.needs:
        checked_prior(prior, f"prior for the objective {name!r}", spacing)
    if "background" in chosen.needs:
        checks.integer("background", background, 0)
    if class_weights is not None and not chosen.takes_class_weights:
        raise ValueError(
            f"class_weights must be None for the objective {name!r}, whose loss is not a sum over pixels; "
            f"got {class_weights!r}"
        )
    loss = chosen.build(Parts(prior, adjacency, magnitude, class_weights, background, spacing))
    loss.data_format = checks.one_of("data_format", data_format, DATA_FORMATS)
    return loss
