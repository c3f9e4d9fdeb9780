"""Which runs of a sweep a table or a figure is made of: runs on shared seeds, magnitudes, and what varies.

Every function takes rows of `segmentation_runs.read` and gives rows.
"""

import numpy as np
import pandas as pd

from thesis_lib.study.segmentation_runs import TITLES
from thesis_lib.targets import objectives

WITHOUT_ERROR = {  # the same training without an error
    "forward_uniform": "uniform",
    "forward_dice": "one_hot_dice",
    "forward_expected_dice": "one_hot_dice",
}
VARYING = ("sigma", "scenes", "epochs", "prior_sigma")


def on_shared_seeds(rows):
    """The rows of the seeds that at least half of the targets of their case have: their means are of the same seeds."""
    targets = rows.groupby("case")["target"].transform("nunique")
    return rows[2 * rows.groupby(["case", "seed"])["target"].transform("nunique") >= targets]


def of_magnitudes(rows):
    """The runs of swept class-level rules, of those seeds that ran at every magnitude of their rule and case.

    Means over them are of the same seeds while a sweep still runs.
    """
    swept = rows[rows["variant"] == "magnitude"]
    at, of_seed = (
        swept.groupby(by)["magnitude"].transform("nunique")
        for by in (["case", "objective"], ["case", "objective", "seed"])
    )
    return swept[at == of_seed]


def best_magnitudes(rows):
    """Of each swept class-level rule of a case, the runs of `of_magnitudes` at the magnitude with the best mean mIoU.

    The magnitude is chosen on the test scenes, so its scores are too good.
    """
    swept = of_magnitudes(rows)
    kept = [swept.iloc[:0]]
    for _, part in swept.groupby(["case", "objective"], sort=False):
        best = part.groupby("magnitude")["miou_foreground"].mean().idxmax()
        kept.append(part[part["magnitude"] == best])
    return pd.concat(kept)


def with_numbers(rows):
    """The rows with an infinite number of scenes where all scenes were trained on, so that it can be compared."""
    return rows.assign(scenes=rows["scenes"].fillna(np.inf))


def usual(rows):
    """The most frequent sigma (px, NaN if no case has one), scenes (infinite for all) and epochs: a dict."""
    of_runs = with_numbers(rows[rows["variant"] != "magnitude"])
    frequent = {name: of_runs[name].mode() for name in ("sigma", "scenes", "epochs")}
    return {name: values.iloc[0] if len(values) else np.nan for name, values in frequent.items()}


def of_case(rows, values):
    """The runs without bias whose sigma, scenes and epochs are these values, a dict as of `usual`."""
    runs = with_numbers(rows)
    same = [runs[name] == value for name, value in values.items()]
    return runs[np.logical_and.reduce(same) & (runs["bias"] == 0)]


def varying(rows, x, values):
    """The runs without bias between which x varies while all else is usual, of targets that ran at several x.

    Args:
        rows: on shared seeds.
        x: one of VARYING, see `Comparison.against`.
        values: dict of `usual`.

    Returns:
        DataFrame with the rows' columns and borrowed: whether a run is of another target, see `_with_borrowed`.
    """
    runs = with_numbers(rows)
    runs = runs[(runs["variant"] != "magnitude") & (runs["bias"] == 0)]
    same = {name: runs[name] == value for name, value in values.items()}
    if x == "sigma":
        runs = _with_borrowed(runs[same["scenes"] & same["epochs"]])
    elif x == "scenes":
        own_epochs = same["epochs"] | ~same["scenes"]
        runs = runs[same["sigma"] & own_epochs & np.isfinite(runs["scenes"])]
    elif x == "epochs":
        runs = runs[same["sigma"] & same["scenes"]]
    else:
        known = runs["objective"].isin(("forward", "posterior")) & (runs["prior"] == "known")
        runs = runs[same["sigma"] & same["scenes"] & same["epochs"] & known]
        runs = runs.assign(target=runs["objective"], how="", title=runs["objective"].map(TITLES))
    if "borrowed" not in runs:
        runs = runs.assign(borrowed=False)
    return runs[runs.groupby("target")[x].transform("nunique") > 1]


def _with_borrowed(runs):
    """The runs, and those without error once more for each target that is the same training there."""
    exact, parts = runs[runs["sigma"] == 0], [runs.assign(borrowed=False)]
    needing = runs[(runs["variant"] == "") & runs["objective"].isin(objectives.objectives_needing("prior"))]
    for target, named in needing.groupby("target", sort=False):
        same = exact[exact["target"] == WITHOUT_ERROR.get(target, "one_hot")]
        names = named.iloc[0][["objective", "how", "title"]]
        parts.append(same.assign(target=target, borrowed=True, **names))
    return pd.concat(parts)
