"""Tables and sentences of a comparison of training targets, for notebook 4 and RESULTS.md."""

import numpy as np
import pandas as pd

from thesis_lib.metrics.aggregation import METRICS
from thesis_lib.study import markdown
from thesis_lib.study.comparison import HEADLINE, LIKE_FOR_LIKE, MEDIAN
from thesis_lib.study.segmentation_runs import COLUMNS, SETTINGS
from thesis_lib.targets import objectives

FORWARD = tuple(LIKE_FOR_LIKE)  # objectives that are a forward likelihood
LABELS = {name: metric.label for name, metric in METRICS.items()}
MARKS = "Bold: significantly better. Italics: significantly worse."
MARKED = {"better": "**{}**", "worse": "*{}*", "": "{}"}
VERDICTS = {"better": "significantly better", "worse": "significantly worse", "": "not significant"}


def write(rows, folder):
    """Write compare_targets.csv, a row a run, and magnitude_sweep.csv, the runs of swept magnitudes if any."""
    folder.mkdir(parents=True, exist_ok=True)
    swept = rows["variant"] == "magnitude"
    for name, part in (("compare_targets", rows[~swept]), ("magnitude_sweep", rows[swept])):
        if len(part):
            part.reindex(columns=COLUMNS).to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")


def sources(rows):
    """What the runs are and where they come from, in Markdown."""
    scenes = len(rows["per_scene"].iloc[0]["log_loss"])
    cases = rows["case"].nunique()
    settings = ", ".join(f"{name} {rows[name].iloc[0]}" for name in SETTINGS if rows[name].map(repr).nunique() == 1)
    text = (
        f"{len(rows)} runs: {rows['target'].nunique()} targets in {cases} case{'s' if cases > 1 else ''}, scored on "
        f"{scenes} test scenes. All have {settings}."
    )
    if "provenance" in rows:
        commits = rows["provenance"].map(lambda record: record["commit"])
        changed = commits.str.endswith("+changes").sum()
        text += (
            f" They were made at {commits.nunique()} commits, {changed} of them with changes that were not committed."
        )
    return text


def overview(compared):
    """Each case of a `Comparison`: runs, targets, epochs, training scenes, seeds, and where the prior comes from."""
    shown = compared.shown
    table = shown.groupby("case", sort=False).agg(
        runs=("run", "size"),
        targets=("target", "nunique"),
        epochs=("epochs", "first"),
        training_scenes=("train_scenes", "first"),
    )
    seeds = shown.groupby(["case", "target"], sort=False).size().groupby("case", sort=False)
    needing = shown["objective"].isin(objectives.objectives_needing("prior")) & (shown["variant"] == "")
    prior = shown[needing].groupby("case")["prior"].agg(lambda kinds: " or ".join(kinds.unique()))
    table = table.assign(fewest_seeds=seeds.min(), most_seeds=seeds.max(), prior=prior.reindex(table.index))
    return table.fillna({"training_scenes": "all", "prior": ""})


def means_of(compared, case, metrics=tuple(METRICS)):
    """Metrics of every target of a case with intervals, the lowest log loss first; fewer seeds are stated."""
    part = compared.means[compared.means["case"] == case]
    bounds = [f" [{low:.3f}, {high:.3f}]" if np.isfinite(low) else "" for low, high in zip(part["low"], part["high"])]
    cells = part.assign(text=part["mean"].map("{:.3f}".format) + bounds)
    table = cells.pivot(index="target", columns="metric", values="text").rename_axis(index=None, columns=None)
    of_log_loss = part[part["metric"] == "log_loss"].sort_values("mean")
    fewer = of_log_loss["seeds"] < of_log_loss["seeds"].max()
    count = of_log_loss["seeds"].map(lambda n: f" ({n} seed{'s' if n > 1 else ''})")
    titles = of_log_loss["title"] + count.where(fewer, "")
    columns = [name for name in metrics if name in table]
    return table.loc[of_log_loss["target"], columns].set_axis(titles.tolist()).rename(columns=LABELS)


def with_intervals(table):
    """Differences and their intervals as texts, such as "-0.026 [-0.035, -0.018]"."""
    bounds = zip(table["difference"], table["low"], table["high"])
    return [f"{difference:+.3f} [{low:+.3f}, {high:+.3f}]" for difference, low, high in bounds]


def in_words(row, digits=3):
    """A difference, its interval and its verdict in words, such as "+0.048 [+0.028, +0.067], significantly better"."""
    return f"{row.difference:+.{digits}f} [{row.low:+.{digits}f}, {row.high:+.{digits}f}], {VERDICTS[row.verdict]}"


def as_markdown(table):
    """Differences of one case in Markdown, a line for each target, marked as `MARKS` says."""
    text = [MARKED[verdict].format(words) for words, verdict in zip(with_intervals(table), table["verdict"])]
    labels = table["metric"].map(LABELS).str.removesuffix(" without background")
    cells = table.assign(text=text, metric=labels).set_index(["title", "metric"])["text"].unstack(sort=False)
    return markdown.table(["training", *cells.columns], cells.reset_index().to_numpy())


def side_by_side(table):
    """Differences with their intervals and verdicts, a row for each case and target, a column for each metric."""
    text = [f"{difference} {verdict}".rstrip() for difference, verdict in zip(with_intervals(table), table["verdict"])]
    cells = table.assign(text=text, target=table["title"], metric=table["metric"].map(LABELS))
    return cells.set_index(["case", "target", "metric"])["text"].unstack(sort=False)


