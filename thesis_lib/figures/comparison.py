"""Figures of notebook 4: many runs compared.

Tables name what they compare in the column `target`. Where they also hold the columns `objective` and `how` (see
`style`), these say its colour, marker and title; else `target` is itself the name of an objective or a method.
"""

from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.markers import CARETDOWNBASE

from thesis_lib.figures.style import OF_VARIANTS, TRUE, apart, dashes, plain_logarithm, style

LEVEL_LINE = (0, (6, 2, 1, 2, 1, 2))


def paired_differences(table, seeds, panels, baseline):
    """Differences to the baseline with their intervals, an axis a metric.

    Markers are filled where the difference is significant. Small dots are single seeds. A target may lack a metric. An
    axis on which one target reaches far is logarithmic.

    Args:
        table: DataFrame with target, metric, difference, low, high, verdict.
        seeds: DataFrame with target, metric, difference: a row a seed.
        panels: metric -> (label, "higher" or "lower", whichever is better).
        baseline: the objective that is subtracted.
    """
    styles = _styles(table)
    first, (_, better) = next(iter(panels.items()))
    of_first = table[table["metric"] == first].sort_values("difference", ascending=better == "lower")
    order = list(dict.fromkeys([*of_first["target"], *table["target"]]))
    figure, axes = _rows_of_targets([styles[target][0] for target in order], len(panels), 2.6, 0.36, 1.5)
    for axis, (metric, (label, better)) in zip(axes, panels.items()):
        part = table[table["metric"] == metric].set_index("target")
        of_metric = seeds[seeds["metric"] == metric]
        for y, target in enumerate(order):
            if target not in part.index:
                continue
            _, colour, marker = styles[target]
            row = part.loc[target]
            bounds = np.nan_to_num([[row["difference"] - row["low"]], [row["high"] - row["difference"]]])
            single = of_metric.loc[of_metric["target"] == target, "difference"]
            height = [y + 0.22] * len(single)
            axis.plot(single, height, color=colour, marker=".", ms=3, ls="none", alpha=0.6, clip_on=False)
            face = colour if row["verdict"] else "white"
            axis.errorbar(row["difference"], y, xerr=bounds, color=colour, marker=marker, capsize=3, mfc=face)
        axis.axvline(0, color="black", ls=":")
        scale = _difference_scale(axis, part)
        axis.margins(x=0.08)
        minus = fill(f"minus that of {style(baseline)[0]}", 28)
        axis.set_xlabel(f"{label}\n{minus}\n({better} is better){scale}", fontsize=8)
        axis.tick_params(axis="x", labelsize=8)
        axis.grid(axis="x", alpha=0.3)
    return figure


def _difference_scale(axis, part):
    """A logarithmic axis where one difference or interval reaches far; returns what the label says of it."""
    typical = part["difference"].abs().median()
    farthest = part[["difference", "low", "high"]].abs().max(axis=None)
    if not farthest > 20 * typical > 0:
        axis.locator_params(axis="x", nbins=4)
        return ""
    linear = 10 ** np.ceil(np.log10(typical))
    axis.set_xscale("symlog", linthresh=linear)
    return f"\n(logarithmic beyond ±{linear:g})"


