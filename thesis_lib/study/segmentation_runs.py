"""The runs of a sweep over training targets, read and labelled: the case and the target of each."""

import warnings

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.annotation.simulated import ANNOTATORS
from thesis_lib.data import splits
from thesis_lib.metrics.aggregation import METRICS
from thesis_lib.segmentation.methods import METHODS
from thesis_lib.study.rows import read_rows, read_scenes
from thesis_lib.targets import objectives
from thesis_lib.targets.class_matrices import RULES

SETTINGS = ("data", "class_weights", "batch_size", "width", "depth", "learning_rate", "schedule", "augment")
NEEDED = (  # of each row
    *("objective", "seed", *SETTINGS, "annotator", "annotator_parameters", "train_scenes", "epochs", "background"),
    *("magnitude", "prior", "prior_sigma", "prior_mean", "prior_scenes"),
)
IN_SCENES = ("intersection", "union", "log_loss", "brier", "surface_distance", "hausdorff95", "surface_dice")
TITLES = {name: objective.title for name, objective in objectives.OBJECTIVES.items()}
CHOSEN = {"drawn": "threshold chosen on drawn masks", "true": "threshold chosen on true masks"}
SHRUNK = {  # of their resolution
    "nuclei/2": "nuclei at half",
    "nuclei/3": "nuclei at a third",
    "nuclei/4": "nuclei at a quarter",
}
PLAIN = ("", "fitted")  # variants that are targets in their own right
COLUMNS = (  # of the table that is written
    "objective",
    "target",
    "annotator",
    "case",
    "sigma",
    "bias",
    "scenes",
    "epochs",
    "seed",
    "magnitude",
    "prior",
    "prior_sigma",
    "prior_scenes",
    "miou",
    *METRICS,
    "believed_mean",
    "believed_sigma_low",
    "believed_sigma_high",
    "run",
)


def read(folder, runs=None):
    """Every run below a folder that has a whole row and whole scores of scenes.

    Others are reported in a warning. mIoU of the scenes leaves out the background.

    Args:
        folder: path.
        runs: names of the runs that are wanted; None: all.

    Returns:
        DataFrame of `read_rows`, sorted by case and target, with the columns
        error: the annotator's, in words; sigma, bias: of the annotator, px (NaN where it is no displacement field);
        scenes: number of training scenes, or NaN for all;
        case: the error, and the data, the number of training scenes and of epochs where these vary;
        variant: "" for an objective, "fitted" with a fitted prior, "assumed" with a known prior that is not the
            annotator's, "magnitude" for one of several magnitudes of a class-level rule in a case;
        how: how the variant differs from the objective, in words ("prior fitted on 10"), and by which method it was
            trained on how many labelled images ("mean teacher, 20 labelled"), or "";
        target: its name, unique in a case: the objective and how it differs ("forward, prior fitted on 10");
        title: the same for tables and figures ("forward likelihood, prior fitted on 10");
        per_scene: dict of arrays (scenes, ...);
        nothing_found: number of test scenes where only one of truth and prediction holds an object, so that distances
            are the diagonal of the image.

    Raises:
        ValueError: if a row names an unknown objective or annotator, runs differ in other settings, or a case holds two
            runs of one target and seed.

    Example:
        >>> rows = read("reports/reference/compare")
        >>> rows.groupby(["case", "title"])["miou_foreground"].mean()
    """
    rows = read_rows(folder, NEEDED, runs)
    for name, known in (("objective", objectives.OBJECTIVES), ("annotator", ANNOTATORS)):
        for run, value in zip(rows["run"], rows[name]):
            checks.one_of(f"{name} of {run}", value, known)
    rows["per_scene"] = read_scenes(folder, rows["run"], IN_SCENES)
    rows = rows[rows["per_scene"].notna()].copy()
    if rows.empty:
        raise ValueError(f"results must hold a run with scores of scenes; {str(folder)!r} holds none that can be read")
    for name in SETTINGS:
        if name != "data" and _varies(rows[name]):
            raise ValueError(f"results must be of one {name} to be compared; got {sorted(set(rows[name].map(repr)))}")
    for run in rows.itertuples():
        objects = np.arange(run.per_scene["union"].shape[1]) != run.background
        run.per_scene.update({name: run.per_scene[name][:, objects] for name in ("intersection", "union")})
    rows["surface_distance_median"] = [_median_distance(scenes) for scenes in rows["per_scene"]]
    rows["nothing_found"] = [_nothing_found(scenes) for scenes in rows["per_scene"]]
    errors = [_error(*pair) for pair in zip(rows["annotator"], rows["annotator_parameters"])]
    rows["sigma"], rows["bias"], rows["error"] = zip(*errors)
    rows["scenes"] = rows["train_scenes"].astype(float)
    rows["case"] = _cases(rows)
    swept = rows.groupby(["case", "objective"])["magnitude"].transform("nunique") > 1
    records = rows.to_dict("records")
    rows["variant"], hows = zip(*[_variant(row, several) for row, several in zip(records, swept)])
    differing = zip(records, hows, _unusual_radii(rows))
    rows["how"] = [", ".join(filter(None, (how, radius, *_taught(row)))) for row, how, radius in differing]
    titles = rows["objective"].map(TITLES)
    differs = rows["how"].map(lambda how: f", {how}" if how else "")
    rows["target"], rows["title"] = rows["objective"] + differs, titles + differs
    twice = rows[rows.duplicated(["case", "target", "seed"], keep=False)]
    if len(twice):
        raise ValueError(
            f"results must hold one run for each case, target and seed; got several: {twice['run'].tolist()}"
        )
    return _sorted(rows)


