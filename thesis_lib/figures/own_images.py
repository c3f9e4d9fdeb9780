"""Figures of notebook 0: one's own images, whose annotators differ, and what a network makes of them."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thesis_lib.annotation import geometry
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.figures.annotation import where_drawings_differ
from thesis_lib.figures.style import DRAWN, PRIOR, grid, picture, style
from thesis_lib.labels import IGNORE
from thesis_lib.study.own_images import SCORES
from thesis_lib.targets.shift import shifted
from thesis_lib.targets.smoothing import OneHot, Posterior

PEOPLE = (DRAWN, "#56B4E9", "#F0E442", "#CC79A7")  # of annotators, in the order of their names
NETWORK = "#FFFFFF"  # a predicted outline, over images and over P(object)
DETAIL = (32, 96)  # px, the least and the greatest height of a detail


def colours(names):
    """dict from an annotator's name to the colour of their outlines."""
    return {name: PEOPLE[i % len(PEOPLE)] for i, name in enumerate(names)}


def detail(mask):
    """Height and width of a detail of an image, px: half its height, and half as wide again."""
    height = int(np.clip(mask.shape[0] // 2, *DETAIL))
    return height, height * 3 // 2


def bright(image):
    """An image (H, W, 3) whose brightest thousandth is white, as a dim one shows nothing."""
    top = max(np.quantile(image, 0.999), 1)
    return np.clip(image * (255 / top), 0, 255).astype(np.uint8)


def outlined(axis, image, masks, background, title=None):
    """Show an image (H, W, 3) with the outlines of several masks.

    Args:
        axis: matplotlib axis.
        image: uint8 (H, W, 3).
        masks: dict from a name to (label map (H, W), colour, line style).
        background: its class.
        title: of the axis, or None.
    """
    picture(axis, bright(image), title)
    for mask, colour, dashes in masks.values():
        for line in geometry.contours(mask != background):
            ends_meet = np.ptp(line[[0, -1]], axis=0).max() < 2
            rows, columns = np.vstack([line, line[:1]] if ends_meet else [line]).T
            axis.plot(columns, rows, color=colour, lw=1.1, ls=dashes)


def _legend(figure, entries):
    """Below a figure: what each outline is; entries are (name, colour, line style)."""
    lines = [Line2D([], [], color=colour, ls=dashes) for _, colour, dashes in entries]
    names = [name for name, _, _ in entries]
    legend = figure.legend(lines, names, fontsize=8, loc="outside lower center", ncols=4)
    legend.get_frame().set(facecolor="#444444")  # light outlines need it
    for text in legend.get_texts():
        text.set_color("white")


def _drawings(rasters, i, names):
    """The masks of image i for `outlined`."""
    return {name: (rasters.mask(i, name), colour, "-") for name, colour in colours(names).items()}


def _entries(names):
    return [(f"drawn by {name}" if name else "mask", colour, "-") for name, colour in colours(names).items()]


def paired(rasters, names, background, count=6):
    """The first images of a folder, each with the outlines of its masks.

    Args:
        rasters: `data.Rasters`.
        names: of the annotators; "" is the plain masks.
        background: its class.
        count: the most images.
    """
    count = min(count, len(rasters))
    figure, axes = grid(-(-count // 6), min(count, 6), 1.7, 1.9)
    for axis in axes.flat[count:]:
        axis.set_axis_off()
    for i, axis in enumerate(axes.flat[:count]):
        outlined(axis, rasters.image(i), _drawings(rasters, i, names), background, rasters.images[i].stem)
    _legend(figure, _entries(names))
    return figure


def differing(rasters, names, background, count=3, most=40):
    """Details of the images in which two annotators or more differ in the most pixels.

    Args:
        rasters, names, background: as for `paired`; the first of the names is compared with all others.
        count: number of images shown.
        most: images that are looked at.
    """
    found = []
    for i in range(min(most, len(rasters))):
        first, *others = (rasters.mask(i, name) for name in names)
        window = where_drawings_differ(first, others, detail(first))
        found.append((sum(int((one[window] != first[window]).sum()) for one in others), i, window))
    worst = sorted(found, key=lambda one: -one[0])[:count]
    figure, axes = grid(1, len(worst), 3.2, 2.4)
    for axis, (_, i, window) in zip(axes[0], worst):
        masks = {name: (mask[window], *look) for name, (mask, *look) in _drawings(rasters, i, names).items()}
        outlined(axis, rasters.image(i)[window], masks, background, rasters.images[i].stem)
    _legend(figure, _entries(names))
    return figure


def error_and_width(measured):
    """How wide the objects are, and how far the annotators' outlines are off: both in px, on one axis.

    Args:
        measured: `study.own_error.Measured`.
    """
    figure, axis = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    widths, found = measured.widths, measured.advice
    bins = np.geomspace(max(widths["width"].min(), 0.5), widths["width"].max() + 1, 13)
    share = widths["diameter"] ** 2 / (widths["diameter"] ** 2).sum()
    axis.hist(widths["width"], bins, weights=100 * share, color="#BBBBBB", label="width of objects")
    axis.axvline(found.width, color="black", ls="--", label=f"of the median pixel: {found.width:.1f} px")
    title = f"typical error: {found.error:.2f} px ({measured.low:.2f} to {measured.high:.2f})"
    axis.axvspan(measured.low, measured.high, color=PRIOR, alpha=0.35)
    axis.axvline(found.error, color=PRIOR, label=title)
    high = bins[-1] * 1.1
    axis.set(xscale="log", xlabel="px", ylabel="pixels of objects, %", xlim=(min(measured.low / 1.5, bins[0]), high))
    ticks = [tick for tick in (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if axis.get_xlim()[0] <= tick <= high]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    figure.legend(fontsize=8, loc="outside upper center", ncols=3)
    return figure


def training_curve(log, epochs, objective):
    """Loss so far, of a training that may still run; it needs no pyplot, so that a thread may draw it.

    Args:
        log: DataFrame with epoch, loss and val_loss.
        epochs: how many there will be at most.
        objective: its key.
    """
    figure = Figure(figsize=(6, 2.6), layout="constrained")
    axis, (title, colour, _) = figure.subplots(), style(objective)
    axis.plot(log["epoch"] + 1, log["loss"], color=colour, ls=":", marker=".", label="training")
    axis.plot(log["epoch"] + 1, log["val_loss"], color=colour, marker="o", ms=4, label="validation")
    axis.set(xlabel="epoch", ylabel="loss", xlim=(0.5, epochs + 0.5), title=title)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(fontsize=8)
    return figure


def predicted(trained, probabilities, scenes, judge, background, names):
    """Test images at their outlines: the judge's drawing, and P(object) of each network with its outline.

    Args:
        trained: dict from an objective to its Run.
        probabilities: dict from an objective to a list of P(object), float (H, W), one for each of the scenes.
        scenes: numbers of test images.
        judge: name of the masks that judge; "" is the plain ones.
        background: its class.
        names: of the annotators, for the colour of the judge.
    """
    test = next(iter(trained.values())).task.splits.test
    colour = colours(names).get(judge, PEOPLE[0])
    figure, axes = grid(len(scenes), 1 + len(trained), 3.0, 2.2)
    shown = None
    for row, (number, i) in zip(axes, enumerate(scenes)):
        mask, image = test.mask(i, judge), test.image(i)
        of_networks = {objective: several[number] for objective, several in probabilities.items()}
        found = [one >= 0.5 for one in of_networks.values()]
        drawn = (mask != background) & (mask != IGNORE)
        window = where_drawings_differ(drawn, found, detail(drawn))
        drawings = {"judge": (drawn[window], colour, "-")}
        outlined(row[0], image[window], drawings, False, test.images[i].stem)
        for axis, (objective, probability), one in zip(row[1:], of_networks.items(), found):
            shown = picture(axis, probability[window], style(objective)[0] if number == 0 else None, vmin=0, vmax=1)
            lines = {**drawings, "network": (one[window], NETWORK, "--")}
            for mask_of_line, line_colour, dashes in lines.values():
                axis.contour(mask_of_line.astype(float), [0.5], colors=line_colour, linestyles=dashes, linewidths=1.1)
    figure.colorbar(shown, ax=axes, label="P(object)", shrink=0.8, pad=0.01, aspect=30)
    _legend(figure, [(f"drawn by {judge}" if judge else "mask", colour, "-"), ("predicted", NETWORK, "--")])
    return figure


def scores(table):
    """A forest plot of `study.own_images.score_table`: means with intervals, an axis a score, people in grey."""
    names = list(dict.fromkeys(table["who"]))
    figure, axes = plt.subplots(
        1, len(SCORES), figsize=(3.0 * len(SCORES), 0.45 * len(names) + 1.2), sharey=True, layout="constrained"
    )
    for axis, (score, label) in zip(axes, SCORES.items()):
        for at, name in enumerate(names):
            row = table[(table["who"] == name) & (table["score"] == score)].iloc[0]
            _, colour, marker = style(name)
            colour, marker = ("#666666", "x") if row["person"] else (colour, marker)
            bounds = np.nan_to_num([[row["mean"] - row["low"]], [row["high"] - row["mean"]]])
            axis.errorbar(row["mean"], at, xerr=bounds, color=colour, marker=marker, capsize=4)
        axis.set(xlabel=label, ylim=(len(names) - 0.5, -0.5))
        axis.grid(axis="x", alpha=0.3)
    people = dict(zip(table["who"], table["person"]))
    titles = [f"annotator {name}" if people[name] else style(name)[0] for name in names]
    axes[0].set_yticks(range(len(names)), titles)
    return figure


def label_under_error(image, mask, sigma, num_classes, background):
    """A drawn label, and what it says under an error of sigma: the posterior of the truth, and the next drawing.

    Args:
        image: uint8 (H, W, 3).
        mask: label map (H, W).
        sigma: px, the spread of the annotators.
        num_classes: K.
        background: its class.
    """
    prior, labels = BoundaryPrior.known(sigma), mask[None].astype("int32")
    label = OneHot()(labels, num_classes)
    maps = {
        "the label": label,
        "posterior: P(object is there)": Posterior(prior)(labels, num_classes),
        "likelihood: P(the next one draws it)": shifted(label, prior, background),
    }
    figure, axes = grid(1, 4, 2.6, 2.3)
    outlined(axes[0, 0], image, {"mask": (mask, PEOPLE[0], "-")}, background, "the image, as drawn")
    for axis, (title, one) in zip(axes[0, 1:], maps.items()):
        shown = picture(axis, 1 - np.asarray(one)[0, ..., background], title, vmin=0, vmax=1)
    figure.colorbar(shown, ax=axes, shrink=0.8, pad=0.01, aspect=30)
    figure.suptitle(f"sigma = {sigma:.2f} px", fontsize=10)
    return figure
