"""Figures of notebook 1: drawn boundaries, their displacements, and what is believed of them."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from scipy import ndimage, stats

from thesis_lib.annotation import geometry
from thesis_lib.figures.style import DRAWN, PRIOR, TRUE, grid, picture


def drawn_boundaries(images, labels, drawings, background):
    """Rows of scenes with the true boundary and each annotator's. drawings: dict from title to label maps."""
    figure, axes = grid(len(next(iter(drawings.values()))), len(drawings), 3.2, 2.5)
    for i, row in enumerate(axes):
        for axis, (title, drawn) in zip(row, drawings.items()):
            image = images[i] if images[i].shape[-1] == 3 else images[i][..., 0]
            picture(axis, image, title if i == 0 else None, cmap="gray_r", alpha=1.0 if image.ndim == 3 else 0.45)
            for maps, colour, name in ((labels, TRUE, "true"), (drawn, DRAWN, "drawn")):
                for n, line in enumerate(geometry.contours(maps[i] != background)):
                    closed = np.vstack([line, line[:1]]) if np.ptp(line[[0, -1]], axis=0).max() < 2 else line
                    axis.plot(closed[:, 1], closed[:, 0], color=colour, lw=1.2, label=name if n == 0 else None)
    axes[0, 0].legend(loc="upper left", fontsize=7, framealpha=0.8)
    return figure


def where_drawings_differ(truth, drawings, size=(110, 150)):
    """The window of at most `size` px, as two slices, in which drawings (H, W) of an image differ most from its true map."""
    size = tuple(min(most, full) for most, full in zip(size, truth.shape))
    apart = sum((one != truth).astype(float) for one in drawings)
    middle = np.unravel_index(np.argmax(ndimage.uniform_filter(apart, size, mode="constant")), truth.shape)
    tops = (min(max(at - n // 2, 0), full - n) for at, n, full in zip(middle, size, truth.shape))
    return tuple(slice(int(top), int(top) + n) for top, n in zip(tops, size))


def annotators(table):
    """Bias and sigma of each annotator with their intervals, from a DataFrame as `agreement.table` makes."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 0.5 * len(table) + 1.3), sharey=True, layout="constrained")
    for axis, name in zip(axes, ("bias", "sigma")):
        middle, low, high = table[f"{name}, px"], table[f"{name} from"], table[f"{name} to"]
        axis.errorbar(
            middle, range(len(table)), xerr=[middle - low, high - middle], color=PRIOR, marker="o", capsize=4, ls="none"
        )
    axes[0].axvline(0, color="black", lw=0.6)
    axes[0].set(
        yticks=range(len(table)),
        yticklabels=table.index,
        ylim=(len(table) - 0.5, -0.5),
        xlabel="bias, px (positive: outside)",
    )
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
    """Autocorrelation of displacements along the boundary, from a list of arrays; `time` is marked."""
    mean = np.concatenate(series).mean()
    lags = range(min(longest, max(map(len, series))))
    rho = [
        np.mean(np.concatenate([(s[k:] - mean) * (s[: len(s) - k] - mean) for s in series if len(s) > k])) for k in lags
    ]
    figure, axis = plt.subplots(figsize=(6, 2.8), layout="constrained")
    axis.plot(lags, np.array(rho) / rho[0], color=PRIOR, marker=".", label="measured")
    axis.axvline(time, color=DRAWN, ls="--", label=f"integrated time {time:.1f} px")
    axis.axhline(0, color="black", lw=0.6)
    axis.set(xlabel="distance along the boundary, px", ylabel="correlation of displacements")
    axis.legend(fontsize=8)
    return figure


def belief_about_sigma(beliefs, true_sigma):
    """Densities of sigma: a dict from title to BoundaryPrior, from prior to posterior; the truth is marked."""
    figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
    at = np.linspace(0.02, 3 * true_sigma, 600)
    colours = sns.color_palette("crest", len(beliefs))
    for (title, prior), colour in zip(beliefs.items(), colours):
        axis.plot(at, prior.sigma_density(at), color=colour, label=title)
    axis.axvline(true_sigma, color=TRUE, ls="--", label="simulated sigma")
    axis.set(xlabel="sigma, px", ylabel="density, 1/px", ylim=(0, None))
    axis.legend(fontsize=8)
    return figure


def coverage(table, level):
    """How often the interval holds the truth: DataFrame with `correlation length, px`, `count` and `coverage`, low, high."""
    figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
    colours = {"raw count": DRAWN, "effective count": PRIOR}
    for count, part in table.groupby("count", sort=False):
        bounds = [part["coverage"] - part["low"], part["high"] - part["coverage"]]
        axis.errorbar(part["correlation length, px"], part["coverage"], bounds, color=colours[count], marker="o",
                      capsize=3, label=count)  # fmt: skip
    axis.axhline(level, color="black", ls=":", label=f"nominal {level:.0%}")
    axis.set(xlabel="correlation length along the boundary, px", ylabel="coverage of sigma's interval", ylim=(0, 1.05))
    axis.legend(fontsize=8)
    return figure


def convergence(table, reference):
    """Posterior interval of sigma against the number of annotated scenes: DataFrame with scenes, low, high, counted."""
    figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
    shifts = {"raw count": 1.06, "effective count": 0.94}
    colours = {"raw count": DRAWN, "effective count": PRIOR}
    for count, part in table.groupby("count", sort=False):
        middle = (part["low"] + part["high"]) / 2
        axis.errorbar(part["scenes"] * shifts[count], middle, (part["high"] - part["low"]) / 2, color=colours[count],
                      ls="none", marker="o", capsize=4, label=count)  # fmt: skip
    axis.axhline(reference, color=TRUE, ls="--", label="measured spread, all scenes")
    axis.set(xscale="log", xlabel="annotated scenes", ylabel="sigma, px: 95% interval")
    ticks = sorted(set(table["scenes"]))
    axis.set_xticks(ticks, [str(t) for t in ticks])
    axis.minorticks_off()
    axis.legend(fontsize=8)
    return figure


def measured_sigma(table):
    """Measured against simulated sigma: DataFrame with sigma, measured, expected (px)."""
    figure, axis = plt.subplots(figsize=(4.6, 3.4), layout="constrained")
    axis.plot(table["sigma"], table["sigma"], color="black", ls=":", label="not rounded")
    axis.plot(table["sigma"], table["expected"], color=TRUE, label="rounded to whole pixels")
    axis.plot(table["sigma"], table["measured"], color=PRIOR, marker="o", ls="none", label="measured")
    axis.set(xlabel="simulated sigma, px", ylabel="measured spread, px")
    axis.legend(fontsize=8)
    return figure
