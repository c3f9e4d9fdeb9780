"""What is optimised, by name: each objective is a training target and a loss, in a line or two."""

from thesis_lib import checks
from thesis_lib.losses import ForwardLikelihood, SmoothedLoss, SoftDice, SoftJaccard, Sum
from thesis_lib.smoothing import (
    RULES,
    ClassMatrix,
    OneHot,
    Posterior,
    SpatiallyVarying,
    Uniform,
    posterior_class_matrix,
    smoothing_matrix,
)

OBJECTIVES = (
    "one_hot", "uniform", *RULES, "weighted_adjacent_prior", "spatially_varying", "posterior", "forward",
    "forward_uniform", "forward_dice", "dice", "jaccard", "one_hot_dice",
)  # fmt: skip

USES_PRIOR = ("weighted_adjacent_prior", "posterior", "forward", "forward_uniform", "forward_dice")
USES_ADJACENCY = (*RULES, "weighted_adjacent_prior")
WEIGHS_NO_CLASSES = ("forward_dice", "dice", "jaccard", "one_hot_dice")


def objective(name, *, prior=None, adjacency=None, magnitude=0.9, class_weights=None):
    """The loss of that name, on integer labels (N, H, W) and logits (N, H, W, K).

    Args:
        name: one of OBJECTIVES. The four class-level rules are `smoothing_matrix`'s; weighted_adjacent_prior takes its
            magnitude from the prior (`posterior_class_matrix`); dice and jaccard are the overlap losses against one-hot
            labels, one_hot_dice is cross-entropy + dice; forward_uniform and forward_dice score the blurred belief by
            uniformly smoothed labels and by cross-entropy + dice.
        prior: BoundaryPrior, for USES_PRIOR.
        adjacency: (K, K) counts, for USES_ADJACENCY.
        magnitude: weight kept on the annotated class, for uniform, forward_uniform and the class-level rules.
        class_weights: K weights; not for WEIGHS_NO_CLASSES.

    Returns:
        keras.losses.Loss.
    """
    checks.one_of("objective", name, OBJECTIVES)
    if name in USES_PRIOR and prior is None:
        raise ValueError(f"prior must be a BoundaryPrior for the objective {name!r}; got None")
    if class_weights is not None and name in WEIGHS_NO_CLASSES:
        raise ValueError(f"class_weights must be None for the objective {name!r}, which is no loss of single pixels alone")
    if name == "forward":
        return ForwardLikelihood(prior, class_weights)
    if name == "forward_uniform":
        return ForwardLikelihood(prior, loss=SmoothedLoss(Uniform(magnitude), class_weights=class_weights))
    if name in ("forward_dice", "one_hot_dice"):
        both = Sum([SmoothedLoss(OneHot()), SmoothedLoss(OneHot(), SoftDice())])
        return both if name == "one_hot_dice" else ForwardLikelihood(prior, loss=both)
    if name in RULES:
        rule = ClassMatrix(smoothing_matrix(name, magnitude, adjacency))
    elif name == "uniform":
        rule = Uniform(magnitude)
    elif name == "weighted_adjacent_prior":
        rule = ClassMatrix(posterior_class_matrix(prior, adjacency))
    elif name == "spatially_varying":
        rule = SpatiallyVarying()
    elif name == "posterior":
        rule = Posterior(prior)
    else:
        rule = OneHot()
    overlap = {"dice": SoftDice, "jaccard": SoftJaccard}.get(name)
    return SmoothedLoss(rule, overlap and overlap(), class_weights)
