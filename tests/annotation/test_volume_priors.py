"""Priors in mm: measured on the surfaces of volumes whose voxels are longer along one axis."""

import numpy as np
import pytest

from thesis_lib.annotation.agreement import agreement, prior_table
from thesis_lib.annotation.displacements import object_displacements
from thesis_lib.annotation.held_out import held_out
from thesis_lib.annotation.moments import Correlation, SurfaceMoments
from thesis_lib.annotation.prior import BoundaryPrior, checked_prior
from thesis_lib.annotation.simulated import Population
from thesis_lib.annotation.variation import variation

SPACING = (2.0, 0.8, 1.0)
SPACINGS = SPACING, (1.0, 1.0, 1.5)
IN_MM = BoundaryPrior(unit="mm")


def balls(radii, spacing=SPACING, side=32.0):
    """A volume (1, D, H, W) with balls of these radii, mm, beside each other."""
    shape = np.ceil([side / spacing[0], side / spacing[1], len(radii) * side / spacing[2]]).astype(int)
    at = np.stack(np.indices(shape), -1) * spacing
    volume = np.zeros(shape, np.uint8)
    for number, radius in enumerate(radii):
        middle = side * np.array([0.5, 0.5, 0.5 + number])
        volume[((at - middle) ** 2).sum(-1) < radius**2] = 1
    return volume[None]


def on_spheres(count, length, seed=0, number=150, radius=8.0):
    """Displacements with sigma 1 and a correlation of exp(-r / length) at places on spheres."""
    generator, series, points = np.random.default_rng(seed), [], []
    for _ in range(count):
        one = generator.normal(size=(number, 3))
        one *= radius / np.linalg.norm(one, axis=1, keepdims=True)
        correlated = np.exp(-np.linalg.norm(one[:, None] - one, axis=2) / length)
        series.append(np.linalg.cholesky(correlated + 1e-9 * np.eye(number)) @ generator.normal(size=number))
        points.append(one)
    return series, points


@pytest.mark.parametrize("length", [1.0, 4.0])
def test_the_correlation_length_on_surfaces_is_recovered(length):
    series, points = on_spheres(25, length)
    assert SurfaceMoments.of(series, points).correlation().length == pytest.approx(length, rel=0.15)


def test_effective_counts_on_a_surface_are_those_that_the_mean_and_the_variance_have():
    along = Correlation(3.0)
    series, points = on_spheres(300, along.length, number=40)
    objects = SurfaceMoments.of(series, points).objects(along)
    assert objects.means.var() == pytest.approx(1 / objects.counts.mean(), rel=0.2)
    spread = objects.squares / objects.freedom
    assert spread.mean() == pytest.approx(1.0, rel=0.05)
    assert spread.var() == pytest.approx(2 / objects.freedom.mean(), rel=0.25)


def test_a_bias_in_mm_is_measured_on_surfaces_and_its_unit_goes_with_it():
    true, drawn = balls([8, 10, 12, 13]), balls([9.5, 11.5, 13.5, 14.5])
    prior = IN_MM.fit(drawn, true, background=0, spacing=SPACING)
    assert prior.mean == pytest.approx(1.5, abs=0.1) and prior.unit == "mm" and prior.predictive().std() < 0.7
    of_objects = BoundaryPrior.fit_population(object_displacements(drawn, true, 0, spacing=SPACING))
    assert of_objects.mean == pytest.approx(1.5, abs=0.1) and of_objects.unit == "mm"
    pair = IN_MM.fit_pair(drawn, true, 0, spacing=SPACING, population=True)
    assert pair.unit == "mm" and pair.mean == 0


def test_people_agree_on_volumes_of_several_spacings():
    """Ann draws 1 mm outside of Bob, one image in each spacing; each deviates by half from their average."""
    spacings = list(SPACINGS)
    bob, ann = ([balls(radii, spacing)[0] for spacing in spacings] for radii in ([9, 11, 12], [10, 12, 13]))
    measured = agreement({"ann": ann, "bob": bob}, background=0, spacing=spacings)
    assert measured.annotators["ann"].mean - measured.annotators["bob"].mean == pytest.approx(1.0, abs=0.15)
    assert measured.population.unit == measured.pairs[0, 1].unit == "mm"
    assert list(prior_table("annotator", measured.annotators))[0] == "bias, mm"
    against = agreement({"ann": ann}, bob, background=0, spacing=spacings)
    assert against.annotators["ann"].mean == pytest.approx(1.0, abs=0.1)
    assert measured.images["objects"].tolist() == [3, 3, 3, 3]


