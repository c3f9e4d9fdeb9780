"""What notebooks 10 and 11 show of runs with few labels: tables to be read, and conclusions as Markdown."""

import numpy as np
import pandas as pd

from thesis_lib.semi_supervised.methods import METHOD_SETTINGS, METHODS
from thesis_lib.semi_supervised.networks import NETWORKS, PRETRAINED
from thesis_lib.study import classification_runs, markdown, statistics
from thesis_lib.study.classification_runs import PUBLISHED, SETTINGS, titled


def seeds_in_words(seeds):
    """Seeds in words: "seed 3", "seeds 0-2", "seeds 0, 2"."""
    seeds = sorted(seeds)
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    in_a_row = len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1
    return f"seeds {seeds[0]}-{seeds[-1]}" if in_a_row else f"seeds {listed(seeds)}"


def labels_in_words(labels):
    """A number of labels in words: "1,000 labels", or "all labels" for -1."""
    return f"{labels:,} labels" if labels > 0 else "all labels"


def several_labels_in_words(numbers):
    """Numbers of labels in words: "100, 600 and 1,000 labels"."""
    return joined("all" if number < 0 else f"{number:,}" for number in in_order(set(numbers))) + " labels"


def named(method, network):
    """A method and its network within a sentence: "MixMatch (convolutional)"."""
    return f"{METHODS[method].title} ({NETWORKS[network].title})"


def listed(values):
    """Values in words: "a, b, c"."""
    return ", ".join(map(str, values))


def joined(values):
    """Values in words: "a", "a and b" or "a, b and c"."""
    *first, last = map(str, values)
    return f"{', '.join(first)} and {last}" if first else last


def interval_in_words(low, high, style="+.2f"):
    """An interval with a space before it; nothing where a single seed gives none."""
    return f" [{low:{style}}, {high:{style}}]" if np.isfinite(low) else ""


def in_order(labels):
    """Numbers of labels in rising order, "all" last."""
    return sorted(labels, key=lambda number: number if number > 0 else np.inf)


def kinds_in_order(rows):
    """Pairs of method and network, the largest mean error first, by the smallest number of labels."""
    means = rows.pivot_table(index=["method", "network"], columns="labels", values="error_percent")
    return means.sort_values(in_order(means), ascending=False).index


def summary(rows, planned=None, experiment=None):
    """What has run, as a Markdown list.

    Args:
        rows: of `classification_runs.read`.
        planned: names of the runs of a sweep; None: not known.
        experiment: the sweep's file.
    """
    sentences = []
    for data, part in rows.groupby("data"):
        kinds = part.groupby(["method", "network"]).ngroups
        sentences.append(
            f"{data}: {len(part)} runs of {kinds} pairs of method and network, with "
            f"{several_labels_in_words(part['labels'])}, {seeds_in_words(part['seed'].unique())}."
        )
    if planned is not None:
        sentences.append(f"{len(rows)} of the {len(planned)} runs of {experiment} have finished.")
    commits = pd.Series([made["commit"] for made in rows.get("provenance", []) if isinstance(made, dict)], dtype=str)
    if len(commits):
        counts = commits.str.replace("+changes", " with changes").value_counts()
        sentences.append(f"Commits: {listed(f'{commit[:7]} ({count} runs)' for commit, count in counts.items())}.")
    return markdown.bullets(sentences)


def error_table(rows, level=0.95):
    """Test errors (%) of one data set: mean over seeds, interval, seeds, and on MNIST the published error.

    Args:
        rows: of `classification_runs.read`, of one data set.
        level: of each interval over seeds.

    Returns:
        DataFrame of text with a row for each method and network, the largest error first, and a column for each number
        of labels.
    """

    def cell(errors):
        mean, low, high = statistics.mean_interval(errors, level)
        return f"{mean:.2f}{interval_in_words(low, high, '.2f')}, {seeds_in_words(errors.index)}"

    table = rows.set_index("seed").groupby(["method", "network", "labels"])["error_percent"].agg(cell).unstack()
    table = table.loc[kinds_in_order(rows), in_order(table)].fillna("")
    for kind, errors in PUBLISHED.items():
        for labels in table.columns.intersection(list(errors)):
            if kind in table.index and (rows["data"] == "mnist").all():
                cells = (table.loc[kind, labels], f"published {errors[labels]:.2f}")
                table.loc[kind, labels] = "; ".join(filter(None, cells))
    return table.set_axis([titled(*kind) for kind in table.index]).rename(columns=labels_in_words)


