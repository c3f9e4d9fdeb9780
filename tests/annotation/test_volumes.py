"""Volumes: displacements, distances, shifts and bands in mm, of voxels that are longer along one axis."""

import numpy as np
import pytest
from scipy import ndimage

from thesis_lib.annotation import displacements, geometry
from thesis_lib.annotation.autocorrelation import autocorrelation_time
from thesis_lib.annotation.stretches import stretches

SPACING = (3.0, 0.8, 1.0)


def ball(radius, shape=(15, 50, 40), spacing=SPACING, centre=None):
    """One volume (1, D, H, W) with a ball, its radius and centre in mm."""
    at = np.stack(np.indices(shape), -1) * spacing
    centre = (np.array(shape) - 1) / 2 * spacing if centre is None else centre
    return (((at - centre) ** 2).sum(-1) < radius**2).astype(np.uint8)[None]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_plane_is_as_far_as_the_voxels_are_long(axis):
    plane = np.arange(12) >= 5
    mask = np.broadcast_to(np.expand_dims(plane, [a for a in range(3) if a != axis]), (12, 12, 12))
    distance = geometry.signed_distance(mask, SPACING)
    np.testing.assert_allclose(np.moveaxis(distance, axis, 0)[:, 4, 4], (np.arange(12) - 4.5) * SPACING[axis])
    drawn = np.roll(mask, -1, axis)
    drawn[tuple(slice(-1, None) if a == axis else slice(None) for a in range(3))] = True
    values = displacements.boundary_displacements(drawn[None], mask[None], background=0, spacing=SPACING)
    np.testing.assert_allclose(values, SPACING[axis], atol=1e-9)
    faces = 144 * np.prod(SPACING) / SPACING[axis]  # the area of the plane
    assert len(values) == pytest.approx(faces / 3.0, abs=1)  # a voxel's largest face is 3 x 1 mm


@pytest.mark.parametrize("spacing, tolerance", [((1.0, 1.0, 1.0), 0.4), (SPACING, 0.9)])
def test_distances_to_an_oblique_plane_are_not_those_to_a_staircase(spacing, tolerance):
    normal = np.array([0.4, 0.5, 0.77])
    exact = (
        (np.stack(np.indices((24, 24, 24)), -1) * spacing - 12 * np.array(spacing)) @ normal / np.linalg.norm(normal)
    )
    inner = (slice(6, -6),) * 3
    error = (geometry.signed_distance(exact > 0, spacing) - exact)[inner][np.abs(exact[inner]) < 4]
    assert abs(error.mean()) < 0.1 and np.abs(error).max() < tolerance


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.8, 1.0)])
def test_a_ball_drawn_too_large_is_displaced_by_as_much_everywhere(spacing):
    shape = tuple(int(60 / s) for s in spacing)
    true, drawn = (ball(radius, shape, spacing) for radius in (15.0, 17.0))
    (series,) = displacements.displacement_series(drawn, true, background=0, spacing=spacing)
    assert series.mean() == pytest.approx(2.0, abs=0.1) and series.std() < 0.5 * max(spacing)
    faces = max(np.prod(spacing) / np.array(spacing))
    assert len(series) == pytest.approx(4 * np.pi * 15**2 / faces, rel=0.06)
    (one,) = displacements.object_displacements(drawn, true, 0, spacing=spacing)
    assert one.diameter == pytest.approx(30, abs=0.3) and one.unit == "mm" and one.points.shape == (len(one.values), 3)
    middle = (np.array(shape) - 1) / 2 * spacing
    assert np.linalg.norm(one.points - middle, axis=1).mean() == pytest.approx(15, abs=0.3)


def test_in_mm_everything_is_the_spacing_times_as_large():
    generator = np.random.default_rng(0)
    noise = ndimage.gaussian_filter(generator.normal(size=(2, 1, 16, 24, 24)), (0, 0, 3, 3, 3))
    for true, drawn in ((noise[0] > 0, noise[0] + 0.2 * noise[1] > 0), (noise[0, 0] > 0, noise[0, 0] > 0.01)):
        half = (0.5,) * (true.ndim - 1)
        for measure in (
            displacements.displacement_series,
            lambda *maps, **more: [one.values for one in displacements.object_displacements(*maps, **more)],
        ):
            px, mm = measure(drawn, true), measure(drawn, true, search_radius=5.0, spacing=half)
            assert [len(one) for one in px] == [len(one) for one in mm] and px
            for one, other in zip(px, mm):
                np.testing.assert_allclose(one, 2 * other)
        moved = geometry.shift_boundaries(true, 1.0), geometry.shift_boundaries(true, 0.5, spacing=half)
        assert (moved[0] == moved[1]).all()
        near = geometry.near_boundary(true, 2.0), geometry.near_boundary(true, 1.0, spacing=half)
        assert (near[0] == near[1]).all()


