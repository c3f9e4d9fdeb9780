"""Training targets compared on the test images of a folder: paired differences over seeds and rasters."""

import pandas as pd

from thesis_lib import checks
from thesis_lib.metrics.aggregation import mean
from thesis_lib.study import statistics
from thesis_lib.study.run_statistics import checked_better, with_verdicts


def differences(scores, baseline, better, level=0.95, resamples=20000):
    """Paired differences of scores of rasters, averaged over the rasters that have a score in every run.

    Args:
        scores: DataFrame with the index levels objective, seed and raster, and a column for each metric.
        baseline: an objective.
        better: metric -> "higher" or "lower", whichever is better.
        level: of the intervals, in (0, 1).
        resamples: see `statistics.resample`.

    Returns:
        (DataFrame, DataFrame): target, metric, difference (target minus baseline), low, high, p_value, p_holm and
        verdict; and target, metric, seed, difference.

    Raises:
        ValueError: if the scores hold no run of the baseline, or an argument is of another kind.
    """
    levels = ["objective", "seed", "raster"]
    checks.instance("scores", scores, pd.DataFrame, "a DataFrame")
    if list(scores.index.names) != levels:
        raise ValueError(f"scores must have the index {', '.join(levels)}; got {checks.shown(scores.index.names)}")
    checked_better(better)
    checks.table("scores", scores, better)
    checks.one_of("baseline", baseline, scores.index.unique("objective"))
    records, of_seeds = [], []
    for metric in better:
        values = scores[metric].unstack("raster").dropna(axis="columns")
        if values.empty:
            continue
        _, of_scenes = mean(metric)
        runs, resampled = {}, {}
        for objective, part in values.groupby(level="objective", sort=False):
            runs[objective] = part.droplevel("objective").sort_index()
            arrays = [{metric: row} for row in runs[objective].to_numpy(float)]
            resampled[objective] = statistics.resample(of_scenes, arrays, resamples)
        for objective in runs:
            if objective == baseline:
                continue
            difference = statistics.paired_difference(resampled[objective], resampled[baseline], level)
            records.append({"target": objective, "metric": metric, **difference._asdict()})
            apart = (runs[objective] - runs[baseline]).mean(axis="columns")
            for seed, value in apart.items():
                of_seeds.append({"target": objective, "metric": metric, "seed": seed, "difference": value})
    table = pd.DataFrame(records, columns=["target", "metric", *statistics.Difference._fields])
    return with_verdicts(table, better, level), pd.DataFrame(
        of_seeds, columns=["target", "metric", "seed", "difference"]
    )
