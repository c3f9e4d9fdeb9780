import math

import numpy as np
import pytest
from scipy import ndimage

from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.targets.class_matrices import adjacency, posterior_class_matrix, smoothing_matrix
from thesis_lib.targets.smoothing import ClassMatrix, Posterior, Uniform

STRIPES = np.array([[[0, 0, 1, 2]]], np.uint8)
COUNTS = np.array([[6, 3, 1], [3, 2, 0], [1, 0, 0]])


def test_adjacency_counts_each_pair_once_in_each_direction():
    # 0 0 1    horizontal pairs 00 01 | 02 22, vertical 00 02 12
    # 0 2 2
    counts = adjacency(np.array([[0, 0, 1], [0, 2, 2]]), 3)
    assert counts.tolist() == [[4, 1, 2], [1, 0, 1], [2, 1, 2]]


def test_adjacency_of_many_classes_and_scenes_is_symmetric_and_complete():
    labels = np.random.default_rng(0).integers(0, 100, (70, 11, 13))
    counts = adjacency(labels, 100)
    assert (counts == counts.T).all()
    assert counts.sum() == 2 * 70 * (10 * 13 + 11 * 12)


@pytest.mark.parametrize("shape", [(3, 1, 1), (2, 1, 5), (2, 5, 1), (70, 7, 9)])
@pytest.mark.parametrize("num_classes", [2, 5, 100])
def test_adjacency_equals_counting_pair_by_pair(shape, num_classes):
    labels = np.random.default_rng(0).integers(0, num_classes, shape)
    expected = np.zeros((num_classes, num_classes), int)
    for a, b in ((labels[:, 1:], labels[:, :-1]), (labels[:, :, 1:], labels[:, :, :-1])):
        np.add.at(expected, (a.ravel(), b.ravel()), 1)
        np.add.at(expected, (b.ravel(), a.ravel()), 1)
    assert (adjacency(labels, num_classes) == expected).all()


def test_adjacency_leaves_out_pixels_to_ignore():
    labels = np.array([[0, 0, 255], [1, 255, 1]], np.uint8)
    assert adjacency(labels, 2).tolist() == [[2, 1], [1, 0]]


@pytest.mark.parametrize(
    "rule, expected",
    [
        ("fixed_uniform", [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]),
        ("fixed_adjacent", [[0.8, 0.15, 0.05], [0.2, 0.8, 0], [0.2, 0, 0.8]]),
        ("weighted_uniform", [[0.92, 0.04, 0.04], [0.06, 0.88, 0.06], [0.1, 0.1, 0.8]]),
        ("weighted_adjacent", [[0.92, 0.06, 0.02], [0.12, 0.88, 0], [0.2, 0, 0.8]]),
    ],
)
def test_the_four_class_level_rules_by_hand(rule, expected):
    np.testing.assert_allclose(smoothing_matrix(rule, 0.8, COUNTS), expected, atol=1e-12)


def test_a_class_that_touches_nothing_keeps_its_weight_under_adjacent_rules():
    alone = np.array([[8, 0], [0, 0]])
    assert smoothing_matrix("fixed_adjacent", 0.7, alone).tolist() == [[1, 0], [0, 1]]


def test_uniform_smoothing_is_the_fixed_uniform_matrix():
    matrix = smoothing_matrix("fixed_uniform", 0.85, np.ones((3, 3)))
    np.testing.assert_allclose(Uniform(0.85)(STRIPES, 3), ClassMatrix(matrix)(STRIPES, 3), atol=1e-6)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_weighted_adjacent_smoothing_is_the_class_average_of_the_posterior(sigma):
    generator = np.random.default_rng(3)
    fields = [ndimage.gaussian_filter(generator.standard_normal((600, 600)), 25) for _ in range(3)]
    labels = np.argmax(fields, axis=0).astype(np.uint8)[None]
    p = BoundaryPrior.known(sigma)
    q = np.asarray(Posterior(p)(labels, 3))
    average = np.stack([q[labels == j].mean(0) for j in range(3)])
    predicted = posterior_class_matrix(p, adjacency(labels, 3))
    off = ~np.eye(3, dtype=bool) & (predicted > 1e-3)
    assert (average[off] / predicted[off]).mean() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("unit, spacing", [("px", (1.0, 1.0, 1.0)), ("mm", (1.5, 0.75, 0.75))])
def test_so_it_is_in_volumes_whatever_the_voxels(unit, spacing):
    generator, sides = np.random.default_rng(3), np.asarray(spacing)
    shape = (120 / sides).astype(int)
    fields = [ndimage.gaussian_filter(generator.standard_normal(shape), 9 / sides) for _ in range(3)]
    labels = np.argmax(fields, axis=0).astype(np.uint8)[None]
    p = BoundaryPrior.known(1.0, unit=unit)
    q = np.asarray(Posterior(p, spacing)(labels, 3))
    average = np.stack([q[labels == j].mean(0) for j in range(3)])
    counts = sum(adjacency(np.moveaxis(labels[0], axis, 0), 3) for axis in range(3))
    predicted = posterior_class_matrix(p, counts, spacing)
    off = ~np.eye(3, dtype=bool) & (predicted > 1e-3)
    assert (average[off] / predicted[off]).mean() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("axes", [2, 3])
def test_an_error_in_mm_counts_in_sides_of_a_pixel(axes):
    """Twice the error on pixels twice as large is the same; a number of mm needs the pixels' size."""
    in_px = posterior_class_matrix(BoundaryPrior.known(0.1), COUNTS, [5.0] * axes)
    for side in (1.0, 2.5):
        in_mm = BoundaryPrior.known(0.1 * side, unit="mm")
        np.testing.assert_allclose(posterior_class_matrix(in_mm, COUNTS, [side] * axes), in_px)
    with pytest.raises(ValueError, match="prior must be in px where no spacing is given"):
        posterior_class_matrix(in_mm, COUNTS)


def test_the_prior_fixes_the_magnitude_of_weighted_adjacent_smoothing():
    sigma = 0.1
    by_prior = posterior_class_matrix(BoundaryPrior.known(sigma), COUNTS)
    by_magnitude = smoothing_matrix("weighted_adjacent", 1 - sigma * math.sqrt(math.pi / 2), COUNTS)
    np.testing.assert_allclose(by_prior, by_magnitude)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: smoothing_matrix("fixed_uniform", 0.9, "abc"), "adjacency must be a square .*; got 'abc'"),
        (lambda: posterior_class_matrix(1.0, COUNTS), "prior must be a BoundaryPrior; got 1.0"),
        (
            lambda: posterior_class_matrix(BoundaryPrior(shape=0.4), COUNTS),
            "prior must have a shape of more than 1/2 .*; got 0.4",
        ),
        (lambda: adjacency([[0, 1], [0]], 2), "labels must be an array, its rows of one length"),
        (lambda: smoothing_matrix("diagonal", 0.9, COUNTS), "rule must be one of fixed_adjacent"),
        (lambda: smoothing_matrix("fixed_uniform", 1.1, COUNTS), "magnitude must .*1.1"),
        (lambda: smoothing_matrix("fixed_uniform", 0.9, np.ones((2, 3))), "adjacency must be a square"),
        (lambda: adjacency(STRIPES, 2), r"labels must hold classes in 0..1; got values from 0 to 2"),
        (lambda: posterior_class_matrix(BoundaryPrior.known(50.0), COUNTS), "small beside the objects"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
