"""Training on one person's drawings, judged by another's: cross-validated runs, and people themselves, compared."""

import numpy as np
import pandas as pd
from scipy import stats

from thesis_lib import checks
from thesis_lib.annotation.advice import USUAL
from thesis_lib.annotation.widths import PLACE, object_widths, of_typical_pixel, with_errors
from thesis_lib.metrics.aggregation import METRICS
from thesis_lib.paths import REPOSITORY
from thesis_lib.segmentation.run import Run
from thesis_lib.study import markdown
from thesis_lib.study.rows import read_rows, read_scenes
from thesis_lib.study.run_statistics import with_verdicts
from thesis_lib.study.segmentation_tables import in_words, with_intervals
from thesis_lib.targets.objectives import OBJECTIVES

REFERENCE = REPOSITORY / "reports/reference/vessels"
PERSON = "other observer"  # the target of rows that are a person's own masks
SCORES = {  # label, and which is better; the log loss is of a forecast of the judge's drawing
    "dice": ("Dice", "higher"),
    "surface_distance": (METRICS["surface_distance"].label, "lower"),
    "log_loss": ("log loss of the judge's drawing, nats", "lower"),
}
SIZES = {"boundary_bias": "bias, px", "volume_ratio": "predicted / drawn area"}
LABELS = {**{name: label for name, (label, _) in SCORES.items()}, **SIZES}
JUDGED, MOVED = "trained on the judge", "bias taken out of labels"
TUNED, BLURRED = "threshold chosen on the judge's masks", "blurred afterwards"  # rivals that cost no training


def read(folder, runs=None):
    """Scores of every test image of a cross-validated sweep, of networks, of their cheap rivals, and of people.

    A network that is trained by a likelihood states the true map; the drawing is forecast by its annotation
    probabilities. Other networks state what is drawn. Rivals are networks of other objectives whose threshold is tuned
    on the gold images, or whose probabilities are blurred by the prior.

    Args:
        folder: of runs on a folder of images with `folds` and a `judge`.
        runs: names of the runs that are wanted; None: all.

    Returns:
        DataFrame with a row for each target, judge and image: objective, how (it differs), target (both), title, judge,
        fold, raster, and the scores of `LABELS`.

    Raises:
        ValueError: if a run is of scenes or has no judge, or the folds of a target do not have different images.
    """
    rows = read_rows(folder, ("objective", "seed", "judge", "folds", "fold", "annotators"), runs)
    parts = []
    for row, images in zip(rows.to_dict("records"), read_scenes(folder, rows["run"], ("raster", *LABELS))):
        if images is None:
            continue
        if row["judge"] is None or not row["folds"]:
            raise ValueError(f"results must be of runs with folds and a judge; got {row['run']!r}")
        parts += _of_run(row, images)
    table = pd.concat(parts, ignore_index=True)
    table = table[~(table.duplicated() & (table["objective"] == PERSON))]  # every run of a fold holds the people's
    table["target"] = [", ".join(filter(None, pair)) for pair in zip(table["objective"], table["how"])]
    titles = table["objective"].map({name: one.title for name, one in OBJECTIVES.items()}).fillna(table["objective"])
    table["title"] = [", ".join(filter(None, pair)) for pair in zip(titles, table["how"])]
    twice = table[table.duplicated(["target", "judge", "raster"])]
    if len(twice):
        first = twice.iloc[0]
        raise ValueError(
            f"results must hold one run for each image, target and judge; got several of {first['raster']!r} for "
            f"{first['title']!r} judged by {first['judge']!r}"
        )
    return table


def keep(folder, into):
    """Write cases.csv: how large each observer's errors are beside what they drew, from the first run of each.

    A row has annotator, images, and medians over the pixels of the objects: width, diameter, error (px) and
    error_over_width.

    Args:
        folder: of the runs; their images must be there.
        into: folder, made if missing.
    """
    rows, cases = read_rows(folder, ("annotators", "provenance")), []
    rows["annotator"] = rows["annotators"].map(", ".join)
    for annotator, of_annotator in rows[rows["annotators"].map(len) == 1].groupby("annotator"):
        run = Run(**of_annotator.iloc[0]["provenance"]["parameters"])
        prior, drawn = run.task.prior("population"), list(run.task.splits.train.drawn_by(annotator))
        of_objects = with_errors(object_widths(drawn, run.task.background), prior)
        medians = {name: of_typical_pixel(of_objects, name) for name in PLACE}
        cases.append({"annotator": annotator, "images": len(drawn), **medians})
    into.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(cases).to_csv(into / "cases.csv", index=False, float_format="%.4g")


