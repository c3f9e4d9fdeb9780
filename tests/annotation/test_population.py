import numpy as np
import pytest
from scipy import ndimage

from thesis_lib.annotation.displacements import object_displacements
from thesis_lib.annotation.moments import correlation
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.simulated import Population, annotator

ALIKE = BoundaryPrior(0.0, 1e4, 500.0, 500.0)  # every object: no offset, sigma 1 px


def discs(radii, apart=60):
    """A map with a disc of each radius, in a row."""
    y, x = np.indices((apart, apart * len(radii)))
    labels = np.zeros(y.shape, np.uint8)
    for i, radius in enumerate(radii):
        labels[np.hypot(y - apart / 2 + 0.3, x - apart * (i + 0.5) + 0.2) < radius] = 1
    return labels


def measured(draw, labels, maps=6):
    """Displacements of the objects that an annotator drew, several times."""
    labels = np.stack([labels] * maps)
    return object_displacements(draw(labels, seed=0), labels, background=0)


def test_drawn_objects_have_the_spread_and_the_correlation_of_the_prior():
    found = measured(Population(ALIKE, correlation_length=6.0), discs([16] * 12))
    series = [one.values for one in found]
    assert len(series) == 72
    assert np.concatenate(series).std() == pytest.approx(1.0, rel=0.1)
    assert correlation(series).length == pytest.approx(6.0, rel=0.3)


def test_the_prior_of_drawn_objects_is_measured_again():
    prior = BoundaryPrior(0.3, 3.0, 4.0, 4.0)
    series = [one.values for one in measured(Population(prior, correlation_length=3.0), discs([16] * 15), maps=20)]
    again = BoundaryPrior.fit_population(series)
    assert again.mean == pytest.approx(0.3, abs=0.12)
    assert (again.mean_weight, again.scale / again.shape) == pytest.approx((3.0, 1.0), rel=0.25)
    assert 3.0 < again.shape < 6.0  # the grid and the cut of outliers hide some of the variation


def test_two_annotators_say_as_much_of_the_population_as_the_truth_does():
    labels = np.stack([discs([16] * 15)] * 5)
    draw = Population(BoundaryPrior(0.0, 3.0, 4.0, 4.0), correlation_length=3.0)
    first, second = draw(labels, 1), draw(labels, 2)
    pair = BoundaryPrior(mean=0.2).fit_pair(first, second, background=0, population=True)
    found = object_displacements(np.concatenate([first, second]), np.concatenate([labels] * 2), background=0)
    truth = BoundaryPrior.fit_population([one.values for one in found])
    assert pair.mean == 0.2  # a common bias cannot be measured
    assert pair.predictive().std() == pytest.approx(truth.predictive().std(), rel=0.1)
    assert pair.mean_weight == pytest.approx(truth.mean_weight, rel=0.4)
    with pytest.raises(ValueError, match="both label maps must share at least one object"):
        BoundaryPrior().fit_pair(labels, 0 * labels, background=0, population=True)


def test_displacements_are_those_of_each_object_by_itself():
    labels = discs([12, 5])
    large, small = object_displacements(discs([12, 7]), labels, background=0)
    assert (large.number, small.number) == (0, 1)
    assert large.diameter == pytest.approx(24, abs=0.5) and small.diameter == pytest.approx(10, abs=0.5)
    assert np.abs(large.values).max() < 0.2 and small.values.mean() == pytest.approx(2.0, abs=0.2)
    without = np.where(np.arange(120) >= 60, labels, 0)
    assert [one.number for one in object_displacements(without, labels, background=0)] == [1]


def test_errors_grow_with_the_object_and_with_the_factor():
    draw = Population(ALIKE, correlation_length=4.0, diameter=20.0, growth=0.5, factor=1.2)
    spread = {}
    for one in measured(draw, discs([5] * 8 + [20] * 8)):
        spread.setdefault(one.diameter > 20, []).append(one.values)
    small, large = (np.concatenate(spread[which]).std() for which in (False, True))
    assert small == pytest.approx(1.2 * 0.5**0.5, rel=0.12) and large == pytest.approx(1.2 * 2**0.5, rel=0.12)


