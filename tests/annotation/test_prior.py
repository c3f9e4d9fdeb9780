import math
import warnings
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from thesis_lib.annotation import displacements
from thesis_lib.annotation.autocorrelation import autocorrelation_time
from thesis_lib.annotation.displacements import displacements_by_pair
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.simulated import DisplacementField

VAGUE = BoundaryPrior(0.0, 0.01, 0.01, 0.01)


def correlated(generator, boundaries, points, length):
    """Displacements with sigma 1 px, one array for each boundary."""
    return list(DisplacementField(1.0, length).field((boundaries * 40, points), generator)[::40])


def test_the_update_is_the_conjugate_formula_worked_by_hand():
    posterior = BoundaryPrior(mean=1.0, mean_weight=2.0, shape=3.0, scale=4.0).update([0.0, 2.0, 4.0, 6.0])
    # n = 4, mean 3, squares about it 9 + 1 + 1 + 9 = 20; 2 * 4 * (3 - 1)^2 / (2 * 6) = 8 / 3
    assert astuple(posterior)[:4] == pytest.approx((14 / 6, 6.0, 5.0, 4 + 10 + 8 / 3))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=20), st.integers(1, 19))
def test_two_updates_equal_one_with_all_the_data(values, cut):
    cut = min(cut, len(values) - 1)
    once = BoundaryPrior().update(values)
    twice = BoundaryPrior().update(values[:cut]).update(values[cut:])
    np.testing.assert_allclose(astuple(once)[:4], astuple(twice)[:4])


def test_the_effective_count_is_n_over_tau():
    d = np.linspace(-1, 1, 101)
    posterior = BoundaryPrior().update(d, autocorrelation_time=5.0)
    assert posterior.mean_weight == pytest.approx(1 + 101 / 5)
    assert posterior.shape == pytest.approx(2 + 101 / 10)


def test_the_predictive_is_the_student_t_of_the_posterior():
    p = BoundaryPrior(0.5, 4.0, 3.0, 6.0)
    t = p.predictive()
    assert t.dist.name == "t" and t.args == (6.0, 0.5, pytest.approx(math.sqrt(6 * 5 / (3 * 4))))
    assert BoundaryPrior.known(2.0, 0.5).predictive().std() == pytest.approx(2.0)


def test_the_predictive_is_what_sampling_from_the_prior_gives():
    p = BoundaryPrior(0.5, 4.0, 5.0, 6.0)
    generator = np.random.default_rng(0)
    variance = stats.invgamma(5.0, scale=6.0).rvs(200_000, random_state=generator)
    mean = generator.normal(0.5, np.sqrt(variance / 4.0))
    draws = generator.normal(mean, np.sqrt(variance))
    for quantile in (0.05, 0.25, 0.5, 0.9):
        assert np.quantile(draws, quantile) == pytest.approx(p.predictive().ppf(quantile), abs=0.02)


@pytest.mark.parametrize("length", [2.0, 4.0, 8.0])
def test_the_interval_of_sigma_has_its_coverage_only_with_effective_counts(length):
    generator = np.random.default_rng(1)
    covered = {"raw": [], "effective": []}
    for _ in range(200):
        d = correlated(generator, 10, 100, length)
        for count, posterior in (("raw", VAGUE.update(d)), ("effective", VAGUE.update_correlated(d))):
            low, high = posterior.sigma_interval()
            covered[count].append(low < 1 < high)
    assert 0.925 <= np.mean(covered["effective"]) <= 0.985
    assert np.mean(covered["raw"]) < 0.8


def test_the_autocorrelation_time_of_a_gaussian_correlation_is_its_integral():
    d = correlated(np.random.default_rng(0), 400, 200, 4.0)
    assert autocorrelation_time(d) == pytest.approx(4 * math.sqrt(2 * math.pi), rel=0.1)
    assert autocorrelation_time(d, squared=True) == pytest.approx(4 * math.sqrt(math.pi), rel=0.1)
    independent = np.random.default_rng(0).normal(size=20000)
    assert autocorrelation_time(independent) == pytest.approx(1.0, abs=0.1)
    for constant in ([0.5] * 10, np.full(1000, 0.9375 / math.sqrt(2))):
        assert autocorrelation_time(constant) == 1.0


def test_displacements_of_a_grown_disc_are_its_growth(disc):
    rows, columns = np.indices(disc.shape) - 20
    larger = rows**2 + columns**2 <= 15**2
    assert displacements.boundary_displacements(larger, disc).mean() == pytest.approx(3.0, abs=0.2)
    assert displacements.boundary_displacements(disc, larger).mean() == pytest.approx(-3.0, abs=0.2)
    assert np.abs(displacements.boundary_displacements(disc, disc)).max() < 0.1


