"""The runs of a sweep, labelled for comparison: of which case each is, with which target it trained, how it scored."""

from typing import Callable, NamedTuple

import numpy as np
import pandas as pd

from thesis_lib import objectives, provenance, statistics
from thesis_lib.annotators import ANNOTATORS
from thesis_lib.metrics import summary
from thesis_lib.smoothing import RULES

SETTINGS = ("data", "class_weights", "batch_size", "width", "depth", "learning_rate", "schedule", "augment")
PLAIN = ("", "fitted")  # variants that are targets in their own right


LIKE_FOR_LIKE = {"forward": "posterior", "forward_dice": "one_hot_dice", "forward_uniform": "uniform"}  # the error in the likelihood, and not


class Metric(NamedTuple):
    """A score: its name in tables, whether "higher" or "lower" is better, how it follows from scores of scenes (which arrays of
    them, and a statistic of `statistics.paired_bootstrap`), and the largest value it can have."""

    label: str
    better: str
    needs: tuple = ()
    of_scenes: Callable | None = None
    most: float = np.inf


def _mean(name):
    def of_scenes(scenes, weights):
        known = np.isfinite(scenes[name])
        with np.errstate(invalid="ignore"):
            return weights @ np.where(known, scenes[name], 0.0) / (weights @ known)

    return (name,), of_scenes


def _median(name):
    def of_scenes(scenes, weights):
        order = np.argsort(scenes[name])[: np.isfinite(scenes[name]).sum()]
        values, below = scenes[name][order], np.cumsum(weights[:, order], axis=1)
        middle = below[:, -1:] / 2
        return (values[(below >= middle).argmax(1)] + values[(below > middle).argmax(1)]) / 2

    return (name,), of_scenes


METRICS = {
    "miou_foreground": Metric("mIoU without background", "higher", ("intersection", "union"), summary.miou, 1.0),
    "mean_class_accuracy_foreground": Metric("mean class accuracy without background", "higher", most=1.0),
    "log_loss": Metric("log loss, nats", "lower", *_mean("log_loss")),
    "brier": Metric("Brier score", "lower", *_mean("brier")),
    "ece": Metric("ECE", "lower", most=1.0),
    "ece_band": Metric("ECE within 3 px of boundaries", "lower", most=1.0),
    "surface_distance": Metric("mean surface distance, px", "lower", *_mean("surface_distance")),
    "surface_distance_median": Metric("surface distance of the median scene, px", "lower", *_median("surface_distance")),
    "hausdorff95": Metric("95% Hausdorff distance, px", "lower", *_mean("hausdorff95")),
    "surface_dice": Metric("surface Dice at 1 px", "higher", *_mean("surface_dice"), most=1.0),
    "nothing_found": Metric("scenes where nothing is found", "lower"),
}
PAIRED = tuple(name for name, metric in METRICS.items() if metric.of_scenes)
COLUMNS = ("objective", "target", "annotator", "case", "sigma", "bias", "scenes", "epochs", "seed", "magnitude", "prior", "prior_sigma",
           "prior_scenes", "miou", *METRICS, "believed_mean", "believed_sigma_low", "believed_sigma_high", "run")  # fmt: skip


