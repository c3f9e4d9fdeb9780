"""Priors in mm: the blur is sigma / spacing pixels along each axis, in images and in volumes."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from thesis_lib.annotation.geometry import signed_distance
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.targets.blurring import blur
from thesis_lib.targets.expectation import ForwardDice
from thesis_lib.targets.losses import ForwardLikelihood
from thesis_lib.targets.objectives import objective
from thesis_lib.targets.shift import TAIL, ShiftLikelihood, shifted
from thesis_lib.targets.smoothing import Posterior

SPACING = (3.0, 0.75, 1.5)
IN_MM = BoundaryPrior(0.0, 10.0, 4.0, 6.0, unit="mm")


def volume(seed=0):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(2, 6, 16, 12)), (0, 1, 2, 2))
    return (noise > 0).astype(np.int32)


def test_a_point_spreads_over_as_many_mm_along_every_axis():
    point = np.zeros((1, 9, 41, 21, 1), np.float32)
    point[0, 4, 20, 10] = 1
    spread = np.array(blur(point, BoundaryPrior.known(3.0, unit="mm"), SPACING))[0, ..., 0]
    inner = spread / spread.sum()
    for axis, (side, middle) in enumerate(zip(SPACING, (4, 20, 10))):
        along = inner.sum(tuple(a for a in range(3) if a != axis))
        at = (np.arange(len(along)) - middle) * side
        assert np.sqrt(along @ at**2) == pytest.approx(np.sqrt(9.0 + side**2 / 12), rel=0.02)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 0.5)])
def test_where_pixels_are_alike_mm_are_so_many_pixels(spacing):
    maps = np.random.default_rng(0).random((2, 8, 9, 3) if len(spacing) == 2 else (1, 6, 8, 7, 3)).astype(np.float32)
    in_mm, side = BoundaryPrior(0.0, 2.0, 3.0, 4.0, unit="mm"), spacing[0]
    in_px = BoundaryPrior(0.0, 2.0, 3.0, 4.0 / side**2)
    np.testing.assert_allclose(np.array(blur(maps, in_mm, spacing)), np.array(blur(maps, in_px)), atol=1e-6)


def posterior(prior, spacing):
    return objective("posterior", prior=prior, spacing=spacing)


def shift(prior, spacing):
    return ShiftLikelihood(prior, 0, spacing)


@pytest.mark.parametrize("spacing", [(2.0, 0.5, 0.5), (0.5, 2.0, 1.0), (0.4, 0.4, 0.4)])
def test_a_plane_is_shifted_by_as_many_mm_along_every_axis(spacing):
    prior = BoundaryPrior(0.5, 10.0, 8.0, 12.0, unit="mm")
    for axis, side in enumerate(spacing):
        shape = [5, 5, 5]
        shape[axis] = 41
        inside = np.broadcast_to(np.expand_dims(np.arange(41) < 20, [a for a in range(3) if a != axis]), shape)
        drawn = np.array(shifted(np.stack([~inside, inside], -1)[None].astype(np.float32), prior, 0, spacing))
        along = drawn[0, ..., 1].swapaxes(0, axis)[:, 2, 2]
        exact = prior.predictive().sf((np.arange(41) - 19.5) * side)  # the boundary lies beyond the pixel
        assert np.abs(along - exact).max() < TAIL + 1e-6
        assert np.abs(drawn.sum(-1) - 1).max() < 1e-5


def test_a_disc_of_pixels_that_are_not_square_is_shifted_as_its_distances_say():
    rows, columns = np.indices((30, 90))
    mask = np.hypot((rows - 15) * 1.5, (columns - 45) * 0.5) < 9.0  # mm
    prior = BoundaryPrior.known(1.5, unit="mm")
    drawn = np.array(shifted(np.stack([~mask, mask], -1)[None].astype(np.float32), prior, 0, (1.5, 0.5)))[0, ..., 1]
    exact = prior.inside_probability(signed_distance(mask, spacing=(1.5, 0.5)))
    assert np.abs(drawn - exact).mean() < 0.006 and np.abs(drawn - exact).max() < 0.15


@pytest.mark.parametrize("make", [ForwardLikelihood, ForwardDice, posterior, shift])
def test_losses_of_volumes_take_a_spacing_and_keep_it_when_they_are_saved(make):
    labels = volume()
    logits = np.random.default_rng(1).normal(size=(*labels.shape, 2)).astype(np.float32)
    loss = make(IN_MM, spacing=SPACING)
    value = float(loss(labels, logits))
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert np.isfinite(value) and float(copy(labels, logits)) == pytest.approx(value, rel=1e-6)
    assert float(make(IN_MM, spacing=(0.75, 0.75, 1.5))(labels, logits)) != pytest.approx(value, rel=1e-4)


LABELS, LOGITS = volume(), np.zeros((2, 6, 16, 12, 2), np.float32)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ForwardLikelihood(IN_MM), "prior must be in px where no spacing is given"),
        (lambda: Posterior(IN_MM), "prior must be in px where no spacing is given"),
        (lambda: objective("forward", prior=IN_MM), "prior for the objective 'forward' must be in px"),
        (lambda: objective("shift", prior=IN_MM, background=0), "prior for the objective 'shift' must be in px"),
        (lambda: shift(IN_MM, (1, 1))(LABELS, LOGITS), "spacing must be three lengths"),
        (lambda: ForwardLikelihood(IN_MM, spacing=(1, 2))(LABELS, LOGITS), "spacing must be three lengths"),
        (lambda: ForwardLikelihood(IN_MM, spacing=SPACING)(LABELS[:, 0], LOGITS[:, 0]), "spacing must be two lengths"),
        (lambda: ForwardLikelihood(IN_MM, spacing=(SPACING, SPACING)), "spacing must be two lengths"),
        (lambda: blur(LOGITS, IN_MM), "prior must be in px where no spacing is given"),
    ],
)
def test_wrong_spacings_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
