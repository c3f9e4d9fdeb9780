"""Runs compared: means on shared seeds, paired differences with their verdicts, ranks."""

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.metrics.aggregation import METRICS, PAIRED, mean
from thesis_lib.study import statistics

LIKE_FOR_LIKE = {
    "forward": "posterior",
    "forward_dice": "one_hot_dice",
    "forward_uniform": "uniform",
}  # the error in the likelihood, and not


def on_shared_seeds(rows):
    """The rows of those seeds that at least half of the targets of their case have, so that means of targets are of the same seeds."""
    targets = rows.groupby("case")["target"].transform("nunique")
    return rows[2 * rows.groupby(["case", "seed"])["target"].transform("nunique") >= targets]


def means(rows, by, level=0.95):
    """Mean of every metric that the rows hold over seeds with its interval, cut at the metric's range: a DataFrame in long form: `by`, metric, mean, low, high, seeds."""
    found, held = [], {name: metric for name, metric in METRICS.items() if name in rows}
    for key, part in rows.groupby(list(by), sort=False, dropna=False):
        for name, metric in held.items():
            average, *bounds = statistics.mean_interval(part[name], level)
            low, high = np.clip(bounds, 0.0, metric.most)
            found.append(
                {**dict(zip(by, key)), "metric": name, "seeds": len(part), "mean": average, "low": low, "high": high}
            )
    return pd.DataFrame(found)


def _paired(rows, metric):
    """For each target of one case: seed -> the arrays that the metric needs."""
    return {
        target: {seed: {k: scenes[k] for k in metric.needs} for seed, scenes in zip(part["seed"], part["per_scene"])}
        for target, part in rows.groupby("target", sort=False)
    }


def differences(rows, baseline, metrics=PAIRED, level=0.95, resamples=20000):
    """Every target against the baseline of its case, on the seeds that both ran with, corrected for all that is looked at.

    Args:
        rows: of `sweep.read`.
        baseline: a target; or a dict from the targets to compare to what each is compared with.
        metrics: names in PAIRED.
        level, resamples: see `statistics.paired_bootstrap`.

    Returns:
        DataFrame: case, target, metric, seeds, difference (target minus baseline), low, high, p_value, p_holm (adjusted for all rows
        of the table) and verdict: "better" or "worse" where p_holm < 1 - level, else "". Empty where no case has both.
    """
    found = []
    for case, part in rows.groupby("case", sort=False):
        for name in metrics:
            of_targets = _paired(part, METRICS[name])
            pairs = (
                baseline
                if isinstance(baseline, dict)
                else {target: baseline for target in of_targets if target != baseline}
            )
            for target, runs, base in (
                (t, of_targets.get(t, {}), of_targets.get(other, {})) for t, other in pairs.items()
            ):
                seeds = sorted(runs.keys() & base.keys())
                if seeds:
                    pair = [[of[s] for s in seeds] for of in (runs, base)]
                    result = statistics.paired_bootstrap(METRICS[name].of_scenes, *pair, level, resamples)
                    found.append(
                        {"case": case, "target": target, "metric": name, "seeds": len(seeds), **result._asdict()}
                    )
    table = pd.DataFrame(found, columns=["case", "target", "metric", "seeds", *statistics.Difference._fields])
    return _judged(table, {name: METRICS[name].better for name in metrics}, level)


def _judged(table, better, level):
    """A table of differences with their adjusted p-values and verdicts; `better`: metric -> "higher" or "lower"."""
    table["p_holm"] = statistics.holm(table["p_value"])
    up = (table["difference"] > 0) == (table["metric"].map(better) == "higher")
    table["verdict"] = np.where(table["p_holm"] < 1 - level, np.where(up, "better", "worse"), "")
    return table


def seed_differences(rows, baseline, metrics=PAIRED):
    """The same differences for each seed alone: DataFrame with case, target, metric, seed, difference."""
    values = rows.melt(["case", "target", "seed"], list(metrics), "metric", "value")
    base = values[values["target"] == baseline].drop(columns="target")
    both = values[values["target"] != baseline].merge(
        base, on=["case", "metric", "seed"], suffixes=("", "_of_baseline")
    )
    return both.assign(difference=both["value"] - both["value_of_baseline"])


