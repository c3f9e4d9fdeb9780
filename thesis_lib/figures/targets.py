"""Figures of notebook 2: soft labels, smoothing matrices, and how well they forecast the true map."""

from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from scipy import ndimage

from thesis_lib.figures.style import TRUE, apart, grid, picture, style

MARGIN = 6  # px around the object that is shown


def label_gallery(soft_labels, k, class_name):
    """Soft labels of one object by rule: the probability of class k above, the entropy below.

    Args:
        soft_labels: dict from a rule's title to its soft labels (H, W, K).
        k: the class; its largest object is shown.
        class_name: of the class.
    """
    window = _around_object(next(iter(soft_labels.values()))[..., k] > 0.5)
    figure, axes = grid(2, len(soft_labels), 10.5 / len(soft_labels), 1.8)
    for (above, below), (title, q) in zip(axes.T, soft_labels.items()):
        q = q[window]
        probability = picture(above, q[..., k], fill(title, 16), cmap="viridis", vmin=0, vmax=1)
        entropy = -(q * np.log(np.maximum(q, 1e-12))).sum(-1)
        spread = picture(below, entropy, cmap="magma", vmin=0, vmax=np.log(2))
        above.title.set_fontsize(8)
    axes[0, 0].set_ylabel(f"P({class_name})", fontsize=9)
    axes[1, 0].set_ylabel("entropy, nats", fontsize=9)
    figure.colorbar(probability, ax=axes[0, :].tolist(), shrink=0.8)
    figure.colorbar(spread, ax=axes[1, :].tolist(), shrink=0.8)
    return figure


def _around_object(mask):
    """Two slices, of rows and columns, with the largest connected object of a mask; all of it if there is none."""
    objects, count = ndimage.label(mask)
    if not count:
        return slice(None), slice(None)
    largest = np.bincount(objects.ravel())[1:].argmax() + 1
    rows, columns = np.nonzero(objects == largest)
    return tuple(slice(max(at.min() - MARGIN, 0), at.max() + MARGIN + 1) for at in (rows, columns))


def edge_profile(distance, profiles, predictive):
    """Probability of the object across a straight edge, with the formula as a line.

    Args:
        distance: signed distance from the edge, px, positive inside (n,).
        profiles: dict from a title to (objective, probabilities (n,)).
        predictive: SciPy distribution of the displacement, px.
    """
    figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
    fine = np.linspace(distance.min(), distance.max(), 400)
    axis.plot(fine, predictive.cdf(fine), color="black", lw=1, label="Student-t distribution function")
    for title, (objective, values) in profiles.items():
        _, colour, marker = style(objective)
        axis.plot(distance, values, color=colour, marker=marker, ms=4, ls="none", label=title)
    axis.set(xlabel="signed distance from the drawn edge, px (positive: inside)", ylabel="P(inside)")
    axis.legend(fontsize=8)
    return figure


def matrices(named, class_names, axes=("true class", "drawn class")):
    """How the weight of each class is spread over the classes.

    Heat maps on a common colour scale from 0 to 1, in which what rounds to zero is left blank. Where each class shares
    with at most one other, a matrix is next to empty: bars then show how much leaves each class, and where it goes.

    Args:
        named: dict from a title to a matrix (K, K) whose rows sum to one, or are NaN where a class is absent.
        class_names: K names; those longer than two letters are shown as bg.
        axes: what columns and rows are.
    """
    short = [name if len(name) < 3 else "bg" for name in class_names]
    if len(short) > 3 and all(_shares_with_one(np.asarray(matrix)) for matrix in named.values()):
        return _leaving(named, short, axes)
    figure, panels = grid(1, len(named), 3.8, 3.6)
    options = {"vmin": 0, "vmax": 1, "cmap": "cividis", "cbar": False, "square": True}
    options |= {"fmt": "", "annot_kws": {"fontsize": 6}, "xticklabels": short, "yticklabels": short}
    for axis, (title, matrix) in zip(panels[0], named.items()):
        texts = np.vectorize(lambda share: f"{share:.2f}" if share >= VISIBLE else "")(matrix)
        sns.heatmap(matrix, ax=axis, annot=texts, **options)
        axis.set_title(title, fontsize=9)
        axis.set(xlabel=axes[0], ylabel=axes[1])
        axis.tick_params(labelsize=7)
    return figure


