import numpy as np
import pytest

from thesis_lib import statistics

MEAN = lambda scenes: float(scenes["x"].mean())


def runs(values):
    return [{"x": np.asarray(v, float)} for v in values]


def test_a_constant_difference_has_an_interval_of_no_width():
    x = np.random.default_rng(0).normal(size=(3, 40))
    assert statistics.paired_bootstrap(MEAN, runs(x + 0.5), runs(x), resamples=50) == pytest.approx((0.5, 0.5, 0.5))


def test_pairing_removes_what_scenes_share():
    generator = np.random.default_rng(0)
    shared = generator.normal(0, 10, 60)
    a, b = (runs(shared + generator.normal(m, 0.1, (4, 60))) for m in (0.2, 0.0))
    difference, low, high = statistics.paired_bootstrap(MEAN, a, b, resamples=200)
    assert difference == pytest.approx(0.2, abs=0.05) and 0 < low < high


def test_the_interval_covers_the_true_difference_as_often_as_it_says():
    generator = np.random.default_rng(1)
    held = 0
    for study in range(200):
        seeds = generator.normal(0.3, 0.2, (10, 1))
        difference = seeds + generator.normal(0, 1, (10, 40))
        _, low, high = statistics.paired_bootstrap(MEAN, runs(difference), runs(np.zeros((10, 40))), resamples=200, seed=study)
        held += low < 0.3 < high
    assert 0.88 <= held / 200 <= 0.99


def test_wrong_values_are_named():
    with pytest.raises(ValueError, match="as many; got 1 and 2"):
        statistics.paired_bootstrap(MEAN, runs([[1]]), runs([[1], [2]]))
    with pytest.raises(ValueError, match=r"the same scenes in every run; got \[1, 2\] scenes"):
        statistics.paired_bootstrap(MEAN, runs([[1]]), runs([[1, 2]]))