@pytest.mark.parametrize("moved", [-3, 0, 2])
def test_displacements_of_a_moved_straight_edge_are_exact(moved):
    true, drawn = np.zeros((2, 30, 40), bool)
    true[:, :20], drawn[:, : 20 + moved] = True, True
    np.testing.assert_allclose(displacements.boundary_displacements(drawn, true), moved, atol=1e-9)


def test_a_boundary_between_two_objects_is_measured_once():
    true = np.zeros((60, 80), int)
    true[10:50, 10:40], true[10:50, 40:70] = 1, 2
    drawn = true.copy()
    drawn[10:50, 40:41] = 1  # the lower class a pixel too large
    by_pair = displacements_by_pair(drawn, true)
    assert sorted(by_pair) == [(0, 1), (0, 2), (1, 2)]
    (between,) = by_pair[1, 2]
    assert np.median(between) == pytest.approx(1.0, abs=0.01) and 35 <= len(between) <= 40
    count = sum(len(one) for series in by_pair.values() for one in series)
    assert count == len(displacements.boundary_displacements(drawn, true))


def test_a_stroke_drawn_beside_itself_is_displaced_on_both_sides():
    true, drawn = np.zeros((2, 40, 60), bool)
    true[5:35, 20:23], drawn[5:35, 24:27] = True, True
    d = displacements.boundary_displacements(drawn, true)
    assert np.median(np.abs(d)) == pytest.approx(4.0, abs=0.2)
    assert d.mean() == pytest.approx(0.0, abs=0.5)


def test_objects_that_only_one_map_holds_have_no_displacement(disc):
    assert len(displacements.boundary_displacements(np.zeros_like(disc), disc)) == 0
    assert len(displacements.boundary_displacements(disc, np.zeros_like(disc))) == 0
    with pytest.raises(ValueError, match="share at least one object"):
        BoundaryPrior().fit(np.zeros_like(disc), disc)


def test_two_annotators_without_a_reference_measure_the_same_sigma(blobs):
    annotator = DisplacementField(1.5, 6.0, background=0)
    first, second = annotator(blobs, 1), annotator(blobs, 2)
    with_reference = BoundaryPrior().fit(first, blobs, 0).predictive().std()
    assert BoundaryPrior().fit_pair(first, second, 0).predictive().std() == pytest.approx(with_reference, rel=0.15)


def test_the_difference_of_two_annotators_biases_is_not_taken_for_a_bias(blobs):
    masks = blobs > 0
    outside, unbiased = DisplacementField(1.0, 6.0, 2.0)(masks, 1), DisplacementField(1.0, 6.0, 0.0)(masks, 1)
    second = DisplacementField(1.0, 6.0, 0.0)(masks, 2)
    assert BoundaryPrior(mean=0.3).fit_pair(outside, second).mean == pytest.approx(0.3)
    sigmas = [BoundaryPrior().fit_pair(maps, second).predictive().std() for maps in (outside, unbiased)]
    assert sigmas[0] == pytest.approx(sigmas[1], rel=0.2)


def test_few_effective_observations_leave_the_variance_bounded():
    d = np.random.default_rng(0).normal(size=11)
    scales = [BoundaryPrior().update(d, tau, 2.0).scale for tau in (5.0, 10.0, 10.9999, 11.0, 20.0)]
    assert max(scales) < 3 * min(scales)


def test_errors_beyond_the_search_radius_give_a_warning_and_are_measured_with_a_larger_one():
    row, column = np.ogrid[:260, :260]
    discs = np.repeat(((row - 130) ** 2 + (column - 130) ** 2 < 90**2)[None].astype(np.uint8), 4, axis=0)
    first, second = (DisplacementField(6.0, 20.0, background=0)(discs, seed) for seed in (0, 1))
    message = "search_radius must be at least four times sigma; 10 px is too small for the measured sigma"
    for fit, other in ((BoundaryPrior().fit, discs), (BoundaryPrior().fit_pair, second)):
        with pytest.warns(UserWarning, match=message):
            truncated = fit(first, other, 0)
        with warnings.catch_warnings(action="error"):
            low, high = fit(first, other, 0, search_radius=40.0).sigma_interval()
        assert low < 6 < high and truncated.sigma_interval()[1] < 6


