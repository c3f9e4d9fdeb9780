"""The runs of a sweep, read and labelled: of which case each is, and with which target it trained."""

import numpy as np

from thesis_lib.annotation.simulated import ANNOTATORS
from thesis_lib.metrics.aggregation import METRICS
from thesis_lib.study.rows import read_rows, read_scenes
from thesis_lib.targets import objectives
from thesis_lib.targets.smoothing import RULES

SETTINGS = ("data", "class_weights", "batch_size", "width", "depth", "learning_rate", "schedule", "augment")
PLAIN = ("", "fitted")  # variants that are targets in their own right
COLUMNS = ("objective", "target", "annotator", "case", "sigma", "bias", "scenes", "epochs", "seed", "magnitude", "prior", "prior_sigma",
           "prior_scenes", "miou", *METRICS, "believed_mean", "believed_sigma_low", "believed_sigma_high", "run")  # fmt: skip


def read(folder, runs=None):
    """Every run below a folder that has a whole row and whole scores of scenes; others are warned of. runs: names of those wanted; None: all.

    Returns:
        DataFrame of `read_rows`, sorted by case and target, with the columns
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
    rows = read_rows(folder, runs=runs)
    rows["per_scene"] = read_scenes(folder, rows["run"])
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
    rows["surface_distance_median"] = [
        float(median(s, np.ones((1, len(s["surface_distance"]))))[0]) for s in rows["per_scene"]
    ]
    rows["nothing_found"] = [
        int(((s["surface_dice"] == 0) & (s["surface_distance"] == s["hausdorff95"])).sum()) for s in rows["per_scene"]
    ]
    errors = [_error(*pair) for pair in zip(rows["annotator"], rows["annotator_parameters"])]
    rows["sigma"], rows["bias"], rows["error"] = zip(*errors)
    rows["scenes"] = rows["train_scenes"].astype(float)
    rows["case"] = _cases(rows)
    swept = rows.groupby(["case", "objective"])["magnitude"].transform("nunique") > 1
    labels = [_target(row, several) for row, several in zip(rows.to_dict("records"), swept)]
    rows["variant"], rows["target"] = zip(*labels)
    twice = rows[rows.duplicated(["case", "target", "seed"], keep=False)]
    if len(twice):
        raise ValueError(
            f"results must hold one run for each case, target and seed; got several: {twice['run'].tolist()}"
        )
    order = {name: i for i, name in enumerate(objectives.OBJECTIVES)}
    unusual = sum(rows[name].map(repr) != rows[name].map(repr).mode()[0] for name in ("scenes", "epochs"))
    key = rows.assign(
        at=rows["objective"].map(order), unusual=unusual, kind=rows["annotator"].map(list(ANNOTATORS).index)
    )
    by = [
        "unusual",
        "kind",
        "sigma",
        "bias",
        "scenes",
        "epochs",
        "case",
        "at",
        "magnitude",
        "prior_scenes",
        "prior_sigma",
        "seed",
    ]
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
        in_error = ("sigma", "mean") if annotator == "displacement" else ()
        names = [p for p in dict.fromkeys(p for v in values for p in v or ()) if p not in in_error]
        named = [p for p in names if _varies(values.map(lambda v: v.get(p)))] if annotator != "none" else []
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
    if name not in objectives.objectives_needing("prior") or row["prior"] == "measured":
        return "", name
    if row["prior"] == "fitted":
        return "fitted", f"{name}, prior fitted on {row['prior_scenes']}"
    if (row["prior_sigma"], row["prior_mean"]) == (row["sigma"], row["bias"]):
        return "", name
    bias = "" if row["prior_mean"] == row["bias"] else f", bias {row['prior_mean']:+g} px"
    return "assumed", f"{name}, sigma {row['prior_sigma']:g} px assumed{bias}"