VISIBLE = 0.005  # smaller shares round to zero


def _shares_with_one(matrix):
    """Whether each row has at most one visible share beside the diagonal."""
    beside = matrix - np.diag(np.diag(matrix))
    return ((beside >= VISIBLE).sum(1) <= 1).all()


def _leaving(named, names, axes):
    """Bars: the share of each class that lies on others, with the class that has most of it."""
    size = (min(3.6 * len(named) + 0.6, 11), 0.24 * len(names) + 1.2)
    figure, panels = plt.subplots(1, len(named), figsize=size, squeeze=False, sharey=True, layout="constrained")
    largest = max(1 - np.nanmin(np.diag(matrix)) for matrix in named.values())
    for axis, (title, matrix) in zip(panels[0], named.items()):
        is_absent = np.isnan(matrix).any(1)
        matrix = np.where(is_absent[:, None], 0.0, matrix)
        beside = matrix - np.diag(np.diag(matrix))
        shares, where = beside.sum(1), beside.argmax(1)
        axis.barh(names, shares, color="#56B4E9")
        for y, (share, to) in enumerate(zip(shares, where)):
            target = f"to {names[to]}" if beside[y, to] > share / 2 else "spread over all"
            text = f" {share:.2f} {target}" if share >= VISIBLE else f" {share:.3f}"
            axis.text(share, y, " absent" if is_absent[y] else text, va="center", fontsize=7)
        axis.set_title(title, fontsize=9)
        axis.set(xlim=(0, 1.6 * largest), xlabel=f"share of the {axes[1]} on another {axes[0]}")
        axis.xaxis.label.set_fontsize(8)
        axis.tick_params(labelsize=8)
    panels[0, 0].set(ylabel=axes[1])
    panels[0, 0].invert_yaxis()
    return figure


def class_average_ratio(table):
    """Ratio of the measured to the predicted class average against sigma: DataFrame with `sigma, px` and ratio."""
    figure, axis = plt.subplots(figsize=(5, 3), layout="constrained")
    axis.plot(table["sigma, px"], table["ratio"], color=style("weighted_adjacent_prior")[1], marker="P")
    axis.axhline(1, color="black", ls=":")
    axis.set(xlabel="sigma, px", ylabel="posterior's class average / prediction", ylim=(0, 1.15))
    return figure


def forecasts(table):
    """Log loss of each rule as a bar, the best first: DataFrame with objective, title and log_loss."""
    table = table.sort_values("log_loss")
    figure, axis = plt.subplots(figsize=(6.5, 0.32 * len(table) + 0.9), layout="constrained")
    axis.barh(table["title"], table["log_loss"], color=[style(objective)[1] for objective in table["objective"]])
    for y, value in enumerate(table["log_loss"]):
        axis.text(value, y, f" {value:.3f}", va="center", fontsize=8)
    axis.invert_yaxis()
    axis.set(xlabel="log loss against the true map, nats", xlim=(0, table["log_loss"].max() * 1.15))
    return figure


def assumed_sigma(table, true_sigma):
    """Log loss against the assumed sigma: DataFrame with `sigma, px` and log_loss; the true sigma (px) is marked."""
    figure, axis = plt.subplots(figsize=(5, 3), layout="constrained")
    axis.plot(table["sigma, px"], table["log_loss"], color=style("posterior")[1], marker="s", label="posterior")
    axis.axvline(true_sigma, color=TRUE, ls="--", label="annotators' sigma")
    axis.set(xlabel="assumed sigma, px", ylabel="log loss, nats", xscale="log")
    ticks = apart(table["sigma, px"], 1.3)
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.legend(fontsize=8)
    return figure