def test_a_prior_in_mm_is_blurred_by_sigma_over_spacing_along_each_axis():
    prior = BoundaryPrior.known(1.5, unit="mm")
    assert prior.gaussians_in_pixels((3.0, 0.75, 0.75), 3) == [(1.0, (0.5, 2.0, 2.0))]
    assert prior.gaussians_in_pixels((0.5, 1.5)) == [(1.0, (3.0, 1.0))]
    in_px = BoundaryPrior(0.0, 2.0, 3.0, 4.0)
    assert [(w, (s, s)) for w, s in in_px.gaussians()] == in_px.gaussians_in_pixels((3.0, 0.7))
    assert checked_prior(prior, spacing=(1.0, 1.0)) is prior


def test_people_vary_on_volumes_as_their_simulation_says():
    """Offsets of 1 mm and a spread of 1.2 mm; the table is in mm, and the simulated annotator errs in mm."""
    true, spacings = [balls([9, 11, 12], spacing)[0] for spacing in SPACINGS], list(SPACINGS)
    prior = BoundaryPrior(0.0, 1.4, 500.0, 500 * 1.2**2, unit="mm")
    people = Population(prior, correlation_length=4.0, diameter=20.0, background=0)
    drawn = []
    for i, (one, sides) in enumerate(zip(true, spacings)):
        drawn.append([people(one[None], seed, spacing=sides)[0] for seed in (i, i + 10)])
    measured = variation(drawn, true, 0, groups=[0, 1], spacing=spacings)
    assert measured.unit == "mm" and len(measured.objects) == 12 and measured.diameter == pytest.approx(21, abs=1)
    table = measured.table(repeats=3).set_index("quantity")
    assert table["unit"]["sigma"] == "mm" and table["unit"]["scale"] == "mm^2" and table["unit"]["tail"] == ""
    assert table["estimate"]["sigma"] == pytest.approx(1.2, rel=0.3)
    assert measured.annotator().prior.unit == "mm" and measured.part(np.arange(12) < 6).points is not None
    with pytest.raises(ValueError, match="measured must be of images"):
        held_out(measured, folds=2)
    with pytest.raises(ValueError, match="spacing must be three lengths"):
        variation(drawn, true, 0, spacing=(1.0, 1.0))


VOLUME, IMAGE = balls([9]), np.eye(8, dtype=int)[None]


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: BoundaryPrior().fit(VOLUME, VOLUME, 0, spacing=SPACING),
            "prior must be in mm where a spacing is given",
        ),
        (lambda: IN_MM.fit(VOLUME, VOLUME, 0), "prior must be in px where no spacing is given; got one in mm"),
        (lambda: IN_MM.fit_pair(IMAGE, IMAGE, 0, spacing=SPACING), "spacing must be two lengths"),
        (lambda: IN_MM.fit_pair(VOLUME, VOLUME, 0, spacing=(1, 1)), "spacing must be three lengths"),
        (lambda: checked_prior(IN_MM), "prior must be in px where no spacing is given"),
        (lambda: IN_MM.gaussians_in_pixels(), "prior must be in px where no spacing is given"),
        (lambda: IN_MM.gaussians_in_pixels((1, 1), 3), "spacing must be three lengths"),
        (lambda: BoundaryPrior(unit="m"), "unit must be one of mm, px; got 'm'"),
        (lambda: prior_table("who", {"a": IN_MM, "b": BoundaryPrior()}), "priors must be of one unit; got mm and px"),
        (
            lambda: agreement({"a": VOLUME, "b": VOLUME}, background=0, spacing=[SPACING, SPACING]),
            "spacing must be one for all images or one for each of 1; got 2",
        ),
        (lambda: agreement({"a": VOLUME, "b": VOLUME}, background=0, spacing=(1, 1)), "spacing must be three lengths"),
        (lambda: agreement({"a": IMAGE, "b": IMAGE}, background=0, spacing=SPACING), "spacing must be two lengths"),
    ],
)
def test_wrong_units_and_spacings_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
