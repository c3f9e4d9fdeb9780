"""Means with intervals, paired differences, ranks, and the correction for looking at many of them.

A run is one seed: one draw of labels and weights. Runs of several methods are paired when they share seeds and test
scenes; both vary, so both are resampled (Owen, "The pigeonhole bootstrap", Annals of Applied Statistics, 2007).
"""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from thesis_lib import checks


class Difference(NamedTuple):
    """A paired difference, its interval, and the two-sided p-value against no difference."""

    difference: float
    low: float
    high: float
    p_value: float


def mean_interval(values, level=0.95):
    """Mean over seeds and its Student-t interval: (mean, low, high); the bounds are NaN for a single value."""
    values = np.asarray(values, float)
    return _student(values.mean(), values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan,
                    len(values), level)[:3]  # fmt: skip


def verdict(low, high):
    """What an interval of a difference in error says: "better" where it lies below zero, "worse" above, else "not told apart"."""
    return "better" if high < 0 else "worse" if low > 0 else "not told apart"


def paired_bootstrap(statistic, first, second, level=0.95, resamples=20000, seed=0):
    """Difference of a statistic between two paired sets of runs, over seeds and scenes.

    Each resample draws seeds with replacement, and scenes with replacement, the same ones for both sets and all
    seeds; it averages statistic(first) - statistic(second) over the drawn seeds. The spread of the resamples, made
    larger by sqrt(n / (n - 1)) since n resampled seeds vary less than n new ones, is the standard error of a Student-t
    interval with n - 1 degrees of freedom, n the number of seeds (Efron & Tibshirani, 1993, chapters 12 and 13: plain
    percentiles are too narrow for few seeds). It is cautious where scenes vary more than seeds. What all runs share, such as
    the training scenes, it does not vary. Small p-values need many resamples: with few degrees of freedom an error of 2% of
    the standard error, that of 1,000 resamples, is one of 8% of p.

    Args:
        statistic: function from a dict of arrays (scenes, ...) and weights (resamples, scenes), how often each scene was drawn,
            to an array (resamples,).
        first, second: lists, one entry a seed, of such dicts; of the same lengths, in the same order.
        level: in (0, 1).
        resamples: number of resamples.
        seed: of the resampling.

    Returns:
        Difference; all but the difference is NaN for a single seed. Resamples that hold no scene with a score are left out, with a warning.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"first and second must have one entry a seed, as many; got {len(first)} and {len(second)}")
    (a, b), draws = _resample(statistic, [first, second], resamples, seed)
    n = len(first)
    error = np.std(draws[:, 0] - draws[:, 1], ddof=1) * np.sqrt(n / (n - 1)) if n > 1 else np.nan
    return Difference(*map(float, _student(a - b, error, n, level)))


def ranks(statistic, runs, better, level=0.95, resamples=20000, seed=0):
    """Ranks of several methods, 1 the best, with how surely: over seeds and scenes, as in `paired_bootstrap`.

    Args:
        statistic: as there.
        runs: dict from a method's name to its list of runs, all with the same seeds in the same order.
        better: "higher" or "lower".
        level, resamples, seed: as there. These are plain percentiles, so a little too narrow for few seeds.

    Returns:
        DataFrame, best first, with `target`, `rank`, `low` and `high` (of the ranks in the resamples), `first` (the share of
        resamples in which it is the best).
    """
    sign = -1 if checks.one_of("better", better, ("higher", "lower")) == "higher" else 1
    checks.real("level", level, 0.0, 1.0, open_low=True)
    values, draws = _resample(statistic, list(runs.values()), resamples, seed)
    drawn = stats.rankdata(sign * draws, axis=1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0, method="closest_observation")
    found = {"target": list(runs), "rank": stats.rankdata(sign * values), "low": low, "high": high}
    first = (drawn == drawn.min(1, keepdims=True)).mean(0)
    return pd.DataFrame({**found, "first": first}).sort_values("rank", ignore_index=True)


def holm(p_values):
    """p-values adjusted for all being looked at (Holm, Scandinavian Journal of Statistics, 1979); NaN stays and is not counted."""
    p_values = np.asarray(p_values, float)
    if p_values.ndim != 1 or (p_values < 0).any() or (p_values > 1).any():
        raise ValueError(f"p_values must be a list of numbers in [0, 1]; got {p_values!r}")
    adjusted = np.full(p_values.shape, np.nan)
    order = np.argsort(p_values)[: np.isfinite(p_values).sum()]
    steps = p_values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def _student(value, error, n, level):
    """(value, low, high, p) of an estimate with a standard error from n seeds."""
    checks.real("level", level, 0.0, 1.0, open_low=True, open_high=True)
    if n < 2:
        return value, np.nan, np.nan, np.nan
    half = stats.t(n - 1).ppf((1 + level) / 2) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * stats.t(n - 1).sf(abs(value / error)) if value else 1.0
    return value, value - half, value + half, p_value


def _resample(statistic, sets, resamples, seed):
    """The statistic of each set, averaged over its seeds: as found (sets,) and in resamples (resamples, sets)."""
    lengths = {len(values) for runs in sets for run in runs for values in run.values()}
    if len(lengths) != 1:
        raise ValueError(f"all runs must hold the same scenes; got {sorted(lengths)} scenes")
    if len({len(runs) for runs in sets}) != 1:
        raise ValueError(f"all methods must have the same seeds; got {[len(runs) for runs in sets]} seeds")
    scenes, seeds = lengths.pop(), len(sets[0])
    generator = np.random.default_rng(seed)
    drawn = _how_often(generator, checks.integer("resamples", resamples, 2), seeds)
    draws = []
    for chosen in np.array_split(
        drawn, -(-resamples * scenes // 10_000_000)
    ):  # so that many scenes need not much memory
        weights = _how_often(generator, len(chosen), scenes)
        values = np.stack([[statistic(run, weights) for run in runs] for runs in sets])  # (sets, seeds, resamples)
        draws.append(np.where(chosen.T, chosen.T * values, 0.0).sum(1).T / seeds)
    found = np.array([np.mean([statistic(run, np.ones((1, scenes)))[0] for run in runs]) for runs in sets])
    draws = np.concatenate(draws)
    whole = np.isfinite(draws).all(1)
    if np.isfinite(found).all() and not whole.all():
        warnings.warn(
            f"{(~whole).sum()} of {resamples} resamples hold no scene that has a score, and are left out: few scenes have one",
            stacklevel=3,
        )
        draws = draws[whole]
    return found, draws


def _how_often(generator, draws, n):
    """How often each of n is among n drawn with replacement: float array (draws, n)."""
    chosen = generator.integers(n, size=(draws, n)) + n * np.arange(draws)[:, None]
    return np.bincount(chosen.ravel(), minlength=draws * n).reshape(draws, n).astype(float)
