"""Simulated annotators of volumes: their errors are as large, and as far correlated, as was asked."""

import numpy as np
import pytest
from scipy import ndimage

from thesis_lib.annotation.displacements import displacement_series, object_displacements
from thesis_lib.annotation.moments import SurfaceMoments
from thesis_lib.annotation.population import _exponential_field
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.simulated import DisplacementField, Identity, MarkovBoundary, Morphological, Population

SPACING = (2.0, 0.8, 1.0)


def ball(radius, spacing=SPACING, side=36.0):
    """One volume (1, D, H, W) with a ball of this radius, mm."""
    shape = np.ceil(side / np.array(spacing)).astype(int)
    at = np.stack(np.indices(shape), -1) * spacing - (shape - 1) / 2 * spacing
    return ((at**2).sum(-1) < radius**2).astype(np.uint8)[None]


def test_a_displacement_field_in_mm_has_the_spread_and_the_bias_asked_for():
    true = ball(12.0)
    drawn = DisplacementField(1.2, 5.0, mean=1.0, background=0)(np.repeat(true, 3, 0), 0, spacing=SPACING)
    values = np.concatenate(displacement_series(drawn, np.repeat(true, 3, 0), 0, spacing=SPACING))
    assert values.mean() == pytest.approx(1.0, abs=0.25)
    assert values.std() == pytest.approx(np.sqrt(1.2**2 + np.mean(np.square(SPACING)) / 12), rel=0.15)


@pytest.mark.parametrize("lengths", [np.ones(2), np.array([3.0, 1.0, 1.0])])
def test_a_field_correlates_as_far_along_every_axis_be_it_on_a_coarser_grid(lengths):
    shape, long, seeds = ((64, 64), 60.0, 80) if len(lengths) == 2 else ((12, 24, 24), 12.0, 30)
    for length in (3.0, long):
        rule = DisplacementField(1.0, length)
        fields = [rule.field(shape, np.random.default_rng(seed), lengths) for seed in range(seeds)]
        assert np.std(fields) == pytest.approx(1.0, abs=0.2)
        for axis, side in enumerate(lengths, 1):
            size, far = shape[axis - 1], max(int(length / side / 2), 1)
            near = np.take(fields, range(size - far), axis) * np.take(fields, range(far, size), axis)
            expected = np.exp(-((far * side / length) ** 2) / 2)
            assert near.mean() / np.mean(np.square(fields)) == pytest.approx(expected, abs=0.1)


def test_an_exponential_field_has_variance_one_and_its_correlation():
    along = np.array([1.0, 4.0, 3.0])
    fields = np.stack([_exponential_field((12, 20, 20), along, np.random.default_rng(seed)) for seed in range(60)])
    assert fields.var() == pytest.approx(1.0, abs=0.08)
    for axis, length in enumerate(along, 1):
        pairs = np.take(fields, range(10), axis) * np.take(fields, range(2, 12), axis)
        assert pairs.mean() / fields.var() == pytest.approx(np.exp(-2 / length), abs=0.06)


def test_a_population_errs_on_surfaces_by_what_its_prior_says_in_mm():
    """Of 24 objects with a spread of 1.5 mm and offsets of 1 mm, correlated over 4 mm."""
    true = np.repeat(ball(11.0), 24, 0)
    prior = BoundaryPrior(0.5, 2.25, 500.0, 500 * 1.5**2, unit="mm")
    drawn = Population(prior, correlation_length=4.0, diameter=22.0, background=0)(true, 1, spacing=SPACING)
    found = object_displacements(drawn, true, 0, spacing=SPACING)
    assert len(found) == 24
    fitted = BoundaryPrior.fit_population(found)
    assert fitted.mean == pytest.approx(0.5, abs=0.6)
    assert np.sqrt(fitted.scale / fitted.shape) == pytest.approx(1.5, rel=0.2)
    assert np.std([one.values.mean() for one in found]) == pytest.approx(1.0, rel=0.5)
    measured = SurfaceMoments.of([one.values for one in found], [one.points for one in found]).correlation()
    assert 1.5 < measured.length < 8.0


def test_volumes_are_missed_invented_and_left_alone_as_images_are():
    true = ball(7.0)
    known = BoundaryPrior.known(0.0)
    assert not Population(known, 2.0, missed=1.0, background=0)(true, 0).any()
    numbered = Population(known, 2.0, background=0)(true, 0, objects=true.astype(int))
    assert (numbered == true).mean() > 0.99
    invented = Population(known, 2.0, invented=40.0, background=0)(np.pad(true, [(0, 0), (0, 20), (0, 40), (0, 40)]), 0)
    assert ndimage.label(invented[0])[1] > 1
    for rule in (Identity(), MarkovBoundary(0, 0.5, 0.0, 0.0), Morphological(0, 0)):
        assert (rule(true, 0) == true).mean() > 0.98
    grown = Morphological(2, 2, background=0)(true, 0)
    assert grown[0].any((1, 2)).sum() == true[0].any((1, 2)).sum() + 4  # planes count as rows do
    ignored = np.where(np.arange(true.shape[-1]) < 10, 255, true).astype(np.uint8)
    assert (DisplacementField(2.0, 3.0, background=0)(ignored, 0)[..., :10] == 255).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda v: Population(BoundaryPrior(), 2.0)(v, 0, spacing=SPACING), "prior must be in mm where a spacing is"),
        (lambda v: Population(BoundaryPrior(unit="mm"), 2.0)(v, 0), "prior must be in px where no spacing is given"),
        (lambda v: Population(BoundaryPrior(unit="mm"), 2.0)(v[0], 0, spacing=SPACING), "spacing must be two lengths"),
        (lambda v: DisplacementField(1.0, 2.0)(v, 0, spacing=(1, 1)), "spacing must be three lengths"),
        (lambda v: Population({"mean": 0.0, 3: 1.0}, 2.0), "prior must be a BoundaryPrior or a mapping of its fields"),
        (lambda v: Population(BoundaryPrior(), 2.0, factor=1e200), r"factor must be a finite number in \[0, 1e\+06\]"),
        (lambda v: Population(BoundaryPrior(), 2.0, invented=2e9), r"invented must be a finite number in \[0, 1000\]"),
        (lambda v: Population(BoundaryPrior(), 2.0)(v, 0, objects=v[0]), "labels and objects must have the same shape"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((2, 4, 4, 4), int))


@pytest.mark.parametrize("length", [256.0, 1e200])
def test_a_correlation_longer_than_the_image_moves_all_of_it_alike(length):
    field = DisplacementField(1.0, length).field((20, 30), np.random.default_rng(0))
    assert np.ptp(field) < 0.6
    edge = np.zeros((40, 40), np.uint8)
    edge[:, 20:] = 1
    drawn = Population(BoundaryPrior.known(2.0), length, background=0)(edge, 3)
    assert len(set(drawn.sum(1))) <= 3