def read(folder):
    """Every run below a folder that has a whole row and whole scores of scenes; others are warned of.

    Returns:
        DataFrame of `provenance.read_rows`, sorted by case and target, with the columns
        case: the annotator, and the number of training scenes and of epochs where these vary;
        target: the objective and how it differs ("forward, prior fitted on 10", "weighted_adjacent, m = 0.85");
        variant: "" for an objective, "fitted" with a fitted prior, "assumed" with a known prior that is not the annotator's,
            "magnitude" for one of several magnitudes of a class-level rule in a case;
        error: the annotator's in words; sigma, bias: of the annotator, px (NaN where it is no displacement field);
        scenes: number of training scenes, or NaN for all; per_scene: dict of arrays;
        nothing_found: number of test scenes where only one of truth and prediction holds an object, so that distances are the image's diagonal.

    Raises:
        ValueError: if runs differ in other settings, or a case holds two runs of one target and seed.
    """
    rows = provenance.read_rows(folder)
    rows["per_scene"] = provenance.read_scenes(folder, rows["run"])
    rows = rows[rows["per_scene"].notna()].copy()
    if rows.empty:
        raise ValueError(f"results must hold a run with scores of scenes; {str(folder)!r} holds none that can be read")
    for name in SETTINGS:
        if _varies(rows[name]):
            raise ValueError(f"results must be of one {name} to be compared; got {sorted(set(rows[name].map(repr)))}")
    for run in rows.itertuples():  # mIoU here leaves out the background
        keep = np.arange(run.per_scene["union"].shape[1]) != run.background
        run.per_scene.update({name: run.per_scene[name][:, keep] for name in ("intersection", "union")})
    median = METRICS["surface_distance_median"].of_scenes
    rows["surface_distance_median"] = [float(median(s, np.ones((1, len(s["surface_distance"]))))[0]) for s in rows["per_scene"]]
    rows["nothing_found"] = [int(((s["surface_dice"] == 0) & (s["surface_distance"] == s["hausdorff95"])).sum()) for s in rows["per_scene"]]
    errors = [_error(*pair) for pair in zip(rows["annotator"], rows["annotator_parameters"])]
    rows["sigma"], rows["bias"], rows["error"] = zip(*errors)
    rows["scenes"] = rows["train_scenes"].astype(float)
    rows["case"] = _cases(rows)
    swept = rows.groupby(["case", "objective"])["magnitude"].transform("nunique") > 1
    labels = [_target(row, several) for row, several in zip(rows.to_dict("records"), swept)]
    rows["variant"], rows["target"] = zip(*labels)
    twice = rows[rows.duplicated(["case", "target", "seed"], keep=False)]
    if len(twice):
        raise ValueError(f"results must hold one run for each case, target and seed; got several: {twice['run'].tolist()}")
    order = {name: i for i, name in enumerate(objectives.OBJECTIVES)}
    unusual = sum(rows[name].map(repr) != rows[name].map(repr).mode()[0] for name in ("scenes", "epochs"))
    key = rows.assign(at=rows["objective"].map(order), unusual=unusual, kind=rows["annotator"].map(list(ANNOTATORS).index))
    by = ["unusual", "kind", "sigma", "bias", "scenes", "epochs", "case", "at", "magnitude", "prior_scenes", "prior_sigma", "seed"]
    return rows.loc[key.sort_values(by, na_position="last").index].reset_index(drop=True)


def _varies(column):
    return column.map(repr).nunique() > 1


def _error(annotator, parameters):
    """(sigma, bias, name) of an annotator's error; the first two in px, NaN where it is no displacement field."""
    if annotator == "none":
        return 0.0, 0.0, "no error"
    if annotator == "displacement":
        sigma, bias = parameters["sigma"], parameters.get("mean", 0.0)
        return sigma, bias, f"sigma {sigma:g} px" + (f", bias {bias:+g} px" if bias else "")
    return np.nan, np.nan, annotator


def _cases(rows):
    """The name of each run's case: the error, and what else varies between runs."""
    parts = [rows["error"]]
    for annotator, values in rows.groupby("annotator")["annotator_parameters"]:
        named = [p for p in ("correlation_length", "steps", "theta1", "theta2", "theta3", "low", "high")
                 if _varies(values.map(lambda v: v.get(p)))] if annotator != "none" else []  # fmt: skip
        if named:
            text = values.map(lambda v: ", ".join(f"{p.replace('_', ' ')} {v.get(p)}" for p in named))
            parts.append(text.reindex(rows.index, fill_value=""))
    if _varies(rows["scenes"]):
        parts.append(rows["scenes"].map(lambda n: "all scenes" if np.isnan(n) else f"{n:g} scenes"))
    if _varies(rows["epochs"]):
        parts.append(rows["epochs"].map("{} epochs".format))
    return [", ".join(filter(None, of_run)) for of_run in zip(*parts)]


def _target(row, several_magnitudes):
    """(variant, name) of a run's target."""
    name = row["objective"]
    if name in RULES and several_magnitudes:
        return "magnitude", f"{name}, m = {row['magnitude']:g}"
    if name not in objectives.USES_PRIOR or row["prior"] == "measured":
        return "", name
    if row["prior"] == "fitted":
        return "fitted", f"{name}, prior fitted on {row['prior_scenes']}"
    if (row["prior_sigma"], row["prior_mean"]) == (row["sigma"], row["bias"]):
        return "", name
    bias = "" if row["prior_mean"] == row["bias"] else f", bias {row['prior_mean']:+g} px"
    return "assumed", f"{name}, sigma {row['prior_sigma']:g} px assumed{bias}"