def _of_run(row, images):
    """DataFrames of a run's network, of its rivals, and of the people who drew the test images."""
    common = {"judge": row["judge"], "fold": row["fold"], "raster": images["raster"]}
    common["gold_images"] = row.get("gold_images")  # on which a threshold is tuned
    plain = {name: images[name] for name in LABELS}
    blurred = {**plain, "log_loss": images.get("log_loss_blurred", np.nan)}
    tuned = {name: images.get(f"{name}_tuned", np.nan) for name in LABELS}
    how = JUDGED if row["annotators"] == [row["judge"]] else MOVED if row.get("bias_against") == "judge" else ""
    likelihood = OBJECTIVES[row["objective"]].likelihood
    variants = {how: blurred if likelihood else plain}
    if not likelihood and not how:
        variants |= {TUNED: tuned, BLURRED: {**dict.fromkeys(LABELS, np.nan), "log_loss": blurred["log_loss"]}}
    parts = [
        pd.DataFrame({"objective": row["objective"], "how": how, **common, **one}) for how, one in variants.items()
    ]
    for name in row.get("scores_of_annotators") or {}:
        scores = {score: images.get(f"{score} of {name}", np.nan) for score in LABELS}
        parts.append(pd.DataFrame({"objective": PERSON, "how": "", **common, **scores}))
    return parts


def between_people(table):
    """Mean surface distance between people (px), over all images and judges."""
    return table.loc[table["objective"] == PERSON, "surface_distance"].mean()


def complete(table):
    """The rows of targets that have scores of every image by every judge, and so can be compared."""
    count = table.groupby("target")["raster"].transform("size")
    return table[count == table.groupby(["judge", "raster"]).ngroups]


def means(table):
    """Mean of each score over images, then over judges: DataFrame by title, labelled; the best Dice first.

    Bias and area are given by judge, as those of one who draws more and of one who draws less would cancel out.
    """
    of_judges = table.groupby(["title", "judge"], sort=False)[list(LABELS)].mean()
    average = of_judges[list(SCORES)].groupby("title", sort=False).mean().sort_values("dice", ascending=False)
    average = average.rename(columns=LABELS)
    for name, label in SIZES.items():
        for judge, values in of_judges[name].unstack().items():
            average[f"{label}, judge {judge}"] = values
    return average.rename_axis(None)


def differences(table, baseline, level=0.95):
    """Paired differences of all targets to a baseline, with intervals over folds, corrected together (Holm).

    Each fold gives one difference: the mean over its test images and over judges. Networks of different folds share
    most of their training images, so the variance of the mean is enlarged: 1/k becomes 1/k + 1/(k - 1) for k folds (the
    corrected resampled t-test: Nadeau and Bengio, Machine Learning, 2003).

    Args:
        table: of `read`; targets that are not `complete` are left out, and so are people.
        baseline: a target.
        level: of the intervals.

    Returns:
        (DataFrame, DataFrame): target, objective, how, title, metric, folds, difference (target minus baseline), low,
        high, p_value, p_holm, verdict ("better", "worse" or ""); and target, metric, fold, difference.

    Raises:
        ValueError: if the baseline is not there.
    """
    table = complete(table[table["objective"] != PERSON])
    checks.one_of("baseline", baseline, table["target"].unique())
    checks.real("level", level, 0.0, 1.0, open_low=True)
    named = table.drop_duplicates("target").set_index("target")[["objective", "how", "title"]]
    of_folds = table.groupby(["target", "fold"], sort=False)[list(SCORES)].mean()
    records, single = [], []
    for target in named.index.drop(baseline):
        apart = of_folds.loc[target] - of_folds.loc[baseline]
        for metric in SCORES:
            values = apart[metric].dropna()
            if values.empty:
                continue
            single += [{"target": target, "metric": metric, "fold": i, "difference": v} for i, v in values.items()]
            records.append({"target": target, **named.loc[target], "metric": metric, **_corrected(values, level)})
    found = pd.DataFrame(records)
    better = {name: which for name, (_, which) in SCORES.items()}
    return with_verdicts(found, better, level), pd.DataFrame(single)


