"""Intervals, paired differences and ranks on data whose answer is known."""

import numpy as np
import pytest
from scipy import stats

from thesis_lib.metrics.aggregation import mean
from thesis_lib.study import statistics

MEAN = lambda scenes, weights: weights @ scenes["x"] / weights.sum(1)


def runs(values):
    return [{"x": np.asarray(v, float)} for v in values]


def paired(first, second, statistic=MEAN, **options):
    """The difference of the means of scenes between two arrays (seeds, scenes)."""
    return statistics.paired_difference(*(statistics.resample(statistic, runs(x), **options) for x in (first, second)))


def ranked(methods, better, statistic=MEAN, **options):
    resampled = {name: statistics.resample(statistic, runs(x), **options) for name, x in methods.items()}
    return statistics.ranks(resampled, better)


def test_the_mean_over_seeds_has_students_interval():
    values = [1.0, 2.0, 4.0, 5.5]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert statistics.mean_interval(values, 0.9) == pytest.approx((3.125, *expected))
    assert statistics.mean_interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)
    assert np.isnan(statistics.mean_interval([1.0])[1])


def test_a_constant_difference_has_an_interval_of_no_width():
    x = np.random.default_rng(0).normal(size=(3, 40))
    assert paired(x + 0.5, x, resamples=50) == pytest.approx((0.5, 0.5, 0.5, 0.0))
    assert paired(x, x, resamples=50).p_value == 1


def test_pairing_removes_what_scenes_share():
    generator = np.random.default_rng(0)
    shared = generator.normal(0, 10, 60)
    a, b = (shared + generator.normal(m, 0.1, (4, 60)) for m in (0.2, 0.0))
    difference = paired(a, b, resamples=200)
    assert difference.difference == pytest.approx(0.2, abs=0.05)
    assert 0 < difference.low < difference.high and difference.p_value < 0.05


def test_without_variation_between_scenes_it_is_the_paired_t_test():
    generator = np.random.default_rng(0)
    a, b = generator.normal(0.5, 1, 6), generator.normal(0, 1, 6)
    difference = paired(np.tile(a[:, None], 5), np.tile(b[:, None], 5), resamples=20000)
    expected = stats.ttest_rel(a, b)
    assert difference.p_value == pytest.approx(expected.pvalue, rel=0.05)
    assert (difference.low, difference.high) == pytest.approx(tuple(expected.confidence_interval()), abs=0.02)


@pytest.mark.parametrize("seeds, of_scenes", [(3, 0.0), (5, 0.5), (5, 2.0), (10, 1.0)])
def test_the_interval_covers_the_true_difference_as_often_as_it_says(seeds, of_scenes):
    """400 simulated studies, 40 scenes: seeds have the spread 0.3; scenes and single results have `of_scenes`."""
    generator = np.random.default_rng(seeds)
    held = 0
    for study in range(400):
        effect = 0.3 + generator.normal(0, 0.3, (seeds, 1)) + generator.normal(0, of_scenes, 40)
        noise = generator.normal(0, of_scenes / 2, (seeds, 40))
        difference = paired(effect + noise, np.zeros((seeds, 40)), resamples=100, seed=study)
        held += difference.low < 0.3 < difference.high
    cautious = of_scenes > 0  # degrees of freedom are those of the seeds, though the scenes vary more
    assert 0.92 <= held / 400 <= (1.0 if cautious else 0.985)


def test_resamples_without_a_scene_that_has_a_score_are_left_out():
    """Of 12 scenes three have a score: one resample in thirty holds none of them."""
    generator = np.random.default_rng(0)
    few = np.full((5, 12), np.nan)
    few[:, :3] = generator.normal(size=(5, 3))
    options = {"statistic": mean("x")[1], "resamples": 2000}
    with pytest.warns(UserWarning, match=r"\d+ of 2000 resamples hold no scene that has a score"):
        assert paired(few + 1, few, **options) == pytest.approx((1, 1, 1, 0))
        noisy = paired(few + generator.normal(1, 0.1, (5, 1)), few, **options)
        table = ranked({"a": few, "b": few + 1}, "lower", **options)
    assert 0.8 < noisy.low < noisy.high < 1.2
    assert table["low"].tolist() == [1, 2] == table["high"].tolist()


def test_many_scenes_are_resampled_in_chunks_with_the_same_result(monkeypatch):
    x = np.random.default_rng(0).normal(size=(2, 4, 30))
    whole = paired(*x, resamples=200, seed=1)
    monkeypatch.setattr(statistics, "CHUNK", 100)
    statistics._weights.cache_clear()
    assert paired(*x, resamples=200, seed=1) == pytest.approx(whole, rel=1e-9)


def test_one_seed_gives_no_interval():
    difference = paired([[2, 4]], [[1, 2]], resamples=10)
    assert difference.difference == 1.5 and np.isnan(difference[1:]).all()


def test_holms_correction_by_hand():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.5, np.nan, 0.9])[[0, 2]] == pytest.approx([1, 1])
    with pytest.raises(ValueError, match=r"in \[0, 1\]; got"):
        statistics.holm([0.5, 1.5])


def test_holm_keeps_the_chance_of_any_false_finding():
    generator = np.random.default_rng(0)
    false = [(statistics.holm(generator.uniform(size=20)) < 0.05).any() for _ in range(2000)]
    assert 0.035 <= np.mean(false) <= 0.065


def test_ranks_are_sure_of_clear_differences_and_unsure_of_none():
    generator = np.random.default_rng(0)
    noise = lambda shift: shift + generator.normal(0, 0.2, (5, 1)) + generator.normal(0, 1, (5, 50))
    table = ranked({"a": noise(0), "b": noise(0), "best": noise(5)}, "higher", resamples=300)
    best, others = table.iloc[0], table.iloc[1:]
    assert best["target"] == "best" and best["low"] == best["high"] == 1 and best["first"] == 1
    assert (others["low"] == 2).all() and (others["high"] == 3).all()
    assert ranked({"a": noise(0), "b": noise(5)}, "lower", resamples=50)["target"][0] == "a"


def test_wrong_values_are_named():
    with pytest.raises(ValueError, match=r"the same seeds; got \[1, 2\] seeds"):
        paired([[1]], [[1], [2]], resamples=2)
    with pytest.raises(ValueError, match=r"the same scenes; got \[1, 2\] scenes"):
        paired([[1]], [[1, 2]], resamples=2)
    with pytest.raises(ValueError, match=r"the same scenes; got \[1, 2\] scenes"):
        paired([[1], [1, 2]], [[1], [2]], resamples=2)
    with pytest.raises(ValueError, match=r"the same seeds; got \[1, 2\] seeds"):
        ranked({"a": [[1]], "b": [[1], [2]]}, "lower", resamples=2)
    with pytest.raises(ValueError, match="better must be one of"):
        ranked({"a": [[1]]}, "best", resamples=2)
    with pytest.raises(ValueError, match="level must be a finite number"):
        statistics.mean_interval([1.0, 2.0], 1.0)


def test_no_comparison_has_no_p_value():
    assert statistics.holm(np.array([], dtype=object)).shape == (0,)
