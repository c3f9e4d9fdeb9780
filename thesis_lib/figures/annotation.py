"""Figures of notebook 1: drawn boundaries, their displacements, and the posterior distribution of sigma."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from scipy import ndimage, stats

from thesis_lib.annotation import geometry
from thesis_lib.figures.style import DRAWN, PRIOR, TRUE, grid, picture

COUNT_COLOURS = {"raw count": DRAWN, "effective count": PRIOR}


def drawn_boundaries(images, labels, drawings, background):
    """Rows of scenes with the true boundary and each annotator's.

    Args:
        images: (N, H, W, C), or a list of arrays (H, W, C) that differ in size.
        labels: true label maps of the same images.
        drawings: dict from an annotator's title to their label maps, one for each row.
        background: the background's class.
    """
    figure, axes = grid(len(next(iter(drawings.values()))), len(drawings), 3.2, 2.5)
    for i, row in enumerate(axes):
        is_grey = images[i].shape[-1] != 3
        image = images[i][..., 0] if is_grey else images[i]
        for axis, (title, drawn) in zip(row, drawings.items()):
            picture(axis, image, title if i == 0 else None, cmap="gray_r", alpha=0.45 if is_grey else 1.0)
            _boundary(axis, labels[i] != background, TRUE, "true")
            _boundary(axis, drawn[i] != background, DRAWN, "drawn")
    axes[0, 0].legend(loc="upper left", fontsize=7, framealpha=0.8)
    return figure


def _boundary(axis, mask, colour, label):
    """The boundaries of a mask as lines, the first of them with a label."""
    for i, line in enumerate(geometry.contours(mask)):
        ends_meet = np.ptp(line[[0, -1]], axis=0).max() < 2
        rows, columns = np.vstack([line, line[:1]] if ends_meet else [line]).T
        axis.plot(columns, rows, color=colour, lw=1.2, label=label if i == 0 else None)


def where_drawings_differ(truth, drawings, size=(110, 150)):
    """The window in which drawings of an image differ most from its true map.

    Args:
        truth: label map (H, W).
        drawings: label maps (H, W).
        size: largest height and width of the window, px.

    Returns:
        two slices, of rows and columns.
    """
    size = [min(largest, full) for largest, full in zip(size, truth.shape)]
    differences = sum((drawn != truth).astype(float) for drawn in drawings)
    density = ndimage.uniform_filter(differences, size, mode="constant")
    window = []
    for middle, length, full in zip(np.unravel_index(np.argmax(density), truth.shape), size, truth.shape):
        start = int(min(max(middle - length // 2, 0), full - length))
        window.append(slice(start, start + length))
    return tuple(window)


def annotators(table):
    """Bias and sigma of each annotator with their intervals, from a table of `prior_table`."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 0.5 * len(table) + 1.3), sharey=True, layout="constrained")
    rows = range(len(table))
    for axis, name in zip(axes, ("bias", "sigma")):
        value, low, high = table[f"{name}, px"], table[f"{name} from"], table[f"{name} to"]
        axis.errorbar(value, rows, xerr=[value - low, high - value], color=PRIOR, marker="o", capsize=4, ls="none")
    axes[0].axvline(0, color="black", lw=0.6)
    axes[0].set(yticks=rows, yticklabels=table.index, ylim=(len(table) - 0.5, -0.5))
    axes[0].set(xlabel="bias, px (positive: outside)")
    axes[1].set(xlabel="sigma, px")
    return figure


def displacements(values, predictive, true_sigma, true_mean):
    """Histogram of measured displacements (px) with the simulated annotator's Normal and the fitted predictive."""
    figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
    at = np.linspace(*np.quantile(values, [0.0005, 0.9995]), 300)
    axis.hist(values, bins=np.arange(at[0], at[-1] + 0.25, 0.25), density=True, color="#cccccc", label="measured")
    axis.plot(at, stats.norm(true_mean, true_sigma).pdf(at), color=TRUE, label="annotator, before the pixel grid")
    axis.plot(at, predictive.pdf(at), color=PRIOR, ls="--", label="posterior predictive")
    axis.set(xlabel="displacement, px (positive: outside)", ylabel="density, 1/px")
    axis.legend(fontsize=8)
    return figure


