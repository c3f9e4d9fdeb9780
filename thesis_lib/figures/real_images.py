"""Figures of notebook 13: when a training target pays, and what it predicts."""

from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from scipy import ndimage

from thesis_lib.figures.style import DRAWN, TRUE, grid, picture, style

PREDICTED = "#56B4E9"
MARGIN = 8  # px around the object that is shown
LEAST = 32  # px, of the side of what is shown
LEADER = {"color": "#AAAAAA", "lw": 0.8, "clip_on": False}


ROUND = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)  # ticks where each value is written above


def gains(table, panels, baseline, x="error_over_width", xlabel="annotators' error / width of objects"):
    """Gain over a baseline, an axis a metric, against the error over the width of objects or another column.

    Markers are filled where the difference is significant. Lines join the cases of one data set. Losses much larger
    than any gain lie below the axis: their value stands there. Several data sets lie on a logarithmic axis; the cases
    of one stand side by side, each with room for all targets.

    Args:
        table: DataFrame with the column x, target (an objective, or a variant: "shift, search radius 5 px"), metric,
            gain, low, high, verdict; data, where there are several data sets: their names are written above.
        panels: metric -> label of its y axis, more is better.
        baseline: the objective that is subtracted.
        x: column of what gains depend on.
        xlabel: what it is, with its unit.
    """
    several = "data" in table
    width, height = (8.0, 4.6) if several and len(panels) == 1 else (3.9 * len(panels), 4.0)
    figure, axes = plt.subplots(1, len(panels), figsize=(width, height), squeeze=False, layout="constrained")
    targets = list(dict.fromkeys(table["target"]))
    data = table["data"] if several else table["metric"]
    for axis, (metric, label) in zip(axes[0], panels.items()):
        of_metric = table[table["metric"] == metric]
        values = sorted(set(of_metric[x]))
        for i, target in enumerate(targets):
            of_target = of_metric[of_metric["target"] == target]
            title, colour, marker = style(*_parts(target))
            for number, (_, part) in enumerate(of_target.groupby(data, sort=False)):
                aside = i - (len(targets) - 1) / 2  # error bars stay apart
                at = (
                    part[x] * (1 + 0.025 * aside) if several else part[x].map(values.index) + 0.7 * aside / len(targets)
                )
                bounds = np.nan_to_num([part["gain"] - part["low"], part["high"] - part["gain"]])
                name = title if number == 0 else None
                axis.errorbar(at, part["gain"], bounds, color=colour, marker=marker, mfc="white", capsize=2, label=name)
                sure = (part["verdict"] != "").to_numpy()
                axis.plot(at[sure], part["gain"][sure], color=colour, marker=marker, ls="none", zorder=3)
        axis.axhline(0, color="black", ls=":")
        axis.set(xlabel=xlabel, ylabel=f"gain in {label}\nover {style(baseline)[0]}")
        if several:
            limits = (values[0] / 1.3, values[-1] * 1.3)
            ticks = [tick for tick in ROUND if limits[0] < tick < limits[1]]
            axis.set(xscale="log", xlim=limits)
            axis.minorticks_off()
            axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        else:
            axis.set(xlim=(-0.6, len(values) - 0.4))
            axis.set_xticks(range(len(values)), [f"{value:.2f}" if value < 1 else f"{value:g}" for value in values])
        axis.grid(axis="y", alpha=0.3)
        _leave_out_far_losses(axis, of_metric["high"].max())
        if several:
            _name_data(axis, of_metric)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=8, loc="outside lower center", ncols=3)
    return figure