def of_rasters(scores, baseline, better, level=0.95, resamples=20000):
    """As `differences` and `seed_differences`, of scores of rasters (`rasters.score`), averaged over those that have one in every run.

    Args:
        scores: DataFrame with the index levels objective, seed and raster, and a column for each metric.
        baseline: an objective.
        better: metric -> "higher" or "lower", whichever is better.
        level, resamples: see `statistics.paired_bootstrap`.

    Returns:
        (DataFrame, DataFrame): target, metric, difference (target minus baseline), low, high, p_value, p_holm and verdict; and
        target, metric, seed, difference.
    """
    checks.one_of("baseline", baseline, scores.index.unique("objective"))
    found, of_seeds = [], []
    for metric in better:
        values = scores[metric].unstack("raster").dropna(axis="columns")
        if values.empty:
            continue
        _, of_scenes = mean(metric)
        runs = {
            o: part.droplevel("objective").sort_index() for o, part in values.groupby(level="objective", sort=False)
        }
        of_runs = {o: [{metric: row} for row in part.to_numpy(float)] for o, part in runs.items()}
        for objective in (o for o in runs if o != baseline):
            result = statistics.paired_bootstrap(of_scenes, of_runs[objective], of_runs[baseline], level, resamples)
            found.append({"target": objective, "metric": metric, **result._asdict()})
            apart = (runs[objective] - runs[baseline]).mean(axis="columns")
            of_seeds += [
                {"target": objective, "metric": metric, "seed": seed, "difference": value}
                for seed, value in apart.items()
            ]
    columns = ["target", "metric", *statistics.Difference._fields]
    return _judged(pd.DataFrame(found, columns=columns), better, level), pd.DataFrame(
        of_seeds, columns=["target", "metric", "seed", "difference"]
    )


def rankings(rows, metrics=PAIRED, level=0.95, resamples=20000):
    """Ranks of the targets of each case, with their uncertainty: see `statistics.ranks`.

    They are compared `on_shared_seeds`; targets that lack one of these are left out.

    Returns:
        DataFrame: case, metric, target, rank, low, high, first.
    """
    found = []
    for case, part in on_shared_seeds(rows).groupby("case", sort=False):
        seeds = sorted(set(part["seed"]))
        for name in metrics:
            of_targets = _paired(part, METRICS[name])
            whole = {t: [runs[s] for s in seeds] for t, runs in of_targets.items() if len(runs) == len(seeds)}
            if len(whole) > 1:
                metric = METRICS[name]
                ranked = statistics.ranks(metric.of_scenes, whole, metric.better, level, resamples)
                found.append(ranked.assign(case=case, metric=name))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["case", "metric", "target"])


def of_magnitudes(rows):
    """The runs of swept class-level rules, of those seeds that ran at every magnitude of their rule and case: as a sweep goes on, means stay of the same seeds."""
    swept = rows[rows["variant"] == "magnitude"]
    at, of_seed = (
        swept.groupby(by)["magnitude"].transform("nunique")
        for by in (["case", "objective"], ["case", "objective", "seed"])
    )
    return swept[at == of_seed]


def best_magnitudes(rows):
    """Of each swept class-level rule of a case, the runs of `of_magnitudes` at the magnitude with the best mIoU on average.

    It is chosen on the test scenes, which flatters it.
    """
    swept = of_magnitudes(rows)
    kept = []
    for _, part in swept.groupby(["case", "objective"], sort=False):
        best = part.groupby("magnitude")["miou_foreground"].mean().idxmax()
        kept.append(part[part["magnitude"] == best])
    return pd.concat(kept) if kept else swept


def reliability(runs, where="all"):
    """One reliability curve from several runs, its bins pooled: dict of confidence, accuracy, count; None if rows hold none."""
    curves = [r[where] for r in runs.get("reliability", pd.Series(dtype=object)) if isinstance(r, dict)]
    if not curves:
        return None
    count = np.array([c["count"] for c in curves], float)
    total = count.sum(0)
    weighted = lambda name: (np.nan_to_num(np.array([c[name] for c in curves], float)) * count).sum(0)
    with np.errstate(invalid="ignore"):
        return {"confidence": weighted("confidence") / total, "accuracy": weighted("accuracy") / total, "count": total}