def lines(table, x, axis_label, panels, log=False, marked=None, references=None, log_y=False, published=()):
    """Metrics against a quantity: a line for each target with its intervals; lines of one colour differ in dashes.

    Args:
        table: DataFrame with the column `x`, target, metric, mean, low, high; where it has the column borrowed, points
            that are another target's are drawn hollow and without their intervals.
        axis_label: of the x axis, with the unit.
        panels: metric -> label of its y axis; an axis each.
        log: whether x is drawn on a logarithmic axis.
        marked: (value, name): a dashed line at that x.
        references: objective -> DataFrame of its runs, drawn as level lines at their means.
        log_y: whether the metrics are drawn on a logarithmic axis, unless one is zero somewhere. Without it, those are
            that reach over more than a factor of 50. An interval that reaches below such an axis ends in an arrow.
        published: (method, x, value): published values of the metrics, drawn as crosses.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.7 * len(panels), 3.6), squeeze=False, layout="constrained")
    targets = list(table["target"].unique())
    named = _named(table).drop_duplicates("target")
    styles = _styles(table)
    kinds = dict(zip(named["target"], dashes(named["objective"], named["how"])))
    values = sorted(table[x].unique())
    for axis, (metric, label) in zip(axes[0], panels.items()):
        of_metric = table[table["metric"] == metric]
        floor = _floor(of_metric["mean"], log_y)
        for i, target in enumerate(targets):
            name, colour, marker = styles[target]
            part = of_metric[of_metric["target"] == target].sort_values(x)
            shift = (i - (len(targets) - 1) / 2) * 0.018  # so that error bars of different targets stay apart
            at = part[x] * (1 + 2 * shift) if log else part[x] + shift * (values[-1] - values[0])
            hollow = part.get("borrowed", part[x] != part[x]).to_numpy(bool)
            low = part["low"].clip(lower=floor)
            bounds = np.where(hollow, 0.0, np.nan_to_num([part["mean"] - low, part["high"] - part["mean"]]))
            bars = {"yerr": bounds, "capsize": 2} if bounds.any() else {}
            line = {"color": colour, "marker": marker, "ms": 5}
            axis.errorbar(at, part["mean"], **bars, **line, lw=1.2, ls=kinds[target], label=name)
            axis.plot(at[hollow], part["mean"][hollow], **line, mfc="white", ls="none", zorder=3)
            beyond = (part["low"] < floor).to_numpy() & ~hollow  # the bar goes on below the axis
            axis.plot(at[beyond], [floor] * beyond.sum(), color=colour, marker=CARETDOWNBASE, ls="none")
        if floor > 0:
            axis.set(yscale="log", ylim=(0.9 * floor, None))
            plain_logarithm(axis.yaxis)
        if marked:
            axis.axvline(marked[0], color=TRUE, ls="--", label=marked[1])
        if log:
            axis.set(xscale="log")
            axis.minorticks_off()
        _level_lines(axis, references or {}, metric)
        for i, (method, at, value) in enumerate(published):
            label_of_crosses = None if i else "published"
            cross = {"color": style(method)[1], "marker": "x", "ms": 7, "ls": "none", "zorder": 4}
            axis.plot(at, value, **cross, label=label_of_crosses)
        axis.set_xticks(values, [f"{v:g}" for v in values])
        axis.set(xlabel=axis_label)
        axis.set_title(label, fontsize=9)
        axis.grid(axis="y", alpha=0.3)
    _legend_below(figure, axes[0, 0])
    return figure


def _floor(means, log_y):
    """Where a logarithmic y axis starts, if it is wanted or the means reach far; else minus infinity.

    Scores between 0 and 1 stay on a linear axis.
    """
    if means.min() > 0 and (log_y or means.max() > max(50 * means.min(), 1)):
        return 0.6 * means.min()
    return -np.inf


def rankings(table, panels):
    """Ranks of targets with their intervals, an axis a metric.

    Args:
        table: DataFrame with metric, target, rank, low, high.
        panels: metric -> label.
    """
    styles = _styles(table)
    order = list(table[table["metric"] == next(iter(panels))].sort_values("rank")["target"])
    figure, axes = _rows_of_targets([styles[target][0] for target in order], len(panels), 2.3, 0.34, 1.0)
    ticks = range(1, len(order) + 1, 1 if len(order) <= 10 else 2)
    for axis, (metric, label) in zip(axes, panels.items()):
        part = table[table["metric"] == metric].set_index("target")
        for y, target in enumerate(order):
            _, colour, marker = styles[target]
            row = part.loc[target]
            axis.plot([row["low"], row["high"]], [y, y], color=colour, lw=3, alpha=0.35, solid_capstyle="butt")
            axis.plot(row["rank"], y, color=colour, marker=marker, ls="none")
        axis.set_title(label, fontsize=9)
        axis.set(xlabel="rank (1 is best)", xlim=(0.5, len(order) + 0.5), xticks=ticks)
        axis.grid(axis="x", alpha=0.3)
    return figure


def magnitudes(table, panels, references, prior):
    """Class-level rules against the weight that they take from the drawn class, with the spread over seeds.

    Args:
        table: DataFrame with a row a run: objective, magnitude and the metrics.
        panels: metric -> label of its y axis.
        references: objective -> DataFrame of its runs, drawn as level lines.
        prior: (magnitude, DataFrame of the runs at it): where the prior puts the magnitude, drawn as a marker with its
        spread.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.6 * len(panels), 3.9), squeeze=False, layout="constrained")
    magnitude, runs_at_prior = prior
    ticks = [*sorted(set((1 - table["magnitude"]).round(3))), round(1 - magnitude, 2)]
    shown = apart([tick for tick in ticks if tick in (0.025, 0.05, 0.1, 0.2) or tick == ticks[-1]], 1.5)
    for axis, (metric, label) in zip(axes[0], panels.items()):
        for (objective, part), dash in zip(table.groupby("objective", sort=False), dashes(table["objective"].unique())):
            by_weight = part.groupby(1 - part["magnitude"])[metric]
            _spread(axis, by_weight.mean().index, by_weight.mean(), by_weight.std(), objective, ms=5, lw=1.2, ls=dash)
        _level_lines(axis, references, metric)
        axis.axvline(1 - magnitude, color=style("weighted_adjacent_prior")[1], ls=":", lw=1)
        if len(runs_at_prior):
            values = runs_at_prior[metric]
            _spread(axis, 1 - magnitude, values.mean(), values.std(), "weighted_adjacent_prior", ls="none")
        axis.set(xscale="log", xlabel="weight taken from the drawn class, 1 - m")
        axis.set_title(label, fontsize=9)
        axis.minorticks_off()
        axis.set_xticks(shown, [f"{tick:g}" for tick in shown])
        axis.grid(axis="y", alpha=0.3)
    _legend_below(figure, axes[0, 0])
    return figure