def on_shared_seeds(rows):
    """The rows of those seeds that at least half of the targets of their case have, so that means of targets are of the same seeds."""
    targets = rows.groupby("case")["target"].transform("nunique")
    return rows[2 * rows.groupby(["case", "seed"])["target"].transform("nunique") >= targets]


def means(rows, by, level=0.95):
    """Mean of every metric over seeds with its interval, cut at the metric's range: a DataFrame in long form: `by`, metric, mean, low, high, seeds."""
    found = []
    for key, part in rows.groupby(list(by), sort=False, dropna=False):
        for name, metric in METRICS.items():
            mean, *bounds = statistics.mean_interval(part[name], level)
            low, high = np.clip(bounds, 0.0, metric.most)
            found.append({**dict(zip(by, key)), "metric": name, "seeds": len(part), "mean": mean, "low": low, "high": high})
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
        rows: of `read`.
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
            pairs = baseline if isinstance(baseline, dict) else {target: baseline for target in of_targets if target != baseline}
            for target, runs, base in ((t, of_targets.get(t, {}), of_targets.get(other, {})) for t, other in pairs.items()):
                seeds = sorted(runs.keys() & base.keys())
                if seeds:
                    pair = [[of[s] for s in seeds] for of in (runs, base)]
                    result = statistics.paired_bootstrap(METRICS[name].of_scenes, *pair, level, resamples)
                    found.append({"case": case, "target": target, "metric": name, "seeds": len(seeds), **result._asdict()})
    table = pd.DataFrame(found, columns=["case", "target", "metric", "seeds", *statistics.Difference._fields])
    return _judged(table, {name: METRICS[name].better for name in metrics}, level)


def _judged(table, better, level):
    """A table of differences with their adjusted p-values and verdicts; `better`: metric -> "higher" or "lower"."""
    table["p_holm"] = statistics.holm(table["p_value"])
    up = (table["difference"] > 0) == (table["metric"].map(better) == "higher")
    table["verdict"] = np.where(table["p_holm"] < 1 - level, np.where(up, "better", "worse"), "")
    return table


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
    found, of_seeds = [], []
    for metric in better:
        values = scores[metric].unstack("raster").dropna(axis="columns")
        if values.empty:
            continue
        _, mean = _mean(metric)
        runs = {o: part.droplevel("objective").sort_index() for o, part in values.groupby(level="objective", sort=False)}
        of_runs = {o: [{metric: row} for row in part.to_numpy(float)] for o, part in runs.items()}
        for objective in (o for o in runs if o != baseline):
            result = statistics.paired_bootstrap(mean, of_runs[objective], of_runs[baseline], level, resamples)
            found.append({"target": objective, "metric": metric, **result._asdict()})
            apart = (runs[objective] - runs[baseline]).mean(axis="columns")
            of_seeds += [{"target": objective, "metric": metric, "seed": seed, "difference": value} for seed, value in apart.items()]
    columns = ["target", "metric", *statistics.Difference._fields]
    return _judged(pd.DataFrame(found, columns=columns), better, level), pd.DataFrame(of_seeds, columns=["target", "metric", "seed", "difference"])


def seed_differences(rows, baseline, metrics=PAIRED):
    """The same differences for each seed alone: DataFrame with case, target, metric, seed, difference."""
    values = rows.melt(["case", "target", "seed"], list(metrics), "metric", "value")
    base = values[values["target"] == baseline].drop(columns="target")
    both = values[values["target"] != baseline].merge(base, on=["case", "metric", "seed"], suffixes=("", "_of_baseline"))
    return both.assign(difference=both["value"] - both["value_of_baseline"])


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


def best_magnitudes(rows):
    """Of each swept class-level rule of a case, the runs at the magnitude with the best mIoU on average.

    It is chosen on the test scenes, which flatters it.
    """
    swept = rows[rows["variant"] == "magnitude"]
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
