"""Paired comparisons of training runs, with intervals."""

import numpy as np

from thesis_lib import checks


def paired_bootstrap(statistic, first, second, level=0.95, resamples=1000, seed=0):
    """Difference of a statistic between two paired sets of runs, with a bootstrap interval over seeds and scenes.

    Each resample draws seeds with replacement, and scenes with replacement, the same ones for both sets and all
    seeds; it averages statistic(first) - statistic(second) over the drawn seeds. (Percentile interval; Efron &
    Tibshirani, 1993, chapter 13.) With few seeds it understates the variation between seeds.

    Args:
        statistic: function from a dict of arrays (scenes, ...) to a float.
        first, second: lists, one entry a seed, of such dicts; of the same lengths, in the same order.
        level: in (0, 1).
        resamples: number of resamples.
        seed: of the resampling.

    Returns:
        (difference, low, high).
    """
    checks.real("level", level, 0.0, 1.0)
    if len(first) != len(second) or not first:
        raise ValueError(f"first and second must have one entry a seed, as many; got {len(first)} and {len(second)}")
    generator = np.random.default_rng(seed)
    lengths = {len(values) for runs in (first, second) for run in runs for values in run.values()}
    if len(lengths) != 1:
        raise ValueError(f"first and second must hold the same scenes in every run; got {sorted(lengths)} scenes")
    scenes = lengths.pop()

    def difference(seeds, rows):
        picked = [[{k: v[rows] for k, v in runs[s].items()} for runs in (first, second)] for s in seeds]
        return np.mean([statistic(a) - statistic(b) for a, b in picked])

    draws = [
        difference(generator.integers(len(first), size=len(first)), generator.integers(scenes, size=scenes))
        for _ in range(checks.integer("resamples", resamples, 1))
    ]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(difference(range(len(first)), slice(None))), float(low), float(high)
