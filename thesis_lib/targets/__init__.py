"""What is optimised: smoothing rules, losses on integer or soft labels, and whole objectives by name."""

from thesis_lib import backend  # noqa: F401, says how to get one
from thesis_lib.targets.blurring import blur
from thesis_lib.targets.class_matrices import adjacency, posterior_class_matrix, smoothing_matrix
from thesis_lib.targets.expectation import ForwardDice, expected_labels, votes
from thesis_lib.targets.losses import ForwardLikelihood, SmoothedLoss, Sum, class_weights
from thesis_lib.targets.objectives import OBJECTIVES, objective, objectives_needing
from thesis_lib.targets.overlap import SoftDice, SoftJaccard
from thesis_lib.targets.overlapping import Overlapping
from thesis_lib.targets.pairwise import PairwiseLikelihood
from thesis_lib.targets.shift import ShiftLikelihood, shifted
from thesis_lib.targets.smoothing import ClassMatrix, OneHot, Posterior, SpatiallyVarying, Uniform

__all__ = [
    "OBJECTIVES",
    "ClassMatrix",
    "ForwardDice",
    "ForwardLikelihood",
    "OneHot",
    "Overlapping",
    "PairwiseLikelihood",
    "Posterior",
    "ShiftLikelihood",
    "SmoothedLoss",
    "SoftDice",
    "SoftJaccard",
    "SpatiallyVarying",
    "Sum",
    "Uniform",
    "adjacency",
    "blur",
    "class_weights",
    "expected_labels",
    "objective",
    "objectives_needing",
    "posterior_class_matrix",
    "shifted",
    "smoothing_matrix",
    "votes",
]
