"""Real images with true masks, drawn by simulated people: when which target pays."""

import numpy as np
import pandas as pd

from thesis_lib.metrics.aggregation import METRICS
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import markdown, segmentation_runs
from thesis_lib.study.committed_sweeps import DIGITS, read_differences
from thesis_lib.study.comparison import Comparison
from thesis_lib.study.segmentation_runs import TITLES
from thesis_lib.study.segmentation_tables import MARKED, VERDICTS, in_words

REFERENCE = REPOSITORY / "reports/reference/real_images"
BY_IMAGES = REPOSITORY / "reports/reference/real_images_count"  # the same case with other numbers of training images
HEADLINE = ("mean_dice_foreground", "surface_distance", "log_loss")
SHOWN = (*HEADLINE, "surface_distance_median", "ece_band", "nothing_found")  # with intervals, in notebook 13
MAIN = ("one_hot_dice", "one_hot", "shift", "one_hot_dice, bias taken out of labels")  # pictured in notebook 13
BASELINES = ("one_hot_dice", "one_hot")  # what most people train with, and the loss that has no bias of its own
SEEDS = 5  # of each case before any result was seen
MARKS = "Bold scores are significantly better than those of one-hot + Dice, scores in italics significantly worse."


def families(rows, level=0.95, resamples=20000):
    """Paired differences of the targets to each of BASELINES in the HEADLINE metrics, each pair once.

    Each case is a question of its own: its comparisons with a baseline are corrected together, apart from others'.

    Args:
        rows: of `segmentation_runs.read`.
        level, resamples: of `Comparison`.

    Returns:
        DataFrame with the columns of `Comparison.paired` and baseline.
    """
    usual, other = BASELINES
    against = [
        _against(usual, rows, level, resamples),
        _against(other, rows[rows["target"] != usual], level, resamples),
    ]
    return pd.concat(against, ignore_index=True)


def _against(baseline, rows, level, resamples):
    """Differences to one baseline, a family a case."""
    tables = [
        Comparison(of_case, baseline, level, resamples, HEADLINE).differences
        for _, of_case in rows.groupby("case", sort=False)
        if of_case["target"].nunique() > 1
    ]
    return pd.concat(tables, ignore_index=True).assign(baseline=baseline)


def gains(differences, cases):
    """Differences to one-hot + Dice beside the error over the width of their case; more is better in every metric.

    Cases with a bias are left out: there the gain is that of knowing the bias.

    Args:
        differences: of `families`.
        cases: DataFrame of `cases.csv`.

    Returns:
        DataFrame: case, error_over_width, target, objective, metric, gain, low, high, seeds, verdict.
    """
    unbiased = cases.loc[cases["bias"] == 0, "case"]
    differences = differences[(differences["baseline"] == BASELINES[0]) & differences["case"].isin(unbiased)]
    return _gains(differences, cases.set_index("case")["error_over_width"])


def gains_by_images(rows, few_and_many, level=0.95, resamples=20000):
    """Differences to one-hot + Dice by number of training images; more is better in every metric.

    Args:
        rows: of `segmentation_runs.read`.
        few_and_many: rows of one of their cases, with other numbers of images.
        level, resamples: of `Comparison`.

    Returns:
        DataFrame as of `gains`, with the number of images instead of error_over_width, and the means over seeds of the
        target and of one-hot + Dice.
    """
    alike = [rows[name].isin(few_and_many[name]) for name in ("data", "error", "target")]
    rows = rows[np.logical_and.reduce(alike)]
    both = pd.concat([rows, few_and_many], ignore_index=True)
    table = _gains(
        _against(BASELINES[0], both, level, resamples), both.groupby("case")["train_scenes"].first().rename("images")
    )
    means = both.groupby(["case", "target"])[list(HEADLINE)].mean()
    of_target = [means.loc[(row.case, row.target), row.metric] for row in table.itertuples()]
    of_baseline = [means.loc[(row.case, BASELINES[0]), row.metric] for row in table.itertuples()]
    return table.assign(mean=of_target, mean_of_baseline=of_baseline)


def sentences_by_images(table):
    """What `gains_by_images` found in Dice, a sentence for each number of images and target."""
    return [
        f"{row.images:g} training images: {TITLES[row.target]} instead of {TITLES[BASELINES[0]]} changes Dice "
        f"by {_points(row)}."
        for row in table[table["metric"] == HEADLINE[0]].itertuples()
    ]


