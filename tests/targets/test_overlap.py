"""Soft Dice and soft Jaccard: the usual forms on hard labels, and their optimum on soft ones."""

import numpy as np
import pytest
from keras import ops
from loss_cases import as_logits, one_hot, two_classes

from thesis_lib.targets.overlap import SoftDice, SoftJaccard


@pytest.mark.parametrize(
    "loss, usual", [(SoftDice(), lambda i, total: 2 * i / total), (SoftJaccard(), lambda i, total: i / (total - i))]
)
def test_on_hard_labels_the_semimetric_forms_equal_the_usual_ones(loss, usual, example):
    labels, logits = example
    target, predicted = one_hot(labels), np.asarray(ops.softmax(logits))
    intersection, total = (target * predicted).sum((1, 2)), (target + predicted).sum((1, 2))
    assert float(loss(target, logits)) == pytest.approx(1 - usual(intersection, total).mean(), abs=1e-5)


@pytest.mark.parametrize("loss", [SoftDice(), SoftJaccard()])
def test_on_soft_labels_the_optimum_is_the_label_itself(loss):
    target = np.full((1, 4, 4, 2), 0.5, "float32")
    value = lambda p: float(loss(target, as_logits(two_classes(np.full((1, 4, 4), p)))))
    assert value(0.5) == pytest.approx(0.0, abs=1e-5)
    assert min(value(p) for p in (0.01, 0.3, 0.45, 0.55, 0.7, 0.99)) > 0.02


def test_a_class_that_is_nowhere_costs_nothing():
    target = one_hot(np.zeros((1, 4, 4), int))
    assert float(SoftDice()(target, 100 * target)) == pytest.approx(0.0, abs=1e-5)
