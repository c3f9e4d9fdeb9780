"""Figures of notebooks 5 to 7 and 11: how unlabelled images change a classifier."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib import ticker
from scipy import stats

from thesis_lib.figures.style import TRUE, dashes, grid, picture, style


def ramps(named, steps):
    """Weight of the unsupervised loss by training step: dict from title to (ramp, colour)."""
    figure, axis = plt.subplots(figsize=(6, 2.8), layout="constrained")
    at = np.linspace(0, steps, 300)
    for title, (ramp, colour) in named.items():
        axis.plot(at, [float(ramp(step)) for step in at], color=colour, label=title)
    axis.set(xlabel="training step", ylabel="weight of the unsupervised loss", ylim=(0, None))
    axis.legend(fontsize=8)
    return figure


def entropies(named, classes):
    """Histograms of the entropy of predictions: dict from (method, title) to predicted probabilities (N, K)."""
    figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
    bins = np.linspace(0, np.log(classes), 30)
    for (method, title), predicted in named.items():
        entropy = stats.entropy(predicted, axis=-1)
        axis.hist(
            entropy, bins, histtype="step", lw=1.8, color=style(method)[1], label=f"{title}, mean {entropy.mean():.2f}"
        )
    axis.set(xlabel="entropy of a prediction on a test image, nats", ylabel="predictions", yscale="log")
    axis.legend(fontsize=8)
    return figure


def margins(named):
    """Share of predictions whose two most probable classes lie closer than a margin.

    Args:
        named: dict from (method, title) to predicted probabilities (N, K).
    """
    figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
    for (method, title), predicted in named.items():
        second, first = np.sort(predicted, axis=-1)[:, -2:].T
        axis.ecdf(first - second, color=style(method)[1], label=title)
    axis.set(
        xlabel="margin: largest minus second largest probability (0: on the decision boundary)",
        ylabel="share of predictions below",
        xlim=(0, 1),
        ylim=(0, None),
    )
    axis.legend(fontsize=8)
    return figure


def embeddings(named, labels, class_names):
    """Scatter plots of two coordinates, coloured by true class: dict from title to (N, 2)."""
    figure, axes = plt.subplots(1, len(named), figsize=(4.2 * len(named), 4), squeeze=False, layout="constrained")
    colours = sns.color_palette("tab10" if len(class_names) <= 10 else "husl", len(class_names))
    for axis, (title, points) in zip(axes[0], named.items()):
        for k, name in enumerate(class_names):
            axis.scatter(*points[labels == k].T, s=8, color=colours[k], label=name)
        axis.set_title(title, fontsize=9)
        axis.set(xticks=[], yticks=[], xlabel="t-SNE 1", ylabel="t-SNE 2")
    axes[0, -1].legend(fontsize=7, markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def progress(tables, y, label, student=None, log=False):
    """A score by epoch, a line for each method.

    Args:
        tables: dict from method to DataFrame with the columns epoch and `y`.
        y: column of the score.
        label: of the score.
        student: column that is drawn dotted in the same colour where a table has it; None: no student.
        log: whether the score's axis is logarithmic.
    """
    figure, axis = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
    for (method, table), dash in zip(tables.items(), dashes(tables)):
        name, colour, marker = style(method)
        often = max(len(table) // 10, 1)
        axis.plot(
            table["epoch"],
            table[y],
            color=colour,
            marker=marker,
            ms=5,
            markevery=(len(axis.lines) % often, often),
            lw=1.3,
            ls=dash,
            label=name,
        )
        if student in table:
            axis.plot(table["epoch"], table[student], color=colour, ls=":", lw=1.3, label=f"{name}: the student")
    axis.set(xlabel="epoch", ylabel=label, yscale="log" if log else "linear")
    axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    if log:
        axis.yaxis.set(
            major_locator=ticker.LogLocator(subs=(1, 2, 5)),
            major_formatter="{x:g}",
            minor_formatter=ticker.NullFormatter(),
        )
    axis.grid(axis="y", alpha=0.3)
    if len(axis.lines) > 3:  # the legend stands beside the lines, not on them
        figure.set_figwidth(8.5)
        axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    else:
        axis.legend(fontsize=8)
    return figure


def differences_in_error(table):
    """Paired differences in test error with their intervals, a row a pair, an axis for each number of labels.

    Markers are filled where the difference is significant: its interval leaves out zero.

    Args:
        table: DataFrame with one and other (the titles of what is compared; the second is subtracted), difference, low
            and high (points of error); method, where the pairs are to have the styles of methods; labels, where there
            are several numbers.
    """
    pairs = list(dict.fromkeys(zip(table["one"], table["other"])))
    panels = [("", table)]
    if "labels" in table:
        panels = [(f"{number} labels", part) for number, part in table.groupby("labels")]
    titles = [f"{one}\nminus {other}" for one, other in pairs]
    size = (2.2 * len(panels) + 0.075 * max(map(len, "\n".join(titles).splitlines())), 0.42 * len(pairs) + 1.1)
    figure, axes = plt.subplots(1, len(panels), figsize=size, squeeze=False, sharey=True, layout="constrained")
    for axis, (title, part) in zip(axes[0], panels):
        for row in part.itertuples():
            _, colour, marker = style(getattr(row, "method", row.one))
            marker = marker.replace("x", "o")  # which can be filled
            bounds = np.nan_to_num([[row.difference - row.low], [row.high - row.difference]])
            face = colour if row.low > 0 or row.high < 0 else "white"
            at = pairs.index((row.one, row.other))
            axis.errorbar(row.difference, at, xerr=bounds, color=colour, marker=marker, capsize=3, mfc=face)
        axis.axvline(0, color="black", ls=":")
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("difference in test error, points\n(lower is better)", fontsize=8)
        axis.tick_params(axis="x", labelsize=8)
        axis.grid(axis="x", alpha=0.3)
    axes[0, 0].set_yticks(range(len(pairs)), titles, fontsize=8)
    axes[0, 0].set_ylim(len(pairs) - 0.5, -0.5)
    return figure


def choices(table, label):
    """A score of several settings, an axis a method: dots for seeds, the mean in colour, filled where it was chosen.

    Args:
        table: of `thesis_lib.study.classification_runs.choose`.
        label: of the score.
    """
    kinds = list(dict.fromkeys(table["title"]))
    counts = [(table["title"] == kind).sum() for kind in kinds]
    figure, axes = plt.subplots(
        len(kinds),
        1,
        figsize=(7, 0.3 * sum(counts) + 0.45 * len(kinds) + 0.6),
        squeeze=False,
        sharex=True,
        height_ratios=counts,
        layout="constrained",
    )
    for axis, kind in zip(axes[:, 0], kinds):
        part = table[table["title"] == kind].sort_values("mean", ascending=False)
        for y, (_, row) in enumerate(part.iterrows()):
            _, colour, marker = style(row["method"])
            of_seeds = row.filter(like="seed ").dropna().astype(float)
            axis.plot(of_seeds, [y] * len(of_seeds), ls="none", marker=".", color=colour, alpha=0.5)
            filling = colour if row["chosen"] else "white"
            axis.plot(row["mean"], y, ls="none", marker=marker, ms=7, color=colour, mfc=filling)
        axis.set_yticks(range(len(part)), part["setting"], fontsize=8)
        axis.set_ylim(-0.6, len(part) - 0.4)
        axis.set_title(kind, fontsize=9, loc="left")
        axis.grid(axis="x", alpha=0.3)
    axes[-1, 0].set_xlabel(label)
    return figure


def gallery(images, titles):
    """Images (N, H, W, C), 0-255, side by side under their titles."""
    figure, axes = grid(1, len(images), 1.2, 1.35)
    for axis, image, title in zip(axes[0], images, titles):
        _shown(axis, image, title)
    return figure


def augmentations(images, versions):
    """Each image (N, H, W, C), 0-255, and beside it its variations: a dict from title to images."""
    figure, axes = grid(len(images), 1 + len(versions), 1.2, 1.25)
    for i, row in enumerate(axes):
        for axis, (title, shown) in zip(row, {"image": images, **versions}.items()):
            _shown(axis, shown[i], title if i == 0 else None)
    return figure


def _shown(axis, image, title=None):
    image = np.clip(np.asarray(image) / 255, 0, 1)
    picture(axis, image if image.shape[-1] == 3 else image[..., 0], title, cmap="gray", vmin=0, vmax=1)


def guesses(images, steps, class_names, true=None):
    """Label guessing: a row for each image, with the image and a bar chart of each step's probabilities.

    Args:
        images: (N, H, W, C), 0-255.
        steps: dict from title to predicted probabilities (N, K).
        class_names: K names.
        true: int (N,), the classes whose bars are coloured; None: no bar is.
    """
    figure, axes = grid(len(images), 1 + len(steps), 1.9, 1.35)
    at = np.arange(len(class_names))
    largest = max(predicted.max() for predicted in steps.values())
    top = min(np.ceil(5 * largest) / 5, 1.0)
    turned = 0 if max(map(len, class_names)) < 3 else 30
    for i, row in enumerate(axes):
        _shown(row[0], images[i])
        colours = [TRUE if true is not None and k == true[i] else "#bbbbbb" for k in at]
        for axis, (title, predicted) in zip(row[1:], steps.items()):
            axis.bar(at, predicted[i], color=colours)
            axis.set(ylim=(0, top), yticks=[0, top / 2, top])
            axis.set_xticks(at, class_names, fontsize=7, rotation=turned)
            if i == 0:
                axis.set_title(title, fontsize=9)
            if i < len(images) - 1:
                axis.set_xticklabels([])
    axes[0, 1].set_ylabel("probability", fontsize=8)
    axes[-1, 1].set_xlabel("class", fontsize=8)
    return figure


def mixup_weights(draws):
    """How MixUp's weight of the first image is distributed: dict from alpha to draws in [1/2, 1]."""
    figure, axis = plt.subplots(figsize=(6, 2.8), layout="constrained")
    for (alpha, values), colour in zip(draws.items(), sns.color_palette("crest", len(draws))):
        axis.ecdf(values, lw=1.6, color=colour, label=f"alpha = {alpha:g}")
    axis.set(xlabel="weight of the image itself", ylabel="share of images below", xlim=(0.5, 1), ylim=(0, 1))
    axis.legend(fontsize=8)
    return figure