def _points(row):
    """A gain in Dice in points, with its interval and what it is called."""
    return f"{100 * row.gain:+.1f} points [{100 * row.low:+.1f}, {100 * row.high:+.1f}], {VERDICTS[row.verdict]}"


def _gains(differences, places):
    """Differences to one-hot + Dice, upwards, beside where their case lies, a Series that has a name."""
    up = (differences["metric"].map(lambda name: METRICS[name].better) == "higher").to_numpy()
    turned = {
        places.name: differences["case"].map(places),
        "gain": np.where(up, differences["difference"], -differences["difference"]),
        "low": np.where(up, differences["low"], -differences["high"]),
        "high": np.where(up, differences["high"], -differences["low"]),
    }
    table = differences.assign(**turned).sort_values(places.name)
    return table[["case", places.name, "target", "objective", "metric", "gain", "low", "high", "seeds", "verdict"]]


def by_error(rows, cases):
    """The rows in the order of their case's error over width, the smallest first."""
    ratios = rows["case"].map(cases.set_index("case")["error_over_width"])
    return rows.loc[ratios.sort_values(kind="stable").index].reset_index(drop=True)


def later_seeds(rows, level=0.95, resamples=20000):
    """What the seeds say that were added to a case after its first `SEEDS` were seen, by themselves.

    Args:
        rows: of `segmentation_runs.read`.
        level, resamples: of `Comparison`.

    Returns:
        list of Markdown texts, one for each case with such seeds and each target of `MAIN`.
    """
    found = _against(BASELINES[0], rows[(rows["seed"] >= SEEDS) & rows["target"].isin(MAIN)], level, resamples)
    of_dice = found[found["metric"] == HEADLINE[0]]
    return [
        f"**{row.case}**, the {row.seeds} seeds that were added later, alone: Dice of {row.title} against "
        f"{TITLES[BASELINES[0]]} {in_words(row)}."
        for row in of_dice.itertuples()
    ]


def by_data(gains):
    """What one-hot alone changes in Dice against one-hot + Dice on each data set, a sentence each.

    Args:
        gains: DataFrame of `annotation.measured_gains`.
    """
    return [
        f"{row.data}, error / width {row.error_over_width:.2f}: {_points(row)}"
        for row in gains[gains["target"] == BASELINES[1]].sort_values("error_over_width").itertuples()
    ]


def sizes(rows):
    """How large the targets draw: mean over seeds of the bias (px) and of predicted over true area, by case."""
    table = rows.groupby(["case", "title"], sort=False)[["boundary_bias", "volume_ratio"]].mean()
    return table.rename(columns={"boundary_bias": "bias, px", "volume_ratio": "predicted / true area"})


def two_probabilities(rows):
    """Log loss (nats) of p against the truth, and of p and of what p says of the drawing, against the next drawing."""
    names = {
        "log_loss": "p, of the truth",
        "log_loss_of_drawing": "p, of the next drawing",
        "log_loss_of_drawing_blurred": "annotation probabilities, of the next drawing",
    }
    return rows.groupby(["case", "title"], sort=False)[list(names)].mean().rename(columns=names)


def score_table(rows, differences, cases):
    """Mean scores of each target in each case, a Markdown table, the smallest error over width first.

    How scores are set says whether they differ significantly from one-hot + Dice, see `MARKS`.

    Args:
        rows, differences, cases: as for `findings`.
    """
    labels = [METRICS[name].label for name in HEADLINE]
    verdicts = differences[differences["baseline"] == BASELINES[0]].set_index(["case", "target", "metric"])["verdict"]
    lines = []
    of_targets = rows.groupby(["case", "target", "title"], sort=False)[[*HEADLINE, "boundary_bias"]].mean()
    for case, ratio in cases.sort_values("error_over_width")[["case", "error_over_width"]].itertuples(index=False):
        for (target, title), means in of_targets.loc[case].iterrows():
            marks = [MARKED[verdicts.get((case, target, name), "")] for name in HEADLINE]
            scores = [mark.format(f"{means[name]:.3f}") for mark, name in zip(marks, HEADLINE)]
            lines.append([case, f"{ratio:.2f}", title, *scores, f"{means['boundary_bias']:+.2f}"])
    return markdown.table(["labels", "error / width", "target", *labels, "bias, px"], lines)