def _spread(axis, at, means, spread, objective, **options):
    """Means of an objective with their spread as error bars."""
    name, colour, marker = style(objective)
    axis.errorbar(at, means, np.nan_to_num(spread), color=colour, marker=marker, capsize=2, label=name, **options)


def _level_lines(axis, references, metric):
    """A level line at the mean of each objective's runs."""
    for objective, runs in references.items():
        name, colour, _ = style(objective)
        axis.axhline(runs[metric].mean(), color=colour, ls=LEVEL_LINE, lw=1.2, label=name)


def _rows_of_targets(titles, columns, width, height, header):
    """(figure, axes) with a row for each target and an axis for each metric; sizes of these in inches."""
    titles = [fill(title, 34) for title in titles]
    margin = 0.3 + 0.08 * max(len(line) for title in titles for line in title.splitlines())
    lines = sum(1 + 0.4 * title.count("\n") for title in titles)
    size = (width * columns + margin, height * lines + header)
    figure, axes = plt.subplots(1, columns, figsize=size, squeeze=False, sharey=True, layout="constrained")
    axes[0, 0].set_yticks(range(len(titles)), titles)
    axes[0, 0].set_ylim(len(titles) - 0.5, -0.5)
    return figure, axes[0]


def _legend_below(figure, axis):
    """One legend for all axes, below them."""
    handles, names = axis.get_legend_handles_labels()
    figure.legend(handles, names, fontsize=8, loc="outside lower center", ncols=3)


def _named(table):
    """The table with the columns `objective` and `how`, see the top of this file."""
    if "objective" in table:
        return table
    return table.assign(objective=table["target"], how="")


def _styles(table):
    """target -> its `style`; variants of objectives have a marker for each `how`."""
    named = _named(table).drop_duplicates("target")
    hows, styles = list(dict.fromkeys(filter(None, named["how"]))), {}
    for row in named.itertuples():
        title, colour, marker = style(row.objective, row.how)
        if marker == OF_VARIANTS[0]:
            marker = OF_VARIANTS[hows.index(row.how) % len(OF_VARIANTS)]
        styles[row.target] = title, colour, marker
    return styles
