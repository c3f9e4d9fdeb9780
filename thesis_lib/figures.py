"""Every figure of the notebooks: from arrays or tables to a matplotlib Figure.

The same colour stands for the same method everywhere (`OBJECTIVE_STYLE`), chosen to be told apart by colour-blind
readers with the help of the markers.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from scipy import stats

from thesis_lib import boundaries

OBJECTIVE_STYLE = {  # objective: (name in figures, colour, marker)
    "one_hot": ("one-hot", "#000000", "o"),
    "uniform": ("uniform smoothing", "#999999", "s"),
    "fixed_uniform": ("fixed-uniform", "#999999", "D"),
    "fixed_adjacent": ("fixed-adjacent", "#CC79A7", "D"),
    "weighted_uniform": ("weighted-uniform", "#CC79A7", "v"),
    "weighted_adjacent": ("weighted-adjacent", "#CC79A7", "^"),
    "weighted_adjacent_prior": ("weighted-adjacent, m from prior", "#882255", "P"),
    "spatially_varying": ("spatially varying", "#E69F00", "X"),
    "posterior": ("posterior soft labels", "#56B4E9", "s"),
    "forward": ("forward likelihood", "#0072B2", "o"),
    "forward_uniform": ("forward likelihood, uniform smoothing", "#0072B2", "s"),
    "forward_dice": ("forward likelihood + soft Dice", "#0072B2", "D"),
    "dice": ("soft Dice", "#009E73", "D"),
    "jaccard": ("soft Jaccard", "#009E73", "v"),
    "one_hot_dice": ("one-hot + soft Dice", "#009E73", "^"),
}
TRUE, DRAWN, PRIOR = "#009E73", "#D55E00", "#0072B2"


def save(figure, folder, name):
    """Save a figure as folder/name.png (for the page) and .pdf (for the thesis); the folder is made if missing."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    figure.savefig(folder / f"{name}.pdf", bbox_inches="tight", metadata={"CreationDate": None})


def style(objective):
    """(name, colour, marker) of an objective; an unknown one is shown in grey under its own name.

    A variant, "objective, how it differs", has the objective's colour and a star.
    """
    base, _, variant = objective.partition(", ")
    name, colour, marker = OBJECTIVE_STYLE.get(base, (base, "#666666", "x"))
    return (f"{name}, {variant}", colour, "*") if variant else (name, colour, marker)


def _grid(rows, columns, width=2.4, height=2.0, **options):
    return plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), squeeze=False, layout="constrained", **options
    )


def _picture(axis, image, title=None, **options):
    shown = axis.imshow(image, interpolation="nearest", **options)
    axis.set(xticks=[], yticks=[])
    if title:
        axis.set_title(title, fontsize=9)
    return shown


def drawn_boundaries(images, labels, drawings, background):
    """Rows of scenes with the true boundary and each annotator's. drawings: dict from title to label maps."""
    figure, axes = _grid(len(next(iter(drawings.values()))), len(drawings), 3.2, 2.5)
    for i, row in enumerate(axes):
        for axis, (title, drawn) in zip(row, drawings.items()):
            _picture(axis, images[i, ..., 0], title if i == 0 else None, cmap="gray_r", alpha=0.45)
            for maps, colour, name in ((labels, TRUE, "true"), (drawn, DRAWN, "drawn")):
                for n, line in enumerate(boundaries.contours(maps[i] != background)):
                    closed = np.vstack([line, line[:1]]) if np.ptp(line[[0, -1]], axis=0).max() < 2 else line
                    axis.plot(closed[:, 1], closed[:, 0], color=colour, lw=1.2, label=name if n == 0 else None)
    axes[0, 0].legend(loc="upper left", fontsize=7, framealpha=0.8)
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
    rho = [np.mean(np.concatenate([(s[k:] - mean) * (s[: len(s) - k] - mean) for s in series if len(s) > k])) for k in lags]
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


def label_gallery(soft_labels, k, class_name):
    """Soft labels of one scene by rule: probability of class k above, entropy below. soft_labels: title -> (H, W, K)."""
    figure, axes = _grid(2, len(soft_labels), 1.75, 1.7)
    for axis, (title, q) in zip(axes.T, soft_labels.items()):
        probability = _picture(axis[0], q[..., k], title, cmap="viridis", vmin=0, vmax=1)
        entropy = -(q * np.log(np.maximum(q, 1e-12))).sum(-1)
        spread = _picture(axis[1], entropy, cmap="magma", vmin=0, vmax=np.log(2))
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
    figure, panels = _grid(1, len(named), 3.4, 3.2)
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
            axis.plot(curve["confidence"][present], curve["accuracy"][present], color=colour, marker=marker, ms=4, label=title)
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


