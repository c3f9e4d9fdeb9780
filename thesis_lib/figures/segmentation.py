"""Figures of a training run: its history, its predictions, and their calibration."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from thesis_lib.figures.style import PRIOR, WIDEST, grid, picture, plain_logarithm, style
from thesis_lib.labels import IGNORE

MARGIN = 6  # px around the objects of a scene
MANY = 6  # classes; the legend of more stands beside the pictures
CUT = 0.7  # a scene is cut if its objects with the margin fill less than this share


def reliability(panels):
    """Reliability diagrams side by side; on the diagonal a stated probability comes true as often as it says.

    Below each diagram stands how many pixels have that confidence.

    Args:
        panels: dict from a panel's title to a dict from a line's title to (objective, curve), with the curves of
            `thesis_lib.metrics.calibration`: a dict with confidence, accuracy and count of each bin.
    """
    size = (min(3.6 * len(panels), WIDEST) + 0.8, 4.6)
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
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain_logarithm(axis.yaxis)
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
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        values = np.concatenate([log[[training, validation]] for log in logs.values()])
        if np.nanmin(values) > 0 and np.nanmax(values) > 20 * np.nanmin(values):
            axis.set(yscale="log")
            plain_logarithm(axis.yaxis)
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
    """Scenes as pictures, a row a scene; a single scene of many pictures fills several rows.

    Scenes are cut to their objects, where these fill only a part of them.

    Args:
        rows: indices of the scenes.
        columns: dict from a title to (kind, arrays). The kind is "image", arrays (N, H, W, C); or "classes",
            "probability" or "errors", arrays (N, H, W). Lists of arrays may differ in size.
        num_classes: K.
        background: the background's class, shown in light grey.
        width: of a picture, inches; its height then has the proportions of the first one.
        names: of the K classes, for a legend.
    """
    windows = _around_objects(columns, rows, background)
    width = 2.1 if width is None else width
    shapes = [next(iter(columns.values()))[1][i][window].shape for i, window in zip(rows, windows)]
    height = width * np.mean([shape[0] / shape[1] for shape in shapes]) + 0.15
    per_line = len(columns) if len(rows) > 1 else min(len(columns), max(int(WIDEST / width), 1))
    lines = len(rows) * -(-len(columns) // per_line)
    title_height = 0.12 * max(title.count("\n") for title in columns)
    figure, axes = grid(lines, per_line, width, height + title_height / max(len(rows), 1))
    kinds = {kind for kind, _ in columns.values()}
    beside = 0.9 * ("probability" in kinds) + 1.1 * (names is not None and "errors" not in kinds and num_classes > MANY)
    figure.set_figwidth(figure.get_figwidth() + beside)  # inches of the colour bar and the legend
    colours = np.ones((IGNORE + 1, 3))
    colours[:num_classes] = sns.color_palette("tab20", num_classes)
    colours[background] = (0.93, 0.93, 0.93)
    maps = [arrays for kind, arrays in columns.values() if kind == "classes"]
    unknown = any((one[i] == IGNORE).any() for one in maps for i in rows)
    _legend(figure, kinds, colours[:num_classes], background, names, unknown)
    for axis in axes.flat[len(rows) * len(columns) :]:
        axis.set_axis_off()
    probability, free = None, iter(axes.flat)
    for i, window in zip(rows, windows):
        for title, (kind, arrays) in columns.items():
            shown = _picture(next(free), kind, arrays[i][window], title if i == rows[0] else None, colours)
            probability = shown if kind == "probability" else probability
    if probability is not None:
        figure.colorbar(probability, ax=axes, label="probability", shrink=0.8, pad=0.01, aspect=30)
    return figure


def _around_objects(columns, rows, background):
    """Two slices for each scene, of one size: around all its objects, or of everything where these fill most of it."""
    everything = [(slice(None), slice(None))] * len(rows)
    maps = [arrays for kind, arrays in columns.values() if kind == "classes"]
    if not maps or len({maps[0][i].shape for i in rows}) > 1:
        return everything
    boxes = []
    for i in rows:
        at = np.nonzero(np.any([(one[i] != background) & (one[i] != IGNORE) for one in maps], axis=0))
        boxes.append([(one.min() - MARGIN, one.max() + MARGIN + 1) if len(one) else (0, 1) for one in at])
    full = maps[0][rows[0]].shape
    size = [min(max(box[axis][1] - box[axis][0] for box in boxes), full[axis]) for axis in (0, 1)]
    if np.prod(size) >= CUT * np.prod(full):
        return everything
    return [tuple(_placed(*one) for one in zip(box, size, full)) for box in boxes]


def _placed(bounds, length, full):
    """A slice of a length around bounds and inside the image."""
    start = min(max((bounds[0] + bounds[1] - length) // 2, 0), full - length)
    return slice(start, start + length)


def _picture(axis, kind, array, title, colours):
    """One of the pictures of `class_maps`."""
    if kind == "classes":
        return picture(axis, colours[array], title)
    if kind == "errors":
        return picture(axis, np.array([to_rgb(colour) for colour in ERRORS.values()])[array], title)
    if kind == "probability":
        return picture(axis, array, title, cmap="viridis", vmin=0, vmax=1)
    return picture(axis, array if array.shape[-1] in (3, 4) else array[..., 0], title, cmap="gray")


def _legend(figure, kinds, colours, background, names, unknown=False):
    """The legend of `class_maps`: the errors, or the classes if they have names, and pixels of no known class."""
    where = {"loc": "outside lower center", "ncols": 4}
    if "errors" in kinds:
        entries = dict(ERRORS)
        if len(colours) > 2:
            entries["missed, or of another class"] = entries.pop("missed")
        if "classes" in kinds:
            masks = {f"mask: {name}": colour for name, colour in zip(names or (), colours)}
            entries |= {title: colour for i, (title, colour) in enumerate(masks.items()) if i != background}
    elif "classes" in kinds and names is not None:
        entries = dict(zip(names, colours))
        where = {"loc": "outside lower center", "ncols": len(colours)}
        if len(colours) > MANY:
            where = {"loc": "outside right center", "ncols": 1}
    else:
        return
    patches = [Patch(color=colour) for colour in entries.values()]
    if unknown:
        entries["unknown, or outside the image"] = None
        patches.append(Patch(facecolor="white", edgecolor="#999999"))
    figure.legend(patches, list(entries), fontsize=8, frameon=False, **where)
