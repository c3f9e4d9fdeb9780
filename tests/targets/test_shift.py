"""The likelihood of shifted boundaries: exact where the annotator displaces along the normal."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from thesis_lib.annotation import BoundaryPrior, signed_distance
from thesis_lib.backend import gradient
from thesis_lib.targets import ShiftLikelihood, objective
from thesis_lib.targets.filters import largest
from thesis_lib.targets.shift import growths, shift_probabilities, shifted

PRIOR = BoundaryPrior(0.0, 3.1, 2.6, 5.0)  # px; as wide as the smallest disc below


def disc(radius, size=48):
    rows, columns = np.indices((size, size)) - size // 2
    return np.hypot(rows, columns) < radius


def one_hot(mask):
    return np.stack([~mask, mask], -1)[None].astype("float32")


@pytest.mark.parametrize("radius", [2, 4, 12])
def test_a_shifted_disc_is_what_the_prior_says_of_its_signed_distances(radius):
    mask = disc(radius)
    drawn = keras.ops.convert_to_numpy(shifted(one_hot(mask), PRIOR, 0))[0, ..., 1]
    exact = PRIOR.inside_probability(signed_distance(mask))
    assert np.abs(drawn - exact).max() < 0.08  # at corners of the octagon that stands for a disc
    assert np.abs(drawn - exact).mean() < 0.006
    middle = len(mask) // 2
    np.testing.assert_allclose(drawn[middle], exact[middle], atol=0.012)


def of_pixels(prior):
    return shift_probabilities(prior, list(growths(prior, (1.0, 1.0))))


def test_displacements_sum_to_one_and_follow_the_bias():
    weights = of_pixels(PRIOR)
    assert sum(weights.values()) == pytest.approx(1.0) and weights[1] == pytest.approx(weights[-1])
    biased = of_pixels(BoundaryPrior(2.0, 3.1, 2.6, 5.0))
    assert sum(d * p for d, p in biased.items()) == pytest.approx(2.0, abs=0.05)
    assert of_pixels(BoundaryPrior.known(0.0)) == {0: 1.0}


def test_objects_grow_along_an_axis_as_the_boundary_passes_the_centres_of_its_pixels():
    assert growths(BoundaryPrior.known(1.0), (1.0, 1.0)) == {0.5: [0, 1], 1.5: [0, 1], 2.5: [0, 1]}
    in_mm = BoundaryPrior.known(1.0, unit="mm")  # 99% lie within 2.6 mm
    assert growths(in_mm, (2.0, 1.0)) == {0.5: [1], 1.0: [0], 1.5: [1], 2.5: [1]}


@pytest.mark.parametrize("shape", [(2, 6, 5, 3), (2, 4, 6, 5, 1), (1, 1, 2, 1)])
def test_the_largest_neighbour_is_found_along_each_axis_and_has_the_whole_gradient(shape):
    maps = np.random.default_rng(0).normal(size=shape).astype("float32")
    for axis in range(1, len(shape) - 1):
        size = [3 if one == axis else 1 for one in range(len(shape))]
        expected = ndimage.maximum_filter(maps, size, mode="nearest")
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(largest(maps, axis)), expected)
        slope = gradient(
            lambda values, axis=axis: keras.ops.sum(largest(values, axis)), keras.ops.convert_to_tensor(maps)
        )
        times = [(expected == value).sum() for value in maps.reshape(-1)]
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(slope).reshape(-1), times)


def test_the_drawing_of_several_classes_sums_to_one():
    labels = np.zeros((1, 32, 32), int)
    labels[:, 4:12, 4:12], labels[:, 13:20, 4:12] = 1, 2
    for background in (0, 2):
        drawn = keras.ops.convert_to_numpy(shifted(np.eye(3, dtype="float32")[labels], PRIOR, background))
        np.testing.assert_allclose(drawn.sum(-1), 1.0, atol=1e-5)
        assert drawn.min() >= 0


def test_without_an_error_it_is_cross_entropy_and_the_best_map_is_the_true_one():
    mask = disc(3)
    labels = mask[None].astype("int32")
    logits = np.log(np.clip(one_hot(mask), 0.1, 0.9))
    exact = objective("one_hot")(labels, logits)
    assert float(ShiftLikelihood(BoundaryPrior.known(0.0), 0)(labels, logits)) == pytest.approx(float(exact), abs=1e-5)
    generator = np.random.default_rng(0)
    drawings = [disc(3 + d)[None].astype("int32") for d in PRIOR.predictive().rvs(60, random_state=generator)]
    loss = ShiftLikelihood(PRIOR, 0)
    of_radius = {}
    for radius in (1, 2, 3, 4, 5):
        sure = np.log(np.clip(one_hot(disc(radius)), 1e-3, 1.0))
        of_radius[radius] = np.mean([float(loss(drawing, sure)) for drawing in drawings])
    assert min(of_radius, key=of_radius.get) == 3


def test_it_is_saved_with_its_prior_and_refuses_another_kind():
    loss = ShiftLikelihood(PRIOR, background=1)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.prior == PRIOR and again.background == 1
    with pytest.raises(ValueError, match="prior must be a BoundaryPrior; got 1.0"):
        ShiftLikelihood(1.0, 0)
    with pytest.raises(ValueError, match="background must be a whole number from 0; got None"):
        objective("shift", prior=PRIOR)