def findings(rows, differences, cases):
    """What was found in each case, a sentence each: the target with the highest Dice, and its gains in Dice.

    Args:
        rows: of `segmentation_runs.read`.
        differences: of `families`.
        cases: DataFrame of `cases.csv`.

    Returns:
        list of Markdown texts, the smallest error over width first.
    """
    means = rows.groupby(["case", "target"])[HEADLINE[0]].mean()
    titles = dict(zip(rows["target"], rows["title"]))
    sentences = []
    for case, ratio in cases.sort_values("error_over_width")[["case", "error_over_width"]].itertuples(index=False):
        best = means[case].idxmax()
        where = f"**{case}** (error / width {ratio:.2f})"
        of_best = differences[(differences["case"] == case) & (differences["target"] == best)]
        of_dice = of_best[of_best["metric"] == HEADLINE[0]]
        gains = "; ".join(f"against {titles[row.baseline]} {in_words(row)}" for row in of_dice.itertuples())
        sentences.append(f"{where}: {titles[best]} has the highest Dice, {means[case, best]:.3f}; {gains}.")
    return sentences


def without_dice(rows, differences, cases):
    """Where the gain comes from, a sentence for each case in which one-hot is better than one-hot + Dice.

    Beside the targets without a Dice loss stands the one whose Dice loss is against expected labels.

    Args:
        rows, differences, cases: as for `findings`.

    Returns:
        list of Markdown texts, the smallest error over width first.
    """
    titles, usual = dict(zip(rows["target"], rows["title"])), BASELINES[0]
    against = differences[differences["baseline"].eq(usual) & ~differences["target"].str.contains("^dice|,")]
    sentences = []
    for case in cases.sort_values("error_over_width")["case"]:
        of_case = against[against["case"] == case].set_index(["metric", "target"])
        dice, log_loss = of_case.loc[HEADLINE[0]], of_case.loc["log_loss"]
        if dice.loc["one_hot", "verdict"] != "better":
            continue
        gains = (
            f"{titles[target]} {100 * row['difference']:+.1f}{'' if row['verdict'] else ' (not significant)'}"
            for target, row in dice.sort_values("difference", ascending=False).iterrows()
        )
        lower = [titles[target] for target in log_loss.index[log_loss["verdict"] == "better"]]
        sentences.append(
            f"**{case}**: points of Dice more than {titles[usual]}: "
            f"{', '.join(gains)}. Log loss is significantly lower for {', '.join(lower) or 'none of them'}."
        )
    return sentences


def write():
    """Write differences.csv and by_images.csv of the committed sweeps."""
    rows = segmentation_runs.read(REFERENCE / "runs")
    families(rows).to_csv(REFERENCE / "differences.csv", index=False, float_format=DIGITS)
    by_images = gains_by_images(rows, segmentation_runs.read(BY_IMAGES / "runs"))
    by_images.to_csv(REFERENCE / "by_images.csv", index=False, float_format=DIGITS)


def committed():
    """(rows, differences, cases) of the committed sweep."""
    cases = pd.read_csv(REFERENCE / "cases.csv")
    return segmentation_runs.read(REFERENCE / "runs"), read_differences(REFERENCE.name), cases


def committed_by_images():
    """`gains_by_images` of the committed sweeps."""
    return pd.read_csv(REFERENCE / "by_images.csv", keep_default_na=False)


def section():
    """What RESULTS.md says of the committed sweep, in Markdown."""
    rows, differences, cases = committed()
    first = rows.iloc[0]
    better, worse = ((differences["verdict"] == verdict).sum() for verdict in ("better", "worse"))
    head = (
        f"Nuclei in {len(first['per_scene']['log_loss'])} test images with true masks. The labels of "
        f"{first['train_scenes']} training images are drawn by simulated radiologists (notebook 12). "
        f"{len(rows)} trainings of a U-Net with {first['width']} filters in its first layer. "
        f"{len(differences)} comparisons with one-hot + Dice or one-hot alone: {better} significantly better, {worse} "
        "significantly worse. Those of one case with one of the two are corrected together."
    )
    link = (
        "[Notebook 13](notebooks/13_real_images.ipynb) shows them. "
        "[differences.csv](reports/reference/real_images/differences.csv) has every difference."
    )
    title = "## Real images, drawn by simulated radiologists"
    table = f"Means over seeds. {MARKS}\n\n{score_table(rows, differences, cases)}"
    by_images = sentences_by_images(committed_by_images())
    of_cases = [*findings(rows, differences, cases), *without_dice(rows, differences, cases), *later_seeds(rows)]
    found = markdown.bullets([*of_cases, *by_images, link])
    return "\n\n".join([title, head, table, found]) + "\n"
