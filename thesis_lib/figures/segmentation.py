"""Figures of a training run: its history, its predictions, and whether they can be believed."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from thesis_lib.figures.style import PRIOR, grid, picture, style
from thesis_lib.labels import IGNORE


def reliability(panels):
    """Reliability diagrams side by side: panel title -> {line title: (objective, curve with confidence, accuracy, count)}.

    The diagonal is perfect; below each diagram, how many pixels have that confidence.
    """
    figure, axes = plt.subplots(2, len(panels), figsize=(3.6 * len(panels) + 0.8, 4.6), squeeze=False, layout="constrained",
                                sharex=True, sharey="row", height_ratios=(3, 1))  # fmt: skip
    for axis, below, (panel, curves) in zip(*axes, panels.items()):
        axis.plot([0, 1], [0, 1], color="black", ls=":", lw=1)
        for title, (objective, curve) in curves.items():
            _, colour, marker = style(objective)
            present = curve["count"] > 0
            axis.plot(
                curve["confidence"][present], curve["accuracy"][present], color=colour, marker=marker, ms=4, label=title
            )
            below.plot(curve["confidence"][present], curve["count"][present], color=colour, marker=marker, ms=3)
        axis.set_title(panel, fontsize=9)
        axis.set(xlim=(0, 1.02), ylim=(0, 1.02))
        below.set(xlabel="confidence", yscale="log")
    axes[0, 0].set(ylabel="accuracy")
    axes[1, 0].set(ylabel="pixels")
    axes[0, 0].legend(fontsize=8)
    return figure


def history(table):
    """Training and validation loss by epoch, from the CSV log as a DataFrame; the best epoch is marked."""
    figure, axis = plt.subplots(figsize=(6, 2.8), layout="constrained")
    axis.plot(table["epoch"] + 1, table["loss"], color="#999999", label="training")
    axis.plot(table["epoch"] + 1, table["val_loss"], color=PRIOR, label="validation, as drawn")
    best = table["val_loss"].idxmin()
    axis.plot(table["epoch"][best] + 1, table["val_loss"][best], color=PRIOR, marker="o", ls="none", label="best, kept")
    axis.set(xlabel="epoch", ylabel="loss", yscale="log")
    axis.legend(fontsize=8)
    return figure


def curves(logs, panels):
    """Training curves side by side: a dict from objective to its log as a DataFrame, and one from title to (training, validation) columns."""
    figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 3.0), squeeze=False, layout="constrained")
    for axis, (title, (training, validation)) in zip(axes[0], panels.items()):
        for objective, log in logs.items():
            name, colour, marker = style(objective)
            axis.plot(log["epoch"] + 1, log[training], color=colour, ls=":", lw=1, label=f"{name}, training")
            axis.plot(
                log["epoch"] + 1,
                log[validation],
                color=colour,
                marker=marker,
                markevery=max(len(log) // 8, 1),
                ms=4,
                label=f"{name}, validation",
            )
        axis.set(xlabel="epoch", ylabel=title)
        values = pd.concat([log[column] for log in logs.values() for column in (training, validation)])
        if values.min() > 0 and values.max() > 20 * values.min():
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
    """Maps of the kind "errors" for `class_maps`: the number of one of ERRORS for each pixel; another class than the true one is missed."""
    true, found = labels != background, predictions != background
    codes = np.where(true, np.where(labels == predictions, 1, 3), np.where(found, 2, 0))
    return np.where(labels == IGNORE, 0, codes)


def class_maps(rows, columns, num_classes, background, width=None, names=None):
    """Rows of scenes as pictures. columns: title -> (kind, arrays).

    Kinds: "image" (N, H, W, C); "classes", "probability" and "errors" (N, H, W); or lists of arrays that differ in size.
    width: of a picture, inches; its height then follows from the first one's sides. names: of the classes, for a legend.
    """
    size = (2.1, 1.7)
    if width is not None:
        first = next(iter(columns.values()))[1][rows[0]]
        size = (width, width * first.shape[0] / first.shape[1] + 0.15)
    figure, axes = grid(len(rows), len(columns), *size)
    colours = np.ones((IGNORE + 1, 3))
    colours[:num_classes] = sns.color_palette("tab20", num_classes)
    colours[background] = (0.93, 0.93, 0.93)
    of_errors = np.array([to_rgb(colour) for colour in ERRORS.values()])
    kinds = {kind for kind, _ in columns.values()}
    legend = lambda shown, names, **where: figure.legend(
        [Patch(color=colour) for colour in shown], names, fontsize=8, frameon=False, **where
    )
    if "errors" in kinds:
        meaning = dict(ERRORS)
        if num_classes > 2:
            meaning["missed, or of another class"] = meaning.pop("missed")
        if "classes" in kinds:
            meaning |= {f"truth: {name}": colours[k] for k, name in enumerate(names or ()) if k != background}
        legend(meaning.values(), meaning, loc="outside lower center", ncols=4)
    elif "classes" in kinds and names is not None:
        legend(
            colours[:num_classes],
            names,
            loc="outside right center" if num_classes > 6 else "outside lower center",
            ncols=1 if num_classes > 6 else num_classes,
        )
    for line, i in zip(axes, rows):
        for axis, (title, (kind, arrays)) in zip(line, columns.items()):
            title = title if i == rows[0] else None
            if kind == "classes":
                picture(axis, colours[arrays[i]], title)
            elif kind == "image":
                picture(axis, arrays[i] if arrays[i].shape[-1] in (3, 4) else arrays[i][..., 0], title, cmap="gray")
            elif kind == "errors":
                picture(axis, of_errors[arrays[i]], title)
            else:
                shown = picture(axis, arrays[i], title, cmap="viridis", vmin=0, vmax=1)
    if "probability" in kinds:
        figure.colorbar(shown, ax=axes, label="probability", shrink=0.8, pad=0.01, aspect=30)
    return figure
