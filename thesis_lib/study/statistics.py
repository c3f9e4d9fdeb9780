"""Means with intervals, paired differences, ranks, and Holm's correction for many comparisons.

A run is one seed: one drawing of the labels and one set of first weights. Runs of two methods are paired when they
share the seeds and the test scenes. Both vary, so both are resampled (Owen, "The pigeonhole bootstrap", Annals of
Applied Statistics, 2007).
"""

import numbers
import warnings
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from thesis_lib import checks

MOST_RESAMPLES = 1_000_000
CHUNK = 300_000  # entries of the weights that are evaluated at a time, so that they stay in the processor's cache


class Resampled(NamedTuple):
    """A statistic of one method, averaged over its seeds.

    Args:
        value: on the seeds and scenes as they are.
        draws: float array (resamples,), in each resample of seeds and scenes; NaN where it is not defined.
        seeds, scenes: how many there are.
    """

    value: float
    draws: np.ndarray
    seeds: int
    scenes: int


class Difference(NamedTuple):
    """A paired difference, its interval, and the two-sided p-value against no difference."""

    difference: float
    low: float
    high: float
    p_value: float


def mean_interval(values, level: float = 0.95) -> tuple[float, float, float]:
    """Mean over seeds and its Student-t interval.

    Args:
        values: one number a seed.
        level: of the interval, in (0, 1).

    Returns:
        (mean, low, high); the bounds are NaN for a single value.

    Raises:
        ValueError: if values is no such list, or level is out of range.

    Example:
        >>> mean_interval([1.0, 2.0, 3.0])  # doctest: +ELLIPSIS
        (2.0, -0.48..., 4.48...)
    """
    values = checks.number_array("values", values, "a list of numbers, one or more", finite=False).astype(float)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values must be a list of numbers, one or more; got {checks.shown(values)}")
    error = stats.sem(values) if len(values) > 1 else np.nan
    return (float(values.mean()), *_interval(values.mean(), error, len(values), level))


def verdict(low: float, high: float) -> str:
    """What an interval of a difference in error says: "better", "worse" or "no significant difference"."""
    for name, value in (("low", low), ("high", high)):
        checks.instance(name, value, numbers.Real, "a number")
    return "better" if high < 0 else "worse" if low > 0 else "no significant difference"