def class_maps(rows, columns, num_classes, background):
    """Rows of scenes as pictures. columns: title -> (kind, arrays).

    Kinds: "image" (N, H, W, C), "classes" and "probability" (N, H, W).
    """
    figure, axes = _grid(len(rows), len(columns), 2.1, 1.7)
    colours = np.array(sns.color_palette("tab20", num_classes))
    colours[background] = (0.93, 0.93, 0.93)
    for line, i in zip(axes, rows):
        for axis, (title, (kind, arrays)) in zip(line, columns.items()):
            title = title if i == rows[0] else None
            if kind == "classes":
                _picture(axis, colours[arrays[i]], title)
            elif kind == "image":
                _picture(axis, arrays[i] if arrays.shape[-1] in (3, 4) else arrays[i, ..., 0], title, cmap="gray")
            else:
                _picture(axis, arrays[i], title, cmap="viridis", vmin=0, vmax=1)
    return figure


def paired_differences(table, seeds, panels, baseline):
    """Differences to the baseline with their intervals, an axis a metric; filled where established, small dots for single seeds.

    Args:
        table: DataFrame with target, metric, difference, low, high, verdict.
        seeds: DataFrame with target, metric, difference: a row a seed.
        panels: metric -> (label, "higher" or "lower", whichever is better).
        baseline: the target that is subtracted.
    """
    first, (_, better) = next(iter(panels.items()))
    order = list(table[table["metric"] == first].sort_values("difference", ascending=better == "lower")["target"])
    figure, axes = plt.subplots(1, len(panels), figsize=(2.9 * len(panels) + 1.8, 0.36 * len(order) + 1.3), squeeze=False,
                                sharey=True, layout="constrained")  # fmt: skip
    for axis, (metric, (label, better)) in zip(axes[0], panels.items()):
        part = table[table["metric"] == metric].set_index("target")
        for y, target in enumerate(order):
            _, colour, marker = style(target)
            row = part.loc[target]
            bounds = np.nan_to_num([[row["difference"] - row["low"]], [row["high"] - row["difference"]]])
            single = seeds.loc[(seeds["target"] == target) & (seeds["metric"] == metric), "difference"]
            axis.plot(single, [y + 0.22] * len(single), color=colour, marker=".", ms=3, ls="none", alpha=0.6)
            axis.errorbar(row["difference"], y, xerr=bounds, color=colour, marker=marker, capsize=3, mfc=colour if row["verdict"] else "white")
        axis.axvline(0, color="black", ls=":")
        axis.set_xlabel(f"{label}\nminus {style(baseline)[0]}'s ({better} is better)", fontsize=8)
        axis.tick_params(axis="x", labelsize=8)
        axis.locator_params(axis="x", nbins=4)
        axis.grid(axis="x", alpha=0.3)
    axes[0, 0].set_yticks(range(len(order)), [style(target)[0] for target in order])
    axes[0, 0].set_ylim(len(order) - 0.5, -0.5)
    return figure


