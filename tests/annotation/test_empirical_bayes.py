import numpy as np
import pytest

from thesis_lib.annotation import empirical_bayes, moments
from thesis_lib.annotation.moments import Correlation, Moments, Objects
from thesis_lib.annotation.prior import BoundaryPrior

TRUE = (0.5, 3.0, 2.5, 1.2)  # mean, mean_weight, shape, scale


def independent(count, samples=40, parameters=TRUE, seed=0):
    """Displacements of objects with a bias and a spread of their own, independent within each."""
    mean, weight, shape, scale = parameters
    generator = np.random.default_rng(seed)
    sigma = np.sqrt(scale / generator.gamma(shape, size=count))
    bias = generator.normal(mean, sigma / np.sqrt(weight))
    return list(bias[:, None] + sigma[:, None] * generator.standard_normal((count, samples)))


def along_boundaries(lengths, correlation, seed=0):
    """Closed curves of these lengths, px, whose displacements have variance 1 and correlate over `correlation`."""
    generator = np.random.default_rng(seed)
    series = []
    for length in lengths:
        power = moments.spectrum(length, correlation.of(length))
        series.append(np.fft.ifft(np.fft.fft(generator.standard_normal(length)) * np.sqrt(power)).real)
    return series


def as_objects(series):
    """`Objects` of independent displacements."""
    lengths = np.array([len(one) for one in series], float)
    means, variances = np.array([(one.mean(), one.var()) for one in series]).T
    return Objects(means, variances * lengths, lengths, lengths - 1)


def test_known_parameters_are_recovered_from_500_objects_of_40_displacements():
    mean, weight, shape, scale = empirical_bayes.fit(as_objects(independent(500)))
    assert mean == pytest.approx(TRUE[0], abs=0.1)
    assert (weight, shape, scale) == pytest.approx(TRUE[1:], rel=0.2)


def test_parameters_are_recovered_from_displacements_that_correlate_along_the_boundary():
    """Each object has 240 displacements, which are worth about 40 independent ones of its bias."""
    generator = np.random.default_rng(1)
    sigma = np.sqrt(1.2 / generator.gamma(2.5, size=500))
    bias = generator.normal(0.0, sigma / np.sqrt(3.0))
    fields = along_boundaries([240] * 500, Correlation(3.0), seed=1)
    fitted = BoundaryPrior.fit_population([b + s * one for b, s, one in zip(bias, sigma, fields)])
    assert (fitted.mean_weight, fitted.shape, fitted.scale) == pytest.approx((3.0, 2.5, 1.2), rel=0.2)


def test_the_likelihood_of_summarized_objects_is_that_of_their_displacements():
    series = independent(5)
    by_summary = empirical_bayes.log_likelihood(as_objects(series), TRUE)
    by_density = BoundaryPrior(*TRUE).log_likelihood(series)
    assert np.ptp(by_summary - by_density) < 1e-9  # they differ by a constant


def test_the_growth_with_size_is_recovered_and_leaves_the_other_parameters_as_they_are():
    sizes = np.exp(np.random.default_rng(2).normal(0, 0.7, 500))
    series = [size**0.4 * one for size, one in zip(sizes, independent(500))]
    *parameters, growth = empirical_bayes.fit_with_growth(as_objects(series), sizes)
    assert growth == pytest.approx(0.4, abs=0.06)
    assert parameters == pytest.approx(empirical_bayes.fit(as_objects(independent(500))), rel=0.05)
    assert empirical_bayes.fit_with_growth(as_objects(series), np.ones(500))[4] == 0.0


def test_an_object_that_counts_twice_is_two_objects():
    series = independent(60)
    twice = empirical_bayes.fit(as_objects(series + series[:20]))
    assert empirical_bayes.fit(as_objects(series), [2] * 20 + [1] * 40) == pytest.approx(twice, rel=1e-3)
    curves = along_boundaries([30, 50] * 30, Correlation(4.0))
    weights = [2] * 20 + [1] * 40
    assert Moments.of(curves).correlation(weights).length == pytest.approx(
        moments.correlation(curves + curves[:20]).length, rel=0.01
    )


def test_parameters_scale_with_the_unit():
    mean, weight, shape, scale = empirical_bayes.fit(as_objects(independent(200)))
    in_mm = empirical_bayes.fit(as_objects([0.7 * one for one in independent(200)]))
    assert in_mm == pytest.approx((0.7 * mean, weight, shape, 0.49 * scale), rel=1e-3)


@pytest.mark.parametrize("length", [0.0, 2.0, 6.0])
def test_the_correlation_length_is_recovered(length):
    series = along_boundaries([40] * 200 + [25] * 100, Correlation(length))
    assert moments.correlation(series).length == pytest.approx(length, rel=0.15, abs=0.1)


def test_a_correlation_length_that_grows_with_the_boundary_is_recovered():
    true = Correlation(5.0, 40.0, 0.6)
    measured = moments.correlation(along_boundaries([20, 40, 80] * 150, true))
    assert measured.of(40) == pytest.approx(5.0, rel=0.1) and measured.growth == pytest.approx(0.6, abs=0.15)


def test_effective_counts_are_those_that_the_mean_and_the_variance_have():
    along = Correlation(4.0)
    series = along_boundaries([30] * 4000, along)
    objects = empirical_bayes.summarize(series, along)
    assert objects.means.var() == pytest.approx(1 / objects.counts[0], rel=0.1)
    spread = objects.squares / objects.freedom
    assert spread.mean() == pytest.approx(1.0, rel=0.03)
    assert spread.var() == pytest.approx(2 / objects.freedom[0], rel=0.1)


def test_bootstrap_weights_draw_whole_groups():
    weights = empirical_bayes.bootstrap_weights(["b", "a", "b", "c"], 50, seed=3)
    assert weights.shape == (50, 4) and (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(1) == 3).all()
    assert (weights == empirical_bayes.bootstrap_weights(["b", "a", "b", "c"], 50, seed=3)).all()


def test_degenerate_populations_have_a_stated_prior():
    assert BoundaryPrior.fit_population([np.zeros(5)] * 3) == BoundaryPrior.known(0.0)
    one = independent(1)
    assert BoundaryPrior.fit_population(one) == BoundaryPrior().update_correlated(one)
    alike = BoundaryPrior.fit_population([np.array([-1.0, 0.0, 1.0])] * 20)
    assert alike.mean_weight == pytest.approx(1e4, rel=0.01) and alike.shape == pytest.approx(500, rel=0.01)
    assert alike.mean == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    "series, message",
    [
        ([], "series must be a list with an array of displacements for each object"),
        (np.zeros((2, 5)), "series must be a list with an array"),
        ([np.zeros(5), np.zeros(2)], "3 displacements or more of each object; object 1 has 2"),
        ([np.array([0.0, np.nan, 1.0])], "series must be one-dimensional and finite"),
    ],
)
def test_wrong_series_are_named(series, message):
    with pytest.raises(ValueError, match=message):
        BoundaryPrior.fit_population(series)
