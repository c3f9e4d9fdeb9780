"""Figures of notebook 4: many runs compared."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator, NullLocator

from thesis_lib.figures.style import TRUE, dashes, style


def paired_differences(table, seeds, panels, baseline):
    """Differences to the baseline with their intervals, an axis a metric; filled where established, small dots for single seeds.

    Args:
        table: DataFrame with target, metric, difference, low, high, verdict.
        seeds: DataFrame with target, metric, difference: a row a seed.
        panels: metric -> (label, "higher" or "lower", whichever is better).
        baseline: the target that is subtracted.
    """
    first, (_, better) = next(iter(panels.items()))
    order = list(table[table["metric"] == first].sort_values("difference", ascending=better == "lower")["target"])
    figure, axes = plt.subplots(1, len(panels), figsize=(2.9 * len(panels) + 1.8, 0.36 * len(order) + 1.3), squeeze=False,
                                sharey=True, layout="constrained")  # fmt: skip
    for axis, (metric, (label, better)) in zip(axes[0], panels.items()):
        part = table[table["metric"] == metric].set_index("target")
        for y, target in enumerate(order):
            _, colour, marker = style(target)
            row = part.loc[target]
            bounds = np.nan_to_num([[row["difference"] - row["low"]], [row["high"] - row["difference"]]])
            single = seeds.loc[(seeds["target"] == target) & (seeds["metric"] == metric), "difference"]
            axis.plot(
                single, [y + 0.22] * len(single), color=colour, marker=".", ms=3, ls="none", alpha=0.6, clip_on=False
            )
            axis.errorbar(
                row["difference"],
                y,
                xerr=bounds,
                color=colour,
                marker=marker,
                capsize=3,
                mfc=colour if row["verdict"] else "white",
            )
        axis.axvline(0, color="black", ls=":")
        far, reach = part["difference"].abs(), part[["difference", "low", "high"]].abs().max(axis=None)
        scale = ""
        if (
            reach > 20 * far.median() > 0
        ):  # one target or its interval reaches so far that the others could not be told apart
            linear = 10 ** np.ceil(np.log10(far.median()))
            axis.set_xscale("symlog", linthresh=linear)
            scale = f"\n(logarithmic beyond ±{linear:g})"
        else:
            axis.locator_params(axis="x", nbins=4)
        axis.margins(x=0.08)
        axis.set_xlabel(f"{label}\nminus {style(baseline)[0]}'s ({better} is better){scale}", fontsize=8)
        axis.tick_params(axis="x", labelsize=8)
        axis.grid(axis="x", alpha=0.3)
    axes[0, 0].set_yticks(range(len(order)), [style(target)[0] for target in order])
    axes[0, 0].set_ylim(len(order) - 0.5, -0.5)
    return figure


def lines(
    table, x, axis_label, panels, log=False, marked=None, references=None, borrowed=(), log_y=False, published=()
):
    """Metrics against a quantity, a line for each target, its interval as error bars; targets of one colour differ in their lines.

    Args:
        table: DataFrame with the column `x`, target, metric, mean, low, high.
        axis_label: of the x axis, with the unit.
        panels: metric -> label of its y axis; an axis each.
        log: whether x is drawn on a logarithmic axis.
        marked: (value, name): a dashed line at that x.
        references: target -> DataFrame of its runs, drawn as level lines at their means.
        borrowed: (target, x) of points that are another target's, drawn hollow and without its interval.
        log_y: whether the metrics are drawn on a logarithmic axis, which those cannot be that are zero somewhere; without it those are that reach over more than a factor of 50.
        published: (target, x, value): others' figures for the metrics, drawn as crosses.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.7 * len(panels), 3.6), squeeze=False, layout="constrained")
    targets = list(table["target"].unique())
    values = sorted(table[x].unique())
    for axis, (metric, label) in zip(axes[0], panels.items()):
        for i, (target, dash) in enumerate(zip(targets, dashes(targets))):
            name, colour, marker = style(target)
            part = table[(table["target"] == target) & (table["metric"] == metric)].sort_values(x)
            shift = (i - (len(targets) - 1) / 2) * 0.018  # so that error bars of different targets stay apart
            at = part[x] * (1 + 2 * shift) if log else part[x] + shift * (values[-1] - values[0])
            hollow = np.array([(target, value) in borrowed for value in part[x]])
            bounds = np.where(hollow, 0.0, np.nan_to_num([part["mean"] - part["low"], part["high"] - part["mean"]]))
            bars = {"yerr": bounds, "capsize": 2} if bounds.any() else {}
            axis.errorbar(at, part["mean"], **bars, color=colour, marker=marker, ms=5, lw=1.2, ls=dash, label=name)
            axis.plot(
                at[hollow], part["mean"][hollow], color=colour, marker=marker, ms=5, mfc="white", ls="none", zorder=3
            )
        means = table.loc[table["metric"] == metric, "mean"]
        if means.min() > 0 and means.max() > max(50 * means.min(), 1):  # scores between 0 and 1 stay as they are
            axis.set(yscale="log")
        if log_y and means.min() > 0:
            axis.set(yscale="log", ylim=(0.6 * means.min(), None))  # intervals may end below zero
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_locator(NullLocator())
        if marked:
            axis.axvline(marked[0], color=TRUE, ls="--", label=marked[1])
        if log:
            axis.set(xscale="log")
            axis.minorticks_off()
        for target, runs in (references or {}).items():
            name, colour, _ = style(target)
            axis.axhline(runs[metric].mean(), color=colour, ls=(0, (6, 2, 1, 2, 1, 2)), lw=1.2, label=name)
        for i, (target, at, value) in enumerate(published):
            axis.plot(
                at,
                value,
                color=style(target)[1],
                marker="x",
                ms=7,
                ls="none",
                zorder=4,
                label=None if i else "published",
            )
        axis.set_xticks(values, [f"{v:g}" for v in values])
        axis.set(xlabel=axis_label)
        axis.set_title(label, fontsize=9)
        axis.grid(axis="y", alpha=0.3)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=8, loc="outside lower center", ncols=3)
    return figure