def test_scenes(rows):
    """The clean test scenes of the runs, made again from their data set; None, with a warning, where that is not here.

    Args:
        rows: of `read`.

    Returns:
        `data.scenes.Scenes` or None.
    """
    counts = ("train_scenes", "validation_scenes", "test_scenes")
    if not len(checks.table("rows", rows, ("data", *counts), "the DataFrame of `segmentation_runs.read`")):
        raise ValueError("rows must hold a run or more; got none")
    first = rows.iloc[0]
    try:
        limits = [None if pd.isna(first[name]) else int(first[name]) for name in counts]
        return splits.load_scenes(first["data"], 0, *limits).test
    except FileNotFoundError as error:
        warnings.warn(f"the test scenes are not shown: {error}", stacklevel=2)
        return None


def _sorted(rows):
    """The rows by case, usual training first, then by target and seed."""
    order = list(objectives.OBJECTIVES)
    unusual = sum(rows[name].map(repr) != rows[name].map(repr).mode()[0] for name in ("data", "scenes", "epochs"))
    key = rows.assign(
        unusual=unusual,
        kind=rows["annotator"].map(list(ANNOTATORS).index),
        at=rows["objective"].map(order.index),
    )
    of_case = ["unusual", "kind", "sigma", "bias", "scenes", "epochs", "case"]
    by = [*of_case, "at", "magnitude", "prior_scenes", "prior_sigma", "seed"]
    return rows.loc[key.sort_values(by, na_position="last").index].reset_index(drop=True)


def _median_distance(scenes):
    """Surface distance of the median scene, px."""
    weights = np.ones((1, len(scenes["surface_distance"])))
    return float(METRICS["surface_distance_median"].of_scenes(scenes, weights)[0])


def _nothing_found(scenes):
    """Number of scenes whose distances are the diagonal of the image."""
    return int(((scenes["surface_dice"] == 0) & (scenes["surface_distance"] == scenes["hausdorff95"])).sum())


def _varies(column):
    return column.map(repr).nunique() > 1


