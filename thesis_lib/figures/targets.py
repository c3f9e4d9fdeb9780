"""Figures of notebook 2: soft labels, smoothing matrices, and how well they forecast the true map."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from thesis_lib.figures.style import TRUE, grid, picture, style


def label_gallery(soft_labels, k, class_name):
    """Soft labels of one scene by rule: the probability of class k above, the entropy below.

    Args:
        soft_labels: dict from a rule's title to its soft labels (H, W, K).
    """
    figure, axes = grid(2, len(soft_labels), 1.75, 1.7)
    for (above, below), (title, q) in zip(axes.T, soft_labels.items()):
        probability = picture(above, q[..., k], title, cmap="viridis", vmin=0, vmax=1)
        entropy = -(q * np.log(np.maximum(q, 1e-12))).sum(-1)
        spread = picture(below, entropy, cmap="magma", vmin=0, vmax=np.log(2))
    axes[0, 0].set_ylabel(f"P({class_name})", fontsize=9)
    axes[1, 0].set_ylabel("entropy, nats", fontsize=9)
    figure.colorbar(probability, ax=axes[0, :].tolist(), shrink=0.8)
    figure.colorbar(spread, ax=axes[1, :].tolist(), shrink=0.8)
    return figure


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
    """Heat maps of K x K matrices on a common colour scale from 0 to 1.

    Args:
        named: dict from a title to a matrix.
        class_names: K names; those longer than two letters are shown as bg.
        axes: what columns and rows are.
    """
    figure, panels = grid(1, len(named), 3.4, 3.2)
    short = [name if len(name) < 3 else "bg" for name in class_names]
    options = {"vmin": 0, "vmax": 1, "cmap": "cividis", "cbar": False, "square": True}
    options |= {"annot": True, "fmt": ".2f", "annot_kws": {"fontsize": 5}, "xticklabels": short, "yticklabels": short}
    for axis, (title, matrix) in zip(panels[0], named.items()):
        sns.heatmap(matrix, ax=axis, **options)
        axis.set_title(title, fontsize=9)
        axis.set(xlabel=axes[0], ylabel=axes[1])
        axis.tick_params(labelsize=7)
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
    ticks = list(table["sigma, px"])
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.legend(fontsize=8)
    return figure
