import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thesis_lib.annotation import displacements, geometry


def test_signed_distance_of_a_straight_edge_counts_from_between_the_pixels(halves):
    expected = np.arange(40) - 19.5
    np.testing.assert_allclose(geometry.signed_distance(halves[0] == 1)[12], expected, atol=0.01)


def test_signed_distance_of_a_diagonal_edge_is_not_that_of_a_staircase():
    rows, columns = np.indices((41, 41))
    distance = geometry.signed_distance(columns > rows)
    assert distance[20, 21] == pytest.approx(np.sqrt(0.5) / 2, abs=0.01)
    assert distance[20, 20] == pytest.approx(-np.sqrt(0.5) / 2, abs=0.01)


@pytest.mark.parametrize("full, expected", [(True, np.inf), (False, -np.inf)])
def test_a_map_without_boundary_is_infinitely_far_inside_or_outside(full, expected):
    assert (geometry.signed_distance(np.full((5, 6), full)) == expected).all()


@pytest.mark.parametrize("pixels", [-3, -1, 0, 1, 4])
def test_a_straight_edge_moves_by_whole_pixels(halves, pixels):
    moved = geometry.shift_boundaries(halves, float(pixels), background=0)
    assert (moved[0, 12] == 1).sum() == 20 + pixels


def test_the_area_of_a_shifted_disc_follows_its_radius(disc):
    for pixels in (-4.0, 3.0):
        grown = geometry.shift_boundaries(disc, pixels)
        assert grown.sum() == pytest.approx(np.pi * (12 + pixels) ** 2, rel=0.08)


def test_the_boundary_between_two_objects_stays_where_it_is():
    labels = np.zeros((20, 20), np.uint8)
    labels[5:15, 4:10], labels[5:15, 10:16] = 1, 2
    moved = geometry.shift_boundaries(labels, 2.0, background=0)
    assert (moved[10] == [0, 0] + [1] * 8 + [2] * 8 + [0, 0]).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12))
def test_any_map_survives_being_measured_and_shifted(seed, height, width):
    labels = np.random.default_rng(seed).integers(0, 3, (height, width)).astype(np.uint8)
    assert (geometry.shift_boundaries(labels, 0.0) == labels).all()
    moved = geometry.shift_boundaries(labels, 1.0, background=0)
    assert moved.shape == labels.shape and set(np.unique(moved)) <= set(np.unique(labels))
    assert geometry.near_boundary(labels, 1.0).shape == labels.shape


def test_contours_of_a_disc_are_one_circle_sampled_every_pixel(disc):
    (circle,) = geometry.contours(disc)
    steps = np.hypot(*np.diff(circle, axis=0).T)
    assert len(circle) == pytest.approx(2 * np.pi * 12, rel=0.1)
    assert steps.mean() == pytest.approx(1.0, abs=0.1)
    np.testing.assert_allclose(np.hypot(*(circle - 20).T), 12, atol=0.8)


def test_the_band_around_an_edge_is_as_wide_as_asked(halves):
    assert (np.flatnonzero(geometry.near_boundary(halves, 2.5)[0, 5]) == [17, 18, 19, 20, 21, 22]).all()
    assert not geometry.near_boundary(np.zeros((4, 4), int), 3.0).any()


@pytest.mark.parametrize("labels", [np.zeros((3, 3)), np.zeros(3, int), np.full((3, 3), -1), np.zeros((0, 3), int)])
def test_only_label_maps_are_accepted(labels):
    with pytest.raises(ValueError, match="labels must"):
        geometry.shift_boundaries(labels, 1.0)


def test_pixels_to_ignore_are_not_an_object():
    labels = np.zeros((20, 30), np.uint8)
    labels[5:15, 5:15] = 1
    labels[:, 24:] = 255
    moved = geometry.shift_boundaries(labels, 2.0)
    assert (moved[:, 24:] == 255).all() and (moved[3:17, 6:14] == 1).all() and (moved[:, 18:24] == 0).all()
    drawn = np.where(labels == 255, 255, geometry.shift_boundaries(np.where(labels == 255, 0, labels), 1.0))
    assert set(np.round(displacements.boundary_displacements(drawn, labels))) == {1.0}