def _corrected(values, level):
    """Mean of one value a fold with the interval and p-value of the corrected resampled t-test."""
    k, mean = len(values), float(values.mean())
    error = float(np.sqrt((1 / k + 1 / (k - 1)) * values.var(ddof=1))) if k > 1 else np.nan
    half = stats.t.ppf((1 + level) / 2, k - 1) * error if k > 1 else np.nan
    p_value = float(2 * stats.t.sf(abs(mean) / error, k - 1)) if error > 0 else np.nan
    return {"folds": k, "difference": mean, "low": mean - half, "high": mean + half, "p_value": p_value}


def side_by_side(table):
    """Differences with their intervals and verdicts, a row for each target, a column for each score."""
    text = [f"{difference} {verdict}".rstrip() for difference, verdict in zip(with_intervals(table), table["verdict"])]
    cells = table.assign(text=text, metric=table["metric"].map(LABELS))
    return (
        cells.set_index(["title", "metric"])["text"]
        .unstack(sort=False)
        .rename_axis(index=None, columns=None)
        .fillna("")
    )


def findings(images, table, baseline):
    """What was found, a sentence each, in Markdown: the targets with the best scores, their differences, and people.

    Args:
        images: of `read`.
        table: of `differences`.
        baseline: the target that was subtracted.
    """
    average = means(complete(images))
    titles = images.drop_duplicates("target").set_index("target")["title"]
    networks = average.drop(index=PERSON, errors="ignore")
    fair = networks[[JUDGED not in title for title in networks.index]]
    sentences = [f"{images['raster'].nunique()} images of {images['fold'].nunique()} folds are compared."]
    for name, (label, better) in SCORES.items():
        scores = fair[label].dropna()
        best = scores.idxmax() if better == "higher" else scores.idxmin()
        extreme = "highest" if better == "higher" else "lowest"
        text = f"**{label[:1].upper()}{label[1:]}**: {best} has the {extreme}, {scores[best]:.3f}"
        found = table[(table["metric"] == name) & (table["title"] == best)]
        if len(found):
            text += f"; {titles[baseline]} has {scores[titles[baseline]]:.3f} ({in_words(found.iloc[0])})"
        sentences.append(f"{text}.")
    dice, (best, *_) = average[LABELS["dice"]], fair.index
    if PERSON in average.index:
        sentences.append(
            f"The {PERSON} has a Dice of {dice[PERSON]:.3f} by the judge's masks, {best} has {dice[best]:.3f}."
        )
    judged = [title for title in networks.index if JUDGED in title]
    if judged:
        scores = ", ".join(f"{networks.loc[judged[0], label]:.3f} ({label})" for label, _ in SCORES.values())
        sentences.append(f"The ceiling, {judged[0]}, has {scores}.")
    return sentences


def committed():
    """(images, differences to one-hot + Dice) of the committed sweep."""
    images = read(REFERENCE / "runs")
    return images, differences(images, USUAL)[0]


def section():
    """What RESULTS.md says of the committed sweep, in Markdown."""
    images, table = committed()
    networks = images[images["objective"] != PERSON]
    better, worse = ((table["verdict"] == verdict).sum() for verdict in ("better", "worse"))
    head = (
        f"Vessels in {images['raster'].nunique()} photographs of retinas, drawn by two observers (STARE; Hoover et "
        "al., 2000). Networks learn from one observer and are judged by the other, both ways, in "
        f"{images['fold'].nunique()} folds; {networks['target'].nunique()} targets and rivals. "
        f"A threshold is chosen on {int(networks['gold_images'].max())} of the judge's masks of training images. "
        f"{len(table)} comparisons with one-hot + Dice, corrected together: {better} significantly better, {worse} "
        "significantly worse."
    )
    average = means(complete(images))
    lines = [[title, *("" if np.isnan(v) else f"{v:.3f}" for v in row)] for title, *row in average.itertuples()]
    link = "[Notebook 15](notebooks/15_compare_drawings.ipynb) shows them."
    parts = ["## Vessels, drawn by two people", head, markdown.table(["target", *average.columns], lines)]
    return "\n\n".join([*parts, markdown.bullets([*findings(images, table, USUAL), link])]) + "\n"