def rankings(table, panels):
    """Ranks of targets with their intervals, an axis a metric: DataFrame with metric, target, rank, low, high. panels: metric -> label."""
    order = list(table[table["metric"] == next(iter(panels))].sort_values("rank")["target"])
    figure, axes = plt.subplots(1, len(panels), figsize=(2.3 * len(panels) + 2.2, 0.34 * len(order) + 1.0), squeeze=False,
                                sharey=True, layout="constrained")  # fmt: skip
    for axis, (metric, label) in zip(axes[0], panels.items()):
        part = table[table["metric"] == metric].set_index("target")
        for y, target in enumerate(order):
            _, colour, marker = style(target)
            row = part.loc[target]
            axis.plot([row["low"], row["high"]], [y, y], color=colour, lw=3, alpha=0.35, solid_capstyle="butt")
            axis.plot(row["rank"], y, color=colour, marker=marker, ls="none")
        axis.set_title(label, fontsize=9)
        axis.set(
            xlabel="rank (1 is best)",
            xlim=(0.5, len(order) + 0.5),
            xticks=range(1, len(order) + 1, 1 if len(order) <= 10 else 2),
        )
        axis.grid(axis="x", alpha=0.3)
    axes[0, 0].set_yticks(range(len(order)), [style(target)[0] for target in order])
    axes[0, 0].set_ylim(len(order) - 0.5, -0.5)
    return figure


def magnitudes(table, panels, references, prior):
    """Class-level rules against the weight that they take from the drawn class, with the spread over seeds.

    Args:
        table: DataFrame with a row a run: objective, magnitude and the metrics.
        panels: metric -> label of its y axis.
        references: objective -> DataFrame of its runs, drawn as level lines.
        prior: (magnitude, DataFrame of the runs at it): where the prior puts the magnitude, drawn as a marker with its spread.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4.4 * len(panels), 3.9), squeeze=False, layout="constrained")
    for axis, (metric, label) in zip(axes[0], panels.items()):
        for (objective, part), dash in zip(table.groupby("objective", sort=False), dashes(table["objective"].unique())):
            name, colour, marker = style(objective)
            grouped = part.groupby(1 - part["magnitude"])[metric]
            axis.errorbar(
                grouped.mean().index,
                grouped.mean(),
                np.nan_to_num(grouped.std()),
                color=colour,
                marker=marker,
                ms=5,
                lw=1.2,
                ls=dash,
                capsize=2,
                label=name,
            )
        for objective, runs in references.items():
            name, colour, _ = style(objective)
            axis.axhline(runs[metric].mean(), color=colour, ls=(0, (6, 2, 1, 2, 1, 2)), lw=1.2, label=name)
        name, colour, marker = style("weighted_adjacent_prior")
        magnitude, runs = prior
        axis.axvline(1 - magnitude, color=colour, ls=":", lw=1)
        if len(runs):
            axis.errorbar(
                1 - magnitude,
                runs[metric].mean(),
                np.nan_to_num(runs[metric].std()),
                color=colour,
                marker=marker,
                capsize=2,
                ls="none",
                label=name,
            )
        ticks = [*sorted(set((1 - table["magnitude"]).round(3))), round(1 - magnitude, 2)]
        shown = [t for t in ticks if t in (0.025, 0.05, 0.1, 0.2) or t == ticks[-1]]
        axis.set(xscale="log", xlabel="weight taken from the drawn class, 1 - m")
        axis.set_title(label, fontsize=9)
        axis.minorticks_off()
        axis.set_xticks(shown, [f"{t:g}" for t in shown])
        axis.grid(axis="y", alpha=0.3)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=8, loc="outside lower center", ncols=3)
    return figure
