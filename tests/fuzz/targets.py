"""How the fuzzing test calls `thesis_lib.targets`."""

import numpy as np
from fuzz.annotation import PRIOR, maps
from fuzz.entry import Entry
from hypothesis import strategies as st

from thesis_lib import targets as door
from thesis_lib.annotation import BoundaryPrior

MATRIX = np.array([[0.0, 5.0, 2.0], [5.0, 0.0, 1.0], [2.0, 1.0, 0.0]])
STOCHASTIC = np.array([[0.8, 0.1, 0.1], [0.2, 0.8, 0.0], [0.1, 0.1, 0.8]])
LOGITS = np.random.default_rng(0).standard_normal((2, 12, 12, 3)).astype(np.float32)
SOFT = (np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)).astype(np.float32)
KNOWN = BoundaryPrior.known(1.0)
WEIGHTS = [1.0, 2.0, 0.5]


LEARNED = ("labels", "soft_labels", "logits")


def one_loss(given, result):
    """A loss is one finite number, unless a logit or a soft label is none, or there are none."""
    learned = [np.asarray(value, float) for name, value in given.items() if name in LEARNED]
    known = all(values.size and np.isfinite(values).all() for values in learned)
    assert not known or (np.size(result) == 1 and np.isfinite(result).all())


def soft(given, result):
    """Soft labels have the shape of the labels and an axis of classes, and sum to one where none is to be ignored."""
    result = np.asarray(result)
    assert result.shape == (*np.shape(given["labels"]), given["num_classes"])
    known = np.asarray(given["labels"]) != 255
    total = result.sum(-1)[known]
    assert (total <= 1.001).all() and (not known.all() or (total >= 0.999).all())


def structures(drawn):
    """Label maps of three classes as three structures that overlap."""
    return np.stack([drawn > 0, drawn == 1, drawn == 2], -1).astype(np.uint8)


def with_loss(make):
    def loss(labels, logits, **parameters):
        return make(**parameters)(labels, logits)

    return loss


def of_loss(make, **parameters):
    words = {"labels": ("labels", "logits"), "logits": ("logits", "labels", "class_weights"), "losses": "loss"}
    return Entry(
        with_loss(make), {**parameters, "labels": maps(), "logits": LOGITS}, one_loss, words, nan=True, examples=30
    )


def of_soft_loss(make):
    def loss(soft_labels, logits):
        return make()(soft_labels, logits)

    words = {"soft_labels": ("labels", "logits"), "logits": ("soft_labels", "labels")}
    return Entry(loss, {"soft_labels": SOFT, "logits": LOGITS}, one_loss, words, nan=True, examples=30)


def smoothed(make):
    def rule(labels, num_classes, **parameters):
        return make(**parameters)(labels, num_classes)

    return rule


def of_rule(make, **parameters):
    return Entry(
        smoothed(make), {**parameters, "labels": maps(), "num_classes": 3}, soft, {"num_classes": "matrix"}, examples=30
    )


def same_shape(given, result):
    assert np.shape(result) == np.shape(given["maps"])


ENTRIES = {
    "ClassMatrix": of_rule(door.ClassMatrix, matrix=STOCHASTIC),
    "ForwardDice": of_loss(door.ForwardDice, prior=KNOWN),
    "ForwardLikelihood": of_loss(door.ForwardLikelihood, prior=KNOWN, class_weights=WEIGHTS, loss=None),
    "OneHot": of_rule(door.OneHot),
    "Overlapping": Entry(
        with_loss(door.Overlapping),
        {
            "losses": [door.ForwardLikelihood(KNOWN)] * 3,
            "weights": WEIGHTS,
            "labels": maps().map(structures),
            "logits": LOGITS,
        },
        one_loss,
        {"losses": ("loss", "weights"), "weights": "losses"},
        nan=True,
        examples=30,
    ),
    "PairwiseLikelihood": of_loss(
        door.PairwiseLikelihood, priors={(0, 1): BoundaryPrior.known(2.0)}, default=KNOWN, class_weights=WEIGHTS
    ),
    "Posterior": of_rule(door.Posterior, prior=KNOWN),
    "ShiftLikelihood": of_loss(door.ShiftLikelihood, prior=PRIOR, background=0),
    "SmoothedLoss": of_loss(door.SmoothedLoss, smoothing=door.Uniform(0.9), loss=None, class_weights=WEIGHTS),
    "SoftDice": of_soft_loss(door.SoftDice),
    "SoftJaccard": of_soft_loss(door.SoftJaccard),
    "SoftDice.overlap": Entry(
        door.SoftDice().overlap, {"total": 2.0, "difference": 1.0}, fixed=("total", "difference")
    ),
    "SoftJaccard.overlap": Entry(
        door.SoftJaccard().overlap, {"total": 2.0, "difference": 1.0}, fixed=("total", "difference")
    ),
    "SpatiallyVarying": of_rule(door.SpatiallyVarying, sigma=st.floats(0.2, 3.0)),
    "SpatiallyVarying.kernel": Entry(door.SpatiallyVarying().kernel, {}),
    "Sum": of_loss(door.Sum, losses=[door.ForwardLikelihood(KNOWN), door.SmoothedLoss(door.OneHot())]),
    "Uniform": of_rule(door.Uniform, magnitude=st.floats(0.1, 1.0)),
    "adjacency": Entry(door.adjacency, {"labels": maps(), "num_classes": 3}),
    "blur": Entry(door.blur, {"maps": SOFT, "prior": KNOWN}, same_shape),
    "class_weights": Entry(
        door.class_weights,
        {
            "rule": st.sampled_from(["uniform", "drop_background", "largest", "smallest", "median"]),
            "labels": maps(),
            "num_classes": 3,
            "background": 0,
        },
        words={"rule": "class_weights"},
    ),
    "expected_labels": Entry(
        door.expected_labels,
        {"labels": maps(), "probabilities": SOFT, "prior": KNOWN},
        words={"labels": "logits", "probabilities": "labels"},
    ),
    "objective": Entry(
        door.objective,
        {
            "name": st.sampled_from(sorted(door.OBJECTIVES)),
            "prior": KNOWN,
            "adjacency": MATRIX + 50 * np.eye(3),
            "magnitude": 0.9,
            "class_weights": None,
            "background": 0,
        },
        words={"name": "objective"},
        examples=80,
    ),
    "objectives_needing": Entry(door.objectives_needing, {"what": st.sampled_from(["prior", "adjacency"])}),
    "posterior_class_matrix": Entry(
        door.posterior_class_matrix, {"prior": KNOWN, "adjacency": MATRIX + 50 * np.eye(3)}
    ),
    "shifted": Entry(door.shifted, {"maps": SOFT, "prior": PRIOR, "background": 0}, same_shape),
    "smoothing_matrix": Entry(
        door.smoothing_matrix,
        {
            "rule": st.sampled_from(["fixed_uniform", "fixed_adjacent", "weighted_uniform", "weighted_adjacent"]),
            "magnitude": 0.9,
            "adjacency": MATRIX,
        },
    ),
    "votes": Entry(
        door.votes,
        {"labels": maps(), "probabilities": SOFT, "prior": KNOWN},
        words={"labels": "logits", "probabilities": "labels"},
    ),
}
