import numpy as np
import pytest
from scipy import stats

from thesis_lib.metrics.aggregation import mean
from thesis_lib.study import statistics

MEAN = lambda scenes, weights: weights @ scenes["x"] / weights.sum(1)


def runs(values):
    return [{"x": np.asarray(v, float)} for v in values]


def test_the_mean_over_seeds_has_students_interval():
    values = [1.0, 2.0, 4.0, 5.5]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert statistics.mean_interval(values, 0.9) == pytest.approx((3.125, *expected))
    assert np.isnan(statistics.mean_interval([1.0])[1])


def test_a_constant_difference_has_an_interval_of_no_width():
    x = np.random.default_rng(0).normal(size=(3, 40))
    found = statistics.paired_bootstrap(MEAN, runs(x + 0.5), runs(x), resamples=50)
    assert found == pytest.approx((0.5, 0.5, 0.5, 0.0))
    assert statistics.paired_bootstrap(MEAN, runs(x), runs(x), resamples=50).p_value == 1


def test_pairing_removes_what_scenes_share():
    generator = np.random.default_rng(0)
    shared = generator.normal(0, 10, 60)
    a, b = (runs(shared + generator.normal(m, 0.1, (4, 60))) for m in (0.2, 0.0))
    found = statistics.paired_bootstrap(MEAN, a, b, resamples=200)
    assert found.difference == pytest.approx(0.2, abs=0.05) and 0 < found.low < found.high and found.p_value < 0.05


def test_without_variation_between_scenes_it_is_the_paired_t_test():
    generator = np.random.default_rng(0)
    a, b = generator.normal(0.5, 1, 6), generator.normal(0, 1, 6)
    found = statistics.paired_bootstrap(
        MEAN, runs(np.tile(a[:, None], 5)), runs(np.tile(b[:, None], 5)), resamples=20000
    )
    expected = stats.ttest_rel(a, b)
    assert found.p_value == pytest.approx(expected.pvalue, rel=0.05)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()), abs=0.02)


@pytest.mark.parametrize("seeds, of_scenes", [(3, 0.0), (5, 0.5), (5, 2.0), (10, 1.0)])
def test_the_interval_covers_the_true_difference_as_often_as_it_says(seeds, of_scenes):
    """400 simulated studies, 40 scenes: the seeds' effect has spread 0.3; that of scenes and of single results is `of_scenes`."""
    generator = np.random.default_rng(seeds)
    held = 0
    for study in range(400):
        effect = 0.3 + generator.normal(0, 0.3, (seeds, 1)) + generator.normal(0, of_scenes, 40)
        noise = generator.normal(0, of_scenes / 2, (seeds, 40))
        found = statistics.paired_bootstrap(
            MEAN, runs(effect + noise), runs(np.zeros((seeds, 40))), resamples=100, seed=study
        )
        held += found.low < 0.3 < found.high
    cautious = of_scenes > 0  # degrees of freedom are those of the seeds, though the scenes vary more
    assert 0.92 <= held / 400 <= (1.0 if cautious else 0.985)


def test_resamples_without_a_scene_that_has_a_score_are_left_out():
    """Of 12 scenes three have a score: one resample in thirty holds none of them."""
    generator = np.random.default_rng(0)
    few = np.full((5, 12), np.nan)
    few[:, :3] = generator.normal(size=(5, 3))
    _, of_scenes = mean("x")
    with pytest.warns(UserWarning, match=r"\d+ of 2000 resamples hold no scene that has a score"):
        found = statistics.paired_bootstrap(of_scenes, runs(few + 1), runs(few), resamples=2000)
        assert found == pytest.approx((1, 1, 1, 0))
        noisy = statistics.paired_bootstrap(
            of_scenes, runs(few + generator.normal(1, 0.1, (5, 1))), runs(few), resamples=2000
        )
        ranked = statistics.ranks(of_scenes, {"a": runs(few), "b": runs(few + 1)}, "lower", resamples=2000)
    assert 0.8 < noisy.low < noisy.high < 1.2 and ranked["low"].tolist() == [1, 2] == ranked["high"].tolist()


def test_one_seed_gives_no_interval():
    found = statistics.paired_bootstrap(MEAN, runs([[2, 4]]), runs([[1, 2]]), resamples=10)
    assert found.difference == 1.5 and np.isnan(found[1:]).all()


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
    noise = lambda shift: runs(shift + generator.normal(0, 0.2, (5, 1)) + generator.normal(0, 1, (5, 50)))
    found = statistics.ranks(MEAN, {"a": noise(0), "b": noise(0), "best": noise(5)}, "higher", resamples=300)
    best, others = found.iloc[0], found.iloc[1:]
    assert best["target"] == "best" and best["low"] == best["high"] == 1 and best["first"] == 1
    assert (others["low"] == 2).all() and (others["high"] == 3).all()
    assert statistics.ranks(MEAN, {"a": noise(0), "b": noise(5)}, "lower", resamples=50)["target"][0] == "a"


def test_wrong_values_are_named():
    with pytest.raises(ValueError, match="as many; got 1 and 2"):
        statistics.paired_bootstrap(MEAN, runs([[1]]), runs([[1], [2]]))
    with pytest.raises(ValueError, match=r"the same scenes; got \[1, 2\] scenes"):
        statistics.paired_bootstrap(MEAN, runs([[1]]), runs([[1, 2]]))
    with pytest.raises(ValueError, match=r"the same seeds; got \[1, 2\] seeds"):
        statistics.ranks(MEAN, {"a": runs([[1]]), "b": runs([[1], [2]])}, "lower")
    with pytest.raises(ValueError, match="better must be one of"):
        statistics.ranks(MEAN, {"a": runs([[1]])}, "best")
