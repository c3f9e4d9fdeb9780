"""Statistics of runs: means with intervals, paired differences with verdicts, ranks, and pooled reliability curves."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.metrics.aggregation import METRICS
from thesis_lib.study import statistics

WHAT = "the DataFrame of `segmentation_runs.read`"


@dataclass(frozen=True, eq=False)
class PairedRuns:
    """Runs of several targets, paired by seed and test scene.

    Args:
        rows: DataFrame of `segmentation_runs.read`.
        level: of the intervals, in (0, 1).
        resamples: number of resamples of seeds and scenes, see `statistics.resample`.
    """

    rows: pd.DataFrame
    level: float
    resamples: int

    def differences(self, rows, baselines, metrics):
        """Targets minus others of their case, on the seeds that both ran with.

        Args:
            rows: those of `self.rows` to compare.
            baselines: a target; or a dict from each target to what it is compared with.
            metrics: names in METRICS.

        Returns:
            DataFrame: case, target, metric, seeds, difference, low, high, p_value (not corrected).
        """
        records = []
        for case, part in rows.groupby("case", sort=False):
            seeds = {target: set(runs["seed"]) for target, runs in part.groupby("target", sort=False)}
            pairs = baselines
            if not isinstance(baselines, dict):
                pairs = {target: baselines for target in seeds if target != baselines}
            for metric in metrics:
                for target, other in pairs.items():
                    shared = tuple(sorted(seeds.get(target, set()) & seeds.get(other, set())))
                    if shared:
                        both = [self._resampled(case, name, metric, shared) for name in (target, other)]
                        difference = statistics.paired_difference(*both, self.level)
                        row = {"case": case, "target": target, "metric": metric, "seeds": len(shared)}
                        records.append({**row, **difference._asdict()})
        return pd.DataFrame(records, columns=["case", "target", "metric", "seeds", *statistics.Difference._fields])

    def ranks(self, rows, metrics):
        """Ranks of the targets of each case that have all seeds of the case: see `statistics.ranks`.

        Args:
            rows: those of `self.rows` to rank.
            metrics: names in METRICS.

        Returns:
            DataFrame: case, metric, target, rank, low, high, first.
        """
        tables = []
        for case, part in rows.groupby("case", sort=False):
            seeds = tuple(sorted(set(part["seed"])))
            ran = part.groupby("target", sort=False)["seed"].nunique()
            whole = ran.index[ran == len(seeds)]
            if len(whole) > 1:
                for metric in metrics:
                    methods = {target: self._resampled(case, target, metric, seeds) for target in whole}
                    ranked = statistics.ranks(methods, METRICS[metric].better, self.level)
                    tables.append(ranked.assign(case=case, metric=metric))
        columns = ["case", "metric", "target", "rank", "low", "high", "first"]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)

    @cached_property
    def scenes(self):
        """Scores of scenes by case, target and seed."""
        return self.rows.set_index(["case", "target", "seed"])["per_scene"].to_dict()

    @cached_property
    def _kept(self):
        """What `_resampled` has computed."""
        return {}

    def _resampled(self, case, target, metric, seeds):
        """The metric of a target, resampled; tables share it, since most of them compare the same runs."""
        key = case, target, metric, seeds
        if key not in self._kept:
            needs = METRICS[metric].needs
            scenes = [self.scenes[case, target, seed] for seed in seeds]
            runs = [{name: values[name] for name in needs} for values in scenes]
            self._kept[key] = statistics.resample(METRICS[metric].of_scenes, runs, self.resamples)
        return self._kept[key]


def with_verdicts(table, better, level):
    """A table of differences, with corrected p-values and verdicts added; `better`: metric -> "higher" or "lower"."""
    checks.table("table", table, ("p_value", "difference", "metric"), "a DataFrame of differences")
    checked_better(better)
    checks.real("level", level, 0.0, 1.0, open_low=True, open_high=True)
    table = table.copy()
    table["p_holm"] = statistics.holm(table["p_value"])
    up = (table["difference"] > 0) == (table["metric"].map(better) == "higher")
    table["verdict"] = np.where(table["p_holm"] < 1 - level, np.where(up, "better", "worse"), "")
    return table


def checked_better(better):
    """Raise ValueError unless it is a dict from metrics to "higher" or "lower"."""
    is_dict = isinstance(better, dict) and better and all(isinstance(metric, str) for metric in better)
    if not is_dict or not set(better.values()) <= {"higher", "lower"}:
        raise ValueError(f'better must be a dict from metrics to "higher" or "lower"; got {checks.shown(better)}')


def means(rows, by, level=0.95):
    """Mean of every metric over seeds with its Student-t interval, which is cut at the range of the metric.

    Args:
        rows: of `segmentation_runs.read`; a metric that they do not hold is left out.
        by: columns that tell the means apart.
        level: of the intervals, in (0, 1).

    Returns:
        DataFrame in long form: `by`, metric, seeds, mean, low, high.

    Raises:
        ValueError: if an argument is of another kind.
    """
    by = checks.listed("by", by, str, "a list of columns")
    checks.table("rows", rows, (), WHAT)
    for name in by:
        checks.one_of("by", name, list(rows))
    checks.real("level", level, 0.0, 1.0, open_low=True, open_high=True)
    records = []
    for key, part in rows.groupby(by, sort=False, dropna=False):
        for name, metric in METRICS.items():
            if name in rows:
                average, *bounds = statistics.mean_interval(part[name], level)
                low, high = np.clip(bounds, 0.0, metric.most)
                row = {**dict(zip(by, key)), "metric": name, "seeds": len(part)}
                records.append({**row, "mean": average, "low": low, "high": high})
    return pd.DataFrame(records)


def pooled_reliability(runs, where="all"):
    """One reliability curve from several runs, their bins pooled.

    Args:
        runs: rows with the column reliability.
        where: "all" pixels, or the "band" around true boundaries.

    Returns:
        dict of the arrays confidence, accuracy and count, one entry a bin; None if the rows hold no curve.

    Raises:
        ValueError: if where is neither.
    """
    checks.one_of("where", where, ("all", "band"))
    curves = [row[where] for row in runs.get("reliability", pd.Series(dtype=object)) if isinstance(row, dict)]
    if not curves:
        return None
    count = np.array([curve["count"] for curve in curves], float)
    pooled = {"count": count.sum(0)}
    for name in ("confidence", "accuracy"):
        weighted = np.nan_to_num(np.array([curve[name] for curve in curves], float)) * count
        with np.errstate(invalid="ignore"):
            pooled[name] = weighted.sum(0) / pooled["count"]
    return pooled
