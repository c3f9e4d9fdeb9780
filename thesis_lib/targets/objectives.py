"""What is optimised, by name: each objective is a training target and a loss, in a line or two."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from thesis_lib import checks
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.targets.losses import ForwardLikelihood, SmoothedLoss, SoftDice, SoftJaccard, Sum
from thesis_lib.targets.smoothing import (
    RULES,
    ClassMatrix,
    OneHot,
    Posterior,
    SpatiallyVarying,
    Uniform,
    posterior_class_matrix,
    smoothing_matrix,
)


class Objective(NamedTuple):
    """An objective by its name.

    Args:
        title: what tables and figures call it.
        build: makes the keras.losses.Loss from `Parts`.
        needs: which of "prior", "adjacency" and "magnitude" it is made of; the others are ignored.
        takes_class_weights: whether pixels can be weighted by the class drawn there.
    """

    title: str
    build: Callable
    needs: tuple[str, ...] = ()
    takes_class_weights: bool = True


@dataclass(frozen=True)
class Parts:
    """What objectives are made of; see `objective`."""

    prior: BoundaryPrior | None = None
    adjacency: np.ndarray | None = None
    magnitude: float = 0.9
    class_weights: tuple | None = None

    def smoothed(self, rule, loss=None):
        """A loss against labels that are smoothed by a rule."""
        return SmoothedLoss(rule, loss, self.class_weights)

    def class_level(self, rule):
        """A loss against labels that are smoothed by one of `RULES`."""
        return self.smoothed(ClassMatrix(smoothing_matrix(rule, self.magnitude, self.adjacency)))


def _cross_entropy_and_dice():
    return Sum([SmoothedLoss(OneHot()), SmoothedLoss(OneHot(), SoftDice())])


def _class_level(rule):
    """The table's entry for one of the class-level rules."""
    title = rule.replace("_", "-")
    return Objective(title, lambda parts: parts.class_level(rule), ("adjacency", "magnitude"))


OBJECTIVES = {
    "one_hot": Objective("one-hot", lambda p: p.smoothed(OneHot())),
    "uniform": Objective("uniform smoothing", lambda p: p.smoothed(Uniform(p.magnitude)), ("magnitude",)),
    **{rule: _class_level(rule) for rule in RULES},
    "weighted_adjacent_prior": Objective(
        "weighted-adjacent, m from prior",
        lambda p: p.smoothed(ClassMatrix(posterior_class_matrix(p.prior, p.adjacency))),
        ("prior", "adjacency"),
    ),
    "spatially_varying": Objective("spatially varying", lambda p: p.smoothed(SpatiallyVarying())),
    "posterior": Objective("posterior soft labels", lambda p: p.smoothed(Posterior(p.prior)), ("prior",)),
    "forward": Objective("forward likelihood", lambda p: ForwardLikelihood(p.prior, p.class_weights), ("prior",)),
    "forward_uniform": Objective(
        "forward likelihood, uniform smoothing",
        lambda p: ForwardLikelihood(p.prior, loss=p.smoothed(Uniform(p.magnitude))),
        ("prior", "magnitude"),
    ),
    "forward_dice": Objective(
        "forward likelihood + soft Dice",
        lambda p: ForwardLikelihood(p.prior, loss=_cross_entropy_and_dice()),
        ("prior",),
        takes_class_weights=False,
    ),
    "dice": Objective("soft Dice", lambda p: p.smoothed(OneHot(), SoftDice()), takes_class_weights=False),
    "jaccard": Objective("soft Jaccard", lambda p: p.smoothed(OneHot(), SoftJaccard()), takes_class_weights=False),
    "one_hot_dice": Objective("one-hot + soft Dice", lambda p: _cross_entropy_and_dice(), takes_class_weights=False),
}


def objectives_needing(what):
    """Names of the objectives that are made of "prior", "adjacency" or "magnitude"."""
    return tuple(name for name, objective in OBJECTIVES.items() if what in objective.needs)


def objective(name, *, prior=None, adjacency=None, magnitude=0.9, class_weights=None):
    """The loss of that name, on integer labels (N, H, W) and logits (N, H, W, K).

    Args:
        name: one of OBJECTIVES. The four class-level rules are `smoothing_matrix`'s; weighted_adjacent_prior takes its
            magnitude from the prior (`posterior_class_matrix`); dice and jaccard are the overlap losses against one-hot
            labels, one_hot_dice is cross-entropy + dice; forward_uniform and forward_dice score the blurred
            probabilities by uniformly smoothed labels and by cross-entropy + dice.
        prior: BoundaryPrior, for the objectives that need one.
        adjacency: (K, K) counts, for the objectives that need them.
        magnitude: weight kept on the annotated class, for the objectives that need it.
        class_weights: K weights; None for objectives that do not take them.

    Returns:
        keras.losses.Loss.

    Example:
        >>> from thesis_lib.annotation import BoundaryPrior
        >>> loss = objective("forward", prior=BoundaryPrior.known(sigma=1.5))
    """
    checks.one_of("objective", name, OBJECTIVES)
    chosen = OBJECTIVES[name]
    if "prior" in chosen.needs and prior is None:
        raise ValueError(f"prior must be a BoundaryPrior for the objective {name!r}; got None")
    if class_weights is not None and not chosen.takes_class_weights:
        raise ValueError(
            f"class_weights must be None for the objective {name!r}, which is no loss of single pixels alone"
        )
    return chosen.build(Parts(prior, adjacency, magnitude, class_weights))