def settings_table(rows):
    """The settings of each method and network of one data set, in the order of `error_table`.

    Args:
        rows: of `classification_runs.read`, of one data set.

    Returns:
        DataFrame with the numbers of labels that share the settings; empty where a method or a network lacks a setting.
        Settings that are zero or missing everywhere are left out.
    """
    settings = rows[["method", "network", "labels"]].join(rows.reindex(columns=SETTINGS))
    settings = settings.drop_duplicates().sort_values("labels")
    for name in METHOD_SETTINGS:
        without = [method for method, known in METHODS.items() if name not in known.settings]
        settings.loc[settings["method"].isin(without), name] = np.nan
    settings.loc[~settings["network"].isin(PRETRAINED), "pretraining_epochs"] = np.nan
    shown = [name for name in SETTINGS if settings[name].fillna(0).ne(0).any()]
    alike = settings.groupby(["method", "network", *shown], dropna=False)["labels"].agg(
        lambda numbers: listed("all" if number < 0 else number for number in numbers)
    )
    alike = alike.reset_index().set_index(["method", "network"])
    table = pd.concat([alike.loc[[kind]] for kind in kinds_in_order(rows)]).set_index("labels", append=True)
    return table.astype(object).fillna("")


def against_labels(rows, level=0.95):
    """Errors against the number of labels, for `figures.lines`: of one data set and one family of networks.

    Args:
        rows: of `classification_runs.read`, of one data set and family.
        level: of each interval over seeds.

    Returns:
        (table, published): a DataFrame with labels, target, objective (the method), how (the network's short title
        where the family has several networks), metric, mean, low and high, and a list of (method, labels, error) with
        the published errors on MNIST.
    """
    family, titles = rows["family"].iloc[0], rows["network"].map(lambda name: NETWORKS[name].title)
    how = titles.str.removeprefix(f"{family} + ") if rows["network"].nunique() > 1 else ""
    rows = rows.assign(target=rows["method"] + ", " + titles, objective=rows["method"], how=how, metric="error")
    kinds = ["labels", "target", "objective", "how", "metric"]
    table = [(*kind, *statistics.mean_interval(errors, level)) for kind, errors in rows.groupby(kinds)["error_percent"]]
    published = [
        (method, labels, error)
        for (method, network), errors in PUBLISHED.items()
        for labels, error in errors.items()
        if NETWORKS[network].family == family and (rows["data"] == "mnist").all()
    ]
    return pd.DataFrame(table, columns=[*kinds, "mean", "low", "high"]), published


def _signed(table):
    """A table with its difference and interval as text: signed, in points, empty where a single seed gives none."""
    points = {
        name: table[name].map(lambda value: f"{value:+.2f}" if np.isfinite(value) else "")
        for name in ("difference", "low", "high")
    }
    return table.assign(**points)


def titled_differences(differences):
    """`classification_runs.paired_differences` with titles instead of names, and the first one's method."""
    titles = {name: [titled(*kind) for kind in differences[name]] for name in ("one", "other")}
    return differences.assign(method=[method for method, _ in differences["one"]], **titles)


def differences_table(differences):
    """`classification_runs.paired_differences` to be read: titles instead of names, points with their sign."""
    table = _signed(titled_differences(differences)).assign(
        significant=differences["significant"].map({True: "yes", False: "no"}).where(differences["low"].notna(), ""),
    )
    table = table.drop(columns="method").rename(columns={"one": "method", "other": "minus"})
    return table.sort_values(["data", "method", "labels"], ignore_index=True)


