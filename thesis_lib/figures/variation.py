"""Figures of notebook 12: what several people drew of the same objects, and how they vary."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy import stats

from thesis_lib.annotation import geometry
from thesis_lib.figures.style import DRAWN, PRIOR, TRUE, grid
from thesis_lib.study.drawn_pairs import PEOPLE, SCORES, SIMULATED

PERSON_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
MODEL_STYLE = {"Normal": ("#999999", ":"), "Student-t": ("#CC79A7", "--"), "population": (PRIOR, "-")}
STEPS = {"as measured": "#000000", "offset taken out": DRAWN, "offset and scale taken out": PRIOR}


def drawings_of_people(drawings, titles, columns=4):
    """Boundaries that several people drew around the same objects.

    Args:
        drawings: masks (M, H, W) of each object, cut to a window of their own.
        titles: of the objects.
        columns: panels in a row.
    """
    rows = -(-len(drawings) // columns)
    figure, axes = grid(rows, columns, 2.1, 2.1)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, masks, title in zip(axes.flat, drawings, titles):
        axis.imshow(masks.mean(0), cmap="gray_r", vmin=0, vmax=2.5, interpolation="nearest")
        for mask, colour in zip(masks, PERSON_COLOURS):
            for line in geometry.contours(mask):
                rows, columns = np.vstack([line, line[:1]]).T
                axis.plot(columns, rows, color=colour, lw=1.4)
        at_rows, at_columns = np.nonzero(masks.any(0))
        axis.set_xlim(at_columns.min() - 3, at_columns.max() + 3)
        axis.set_ylim(at_rows.max() + 3, at_rows.min() - 3)
        axis.set_title(title, fontsize=8)
    people = max(len(masks) for masks in drawings)
    handles = [Line2D([], [], color=colour) for colour in PERSON_COLOURS[:people]]
    greys = [Patch(color=plt.get_cmap("gray_r")(share / 2.5)) for share in (1 / people, 1.0)]
    names = [*(f"person {number}" for number in range(1, people + 1)), "inside one outline", "inside all"]
    figure.legend([*handles, *greys], names, fontsize=8, loc="outside lower center", ncols=6)
    return figure


def displacement_tails(values, spread=None):
    """Histogram of displacements (px) on a logarithmic axis with the Normal of the same standard deviation."""
    figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
    spread = values.std() if spread is None else spread
    _histogram(axis, values)
    at = np.linspace(*axis.get_xlim(), 400)
    axis.plot(at, stats.norm(values.mean(), spread).pdf(at), color=DRAWN, label=f"Normal, sd {spread:.2f} px")
    axis.legend(fontsize=8)
    return figure


def _histogram(axis, values, width=0.25):
    farthest = np.ceil(np.abs(values).max())
    counts, edges = np.histogram(values, np.arange(-farthest, farthest + width, width))
    density = counts / counts.sum() / width
    axis.stairs(density, edges, fill=True, color="#cccccc", label="measured")
    axis.set(yscale="log", ylim=(density[density > 0].min() / 2, 2 * density.max()), xlim=(-farthest, farthest))
    axis.set(xlabel="displacement, px (positive: outside)", ylabel="density, 1/px")


def quantiles_against_normal(steps):
    """Quantiles of displacements against those of a Normal: a straight line where they are Normal.

    Args:
        steps: dict from a title, those of STEPS, to displacements of mean 0 and variance 1.
    """
    figure, axis = plt.subplots(figsize=(4.6, 4.0), layout="constrained")
    shares = stats.norm.cdf(np.linspace(-3.5, 3.5, 141))
    for title, values in steps.items():
        axis.plot(stats.norm.ppf(shares), np.quantile(values, shares), color=STEPS[title], label=title)
    axis.plot([-3.5, 3.5], [-3.5, 3.5], color="black", lw=0.6, ls=":", label="Normal")
    axis.set(xlabel="quantile of a Normal", ylabel="quantile of the displacements, standardized")
    axis.legend(fontsize=8)
    return figure


def error_growth(measured, bins=8):
    """Left: spread of displacements against diameter and the power law, px. Right: correlation along the boundary.

    Args:
        measured: Variation.
        bins: of equally many objects.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.4), layout="constrained")
    diameters = measured.objects["diameter"].to_numpy()
    squares = np.array([np.mean(one**2) for one in measured.series])
    left.scatter(diameters, np.sqrt(squares), s=3, color="#cccccc", label="an object", rasterized=True)
    middle, spread = [], []
    for rows in np.array_split(np.argsort(diameters), bins):
        middle.append(np.exp(np.log(diameters[rows]).mean()))
        spread.append(np.sqrt(np.average(squares[rows], weights=measured.objects["count"].to_numpy()[rows])))
    left.plot(middle, spread, color="black", marker="o", ls="none", label="objects of a size together")
    at = np.geomspace(diameters.min(), diameters.max(), 50)
    line = measured.prior.predictive().std() * (at / measured.diameter) ** measured.growth
    left.plot(at, line, color=PRIOR, label=f"fitted: diameter$^{{{measured.growth:.2f}}}$")
    ticks = [2, 5, 10, 20, 50]
    left.set(xscale="log", yscale="log", ylim=(0.1, 10), xlabel="diameter, px", ylabel="spread of displacements, px")
    left.set_xticks(ticks, [str(tick) for tick in ticks])
    left.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    left.minorticks_off()
    left.legend(fontsize=8)
    _correlation(right, measured)
    return figure