def _leave_out_far_losses(axis, highest):
    """End the y axis below as far from 0 as gains reach above, if losses go on; those outside are written there.

    Those that are as good as at one place along x are written above each other.
    """
    floor = -1.15 * highest
    lines = {line: line.get_ydata() for bars in axis.containers for line in bars.lines[:1]}
    if not highest > 0 or min(np.min(y) for y in lines.values()) > 2 * floor:
        return
    axis.set_ylim(floor, -floor)
    far = [(at, gain, line) for line, y in lines.items() for at, gain in zip(line.get_xdata(), y) if gain < floor]
    along = axis.transData + axis.transAxes.inverted()
    start, level = -1.0, 0
    for at, gain, line in sorted(far, key=lambda one: one[:2]):
        place = along.transform((at, floor))[0]
        start, level = (start, level + 1) if place < start + 0.15 else (place, 0)
        options = {"color": line.get_color(), "fontsize": 8, "va": "bottom", "zorder": 4}
        options |= {"textcoords": "offset points", "ha": "right" if place > 0.85 else "left"}
        options["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        aside = -3 if place > 0.85 else 3
        axis.annotate(f"↓ {gain:+.2f}", (at, (0.98 - 0.13 * level) * floor), (aside, 0), **options)


def _name_data(axis, table):
    """Write which data each error over width is of, and its value, above the axis; those that collide move right."""
    options = {"rotation": 35, "fontsize": 8, "ha": "left", "va": "bottom", "transform": axis.get_xaxis_transform()}
    free = 0.0
    for ratio, part in table.groupby(table["error_over_width"].round(3)):
        at = max(ratio, free)
        names = " and ".join(dict.fromkeys(part["data"]))
        axis.text(at, 1.04 if at > ratio else 1.01, f"{names}, {ratio:.2f}", **options)
        axis.plot([ratio, at], [1.0, 1.04 if at > ratio else 1.01], **LEADER, transform=axis.get_xaxis_transform())
        axis.axvline(ratio, color="#DDDDDD", lw=0.8, zorder=0)
        free = 1.16 * at


def outlines(pictures, targets):
    """Parts of test images: the true outlines of objects, the drawn ones, and those that targets predict.

    Behind the outlines stand the image, or P(object): the brighter, the more probable. Below stands the drawn or
    predicted area over the true one, in the part that is shown.

    Args:
        pictures: dict from image, true, drawn and each target to uint8 arrays (n, H, W).
        targets: names of the targets that are shown.
    """
    names = ["drawn", *(name for name in targets if name in pictures)]
    count = len(pictures["image"])
    figure, axes = grid(count, len(names), min(2.0, 10 / len(names)), min(2.0, 10 / len(names)) + 0.15)
    for index, row in enumerate(axes):
        true = pictures["true"][index]
        window = _around_middle(true)
        for axis, name in zip(row, names):
            shown = pictures["image"][index] if name == "drawn" else pictures[name][index]
            top = None if name == "drawn" else 400  # the probability stays dark enough for lines on it
            title = "image, true and drawn" if name == "drawn" else style(*_parts(name))[0]
            picture(axis, shown[window], fill(title, 22) if index == 0 else None, cmap="gray", vmin=0, vmax=top)
            colour = DRAWN if name == "drawn" else PREDICTED
            axis.contour(true[window], [127.5], colors=TRUE, linewidths=1.6)
            lines = {"linewidths": 1.3, "linestyles": "dashed"}
            inside = pictures[name][index][window] > 127
            axis.contour(pictures[name][index][window], [127.5], colors=colour, **lines)
            axis.set_xlabel(f"area x {inside.sum() / max((true[window] > 127).sum(), 1):.2f}", fontsize=8)
    handles = [Line2D([], [], color=TRUE, label="true"), Line2D([], [], color=DRAWN, ls="--", label="drawn")]
    handles.append(Line2D([], [], color=PREDICTED, ls="--", label="predicted: P(object) = 1/2"))
    figure.legend(handles=handles, fontsize=8, loc="outside lower center", ncols=3)
    return figure


def _parts(name):
    """(objective, how) of a target's name, such as "one_hot_dice, bias taken out of labels"."""
    objective, _, how = name.partition(", ")
    return objective, how


def _around_middle(true):
    """Two slices around the objects next to the middle of a map: a part in which outlines can be told apart.

    Of objects that are small it shows several.
    """
    is_object = true > 127
    objects, count = ndimage.label(is_object)
    if not count:
        return slice(None), slice(None)
    middle = [length // 2 for length in true.shape]
    nearest = ndimage.distance_transform_edt(~is_object, return_distances=False, return_indices=True)
    centre = objects[tuple(nearest[:, middle[0], middle[1]])]
    rows, columns = np.nonzero(objects == centre)
    side = min(max(np.ptp(rows) + 2 * MARGIN, np.ptp(columns) + 2 * MARGIN, LEAST), *true.shape)
    starts = [(at.min() + at.max() - side + 1) // 2 for at in (rows, columns)]
    return tuple(slice(at, at + side) for at in (min(max(int(s), 0), n - side) for s, n in zip(starts, true.shape)))