def test_a_shifted_ball_has_the_radius_asked_for():
    spacing = (1.5, 0.8, 1.0)
    true = ball(10.0, (24, 45, 36), spacing)
    for by in (-3.0, 4.0):
        moved = geometry.shift_boundaries(true, by, background=0, spacing=spacing)
        radius = np.cbrt(moved.sum() * np.prod(spacing) * 3 / (4 * np.pi))
        assert radius == pytest.approx(10 + by, abs=0.35)  # the nearest of the voxels' corners counts


def test_pairs_of_classes_meet_once_and_voxels_to_ignore_are_no_boundary():
    labels = np.zeros((1, 12, 16, 16), np.uint8)
    labels[:, 3:9, 4:12, 4:8], labels[:, 3:9, 4:12, 8:12] = 1, 2
    found = displacements.displacements_by_pair(labels, labels, background=0)
    assert set(found) == {(0, 1), (0, 2), (1, 2)}
    assert 4 * 4 <= sum(map(len, found[1, 2])) <= 6 * 8  # rims are boundaries with the background
    ignored = np.where(np.arange(16) < 8, 255, labels).astype(np.uint8)
    assert set(displacements.displacements_by_pair(ignored, ignored, background=0)) == {(0, 2)}
    moved = geometry.shift_boundaries(ignored, 1.0, background=0)
    assert (moved[..., :8] == 255).all() and (moved[0, 2, 4:12, 8:12] == 2).all()


def test_the_autocorrelation_time_on_a_surface_is_the_integral_over_it():
    """Of exp(-r^2 / 2 l^2) in the plane: 2 pi l^2, and half of it for its square; of independent values one."""
    length, side, generator = 2.0, 90, np.random.default_rng(0)
    values = ndimage.gaussian_filter(generator.normal(size=(side, side)), length / np.sqrt(2), mode="wrap").ravel()
    points = np.stack([np.zeros(values.size), *np.indices((side, side)).reshape(2, -1)], axis=1)
    assert autocorrelation_time(values, points=points) == pytest.approx(2 * np.pi * length**2, rel=0.2)
    assert autocorrelation_time(values, True, points) == pytest.approx(np.pi * length**2, rel=0.2)
    independent = generator.normal(size=values.size)
    assert autocorrelation_time(independent, points=points) == pytest.approx(1.0, abs=0.3)
    assert autocorrelation_time(np.ones(values.size), points=points) == 1.0


def test_each_connected_surface_is_a_stretch_of_its_own():
    two = ball(6.0, centre=(12.0, 10.0, 10.0)) + ball(6.0, centre=(24.0, 28.0, 28.0))
    shell = ball(12.0) - ball(6.0)
    assert len(stretches(two, two, 0, spacing=SPACING)) == 2 == len(stretches(shell, shell, 0, spacing=SPACING))


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda v: geometry.shift_boundaries(v, 1.0, spacing=(1, 1)),
            r"spacing must be three lengths, .* got \(1, 1\)",
        ),
        (lambda v: geometry.near_boundary(v[0], 1.0, spacing=SPACING), "spacing must be two lengths"),
        (lambda v: displacements.displacement_series(v, v, spacing=(SPACING, (1, 1, 1))), "several spacings one by"),
        (
            lambda v: displacements.displacement_series(v, v, spacing=(1, 1, -1)),
            "spacing must be three lengths, .* more",
        ),
        (lambda v: displacements.displacement_series(v, v[0]), "must have the same shape"),
        (
            lambda v: autocorrelation_time([1.0, 2.0], points=[[0, 0]]),
            r"an array \(n, 3\) for each .* \[\(2,\)\]",
        ),
        (lambda v: geometry.shift_boundaries(v[None], 1.0), "labels must be a non-empty array"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((2, 4, 4, 4), int))