def published_table(compared):
    """`classification_runs.against_published` to be read: titles instead of names, points with their sign."""
    titles = [titled(*kind) for kind in zip(compared["method"], compared["network"])]
    return _signed(compared).drop(columns="network").assign(method=titles)


def conclusions(rows, level=0.95):
    """What was found, as a Markdown list: lowest errors, comparisons with published errors, significant differences."""
    differences = classification_runs.paired_differences(rows, level)
    differences = differences[differences["low"].notna()]
    sentences = [_lowest_in_words(row) for row in classification_runs.lowest(rows).itertuples()]
    sentences += published_in_words(classification_runs.against_published(rows, level))
    sentences.append(significance_in_words(differences, level))
    significant = differences[differences["significant"]]
    sentences += [f"{row.data}, {difference_in_words(row)}" for row in significant.itertuples()]
    return markdown.bullets(sentences)


def _lowest_in_words(row):
    head = f"{row.data}, {labels_in_words(row.labels)}, {row.family} networks: "
    if not row.seeds:
        return f"{head}the {row.methods} methods have no seed in common."
    method, seeds = named(row.method, row.network), seeds_in_words(row.seeds)
    if row.methods == 1:
        return f"{head}the mean error of {method}, the only method, is {row.error_percent:.2f}% ({seeds})."
    return f"{head}{method} has the lowest mean error of {row.methods} methods, {row.error_percent:.2f}% ({seeds})."


def published_in_words(compared):
    """Sentences about `classification_runs.against_published`: which mean errors are above, and by how much."""
    above = compared[compared["difference"] > 0]
    sentences = []
    if len(compared):
        below = len(compared) - len(above)
        sentences.append(f"The mean error is at or below the published one in {below} of {len(compared)} cells.")
    if len(above):
        cells = [
            f"{named(*kind)} with {several_labels_in_words(part['labels'])}"
            for kind, part in above.groupby(["method", "network"], sort=False)
        ]
        low, high = above["difference"].min(), above["difference"].max()
        sentences.append(f"It is {low:.2f} to {high:.2f} points above the published one for {'; '.join(cells)}.")
    return sentences


def significance_in_words(differences, level):
    """A sentence on how many differences are significant, of those that have an interval."""
    count = len(differences)
    if not count:
        return "No two methods to compare ran with two seeds in common."
    return (
        f"{differences['significant'].sum()} of {count} differences between methods on the same labels are significant "
        f"({100 * level:g}% intervals, Bonferroni-corrected for all {count})."
    )


def difference_in_words(row):
    """A sentence about a row of `classification_runs.paired_differences`."""
    return (
        f"{labels_in_words(row.labels)}: the error of {named(*row.one)} is {gain_in_words(row)} "
        f"{'lower' if row.difference < 0 else 'higher'} than that of {named(*row.other)}; "
        f"this difference is {'' if row.significant else 'not '}significant."
    )


def gain_in_words(row):
    """By how many points one error is lower, or higher, than another, with the interval."""
    low, high = (row.low, row.high) if row.difference > 0 else (-row.high, -row.low)
    return f"{abs(row.difference):.2f} points{interval_in_words(low, high, '.2f')}"


def chosen(table):
    """The chosen settings, as a Markdown list.

    Args:
        table: of `classification_runs.choose`.
    """
    sentences = []
    for (data, labels, title), part in table.groupby(["data", "labels", "title"], sort=False):
        best, others = part[part["chosen"]].iloc[0], part[~part["chosen"]]
        errors = part.filter(like="seed ").dropna(axis="columns")
        sentence = f"{data}, {labels_in_words(labels)}, {title}: {best['setting']}, {best['mean']:.2f}%"
        if len(others):
            sentence += f"; the next best of {len(part)} settings {others['mean'].min():.2f}%"
        spread = (errors.max(axis="columns") - errors.min(axis="columns")).max()
        several = errors.shape[1] > 1
        sentence += f"; seeds differ by up to {spread:.2f} points." if several else f"; {errors.columns[0]} alone."
        sentences.append(sentence)
    return markdown.bullets(sentences)