def test_an_object_is_never_drawn_away_but_is_missed_as_often_as_asked():
    labels = discs([2] * 40, apart=20)
    shrinking = Population(BoundaryPrior(-1.0, 1.0, 2.0, 2.0), correlation_length=4.0)
    drawn = shrinking(np.stack([labels] * 5), 0)
    at = ndimage.label(labels)[0]
    share = [ndimage.maximum(one == 1, at, range(1, 41)).mean() for one in drawn]
    assert np.mean(share) > 0.98  # a neighbour may cover it
    missing = Population(BoundaryPrior.known(0.0), 4.0, missed=0.3)(np.stack([labels] * 5), 0)
    share = [ndimage.maximum(one == 1, at, range(1, 41)).mean() for one in missing]
    assert np.mean(share) == pytest.approx(0.7, abs=0.1)
    assert set(np.unique(missing == np.stack([labels] * 5))) == {False, True}


def test_invented_objects_are_as_many_as_asked_and_have_the_shape_of_others():
    labels = discs([4] * 10 + [0] * 30, apart=24)
    drawn = Population(BoundaryPrior.known(0.0), 4.0, invented=0.3)(np.stack([labels] * 20), 1)
    assert (drawn >= labels).all()
    counts = [ndimage.label(one, np.ones((3, 3)))[1] - 10 for one in drawn]
    assert np.mean(counts) == pytest.approx(3.0, abs=0.8)  # some touch another object or have no room


def test_an_annotator_without_error_draws_the_truth():
    labels = discs([7, 12, 16])
    assert (Population(BoundaryPrior.known(0.0), 4.0)(labels, 0) == labels).all()
    everywhere = np.ones((2, 20, 20), np.uint8)
    assert (Population(ALIKE, 4.0, background=0)(everywhere, 0) == everywhere).all()


def test_objects_with_a_number_of_their_own_have_an_error_of_their_own():
    """Two halves of a square: as one object both have the same offset, as two they do not."""
    labels = np.zeros((200, 40, 60), np.uint8)
    labels[:, 10:30, 10:50] = 1
    numbers = np.where(labels, 1 + (np.arange(60) >= 30), 0)
    offsets = Population(BoundaryPrior(0.0, 0.01, 500.0, 20.0), correlation_length=4.0)
    areas = {}
    for name, objects in (("one", None), ("two", numbers)):
        drawn = offsets(labels, 0, objects)
        areas[name] = [drawn[..., :20].sum((1, 2)), drawn[..., 40:].sum((1, 2))]
    assert np.corrcoef(areas["one"])[0, 1] > 0.9 and abs(np.corrcoef(areas["two"])[0, 1]) < 0.25


@pytest.mark.filterwarnings("error")
def test_errors_larger_than_the_image_are_drawn():
    labels = np.zeros((16, 16), np.uint8)
    labels[4:10, 5:12] = 1
    far = Population(ALIKE, 1e300, diameter=1e-9, growth=3, correlation_growth=3, factor=1e6)
    assert set(np.unique(far(labels, seed=0))) <= {0, 1}


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"prior": 1.0}, "prior must be a BoundaryPrior or a mapping of its fields; got 1.0"),
        ({"correlation_length": 0.0}, r"correlation_length must be a finite number in \(0"),
        ({"missed": 1.5}, r"missed must be a finite number in \[0, 1\]; got 1.5"),
        ({"growth": 1e200}, r"growth must be a finite number in \[-3, 3\]; got 1e\+200"),
        ({"correlation_growth": -4}, r"correlation_growth must be a finite number in \[-3, 3\]; got -4"),
        ({"diameter": 0.0}, r"diameter must be a finite number in \[1e-09, 1e\+09\]; got 0.0"),
        ({"invented": -1.0}, r"invented must be a finite number in \[0"),
        ({"sigma": 1.0}, "annotator_parameters of 'population' must be prior, correlation_length"),
    ],
)
def test_wrong_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        annotator("population", **{"prior": ALIKE, "correlation_length": 4.0, **parameters})
    with pytest.raises(ValueError, match="labels and objects must have the same shape"):
        Population(ALIKE, 4.0)(np.zeros((4, 4), int), 0, np.zeros((5, 5), int))