def resample(statistic, runs, resamples=20000, seed=0):
    """A statistic averaged over seeds, and the same in resamples of seeds and scenes.

    Each resample draws seeds with replacement and scenes with replacement. It draws the same ones in every call with as
    many seeds, scenes and resamples, so that the results of two methods are paired.

    Args:
        statistic: function from a dict of arrays (scenes, ...) and weights (R, scenes), how often each scene was drawn,
            to an array (R,). See `metrics.aggregation`.
        runs: list with such a dict for each seed.
        resamples: number of resamples, 2 to a million.
        seed: of the resampling.

    Returns:
        Resampled.

    Raises:
        ValueError: if the runs hold different numbers of scenes, or an argument is of another kind.
    """
    if not callable(statistic):
        raise ValueError(f"statistic must be a function of scenes and weights; got {checks.shown(statistic)}")
    checks.listed("runs", runs, dict, "a list of dicts of arrays, one for each seed")
    runs = [{name: checks.array("runs", values) for name, values in run.items()} for run in runs]
    if not all(values.ndim for run in runs for values in run.values()):
        raise ValueError("runs must hold arrays with a value for each scene; got a number")
    seed = checks.integer("seed", seed, 0)
    lengths = {len(values) for run in runs for values in run.values()}
    if len(lengths) != 1:
        raise ValueError(f"runs must all hold the same scenes; got {sorted(lengths)} scenes")
    (scenes,), seeds = lengths, len(runs)
    of_seeds, of_scenes = _weights(checks.integer("resamples", resamples, 2, MOST_RESAMPLES), seeds, scenes, seed)
    parts = np.array_split(of_scenes, -(-resamples * scenes // CHUNK))
    values = np.concatenate([_of_runs(statistic, runs, part.astype(float)) for part in parts], axis=1)
    draws = np.where(of_seeds, of_seeds * values, 0.0).sum(0) / seeds
    return Resampled(np.mean(_of_runs(statistic, runs, np.ones((1, scenes)))), draws, seeds, scenes)


def paired_difference(first, second, level=0.95):
    """The difference of two `Resampled` statistics.

    The standard deviation of the resamples, made larger by sqrt(n / (n - 1)) since n resampled seeds vary less than n
    new ones, is the standard error of a Student-t interval with n - 1 degrees of freedom, n the number of seeds (Efron
    and Tibshirani, 1993, chapters 12 and 13: plain percentiles are too narrow for few seeds). The interval is too wide
    where scenes vary more than seeds. It does not cover what all runs share, such as the training scenes. Small
    p-values need many resamples: 1,000 resamples give the standard error to 2%, and with few degrees of freedom that is
    8% of p.

    Args:
        first, second: Resampled, of the same seeds and scenes.
        level: of the interval, in (0, 1).

    Returns:
        Difference, first minus second. All but the difference is NaN for a single seed. Resamples without a scene that
        has a score are left out, with a warning.

    Raises:
        ValueError: if the two are not of as many seeds and scenes, or an argument is of another kind.
    """
    for name, value in (("first", first), ("second", second)):
        checks.instance(name, value, Resampled, "what `resample` returns")
    draws = _defined([first, second])
    value, n = first.value - second.value, first.seeds
    error = np.std(draws[0] - draws[1], ddof=1) * np.sqrt(n / (n - 1)) if n > 1 else np.nan
    low, high = _interval(value, error, n, level)
    return Difference(float(value), low, high, _p_value(value, error, n))


def ranks(methods, better, level=0.95):
    """Ranks of several methods, 1 the best, with their uncertainty over seeds and scenes.

    Args:
        methods: dict from a method's name to its `Resampled` statistic, all of the same seeds and scenes.
        better: "higher" or "lower", whichever is better.
        level: of the intervals, which are plain percentiles of the resamples and so a little too narrow for few seeds.

    Returns:
        DataFrame, the best first: target (the method's name), rank, low and high (of the ranks in the resamples), first
        (the share of resamples in which it is the best).

    Raises:
        ValueError: if an argument is of another kind.
    """
    sign = -1 if checks.one_of("better", better, ("higher", "lower")) == "higher" else 1
    checks.real("level", level, 0.0, 1.0, open_low=True, open_high=True)
    is_dict = isinstance(methods, dict) and methods
    if not is_dict or not all(isinstance(method, Resampled) for method in methods.values()):
        raise ValueError(
            f"methods must be a dict from names to what `resample` returns, one or more; got {checks.shown(methods)}"
        )
    drawn = stats.rankdata(sign * _defined(list(methods.values())), axis=0)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=1, method="closest_observation")
    table = pd.DataFrame(
        {
            "target": list(methods),
            "rank": stats.rankdata([sign * method.value for method in methods.values()]),
            "low": low,
            "high": high,
            "first": (drawn == drawn.min(axis=0)).mean(axis=1),
        }
    )
    return table.sort_values("rank", ignore_index=True)


def holm(p_values) -> np.ndarray:
    """p-values adjusted for the number of comparisons (Holm, Scandinavian Journal of Statistics, 1979).

    Args:
        p_values: list of numbers in [0, 1]; NaN stays NaN and does not count as a comparison.

    Returns:
        float array of the same length.

    Raises:
        ValueError: if p_values is no such list.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
        [0.03, 0.06, 0.06]
    """
    p_values = checks.number_array("p_values", p_values, "a list of numbers in [0, 1]", finite=False).astype(float)
    if p_values.ndim != 1 or (p_values < 0).any() or (p_values > 1).any():
        raise ValueError(f"p_values must be a list of numbers in [0, 1]; got {checks.shown(p_values)}")
    adjusted = np.full(p_values.shape, np.nan)
    order = np.argsort(p_values)[: np.isfinite(p_values).sum()]
    steps = p_values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def _interval(value, error, n, level):
    """(low, high) of Student's t around an estimate with a standard error from n seeds."""
    checks.real("level", level, 0.0, 1.0, open_low=True, open_high=True)
    if n < 2:
        return np.nan, np.nan
    low, high = stats.t.interval(level, n - 1)
    return float(value + low * error), float(value + high * error)


def _p_value(value, error, n):
    """Two-sided, against no difference; 1 where there is none."""
    if n < 2:
        return np.nan
    with np.errstate(divide="ignore"):
        return float(2 * stats.t.sf(abs(value / error), n - 1)) if value else 1.0


def _of_runs(statistic, runs, weights):
    """The statistic of each run: array (runs, resamples)."""
    return np.stack([statistic(run, weights) for run in runs])


def _defined(methods):
    """The draws of several `Resampled` statistics, (methods, resamples), in those resamples where all are defined."""
    for name in ("seeds", "scenes"):
        numbers = [getattr(method, name) for method in methods]
        if len(set(numbers)) != 1:
            raise ValueError(f"all methods must have the same {name}; got {numbers} {name}")
    draws = np.stack([method.draws for method in methods])
    defined = np.isfinite(draws).all(axis=0)
    if not defined.all() and np.isfinite([method.value for method in methods]).all():
        warnings.warn(
            f"{(~defined).sum()} of {len(defined)} resamples hold no scene that has a score, and are left out: "
            "few scenes have one",
            stacklevel=3,
        )
        return draws[:, defined]
    return draws


@lru_cache(maxsize=4)
def _weights(resamples, seeds, scenes, seed):
    """How often each seed (seeds, resamples) and each scene (resamples, scenes) is drawn."""
    generator = np.random.default_rng(seed)
    of_seeds = _how_often(generator, resamples, seeds).T
    return of_seeds, _how_often(generator, resamples, scenes)


def _how_often(generator, draws, n):
    """How often each of n is among n drawn with replacement: integer array (draws, n)."""
    counts = np.empty((draws, n), np.min_scalar_type(n))
    for part in np.array_split(counts, -(-draws * n // CHUNK)):  # so that many scenes need not much memory
        chosen = generator.integers(n, size=part.shape) + n * np.arange(len(part))[:, None]
        part[:] = np.bincount(chosen.ravel(), minlength=part.size).reshape(part.shape)
    return counts