def listed(table, digits=4):
    """Differences with their intervals and p-values, a row for each; digits: of the p-values."""
    columns = ["target", "metric", "seeds", "difference", "p_value", "p_holm", "verdict"]
    cells = table.assign(difference=with_intervals(table), target=table["title"], metric=table["metric"].map(LABELS))
    cells[["p_value", "p_holm"]] = cells[["p_value", "p_holm"]].map(f"{{:.{digits}f}}".format)
    return cells.set_index("case")[columns]


def count(table):
    """How many comparisons a table holds and how many differences are significant, in a sentence."""
    better, worse = ((table["verdict"] == verdict).sum() for verdict in ("better", "worse"))
    return (
        f"{table['p_value'].notna().sum()} comparisons, corrected together (Holm): {better} significantly better, "
        f"{worse} significantly worse."
    )


def pairs(table):
    """Which targets are compared like for like, in a sentence."""
    names = table[["objective", "title"]].drop_duplicates()
    counterparts = names["objective"].map(LIKE_FOR_LIKE).map({k: v.title for k, v in objectives.OBJECTIVES.items()})
    return "; ".join(f"{title} minus {other}" for title, other in zip(names["title"], counterparts)) + "."


def fitted_priors(compared):
    """Sigma and scores in the usual case: with priors fitted on some scenes, the known prior, and the baseline."""
    variants = compared.rows[compared.rows["variant"] == "fitted"]
    if variants.empty:
        return pd.DataFrame()
    runs = compared.of_usual(compared.baseline, *variants["objective"].unique(), *variants["target"].unique())
    columns = ["believed_sigma_low", "believed_sigma_high", *HEADLINE]
    without = ~runs["objective"].isin(objectives.objectives_needing("prior"))
    runs = runs.assign(**{name: runs[name].mask(without) for name in columns[:2]})
    means = runs.groupby("title")[columns].mean().rename_axis(index=None)
    table = means.map("{:.3f}".format).where(means.notna(), "")
    return table.rename(columns={columns[0]: "sigma from, px", columns[1]: "sigma to, px", **LABELS})


def losses(compared):
    """The tested differences in which a forward likelihood loses to the baseline, significant or not."""
    tables = [compared.differences, compared.medians, compared.wrong_prior]
    table = pd.concat([part for part in tables if len(part)] or tables[:1])
    table = table[table["objective"].isin(FORWARD)]
    higher = table["metric"].map(_higher_is_better).astype(bool)
    return table[np.where(higher, table["difference"] < 0, table["difference"] > 0)]


def untested_losses(compared):
    """Means of a forward likelihood that are worse than the baseline's, in metrics that were not tested."""
    tested = (*HEADLINE, *MEDIAN, "nothing_found")
    means = compared.means
    forward = means[means["objective"].isin(FORWARD) & ~means["metric"].isin(tested)]
    baseline = means[means["target"] == compared.baseline]
    both = forward.merge(baseline, on=["case", "metric"], suffixes=("", "_of_baseline"))
    higher = both["metric"].map(_higher_is_better).astype(bool)
    lower = both["mean"] < both["mean_of_baseline"]
    both = both[np.where(higher, lower, both["mean"] > both["mean_of_baseline"])]
    title = f"mean of {compared.targets.loc[compared.baseline, 'title']}"
    means = {"mean": both["mean"].map("{:.3f}".format), title: both["mean_of_baseline"].map("{:.3f}".format)}
    table = both.assign(target=both["title"], metric=both["metric"].map(LABELS), **means)
    return table.set_index("case")[["target", "metric", *means]]


def findings(compared):
    """What was found in each case, as a Markdown list: significant differences, and the intervals that exclude zero."""
    baseline = compared.targets.loc[compared.baseline, "title"]
    paragraphs = []
    for case in compared.cases:
        items = []
        for table, versus in (
            (compared.differences, baseline),
            (compared.medians, baseline),
            (compared.like_for_like, "its counterpart"),
        ):
            of_case = table[table["case"] == case]
            items += [_finding(part, name, versus) for name, part in of_case.groupby("metric", sort=False)]
        bias = compared.shown.loc[compared.shown["case"] == case, "bias"].fillna(0)
        note = (
            " The bias is taken out of the labels of targets that use the prior, not of one-hot's." if any(bias) else ""
        )
        paragraphs.append("\n".join([f"**{case}.**{note}\n", *(f"- {item}" for item in items)]))
    return "\n\n".join(paragraphs)


def _finding(part, metric, versus):
    """What one metric says of one case: significant differences, and intervals that exclude zero."""
    part = part.sort_values("p_value")
    excluding = (part["verdict"] == "") & (np.sign(part["low"]) == np.sign(part["high"]))
    gains = (part["difference"] > 0) == _higher_is_better(metric)
    sentences = []
    for verdict in ("better", "worse"):
        titles = part.loc[part["verdict"] == verdict, "title"]
        if len(titles):
            sentences.append(f"Significantly {verdict} than {versus}: {'; '.join(titles)}.")
    if not sentences:
        sentences.append(f"No significant difference to {versus}.")
    for word, chosen in (("better", part[excluding & gains]), ("worse", part[excluding & ~gains])):
        if len(chosen):
            sentences.append(f"{word.capitalize()} by the interval alone: {'; '.join(chosen['title'])}.")
    return f"{LABELS[metric]}. {' '.join(sentences)}"


def _higher_is_better(metric):
    return METRICS[metric].better == "higher"