def lines(table, x, axis_label, panels, log=False, marked=None, references=None):
    """Metrics against a quantity, a line for each target, its interval as error bars.

    Args:
        table: DataFrame with the column `x`, target, metric, mean, low, high.
        axis_label: of the x axis, with the unit.
        panels: metric -> label of its y axis; an axis each.
        log: whether x is drawn on a logarithmic axis.
        marked: (value, name): a dashed line at that x.
        references: target -> DataFrame of its runs, drawn as level lines at their means.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.7 * len(panels), 3.6), squeeze=False, layout="constrained")
    targets = list(table["target"].unique())
    values = sorted(table[x].unique())
    for axis, (metric, label) in zip(axes[0], panels.items()):
        for i, target in enumerate(targets):
            name, colour, marker = style(target)
            part = table[(table["target"] == target) & (table["metric"] == metric)].sort_values(x)
            shift = (i - (len(targets) - 1) / 2) * 0.012  # so that error bars of different targets stay apart
            at = part[x] * (1 + 3 * shift) if log else part[x] + shift * (values[-1] - values[0])
            bounds = [part["mean"] - part["low"], part["high"] - part["mean"]]
            axis.errorbar(at, part["mean"], np.nan_to_num(bounds), color=colour, marker=marker, ms=5, lw=1.2, capsize=2, label=name)
        if marked:
            axis.axvline(marked[0], color=TRUE, ls="--", label=marked[1])
        if log:
            axis.set(xscale="log")
            axis.minorticks_off()
        for target, runs in (references or {}).items():
            name, colour, _ = style(target)
            axis.axhline(runs[metric].mean(), color=colour, ls="--", lw=1.2, label=name)
        axis.set_xticks(values, [f"{v:g}" for v in values])
        axis.set(xlabel=axis_label)
        axis.set_title(label, fontsize=9)
        axis.grid(axis="y", alpha=0.3)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=8, loc="outside lower center", ncols=3)
    return figure


def rankings(table, panels):
    """Ranks of targets with their intervals, an axis a metric: DataFrame with metric, target, rank, low, high. panels: metric -> label."""
    order = list(table[table["metric"] == next(iter(panels))].sort_values("rank")["target"])
    figure, axes = plt.subplots(1, len(panels), figsize=(2.3 * len(panels) + 2.2, 0.34 * len(order) + 1.0), squeeze=False,
                                sharey=True, layout="constrained")  # fmt: skip
    for axis, (metric, label) in zip(axes[0], panels.items()):
        part = table[table["metric"] == metric].set_index("target")
        for y, target in enumerate(order):
            _, colour, marker = style(target)
            row = part.loc[target]
            axis.plot([row["low"], row["high"]], [y, y], color=colour, lw=3, alpha=0.35, solid_capstyle="butt")
            axis.plot(row["rank"], y, color=colour, marker=marker, ls="none")
        axis.set_title(label, fontsize=9)
        axis.set(xlabel="rank (1 is best)", xlim=(0.5, len(order) + 0.5), xticks=range(1, len(order) + 1))
        axis.grid(axis="x", alpha=0.3)
    axes[0, 0].set_yticks(range(len(order)), [style(target)[0] for target in order])
    axes[0, 0].set_ylim(len(order) - 0.5, -0.5)
    return figure


def magnitudes(table, panels, references, prior):
    """Class-level rules against the weight that they take from the drawn class, with the spread over seeds.

    Args:
        table: DataFrame with a row a run: objective, magnitude and the metrics.
        panels: metric -> label of its y axis.
        references: objective -> DataFrame of its runs, drawn as level lines.
        prior: (magnitude, DataFrame of the runs at it): where the prior puts the magnitude, drawn as a marker with its spread.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4.4 * len(panels), 3.9), squeeze=False, layout="constrained")
    for axis, (metric, label) in zip(axes[0], panels.items()):
        for objective, part in table.groupby("objective", sort=False):
            name, colour, marker = style(objective)
            grouped = part.groupby(1 - part["magnitude"])[metric]
            axis.errorbar(grouped.mean().index, grouped.mean(), np.nan_to_num(grouped.std()), color=colour, marker=marker, ms=5, lw=1.2, capsize=2, label=name)
        for objective, runs in references.items():
            name, colour, _ = style(objective)
            axis.axhline(runs[metric].mean(), color=colour, ls="--", lw=1.2, label=name)
        name, colour, marker = style("weighted_adjacent_prior")
        magnitude, runs = prior
        axis.axvline(1 - magnitude, color=colour, ls=":", lw=1)
        if len(runs):
            axis.errorbar(1 - magnitude, runs[metric].mean(), np.nan_to_num(runs[metric].std()), color=colour, marker=marker, capsize=2, ls="none", label=name)
        ticks = [*sorted(set((1 - table["magnitude"]).round(3))), round(1 - magnitude, 2)]
        shown = [t for t in ticks if t in (0.025, 0.05, 0.1, 0.2) or t == ticks[-1]]
        axis.set(xscale="log", xlabel="weight taken from the drawn class, 1 - m")
        axis.set_title(label, fontsize=9)
        axis.minorticks_off()
        axis.set_xticks(shown, [f"{t:g}" for t in shown])
        axis.grid(axis="y", alpha=0.3)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=8, loc="outside lower center", ncols=3)
    return figure
