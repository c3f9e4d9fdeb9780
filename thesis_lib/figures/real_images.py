"""Figures of notebook 13: when a training target pays, and what it predicts."""

import matplotlib.pyplot as plt
import numpy as np

from thesis_lib.figures.style import DRAWN, TRUE, grid, picture, style


def gains(table, panels, baseline):
    """Gain over a baseline against the annotators' error over the width of objects, an axis a metric.

    Markers are filled where the difference is significant. Lines join the cases of one data set.

    Args:
        table: DataFrame with error_over_width, target, metric, gain, low, high, verdict, and objective where a target
            is not an objective itself; data, where there are several data sets: their names are written above.
        panels: metric -> label of its y axis, more is better.
        baseline: the objective that is subtracted.
    """
    several = "data" in table
    width, height = (8.0, 4.6) if several and len(panels) == 1 else (3.9 * len(panels), 3.5)
    figure, axes = plt.subplots(1, len(panels), figsize=(width, height), squeeze=False, layout="constrained")
    targets = list(dict.fromkeys(table["target"]))
    data = table["data"] if several else table["metric"]
    for axis, (metric, label) in zip(axes[0], panels.items()):
        of_metric = table[table["metric"] == metric]
        for i, target in enumerate(targets):
            of_target = of_metric[of_metric["target"] == target]
            title, colour, marker = style(of_target["objective"].iloc[0] if "objective" in of_target else target)
            for number, (_, part) in enumerate(of_target.groupby(data, sort=False)):
                at = part["error_over_width"] * (1 + 0.025 * (i - (len(targets) - 1) / 2))  # error bars stay apart
                bounds = np.nan_to_num([part["gain"] - part["low"], part["high"] - part["gain"]])
                name = title if number == 0 else None
                axis.errorbar(at, part["gain"], bounds, color=colour, marker=marker, mfc="white", capsize=2, label=name)
                sure = (part["verdict"] != "").to_numpy()
                axis.plot(at[sure], part["gain"][sure], color=colour, marker=marker, ls="none", zorder=3)
        axis.axhline(0, color="black", ls=":")
        ticks = sorted(set(of_metric["error_over_width"].round(2)))
        limits = (ticks[0] / 1.3, ticks[-1] * 1.3)
        ticks = [tick for tick, before in zip(ticks, [0, *ticks]) if tick > 1.1 * before]  # numbers stay apart
        axis.set(xscale="log", xlabel="annotators' error / width of objects", xlim=limits)
        axis.minorticks_off()
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_title(f"{label}\ngain over {style(baseline)[0]}", fontsize=9)
        axis.grid(axis="y", alpha=0.3)
        if several:
            _name_data(axis, of_metric)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=8, loc="outside lower center", ncols=3)
    return figure


def _name_data(axis, table):
    """Write which data each error over width is of, above the axis; those of one place stand below each other."""
    options = {"rotation": 35, "fontsize": 7, "ha": "left", "va": "bottom", "transform": axis.get_xaxis_transform()}
    for ratio, part in table.groupby(table["error_over_width"].round(3)):
        axis.text(ratio, 1.01, " and ".join(dict.fromkeys(part["data"])), **options)
        axis.axvline(ratio, color="#DDDDDD", lw=0.8, zorder=0)
    axis.set_title(axis.get_title(), fontsize=9, pad=58)


def outlines(pictures, targets):
    """Test images with the true outline, the drawn one, and P(object) of targets with the outline that they predict.

    Args:
        pictures: dict from image, true, drawn and each target to uint8 arrays (n, H, W).
        targets: names of the targets that are shown.
    """
    names = ["drawn", *(name for name in targets if name in pictures)]
    count = len(pictures["image"])
    figure, axes = grid(count, len(names), 2.0, 2.1)
    for index, row in enumerate(axes):
        for axis, name in zip(row, names):
            shown = pictures["image"][index] if name == "drawn" else pictures[name][index]
            top = None if name == "drawn" else 255
            title = ("image, true and drawn" if name == "drawn" else style(name)[0]) if index == 0 else None
            picture(axis, shown, title, cmap="gray", vmin=0, vmax=top)
            colour = DRAWN if name == "drawn" else style(name)[1]
            if name != "drawn" and colour == "#000000":
                colour = "#56B4E9"
            axis.contour(pictures["true"][index], [127.5], colors=TRUE, linewidths=1.0)
            axis.contour(pictures[name][index], [127.5], colors=colour, linewidths=1.0, linestyles="dashed")
    return figure