def autocorrelation(series, time, longest=40):
    """Correlation of displacements along the boundary up to `longest` px; the integrated time (px) is marked.

    Args:
        series: list of arrays, px, in order along each boundary.
    """
    mean = np.concatenate(series).mean()
    centred = [values - mean for values in series]
    lags = range(min(longest, max(map(len, series))))
    covariances = []
    for lag in lags:
        products = [values[lag:] * values[: len(values) - lag] for values in centred if len(values) > lag]
        covariances.append(np.concatenate(products).mean())
    figure, axis = plt.subplots(figsize=(6, 2.8), layout="constrained")
    axis.plot(lags, np.array(covariances) / covariances[0], color=PRIOR, marker=".", label="measured")
    axis.axvline(time, color=DRAWN, ls="--", label=f"integrated time {time:.1f} px")
    axis.axhline(0, color="black", lw=0.6)
    axis.set(xlabel="distance along the boundary, px", ylabel="correlation of displacements")
    axis.legend(fontsize=8)
    return figure


def sigma_posterior(priors, true_sigma):
    """Densities of sigma from prior to posterior: a dict from title to BoundaryPrior; the true sigma (px) is marked."""
    figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
    at = np.linspace(0.02, 3 * true_sigma, 600)
    colours = sns.color_palette("crest", len(priors))
    for (title, prior), colour in zip(priors.items(), colours):
        axis.plot(at, prior.sigma_density(at), color=colour, label=title)
    axis.axvline(true_sigma, color=TRUE, ls="--", label="simulated sigma")
    axis.set(xlabel="sigma, px", ylabel="density, 1/px", ylim=(0, None))
    axis.legend(fontsize=8)
    return figure


def coverage(table, level):
    """How often the interval holds the truth.

    Args:
        table: DataFrame with `correlation length, px`, count (raw count or effective count), coverage, low, high.
        level: probability of the interval.
    """
    figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for count, part in table.groupby("count", sort=False):
        bounds = [part["coverage"] - part["low"], part["high"] - part["coverage"]]
        options = {"color": COUNT_COLOURS[count], "marker": "o", "capsize": 3, "label": count}
        axis.errorbar(part["correlation length, px"], part["coverage"], bounds, **options)
    axis.axhline(level, color="black", ls=":", label=f"nominal {level:.0%}")
    axis.set(xlabel="correlation length along the boundary, px", ylabel="coverage of sigma's interval", ylim=(0, 1.05))
    axis.legend(fontsize=8)
    return figure


def convergence(table, reference):
    """95% interval of sigma against the number of annotated scenes.

    Args:
        table: DataFrame with scenes, count (raw count or effective count), low, high, px.
        reference: the spread of all displacements, px.
    """
    figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
    shifts = {"raw count": 1.06, "effective count": 0.94}
    for count, part in table.groupby("count", sort=False):
        middle, half = (part["low"] + part["high"]) / 2, (part["high"] - part["low"]) / 2
        options = {"color": COUNT_COLOURS[count], "marker": "o", "capsize": 4, "ls": "none", "label": count}
        axis.errorbar(part["scenes"] * shifts[count], middle, half, **options)
    axis.axhline(reference, color=TRUE, ls="--", label="measured spread, all scenes")
    axis.set(xscale="log", xlabel="annotated scenes", ylabel="sigma, px: 95% interval")
    ticks = sorted(set(table["scenes"]))
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.minorticks_off()
    axis.legend(fontsize=8)
    return figure


def measured_sigma(table):
    """Measured against simulated sigma: DataFrame with sigma, measured, expected, all px."""
    figure, axis = plt.subplots(figsize=(4.6, 3.4), layout="constrained")
    axis.plot(table["sigma"], table["sigma"], color="black", ls=":", label="not rounded")
    axis.plot(table["sigma"], table["expected"], color=TRUE, label="rounded to whole pixels")
    axis.plot(table["sigma"], table["measured"], color=PRIOR, marker="o", ls="none", label="measured")
    axis.set(xlabel="simulated sigma, px", ylabel="measured spread, px")
    axis.legend(fontsize=8)
    return figure
