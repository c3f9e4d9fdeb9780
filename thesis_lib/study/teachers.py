"""Few labels, imprecisely drawn: teachers of segmentation beside trainings on the labelled images alone and on all."""

import pandas as pd

from thesis_lib.metrics.aggregation import METRICS
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import comparison, markdown, real_images, run_statistics, segmentation_runs
from thesis_lib.study.committed_sweeps import DIGITS
from thesis_lib.study.segmentation_tables import MARKS, as_markdown, in_words

REFERENCE = REPOSITORY / "reports/reference/teacher"
TEACHERS = (
    "shift, mean teacher, 20 labelled",
    "shift, Bayesian teacher, 20 labelled",
    "forward_expected_dice, Bayesian teacher, 20 labelled",
)
OTHERS = (  # what they are compared with
    "one_hot_dice, mean teacher, 20 labelled",  # known methods
    "one_hot, mean teacher, 20 labelled",  # without the Dice loss
    "one_hot_dice, FixMatch with CutMix, 20 labelled",
    "one_hot_dice, cross pseudo supervision, 20 labelled",
    "forward_expected_dice, mean teacher, 20 labelled",  # the target of the Bayesian teacher, without its votes
    "shift, mean teacher, 20 labelled",
    "shift, mean teacher, consistency weight 0, 20 labelled",  # the average of the weights alone
    "one_hot_dice, mean teacher, consistency weight 0, 20 labelled",
    "one_hot_dice, 20 labelled",  # what most people train with, on the labelled images alone
    "shift, 20 labelled",  # the best target on them
    "one_hot_dice, 200 labelled",  # and what they would get if somebody labelled the others, too
    "one_hot, 200 labelled",
    "shift, 200 labelled",
)
ALONE = (
    real_images.BY_IMAGES,
    real_images.REFERENCE,
    REPOSITORY / "reports/reference/real_images_average",
)  # trainings on labels alone
HEADLINE = real_images.HEADLINE
OBJECTIVES = ("one_hot_dice", "one_hot", "shift")  # of the trainings on labels alone


def read(folder, *alone):
    """The rows of a sweep over methods for few labels, and of trainings on labels alone, as one case.

    Args:
        folder: of the runs by methods for few labels.
        alone: folders of supervised runs by `OBJECTIVES` with several numbers of training images, all labelled; those
            on the same data with the same errors count.

    Returns:
        DataFrame as of `segmentation_runs.read`; `labelled` is the number of labelled images of each run, and how says
        it.
    """
    taught = segmentation_runs.read(folder)
    supervised = pd.concat([segmentation_runs.read(one) for one in alone], ignore_index=True)
    alike = [supervised[name].isin(taught[name]) for name in ("data", "error")]
    supervised = supervised[alike[0] & alike[1] & supervised["objective"].isin(OBJECTIVES)].copy()
    supervised["labelled"] = supervised["train_scenes"]
    labelled = supervised["labelled"].map("{:g} labelled".format)
    supervised["how"] = supervised["how"].map(lambda how: f"{how}, " if how else "") + labelled
    for name in ("target", "title"):
        supervised[name] += ", " + labelled
    rows = pd.concat([taught, supervised], ignore_index=True)
    rows["case"] = taught["case"].iloc[0]
    rows["labelled"] = rows["labelled"].astype(int)
    return rows


def differences(rows, teacher, level=0.95, resamples=20000):
    """Each of OTHERS minus a teacher, paired by seed and test image, corrected together.

    Args:
        rows: of `read`.
        teacher: one of TEACHERS.
        level, resamples: of `Comparison`.

    Returns:
        DataFrame as of `Comparison.paired`.
    """
    kept = rows[rows["target"].isin((teacher, *OTHERS))]
    return comparison.Comparison(kept, teacher, level, resamples, HEADLINE).differences


def seed_differences(rows, teacher):
    """The same differences of each seed, as `figures.paired_differences` takes them."""
    kept = rows[rows["target"].isin((teacher, *OTHERS))]
    return comparison.Comparison(kept, teacher).seed_differences(HEADLINE)


