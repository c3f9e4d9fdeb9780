"""Figures of a training run: its history, its predictions, and their calibration."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from thesis_lib.figures.style import PRIOR, grid, picture, style
from thesis_lib.labels import IGNORE


def reliability(panels):
    """Reliability diagrams side by side; on the diagonal a stated probability comes true as often as it says.

    Below each diagram stands how many pixels have that confidence.

    Args:
        panels: dict from a panel's title to a dict from a line's title to (objective, curve), with the curves of
            `thesis_lib.metrics.calibration`: a dict with confidence, accuracy and count of each bin.
    """
    size = (3.6 * len(panels) + 0.8, 4.6)
    shared = {"sharex": True, "sharey": "row", "height_ratios": (3, 1)}
    figure, axes = plt.subplots(2, len(panels), figsize=size, squeeze=False, layout="constrained", **shared)
    for axis, below, (panel, lines) in zip(*axes, panels.items()):
        axis.plot([0, 1], [0, 1], color="black", ls=":", lw=1)
        for title, (objective, curve) in lines.items():
            _, colour, marker = style(objective)
            present = curve["count"] > 0
            confidence, accuracy, count = (curve[name][present] for name in ("confidence", "accuracy", "count"))
            axis.plot(confidence, accuracy, color=colour, marker=marker, ms=4, label=title)
            below.plot(confidence, count, color=colour, marker=marker, ms=3)
        axis.set_title(panel, fontsize=9)
        axis.set(xlim=(0, 1.02), ylim=(0, 1.02))
        below.set(xlabel="confidence", yscale="log")
    axes[0, 0].set(ylabel="accuracy")
    axes[1, 0].set(ylabel="pixels")
    axes[0, 0].legend(fontsize=8)
    return figure


def history(table):
    """Training and validation loss by epoch, from a training's log as a DataFrame; the best epoch is marked."""
    figure, axis = plt.subplots(figsize=(6, 2.8), layout="constrained")
    epochs, best = table["epoch"] + 1, table["val_loss"].idxmin()
    axis.plot(epochs, table["loss"], color="#999999", label="training")
    axis.plot(epochs, table["val_loss"], color=PRIOR, label="validation, as drawn")
    axis.plot(epochs[best], table["val_loss"][best], color=PRIOR, marker="o", ls="none", label="best, kept")
    axis.set(xlabel="epoch", ylabel="loss", yscale="log")
    axis.legend(fontsize=8)
    return figure


def curves(logs, panels):
    """Training curves side by side.

    Args:
        logs: dict from an objective to the log of its training, a DataFrame with a row for each epoch.
        panels: dict from the label of a y axis to its (training, validation) columns.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 3.0), squeeze=False, layout="constrained")
    for axis, (title, (training, validation)) in zip(axes[0], panels.items()):
        for objective, log in logs.items():
            name, colour, marker = style(objective)
            epochs, markers = log["epoch"] + 1, {"marker": marker, "markevery": max(len(log) // 8, 1), "ms": 4}
            axis.plot(epochs, log[training], color=colour, ls=":", lw=1, label=f"{name}, training")
            axis.plot(epochs, log[validation], color=colour, label=f"{name}, validation", **markers)
        axis.set(xlabel="epoch", ylabel=title)
        values = np.concatenate([log[[training, validation]] for log in logs.values()])
        if np.nanmin(values) > 0 and np.nanmax(values) > 20 * np.nanmin(values):
            axis.set(yscale="log")
    axes[0, 0].legend(fontsize=7)
    return figure


ERRORS = {
    "right, background": (0.93, 0.93, 0.93),
    "right, object": (0.35, 0.35, 0.35),
    "wrongly found": "#D55E00",
    "missed": "#56B4E9",
}


def errors(labels, predictions, background):
    """Maps of the kind "errors" for `class_maps`: for each pixel the index of one of ERRORS.

    An object's pixel that is predicted as another class is missed. A pixel to ignore (255) counts as right background.
    """
    is_object = labels != background
    codes = np.where(is_object & (labels == predictions), 1, 0)
    codes[~is_object & (predictions != background)] = 2
    codes[is_object & (labels != predictions)] = 3
    codes[labels == IGNORE] = 0
    return codes


def class_maps(rows, columns, num_classes, background, width=None, names=None):
    """Rows of scenes as pictures.

    Args:
        rows: indices of the scenes.
        columns: dict from a title to (kind, arrays). The kind is "image", arrays (N, H, W, C); or "classes",
            "probability" or "errors", arrays (N, H, W). Lists of arrays may differ in size.
        num_classes: K.
        background: the background's class, shown in light grey.
        width: of a picture, inches; its height then has the proportions of the first one.
        names: of the K classes, for a legend.
    """
    size = (2.1, 1.7)
    if width is not None:
        first = next(iter(columns.values()))[1][rows[0]]
        size = (width, width * first.shape[0] / first.shape[1] + 0.15)
    figure, axes = grid(len(rows), len(columns), *size)
    colours = np.ones((IGNORE + 1, 3))
    colours[:num_classes] = sns.color_palette("tab20", num_classes)
    colours[background] = (0.93, 0.93, 0.93)
    _legend(figure, {kind for kind, _ in columns.values()}, colours[:num_classes], background, names)
    probability = None
    for line, i in zip(axes, rows):
        for axis, (title, (kind, arrays)) in zip(line, columns.items()):
            shown = _picture(axis, kind, arrays[i], title if i == rows[0] else None, colours)
            probability = shown if kind == "probability" else probability
    if probability is not None:
        figure.colorbar(probability, ax=axes, label="probability", shrink=0.8, pad=0.01, aspect=30)
    return figure


def _picture(axis, kind, array, title, colours):
    """One of the pictures of `class_maps`."""
    if kind == "classes":
        return picture(axis, colours[array], title)
    if kind == "errors":
        return picture(axis, np.array([to_rgb(colour) for colour in ERRORS.values()])[array], title)
    if kind == "probability":
        return picture(axis, array, title, cmap="viridis", vmin=0, vmax=1)
    return picture(axis, array if array.shape[-1] in (3, 4) else array[..., 0], title, cmap="gray")


def _legend(figure, kinds, colours, background, names):
    """The legend of `class_maps`: the errors, or the classes if they have names."""
    where = {"loc": "outside lower center", "ncols": 4}
    if "errors" in kinds:
        entries = dict(ERRORS)
        if len(colours) > 2:
            entries["missed, or of another class"] = entries.pop("missed")
        if "classes" in kinds:
            truth = {f"truth: {name}": colour for name, colour in zip(names or (), colours)}
            entries |= {title: colour for i, (title, colour) in enumerate(truth.items()) if i != background}
    elif "classes" in kinds and names is not None:
        entries = dict(zip(names, colours))
        where = {"loc": "outside lower center", "ncols": len(colours)}
        if len(colours) > 6:
            where = {"loc": "outside right center", "ncols": 1}
    else:
        return
    patches = [Patch(color=colour) for colour in entries.values()]
    figure.legend(patches, list(entries), fontsize=8, frameon=False, **where)