def _error(annotator, parameters):
    """(sigma, bias, name) of an annotator's error; the first two in px, NaN where it is no displacement field."""
    if annotator == "none":
        return 0.0, 0.0, "no error"
    if annotator == "population":
        bias = parameters["prior"].get("mean", 0.0)
        words = f", bias {bias:+g} px" if bias else ""
        return np.nan, np.nan, f"radiologists' errors x {parameters.get('factor', 1.0):g}{words}"
    if annotator == "displacement":
        sigma, bias = parameters["sigma"], parameters.get("mean", 0.0)
        return sigma, bias, f"sigma {sigma:g} px" + (f", bias {bias:+g} px" if bias else "")
    return np.nan, np.nan, annotator


def _cases(rows):
    """The name of each run's case: the error, and what else varies between runs."""
    parts = [rows["error"]]
    for annotator, values in rows[rows["annotator"] != "none"].groupby("annotator")["annotator_parameters"]:
        in_error = {"displacement": ["sigma", "mean"], "population": ["factor", "mean"]}.get(annotator, [])
        values = values.map(_flat)
        table = pd.DataFrame(values.tolist(), index=values.index).drop(columns=in_error, errors="ignore")
        differing = [name for name in table if _varies(table[name])]
        if differing:
            words = [", ".join(f"{name.replace('_', ' ')} {run.get(name)}" for name in differing) for run in values]
            parts.append(pd.Series(words, values.index).reindex(rows.index, fill_value=""))
    if _varies(rows["data"]):
        parts.append(rows["data"].astype(str).replace(SHRUNK))
    if _varies(rows["scenes"]):
        parts.append(rows["scenes"].map(lambda n: "all scenes" if np.isnan(n) else f"{n:g} scenes"))
    if _varies(rows["epochs"]):
        parts.append(rows["epochs"].map("{} epochs".format))
    return [", ".join(filter(None, of_run)) for of_run in zip(*parts)]


def _flat(given):
    """Parameters of an annotator, those of its prior beside the others."""
    others = {name: value for name, value in given.items() if name != "prior"}
    return {**others, **given.get("prior", {})}


def _variant(row, several_magnitudes):
    """(variant, how it differs from its objective in words) of a run."""
    if row.get("bias_against") == "judge":
        return "", "bias taken out of labels"
    if isinstance(row.get("threshold_chosen"), str):
        return "", CHOSEN[checks.one_of(f"threshold_chosen of {row['run']}", row["threshold_chosen"], CHOSEN)]
    if row["objective"] in RULES and several_magnitudes:
        return "magnitude", f"m = {row['magnitude']:g}"
    if row["objective"] not in objectives.objectives_needing("prior") or row["prior"] in ("measured", "population"):
        return "", ""
    if row["prior"] == "fitted":
        return "fitted", f"prior fitted on {row['prior_scenes']}"
    if (row["prior_sigma"], row["prior_mean"]) == (row["sigma"], row["bias"]):
        return "", ""
    bias = "" if row["prior_mean"] == row["bias"] else f", bias {row['prior_mean']:+g} px"
    return "assumed", f"sigma {row['prior_sigma']:g} px assumed{bias}"


def _unusual_radii(rows):
    """In words, the search radius of runs whose prior was measured within another one than most of their case."""
    if "search_radius" not in rows:
        return [""] * len(rows)
    radii = rows["search_radius"]
    usual = radii.groupby(rows["case"]).transform(lambda of_case: of_case.mode().get(0, np.nan))
    unlike = radii.notna() & (radii != usual)
    return radii.map("search radius {:g} px".format).where(unlike, "").tolist()


def _taught(row):
    """The method for few labels, its weight if unusual, and the number of labelled images, where a run states them."""
    method, labelled = row.get("method"), row.get("labelled")
    if isinstance(method, str) and method != "supervised":
        used = METHODS[checks.one_of(f"method of {row['run']}", method, METHODS)]
        yield used.title
        weight = row.get("consistency_weight")
        if not pd.isna(weight) and weight != used.weight:
            yield f"consistency weight {weight:g}"
    if not pd.isna(labelled):
        yield f"{labelled:g} labelled"