def _correlation(axis, measured, longest=30):
    """Correlation of displacements of one boundary, for boundaries of about typical length."""
    around, length = measured.correlation.around, measured.correlation.length
    every = zip(measured.series, measured.objects["diameter"])
    some = [(one, diameter) for one, diameter in every if abs(np.log(len(one) / around)) < 0.35]
    lags = np.arange(min(longest, int(around * 0.35)))
    total = np.zeros(len(lags))
    for one, diameter in some:
        scaled = one / diameter**measured.growth
        total += [np.mean(scaled * np.roll(scaled, lag)) for lag in lags]
    axis.plot(lags, total / total[0], color="black", marker=".", ls="none", label="measured")
    share = measured.quantities["offset_share"]
    axis.plot(lags, share + (1 - share) * np.exp(-lags / length), color=PRIOR, label=f"fitted, length {length:.1f} px")
    axis.axhline(share, color=DRAWN, ls="--", label=f"offset of the object: {share:.2f}")
    axis.set(xlabel="distance along the boundary, px", ylabel="correlation of displacements", ylim=(0, 1.05))
    axis.legend(fontsize=8)


def population_fit(measured, gains):
    """Left: histogram of all displacements with a Normal, a Student-t and the population. Right: held-out gains.

    Args:
        measured: Variation.
        gains: DataFrame of `gain_per_displacement`.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.4), layout="constrained", width_ratios=(1.25, 1))
    values = np.concatenate(measured.series)
    _histogram(left, values)
    at = np.linspace(*left.get_xlim(), 400)
    densities = {"Normal": stats.norm(*stats.norm.fit(values)).pdf(at)}
    densities["Student-t"] = stats.t(*stats.t.fit(values)).pdf(at)
    factors = (measured.objects["diameter"] / measured.diameter) ** measured.growth
    factors = np.quantile(np.repeat(factors, measured.objects["count"]), (np.arange(50) + 0.5) / 50)
    predictive = measured.prior.predictive()
    densities["population"] = np.mean([predictive.pdf(at / factor) / factor for factor in factors], axis=0)
    for name, density in densities.items():
        colour, line = MODEL_STYLE[name]
        left.plot(at, density, color=colour, ls=line, label=name)
    left.legend(fontsize=8)
    rows = np.arange(len(gains))
    colours = [MODEL_STYLE[name.split(",")[0]][0] for name in gains.index]
    for row, colour, (_, gain) in zip(rows, colours, gains.iterrows()):
        bars = [[gain["gain"] - gain["low"]], [gain["high"] - gain["gain"]]]
        right.errorbar(gain["gain"], row, xerr=bars, color=colour, marker="o", capsize=4)
    right.set(yticks=rows, yticklabels=gains.index, ylim=(len(rows) - 0.5, -0.5))
    right.set(xlabel="gain in held-out log density, nats a displacement")
    return figure


def presence(of_nodule, rates):
    """Left: how many objects one, two, ... people drew. Right: rates of missed and invented objects with intervals.

    Args:
        of_nodule: number of people who drew each object.
        rates: DataFrame with a row for each title: missed, invented, and their low and high ("missed low", ...).
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.4), layout="constrained")
    numbers, counts = np.unique(of_nodule, return_counts=True)
    left.bar(numbers, counts, color="#999999")
    left.set(xticks=numbers, xlabel="radiologists who drew the nodule, of four", ylabel="nodules")
    at = np.arange(len(rates))
    for shift, (name, colour) in zip((-0.12, 0.12), (("missed", DRAWN), ("invented", PRIOR))):
        value, low, high = (rates[column] for column in (name, f"{name} low", f"{name} high"))
        options = {"color": colour, "marker": "o", "capsize": 4, "ls": "none", "label": name}
        right.errorbar(at + shift, value, [value - low, high - value], **options)
    right.set(xticks=at, xticklabels=rates.index, xlim=(-0.5, len(at) - 0.5), ylim=(0, None))
    right.set(ylabel="for each one that most others drew")
    right.legend(fontsize=8)
    return figure


def pairs_of_drawings(table):
    """Distributions of the scores between two people and between two simulated annotators, from `compare_pairs`."""
    figure, axes = grid(1, len(SCORES), 2.6, 2.7)
    for axis, (name, title) in zip(axes[0], SCORES.items()):
        for who, colour, line in ((PEOPLE, TRUE, "-"), (SIMULATED, PRIOR, "--")):
            values = np.sort(table.loc[table["who"] == who, name])
            axis.plot(values, (np.arange(len(values)) + 0.5) / len(values), color=colour, ls=line, label=who)
        low, high = np.quantile(table[name], [0, 0.985])
        axis.set(xlabel=title, xlim=(low, 1.0 if name == "dice" else high), ylim=(0, 1))
    axes[0, 0].set(ylabel="share of pairs below")
    axes[0, 0].legend(fontsize=7)
    return figure


def simulated_drawings(drawings, simulated):
    """Drawings by people (upper row) and by simulated annotators (lower row) of the same objects, masks (M, H, W)."""
    figure = drawings_of_people([*drawings, *simulated], [""] * (2 * len(drawings)), len(drawings))
    for axis, title in zip(figure.axes[:: len(drawings)], ("people", "simulated annotators")):
        axis.set_title(title, fontsize=9, loc="left")
    return figure
