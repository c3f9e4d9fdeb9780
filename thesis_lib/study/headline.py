"""What the project found, in a few sentences and a table: when a training target pays, from the committed rows."""

import pandas as pd

from thesis_lib.annotation.advice import USUAL, measured_gains
from thesis_lib.study import real_images, teachers, two_observers
from thesis_lib.study.classification_tables import joined
from thesis_lib.study.segmentation_tables import VERDICTS
from thesis_lib.study.thresholds import BEST
from thesis_lib.targets.objectives import OBJECTIVES

DICE = "mean_dice_foreground"
PEOPLE = "radiologists' errors x 1,"  # how cases start in which annotators err as people do
BIAS_TAKEN_OUT = "one_hot_dice, bias taken out of labels"


def sentences(gains=None, differences=None, cases=None):
    """When a target pays, in a few sentences; in two where the committed rows are not here, as in an installed package.

    Args:
        gains: of `measured_gains`; None: those.
        differences, cases: of `real_images.committed`; None: those.

    Returns:
        list of str.

    Example:
        >>> print(*sentences(), sep="\\n")
    """
    gains = measured_gains() if gains is None else gains
    said = [_where_it_does_not(gains), _where_it_does(gains)]
    if differences is None or cases is None:
        if not real_images.REFERENCE.is_dir():
            return said
        _, differences, cases = real_images.committed()
    no_dice = _of_no_dice(differences, cases)
    more = _of_more_images(real_images.committed_by_images())
    taught = _of_teachers(teachers.committed(), teachers.committed_differences())
    people = _of_people(*two_observers.committed())
    return [*said, no_dice, more, _of_bias(differences, cases), taught, people]


def table(gains=None):
    """All measured gains, the smallest error over width first.

    Args:
        gains: of `measured_gains`; None: those.

    Returns:
        DataFrame of texts: data, error / width, target, gain in Dice in points, 95% interval, seeds or folds, verdict.
    """
    gains = measured_gains() if gains is None else gains
    points = 100 * gains[["gain", "low", "high"]]
    named = {
        "data": gains["data"],
        "error / width": gains["error_over_width"].map("{:.2f}".format),
        "training target": gains["target"].map(_title),
        "gain in Dice, points": points["gain"].map("{:+.1f}".format),
        "95% interval": [f"[{low:+.1f}, {high:+.1f}]" for low, high in zip(points["low"], points["high"])],
        "seeds or folds": gains["seeds"].map("{:.0f}".format),
        "verdict": gains["verdict"].map(VERDICTS),
    }
    return pd.DataFrame(named)


def short_table(gains):
    """The same in fewer columns, in Markdown: gains with their intervals, in bold where they are significant."""
    rows = table(gains)
    gain = rows.pop("gain in Dice, points") + " " + rows.pop("95% interval")
    significant = rows.pop("verdict") == VERDICTS["better"]
    rows["gain in Dice, points, and 95% interval"] = gain.where(~significant, "**" + gain + "**")
    return rows.drop(columns="seeds or folds")


def _title(target):
    return OBJECTIVES[target].title


def _interval(row):
    """A gain in Dice with its interval, in points."""
    return f"{100 * row['gain']:+.1f} points (95% interval {100 * row['low']:+.1f} to {100 * row['high']:+.1f})"


def _points(row):
    """A difference in Dice with its interval, in points, and what it is called."""
    return (
        f"{100 * row['difference']:+.1f} points [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}] "
        f"({VERDICTS[row['verdict']]})"
    )


def _where_it_does_not(gains):
    """Below which error over width no target was better than the usual one."""
    better = gains.loc[gains["verdict"] == "better", "error_over_width"]
    small = gains[gains["error_over_width"] < better.min()] if len(better) else gains
    if small.empty:
        return f"A training target was significantly better than {_title(USUAL)} on all data that were measured."
    own = small[small["case"].str.startswith(PEOPLE)]
    said = (
        f"Where annotators share no bias and err by at most {small['error_over_width'].max():.2f} of the objects' "
        f"width, no training target had a significantly higher Dice than {_title(USUAL)}."
    )
    if own.empty:
        return said
    return f"{said} Radiologists' own errors on nuclei are {own['error_over_width'].iloc[0]:.2f} of the width."


def _where_it_does(gains):
    """The largest gain that is significant, for each error over width at which there is one."""
    better = gains[gains["verdict"] == "better"]
    if better.empty:
        return "No training target had a significantly higher Dice on any data."
    best = better.loc[better.groupby("error_over_width")["gain"].idxmax()]
    said = []
    for target, rows in best.groupby("target", sort=False):
        first, *others = (row for _, row in rows.iterrows())
        by = [f"by {_interval(first)} at an error of {first['error_over_width']:.2f} of the width"]
        by += [
            f"by {100 * row['gain']:+.1f} ({100 * row['low']:+.1f} to {100 * row['high']:+.1f}) at "
            f"{row['error_over_width']:.2f}"
            for row in others
        ]
        errors = {case.partition(", ")[0] for case in rows["case"]}
        under = f" with {min(errors)}" if len(errors) == 1 else ""
        said.append(f"The {_title(target)} raised Dice significantly{under}: {', '.join(by)}.")
    larger = gains.loc[gains["error_over_width"] > better["error_over_width"].min(), "error_over_width"]
    without = [f"{ratio:.2f}" for ratio in sorted(set(larger) - set(better["error_over_width"]))]
    if without:
        said.append(f"At {joined(without)} none did.")
    return " ".join(said)