def by_labels(rows, level=0.95):
    """Mean scores with their intervals over seeds by number of labelled images, as `figures.lines` takes them.

    Args:
        rows: of `read`.
        level: of the intervals.

    Returns:
        DataFrame: labelled, objective, how (the method), target, metric, mean, low, high.
    """
    how = rows["how"].str.replace(r"(, )?\d+ labelled$", "", regex=True)
    targets = [", ".join(filter(None, pair)) for pair in zip(rows["objective"], how)]
    rows = rows.assign(how=how, target=targets)
    table = run_statistics.means(rows, ["labelled", "objective", "how", "target"], level)
    return table[table["metric"].isin(HEADLINE)]


def sentences(table):
    """How much Dice each training of `differences` has more than the teacher, the highest first."""
    of_dice = table[table["metric"] == HEADLINE[0]].sort_values("difference", ascending=False)
    return [
        f"{row.title[0].upper()}{row.title[1:]}: {in_words(row)}, on {row.seeds} shared seeds."
        for row in of_dice.itertuples()
    ]


def committed():
    """The rows of the committed sweeps."""
    return read(REFERENCE / "runs", *(folder / "runs" for folder in ALONE))


def section():
    """What RESULTS.md says of the committed sweep, in Markdown."""
    rows = committed()
    means = rows.groupby(["title", "labelled"], sort=False)[[*HEADLINE, "boundary_bias"]].mean()
    seeds = rows.groupby(["title", "labelled"], sort=False)["seed"].nunique()
    lines = [
        [
            title.removesuffix(f", {labelled} labelled"),
            f"{labelled}",
            *(f"{one[name]:.3f}" for name in HEADLINE),
            f"{one['boundary_bias']:+.2f}",
            f"{count}",
        ]
        for ((title, labelled), one), count in zip(means.iterrows(), seeds)
    ]
    labels = [METRICS[name].label for name in HEADLINE]
    columns = ["training", "labelled images", *labels, "bias, px", "seeds"]
    table = markdown.table(columns, sorted(lines, key=lambda line: (int(line[1]), line[2])))
    head = (
        "Nuclei at a third of the resolution, drawn with twice the radiologists' errors. Of 200 training images, 20 "
        "are labelled. A *mean teacher* (an average of the network's weights) teaches the network on the others. The "
        "labels are learned by the loss that is named. The *Bayesian teacher* first replaces each label by its "
        "posterior: the probabilities of the true classes, given the annotators' error and the teacher's prediction. "
        "Means are over all seeds, differences over the shared ones."
    )
    minus = (
        f"Differences of other trainings to **{title_of(rows, TEACHERS[0])}**, with 95% intervals, corrected together. "
        f"{MARKS}"
    )
    compared = as_markdown(committed_differences())
    link = (
        "[Notebook 16](notebooks/16_bayesian_teacher.ipynb) shows them, and the differences to the Bayesian teachers."
    )
    return "\n\n".join(["## What a label is worth", head, table, of_average(rows), minus, compared, link]) + "\n"


def of_average(rows):
    """The best teacher's Dice beside that without its loss on unlabelled images and on labels alone, in a sentence."""
    best = TEACHERS[0]
    objective, method, labels = best.split(", ")
    compared = [f"{objective}, {labels}", f"{objective}, {method}, consistency weight 0, {labels}", best]
    dice = rows.pivot(index="seed", columns="target", values=HEADLINE[0])[compared].dropna()
    alone, average, taught = dice.mean()
    return (
        f"On the {len(dice)} shared seeds the {segmentation_runs.TITLES[objective]} has a Dice of {alone:.3f} on the "
        f"labels alone, {average:.3f} where the average of the weights predicts, and {taught:.3f} where images without "
        "a label are used as well."
    )


def write_differences():
    """Write differences.csv of the committed sweep: those to the first of TEACHERS."""
    differences(committed(), TEACHERS[0]).to_csv(REFERENCE / "differences.csv", index=False, float_format=DIGITS)


def committed_differences():
    """The table of `write_differences`."""
    return pd.read_csv(REFERENCE / "differences.csv", keep_default_na=False)


def title_of(rows, target):
    """The title of a target of `read`."""
    return rows.loc[rows["target"] == target, "title"].iloc[0]
