"""What is optimised, by name: each objective is a training target and a loss, in a line or two."""

from thesis_lib import checks
from thesis_lib.losses import ForwardLikelihood, SmoothedLoss, SoftDice, SoftJaccard
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
    "dice", "jaccard",
)  # fmt: skip

USES_PRIOR = ("weighted_adjacent_prior", "posterior", "forward")


def objective(name, *, prior=None, adjacency=None, magnitude=0.9, sigma=1.0, class_weights=None):
    """The loss of that name, on integer labels (N, H, W) and logits (N, H, W, K).

    Args:
        name: one of OBJECTIVES. The four class-level rules are `smoothing_matrix`'s; weighted_adjacent_prior takes its
            magnitude from the prior (`posterior_class_matrix`); dice and jaccard are the overlap losses against one-hot
            labels.
        prior: BoundaryPrior, for weighted_adjacent_prior, posterior and forward.
        adjacency: (K, K) counts, for the class-level rules.
        magnitude: weight kept on the annotated class, for uniform and the four class-level rules.
        sigma: px, of spatially_varying.
        class_weights: K weights; not for dice and jaccard.

    Returns:
        keras.losses.Loss.
    """
    checks.one_of("objective", name, OBJECTIVES)
    if name in USES_PRIOR and prior is None:
        raise ValueError(f"prior must be a BoundaryPrior for the objective {name!r}; got None")
    if class_weights is not None and name in ("dice", "jaccard"):
        raise ValueError(f"class_weights must be None for the objective {name!r}, which has no loss of single pixels")
    if name == "forward":
        return ForwardLikelihood(prior, class_weights)
    if name in RULES:
        rule = ClassMatrix(smoothing_matrix(name, magnitude, adjacency))
    elif name == "uniform":
        rule = Uniform(magnitude)
    elif name == "weighted_adjacent_prior":
        rule = ClassMatrix(posterior_class_matrix(prior, adjacency))
    elif name == "spatially_varying":
        rule = SpatiallyVarying(sigma)
    elif name == "posterior":
        rule = Posterior(prior)
    else:
        rule = OneHot()
    overlap = {"dice": SoftDice, "jaccard": SoftJaccard}.get(name)
    return SmoothedLoss(rule, overlap and overlap(), class_weights)
