"""Figures of notebook 2: soft labels, smoothing matrices, and how well they forecast the truth."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from thesis_lib.figures.style import TRUE, grid, picture, style


def label_gallery(soft_labels, k, class_name):
    """Soft labels of one scene by rule: probability of class k above, entropy below. soft_labels: title -> (H, W, K)."""
    figure, axes = grid(2, len(soft_labels), 1.75, 1.7)
    for axis, (title, q) in zip(axes.T, soft_labels.items()):
        probability = picture(axis[0], q[..., k], title, cmap="viridis", vmin=0, vmax=1)
        entropy = -(q * np.log(np.maximum(q, 1e-12))).sum(-1)
        spread = picture(axis[1], entropy, cmap="magma", vmin=0, vmax=np.log(2))
    axes[0, 0].set_ylabel(f"P({class_name})", fontsize=9)
    axes[1, 0].set_ylabel("entropy, nats", fontsize=9)
    figure.colorbar(probability, ax=axes[0, :].tolist(), shrink=0.8)
    figure.colorbar(spread, ax=axes[1, :].tolist(), shrink=0.8)
    return figure


def edge_profile(distance, profiles, predictive):
    """Probability of the object across a straight edge: title -> values at `distance` (px), beside the formula."""
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
    """Heat maps of K x K matrices, by title, on a common colour scale from 0 to 1; axes name columns and rows."""
    figure, panels = grid(1, len(named), 3.4, 3.2)
    short = [n if len(n) < 3 else "bg" for n in class_names]
    for axis, (title, matrix) in zip(panels[0], named.items()):
        sns.heatmap(matrix, ax=axis, vmin=0, vmax=1, cmap="cividis", cbar=False, square=True, annot=True, fmt=".2f",
                    annot_kws={"fontsize": 5}, xticklabels=short, yticklabels=short)  # fmt: skip
        axis.set_title(title, fontsize=9)
        axis.set(xlabel=axes[0], ylabel=axes[1])
        axis.tick_params(labelsize=7)
    return figure


def class_average_ratio(table):
    """Measured over predicted class average against sigma: DataFrame with `sigma, px` and `ratio`."""
    figure, axis = plt.subplots(figsize=(5, 3), layout="constrained")
    axis.plot(table["sigma, px"], table["ratio"], color=style("weighted_adjacent_prior")[1], marker="P")
    axis.axhline(1, color="black", ls=":")
    axis.set(xlabel="sigma, px", ylabel="posterior's class average / prediction", ylim=(0, 1.15))
    return figure


def forecasts(table, metric="log_loss", label="log loss against the true map, nats"):
    """One bar a rule: DataFrame with `objective`, `title` and the metric, best first."""
    table = table.sort_values(metric)
    figure, axis = plt.subplots(figsize=(6.5, 0.32 * len(table) + 0.9), layout="constrained")
    axis.barh(table["title"], table[metric], color=[style(o)[1] for o in table["objective"]])
    for y, value in enumerate(table[metric]):
        axis.text(value, y, f" {value:.3f}", va="center", fontsize=8)
    axis.invert_yaxis()
    axis.set(xlabel=label, xlim=(0, table[metric].max() * 1.15))
    return figure


def assumed_sigma(table, true_sigma):
    """Log loss against the sigma that is assumed: DataFrame with `sigma, px` and `log_loss`."""
    figure, axis = plt.subplots(figsize=(5, 3), layout="constrained")
    axis.plot(table["sigma, px"], table["log_loss"], color=style("posterior")[1], marker="s", label="posterior")
    axis.axvline(true_sigma, color=TRUE, ls="--", label="annotators' sigma")
    axis.set(xlabel="assumed sigma, px", ylabel="log loss, nats", xscale="log")
    ticks = list(table["sigma, px"])
    axis.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axis.minorticks_off()
    axis.legend(fontsize=8)
    return figure