def test_inside_probability_is_a_half_on_an_unbiased_boundary_and_less_where_the_annotator_draws_outside():
    assert BoundaryPrior().inside_probability(0.0) == pytest.approx(0.5)
    assert BoundaryPrior(mean=1.0).inside_probability([0.0, 1.0, 2.0]) == pytest.approx([0.1573, 0.5, 0.8427], abs=0.1)
    assert (BoundaryPrior.known(0.0).inside_probability([-0.5, 0.5]) == [0, 1]).all()


@pytest.mark.parametrize("degrees", [4, 6, 10, 20, 60, 300, 339, 345, 2000, 1e7])
def test_the_mixture_of_gaussians_approximates_the_student_t(degrees):
    p = BoundaryPrior(0.0, 1e9, degrees / 2, degrees / 2)
    at = np.linspace(-8, 8, 200)
    mixture = sum(w * stats.norm(0, s).cdf(at) for w, s in p.gaussians())
    np.testing.assert_allclose(mixture, stats.t(degrees).cdf(at), atol=1e-3)
    assert sum(w for w, _ in p.gaussians()) == pytest.approx(1.0)


def test_a_certain_prior_stays_as_it_is():
    certain = BoundaryPrior.known(1.5, 0.2)
    assert certain.update([3.0, 4.0]) == certain
    assert certain.sigma_interval() == (1.5, 1.5) and certain.mean_interval() == (0.2, 0.2)
    assert certain.expected_error() == pytest.approx(1.5 * math.sqrt(2 / math.pi))


@pytest.mark.parametrize("shape", [0.51, 0.8, 2.0, 40.0, 1e6])
def test_the_expected_error_is_that_of_the_predictive_distribution(shape):
    prior = BoundaryPrior(mean=0.3, shape=shape)
    distribution = prior.predictive()
    by_quadrature = 2 * distribution.expect(lambda d: d - 0.3, lb=0.3) if shape < 1000 else None
    gaussian = distribution.kwds.get("scale", distribution.args[-1]) * math.sqrt(2 / math.pi)
    assert prior.expected_error() == pytest.approx(by_quadrature or gaussian, rel=1e-6)


def test_a_prior_without_a_mean_expects_an_infinite_error():
    assert BoundaryPrior(shape=0.5).expected_error() == BoundaryPrior(shape=0.4).expected_error() == math.inf
    assert BoundaryPrior.known(0.0).expected_error() == 0.0


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: BoundaryPrior.known(1e200), r"sigma must be a finite number in \[0, 1e\+06\]; got 1e\+200"),
        (lambda: BoundaryPrior(shape=np.ones(2)), "shape must be a finite number .*; got array"),
        (lambda: BoundaryPrior().update_correlated([1.0, 2.0], "2"), "redundancy must be a finite number .*; got '2'"),
        (lambda: BoundaryPrior().inside_probability("a"), "signed_distance must be an array of numbers; got 'a'"),
        (lambda: BoundaryPrior().sigma_density([[1], [1, 2]]), "sigma must be an array, its rows of one length"),
        (
            lambda: BoundaryPrior().fit_pair(np.zeros((3, 3), int), np.zeros((3, 3), int), population="no"),
            "population must be True or False; got 'no'",
        ),
        (lambda: BoundaryPrior().update([0.0, -1e200]), r"displacements must be within 1e\+06 px; got -1e\+200"),
        (lambda: BoundaryPrior.known(-1.0), "sigma must .*-1.0"),
        (lambda: BoundaryPrior.known(float("inf")), "sigma must .*inf"),
        (lambda: BoundaryPrior(scale=0.0), "scale must .*0.0"),
        (lambda: BoundaryPrior(shape=float("nan")), "shape must .*nan"),
        (lambda: BoundaryPrior(shape=float("inf")), "both be finite or both infinite"),
        (lambda: BoundaryPrior().update([]), "displacements must hold at least one value"),
        (lambda: BoundaryPrior().update([1.0, float("nan")]), "displacements must be one-dimensional and finite"),
        (lambda: BoundaryPrior().update("text"), "displacements must be one-dimensional and finite; got 'text'"),
        (lambda: BoundaryPrior().update([[1.0, [2.0]]]), "displacements must be .*"),
        (lambda: BoundaryPrior().update([1.0], 0.5), "autocorrelation_time must .*0.5"),
        (
            lambda: displacements.boundary_displacements(np.zeros((3, 3), int), np.zeros((3, 4), int)),
            r"same shape; got \(3, 3\) and \(3, 4\)",
        ),
        (
            lambda: displacements.boundary_displacements(np.zeros((3, 3), int), np.zeros((3, 3), int), 0, 0.0),
            r"search_radius must be a finite number in \[0.5, 1000\]; got 0.0",
        ),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
