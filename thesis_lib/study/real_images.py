"""Real images with true masks, drawn by simulated people: what is kept of a sweep, and when which target pays."""

import numpy as np
import pandas as pd

from thesis_lib.annotation.widths import error_over_width, object_widths, typical_error
from thesis_lib.metrics.aggregation import METRICS
from thesis_lib.segmentation.run import Run
from thesis_lib.study import segmentation_runs
from thesis_lib.study.comparison import Comparison

HEADLINE = ("mean_dice_foreground", "surface_distance", "log_loss")
BASELINES = ("one_hot_dice", "one_hot")  # what most people train with, and the loss that has no bias of its own
SIDE = 64  # px, of the parts of images that are kept
SHOWN = 3  # test images of a case


def keep(folder, into):
    """Write what a notebook needs of a finished sweep besides its rows, so that it runs without the images.

    `cases.csv` has a row a case: objects, their median width and diameter (px), the typical error of the annotators
    (px), and the error over the width. `pictures.npz` holds parts of test images of the first seed: image, true map,
    the annotator's drawing, and P(not background) of every target.

    Args:
        folder: of the runs, with their `predictions.npz`.
        into: folder, made if missing.
    """
    rows = segmentation_runs.read(folder)
    into.mkdir(parents=True, exist_ok=True)
    cases, pictures = [], {}
    for number, (case, of_case) in enumerate(rows.groupby("case", sort=False)):
        first = of_case[of_case["seed"] == of_case["seed"].min()]
        run = Run(**first.iloc[0]["provenance"]["parameters"])
        test, annotator = run.task.splits.test, run.task.draw
        widths = object_widths(test.labels, test.background, test.objects)
        sizes = annotator.factor * (widths["diameter"] / annotator.diameter) ** annotator.growth
        cases.append(
            {
                "case": case,
                "objects": len(widths),
                "width": widths["width"].median(),
                "diameter": widths["diameter"].median(),
                "error": (typical_error(annotator.prior) * sizes).median(),
                "error_over_width": error_over_width(annotator, test.labels, test.background, test.objects),
            }
        )
        drawn = run.task.test_drawing()
        busiest = np.argsort(-(test.labels != test.background).mean((1, 2)))[: 4 * SHOWN : 4]
        maps = {"image": test.images[..., 0], "true": 255 * (test.labels != test.background)}
        maps["drawn"] = 255 * (drawn != test.background)
        for target in first.itertuples():
            with np.load(folder / target.run / "predictions.npz") as arrays:
                maps[target.target] = arrays["foreground"]
        for name, values in maps.items():
            pictures[f"{number}/{name}"] = np.stack([_middle(values[i]) for i in busiest]).astype(np.uint8)
    pd.DataFrame(cases).to_csv(into / "cases.csv", index=False, float_format="%.4g")
    np.savez_compressed(into / "pictures.npz", **pictures)


def _middle(image):
    """The part (SIDE, SIDE) in the middle of an image."""
    top, left = ((n - SIDE) // 2 for n in image.shape)
    return image[top : top + SIDE, left : left + SIDE]


def pictures(folder, number):
    """The pictures of a case that `keep` wrote: dict from image, true, drawn or a target to uint8 (n, SIDE, SIDE)."""
    with np.load(folder / "pictures.npz") as arrays:
        return {key.split("/")[1]: arrays[key] for key in arrays.files if key.split("/")[0] == str(number)}


def compare(rows, baseline="one_hot_dice", level=0.95, resamples=20000):
    """The `Comparison` of the targets with a baseline, in Dice, surface distance and log loss."""
    return Comparison(rows, baseline, level, resamples, HEADLINE)


def gains(differences, cases):
    """Differences to the baseline beside the error over the width of their case.

    Args:
        differences: `Comparison.differences`.
        cases: DataFrame of `cases.csv`.

    Returns:
        DataFrame of the differences with the column error_over_width, sorted by it; gain, low and high are turned round
        where lower is better, so that more is better everywhere.
    """
    ratio = cases.set_index("case")["error_over_width"]
    table = differences.assign(error_over_width=differences["case"].map(ratio)).sort_values("error_over_width")
    up = table["metric"] == "mean_dice_foreground"
    sign = np.where(up, 1.0, -1.0)
    low, high = np.where(up, table["low"], -table["high"]), np.where(up, table["high"], -table["low"])
    return table.assign(gain=sign * table["difference"], low=low, high=high)


def sizes(rows):
    """How large the targets draw: mean over seeds of the bias (px) and of predicted over true area, by case."""
    table = rows.groupby(["case", "title"], sort=False)[["boundary_bias", "volume_ratio"]].mean()
    return table.rename(columns={"boundary_bias": "bias, px", "volume_ratio": "predicted / true area"})


def two_probabilities(rows):
    """Log loss (nats) of p against the truth, and of p and blur(p) against what the annotator draws next, by case."""
    names = {
        "log_loss": "p, of the truth",
        "log_loss_of_drawing": "p, of the next drawing",
        "log_loss_of_drawing_blurred": "blur(p), of the next drawing",
    }
    return rows.groupby(["case", "title"], sort=False)[list(names)].mean().rename(columns=names)


def findings(compared, against_one_hot, cases):
    """What was found in each case, as a Markdown list: the best target by Dice, and its differences.

    Args:
        compared: `Comparison` with one-hot + Dice.
        against_one_hot: `Comparison` with one-hot.
        cases: DataFrame of `cases.csv`.
    """
    ratio = cases.set_index("case")["error_over_width"]
    items = []
    for case in sorted(compared.cases, key=ratio.get):
        means = compared.means[(compared.means["case"] == case) & (compared.means["metric"] == HEADLINE[0])]
        best = means.loc[means["mean"].idxmax()]
        where = f"**{case}** (error / width {ratio[case]:.2f})"
        text = f"{where}: the highest Dice, {best['mean']:.3f}, is that of {best['title']}"
        items.append(f"- {text}. {_against(compared, case, best)} {_against(against_one_hot, case, best)}")
    return "\n".join(items)


def _against(compared, case, best):
    """A sentence on the differences of a target to the baseline of a `Comparison`."""
    title = compared.targets.loc[compared.baseline, "title"]
    if best["target"] == compared.baseline:
        return f"That is {title} itself."
    table = compared.differences
    part = table[(table["case"] == case) & (table["target"] == best["target"])].set_index("metric")
    words = []
    for metric in HEADLINE:
        row = part.loc[metric]
        verdict = {"better": ", significantly better", "worse": ", significantly worse", "": ", not told apart"}
        interval = f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
        words.append(f"{METRICS[metric].label.removesuffix(' without background')} {interval}{verdict[row['verdict']]}")
    return f"Against {title}: {'; '.join(words)}."
