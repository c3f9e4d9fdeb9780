"""Do simulated annotators differ like people? Two people's drawings of an object beside two simulated ones.

A posterior predictive check (Gelman et al., Bayesian Data Analysis, 3rd ed., section 6.3): the simulated annotator is
fitted to other groups of images, and draws the consensus of those who drew the object.
"""

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.annotation.consensus import shape_based_average
from thesis_lib.metrics import surface

SCORES = {  # of two drawings: what it is, with its unit
    "dice": "Dice",
    "surface_distance": "mean surface distance, px",
    "hausdorff95": "95% Hausdorff distance, px",
    "area_difference": "difference in area / mean area",
}
PEOPLE, SIMULATED = "two people", "two simulated annotators"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def compare_masks(first, second):
    """The `SCORES` of two masks (H, W), neither of them empty."""
    first, second = (np.asarray(one, bool) for one in (first, second))
    sizes = first.sum(), second.sum()
    distances = surface.measure(first, second, background=0).iloc[0]
    return {
        "dice": 2 * (first & second).sum() / sum(sizes),
        "surface_distance": distances["surface_distance"],
        "hausdorff95": distances["hausdorff95"],
        "area_difference": 2 * abs(int(sizes[0]) - int(sizes[1])) / sum(sizes),
    }


def compare_pairs(drawings, measured, most=2000, folds=5, seed=0):
    """Scores between two people who drew the same object, and between two simulated annotators who draw its consensus.

    Groups are divided into folds. The annotator who draws the objects of one fold has the `Variation` of the others,
    and misses and invents nothing.

    Args:
        drawings: masks (M, H, W) of each image, of one object, as `variation` had them. Only images that two people
            drew are compared; the two are chosen at random.
        measured: `Variation` of these drawings.
        most: images, chosen at random if there are more.
        folds: 2 or more.
        seed: whole number.

    Returns:
        DataFrame with two rows for each image: image, group, who (`PEOPLE` or `SIMULATED`), and `SCORES`.

    Raises:
        ValueError: if an argument is out of range.
    """
    generator = np.random.default_rng(checks.integer("seed", seed, 0))
    names = np.unique(measured.objects["group"])
    folds = checks.integer("folds", folds, 2, len(names), of="groups")
    part = dict(zip(names.tolist(), (generator.permutation(len(names)) % folds).tolist()))
    group = measured.objects.drop_duplicates("image").set_index("image")["group"]
    images = generator.permutation(group.index)[: checks.integer("most", most, 1)]
    fold = measured.objects["group"].map(part)
    annotators = [measured.part(fold != i).annotator(missed=0.0, invented=0.0, background=0) for i in range(folds)]
    rows = []
    for image in sorted(images.tolist()):
        masks = [one for one in drawings[image] if one.any()]
        consensus, _ = shape_based_average(masks, background=0)
        if not consensus.any():
            continue
        people = [masks[i] for i in generator.choice(len(masks), 2, replace=False)]
        draw = annotators[part[group[image]]]
        simulated = draw(np.stack([consensus] * 2), seed=int(generator.integers(2**31)))
        for who, (first, second) in ((PEOPLE, people), (SIMULATED, simulated)):
            rows.append({"image": image, "group": group[image], "who": who, **compare_masks(first, second)})
    return pd.DataFrame(rows)


def pair_quantiles(pairs):
    """`QUANTILES` of each score: DataFrame with a row for each score and who, from a table of `compare_pairs`."""
    table = pairs.groupby("who")[list(SCORES)].quantile(QUANTILES).unstack().stack(level=0, future_stack=True)
    table = table.swaplevel().rename(index=SCORES, level=0).reindex(SCORES.values(), level=0)
    return table.rename(columns=lambda q: f"{q:.0%}").rename_axis([None, None])


def median_differences(pairs, level=0.95, repeats=500, seed=0):
    """Medians of people and of simulated annotators, and their ratio with a bootstrap interval over groups.

    Returns:
        DataFrame, a row for each score: people, simulated, ratio (simulated over people), low, high.
    """
    names, group = np.unique(pairs["group"], return_inverse=True)
    generator = np.random.default_rng(checks.integer("seed", seed, 0))
    members = [np.flatnonzero(group == i) for i in range(len(names))]
    draws = [np.arange(len(pairs))]
    for _ in range(checks.integer("repeats", repeats, 1)):
        draws.append(np.concatenate([members[i] for i in generator.integers(len(names), size=len(names))]))
    simulated, values = (pairs["who"] == SIMULATED).to_numpy(), pairs[list(SCORES)].to_numpy()
    medians = []
    for draw in draws:
        drawn, by_simulated = values[draw], simulated[draw]
        medians.append([np.median(drawn[which], axis=0) for which in (~by_simulated, by_simulated)])
    medians = np.array(medians)
    ratios = medians[:, 1] / medians[:, 0]
    low, high = np.quantile(ratios[1:], [(1 - level) / 2, (1 + level) / 2], axis=0)
    columns = {"people": medians[0, 0], "simulated": medians[0, 1], "ratio": ratios[0], "low": low, "high": high}
    return pd.DataFrame(columns, index=list(SCORES.values()))


def gain_per_displacement(judged, baseline="Normal", level=0.95, repeats=2000, seed=0):
    """Held-out log density per displacement of each model, and its gain over a baseline.

    Args:
        judged: DataFrame of `annotation.held_out`.
        baseline: the model with which all are compared.
        level: of the interval, from a bootstrap over groups.
        repeats, seed: of the bootstrap.

    Returns:
        DataFrame, a row for each model: log density (nats a displacement), gain (over the baseline), low, high.
    """
    models = judged.columns[2:]
    counts, totals = judged["count"].to_numpy(), judged[models].to_numpy()
    generator = np.random.default_rng(checks.integer("seed", seed, 0))
    weights = generator.multinomial(len(judged), np.full(len(judged), 1 / len(judged)), repeats)
    means, again = totals.sum(0) / counts.sum(), weights @ totals / (weights @ counts)[:, None]
    base = list(models).index(checks.one_of("baseline", baseline, list(models)))
    low, high = np.quantile(again - again[:, [base]], [(1 - level) / 2, (1 + level) / 2], axis=0)
    columns = {"log density": means, "gain": means - means[base], "low": low, "high": high}
    return pd.DataFrame(columns, index=models)