def _of_no_dice(differences, cases):
    """How much of the gain one-hot alone has, and what a likelihood adds to it, where one-hot alone is better.

    And whether a Dice loss against expected labels gains as much as none.
    """
    indexed = differences.set_index(["metric", "baseline", "target", "case"]).sort_index()
    dice, log_loss = indexed.loc[DICE], indexed.loc["log_loss"]
    against = dice.loc[USUAL, "one_hot"]
    ratios = cases[cases["bias"] == 0].set_index("case")["error_over_width"].sort_values()
    shown = [case for case in ratios.index if against["verdict"].get(case) == "better"]
    if not shown:
        return "One-hot cross-entropy, without a Dice loss, had no significantly higher Dice on nuclei."
    gains = joined(f"{100 * against['difference'][case]:+.1f} points at {ratios[case]:.2f}" for case in shown)
    more = dice.loc["one_hot", BEST].loc[shown]
    added = joined(f"{100 * row.difference:+.1f}" for row in more.itertuples())
    sure = [f"{ratios[row.Index]:.2f}" for row in more.itertuples() if row.verdict == "better"]
    significant = f"significant at {joined(sure)}" if sure else "not significant"
    expected = dice.loc[USUAL, "forward_expected_dice"]
    kept = [case for case in shown if expected["verdict"].get(case) == "better"]
    with_dice = joined(f"{100 * expected['difference'][case]:+.1f} at {ratios[case]:.2f}" for case in kept)
    as_much = f" The {_title('forward_expected_dice')}, which keeps a Dice loss, gains {with_dice}." if kept else ""
    lower = [f"{ratios[case]:.2f}" for case in shown if log_loss["verdict"][USUAL, BEST, case] == "better"]
    return (
        f"One-hot cross-entropy, without a Dice loss, gains {gains}.{as_much} The {_title(BEST)} has {added} more than "
        f"one-hot ({significant}). It lowers log loss significantly at {joined(lower) if lower else 'none of these'}."
    )


def _of_more_images(table):
    """How the gain of the target that gains most grows with the number of labelled images."""
    of_dice = table[table["metric"] == DICE]
    best = of_dice.loc[of_dice["gain"].idxmax(), "target"]
    part = of_dice[of_dice["target"] == best].sort_values("images")
    most = part.iloc[-1]
    few = part[part["mean"] >= most["mean_of_baseline"]].iloc[0]
    points = ", ".join(
        f"{100 * row.gain:+.1f} with {row.images}{'' if row.verdict else ' (not significant)'}"
        for row in part.itertuples()
    )
    return (
        f"The gain of the {_title(best)} grows with the training images: {points}. Its Dice with {few['images']} is "
        f"{few['mean']:.3f}, that of {_title(USUAL)} with {most['images']} is {most['mean_of_baseline']:.3f}."
    )


def _of_teachers(rows, differences):
    """What images without a label add to a few labels: the best teacher beside the usual target, taught and not."""
    dice = rows.groupby("target")[DICE].mean()
    best = rows[rows["target"] == teachers.TEACHERS[0]].iloc[0]
    few, many = best["labelled"], best["train_scenes"]
    of_dice = differences[differences["metric"] == DICE].set_index("target")["verdict"]
    said, all_labelled = [], []
    for objective in reversed(teachers.OBJECTIVES):
        target = f"{objective}, mean teacher, {few} labelled"
        verdict = f" ({VERDICTS[of_dice[target]]})" if target in of_dice else ""
        said.append(f"{dice[target]:.3f} by {_title(objective)}{verdict}")
        all_labelled.append(f"{dice[f'{objective}, {many} labelled']:.3f}")
    return (
        f"With {few} of {many} images labelled, a mean teacher has a Dice of {joined(said)}. With all labelled, and no "
        f"teacher, it is {joined(all_labelled)}."
    )


def _of_bias(differences, cases):
    """What taking a known bias out of the labels gained."""
    of_dice = differences[(differences["metric"] == DICE) & (differences["baseline"] == USUAL)]
    taken = of_dice[of_dice["target"] == BIAS_TAKEN_OUT]
    if taken.empty:
        return "No labels with a bias were trained on."
    row = taken.loc[taken["difference"].idxmax()]
    bias = cases.set_index("case")["bias"][row["case"]]
    side = "outside" if bias > 0 else "inside"
    return (
        f"Where annotators drew {abs(bias):g} px too far {side}, the Dice of {_title(USUAL)} changed by {_points(row)} "
        "once this bias, measured on true masks, was taken out of the labels."
    )


def _of_people(images, differences):
    """What was better where one person's drawings were learned and another's were the judge."""
    of_dice = differences[differences["metric"] == "dice"]
    trained = of_dice[(of_dice["how"] == "") & (of_dice["verdict"] == "better")]
    targets = ", ".join(trained["title"]) or "no training target"
    tuned = differences[differences["target"] == f"{USUAL}, {two_observers.TUNED}"].set_index("metric")
    distance, gold = tuned.loc["surface_distance"], images["gold_images"].iloc[0]
    said = (
        f"Where a second person judged (vessels), {targets} had a significantly higher Dice. A threshold chosen on "
        f"{gold} of that person's masks changed the mean surface distance by {distance['difference']:+.2f} px "
        f"({VERDICTS[distance['verdict']]}) and Dice by {_points(tuned.loc['dice'])}."
    )
    moved = of_dice[of_dice["target"] == BIAS_TAKEN_OUT]
    if moved.empty:
        return said
    return f"{said} Taking the bias on them out of the labels changed Dice by {_points(moved.iloc[0])}."
