"""Widths of objects, errors beside them, and the advice that follows."""

import numpy as np
import pandas as pd
import pytest

from thesis_lib.annotation import BoundaryPrior, Population, advice, error_over_width, object_widths, typical_error

GAINS = pd.DataFrame(
    {
        "target": ["forward", "forward", "shift", "shift"],
        "error_over_width": [0.1, 0.4, 0.1, 0.4],
        "gain": [-0.01, 0.02, 0.0, 0.04],
        "low": [-0.02, 0.01, -0.01, 0.02],
        "high": [0.0, 0.03, 0.01, 0.06],
    }
)


def stroke(width, length=40, size=48):
    labels = np.zeros((size, size), np.uint8)
    labels[10 : 10 + width, 4 : 4 + length] = 1
    return labels


@pytest.mark.parametrize("width", [1, 3, 7])
def test_a_stroke_is_as_wide_as_it_is_drawn(width):
    for labels in (stroke(width), stroke(width).T):
        assert object_widths(labels, background=0)["width"].tolist() == [width]


def test_a_disc_is_as_wide_as_its_diameter_within_a_pixel_and_each_object_counts():
    rows, columns = np.indices((64, 64))
    labels = (np.hypot(rows - 20, columns - 20) < 10).astype(np.uint8)
    labels[45:48, 5:60] = 2
    found = object_widths(np.stack([labels, labels]), background=0)
    assert found["image"].tolist() == [0, 0, 1, 1] and found["class"].tolist() == [1, 2, 1, 2]
    assert found["width"].iloc[0] == pytest.approx(20, abs=2.0) and found["width"].iloc[1] == 3
    assert found["diameter"].iloc[0] == pytest.approx(20, abs=0.5)


def test_touching_objects_are_told_apart_by_their_numbers():
    labels, numbers = np.zeros((20, 20), np.uint8), np.zeros((20, 20), int)
    labels[5:11, 2:18] = 1
    numbers[5:8, 2:18], numbers[8:11, 2:18] = 1, 2
    assert object_widths(labels, 0)["width"].tolist() == [5.0]  # of six rows the middle two are the middle line
    assert object_widths(labels, 0, numbers)["width"].tolist() == [3.0, 3.0]


def test_an_object_that_the_image_cuts_off_goes_on():
    labels = np.zeros((30, 30), np.uint8)
    labels[:, 10:15] = 1
    assert object_widths(labels, background=0)["width"].tolist() == [5.0]


def test_maps_of_several_sizes_are_measured_one_by_one():
    found = object_widths([stroke(3), stroke(5, 30, 40)], background=0)
    assert found["width"].tolist() == [3.0, 5.0] and found["image"].tolist() == [0, 1]
    with pytest.raises(ValueError, match="background must be given where maps are of several sizes or spacings"):
        object_widths([stroke(3), stroke(5, 30, 40)])


def test_the_typical_width_is_that_of_the_median_pixel_so_that_dots_count_for_little():
    labels = stroke(5)
    labels[30:46:2, 1:46:2] = 1  # dots
    assert object_widths(labels, 0)["width"].median() == 1.0
    assert error_over_width(BoundaryPrior.known(1.0), labels, 0) == pytest.approx(1 / 5)


def test_the_typical_error_is_sigma_of_a_normal_whatever_the_bias():
    assert typical_error(BoundaryPrior.known(1.5, mean=3.0)) == pytest.approx(1.5)
    assert typical_error(BoundaryPrior(0.0, 3.0, 2.0, 1.0)) < BoundaryPrior(0.0, 3.0, 2.0, 1.0).predictive().std()


def test_errors_that_grow_with_the_object_are_those_of_each_object():
    labels = stroke(4)
    prior = BoundaryPrior.known(1.0)
    assert error_over_width(prior, labels, 0) == pytest.approx(1.0 / object_widths(labels, 0)["width"].iloc[0])
    twice = Population(prior, correlation_length=4.0, factor=2.0)
    assert error_over_width(twice, labels, 0) == pytest.approx(2 * error_over_width(prior, labels, 0))
    with pytest.raises(ValueError, match="labels must hold an object; got none"):
        error_over_width(prior, np.zeros((8, 8), np.uint8), 0)
    with pytest.raises(ValueError, match="prior must be a BoundaryPrior; got 2.0"):
        error_over_width(2.0, labels, 0)


def test_the_advice_is_the_largest_gain_whose_interval_excludes_zero():
    labels = stroke(5)
    large = advice(BoundaryPrior.known(2.0), labels, 0, gains=GAINS)  # a ratio of 0.4
    assert large.objective == "shift" and large.gain == pytest.approx(0.04) and not large.beyond
    assert "Train with shift: expect +4.0 points of Dice" in str(large)
    small = advice(BoundaryPrior.known(0.5), labels, 0, gains=GAINS)
    assert small.objective == "one_hot_dice" and small.gain == 0 and "no other objective" in str(small)
    assert "drawn" not in str(small)
    biased = advice(BoundaryPrior.known(0.5, mean=1.5), labels, 0, gains=GAINS)
    assert biased.bias == 1.5 and "Boundaries are drawn 1.5 px too far outside: take this out" in str(biased)
    between = advice(BoundaryPrior.known(1.0), labels, 0, gains=GAINS)  # halfway, on the logarithmic axis
    assert between.gain == pytest.approx(0.02) and between.low == pytest.approx(0.005)
    assert "interpolated between the ratios 0.10 and 0.40" in str(between) and "interpolated" not in str(large)
    assert advice(BoundaryPrior.known(4.0), labels, 0, gains=GAINS).beyond
    for sigma in (0.0, 0.1):
        none = advice(BoundaryPrior.known(sigma), labels, 0, gains=GAINS[1::2])  # ratios of 0.4 alone were measured
        assert none.objective == "one_hot_dice" and none.beyond and "No data with such a ratio" in str(none)


def test_an_objective_is_not_advised_at_ratios_below_those_at_which_it_was_measured():
    elsewhere = pd.concat([GAINS, GAINS.iloc[1::2].assign(target="forward", gain=0.5, low=0.4, high=0.6)])
    at_the_ratio = advice(BoundaryPrior.known(2.0), stroke(5), 0, gains=elsewhere)
    assert at_the_ratio.objective == "forward"
    below = advice(BoundaryPrior.known(0.5), stroke(5), 0, gains=elsewhere)  # other objectives were measured there
    assert below.objective == "one_hot_dice" and not below.beyond
