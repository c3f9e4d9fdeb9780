"""Runs with few labels, read and compared on the same labels."""

import re
from dataclasses import fields

import pandas as pd

from thesis_lib import checks
from thesis_lib.data.classification import NAMES
from thesis_lib.semi_supervised.run import METHODS, NETWORKS, Run
from thesis_lib.study import statistics
from thesis_lib.study.rows import read_rows

PUBLISHED = {  # test error on MNIST, %, by number of labels (Lee, 2013, table 1; its first row from Weston et al., 2008)
    ("supervised", "mlp"): {100: 25.81, 600: 11.44, 1000: 10.7, 3000: 6.04},
    ("supervised", "mlp_dropout"): {100: 21.89, 600: 8.57, 1000: 6.59, 3000: 3.72},
    ("pseudo_label", "mlp_dropout"): {100: 16.15, 600: 5.03, 1000: 4.30, 3000: 2.80},
    ("pseudo_label", "mlp_dropout_dae"): {100: 10.49, 600: 4.01, 1000: 3.46, 3000: 2.69},
}
KIND = ("data", "method", "network", "labels")
SCORES = ("error_percent", "validation_error_percent")
SETTINGS = (*(field.name for field in fields(Run) if field.name not in (*KIND, "seed")), "size")


def read(folder, runs=None, vary=()):
    """Every run of notebook 9 below a folder.

    Args:
        folder: of the runs.
        runs: names of those wanted; None: all.
        vary: settings in which runs of one kind may differ, among SETTINGS.

    Returns:
        DataFrame with the columns of the runs' rows, and `family` of the network; `labels` is -1 where all images keep theirs.

    Raises:
        ValueError: if a row holds what notebook 9 does not write, two runs are of one kind, seed and varied settings, or runs of one kind
            differ in another setting.
    """
    vary = _settings(vary)
    rows = read_rows(folder, (*KIND, "seed", *SCORES), runs)
    for row in rows.to_dict("records"):
        _check(row)
    rows["labels"] = rows["labels"].fillna(-1).astype(int)
    rows["family"] = rows["network"].map({name: network.family for name, network in NETWORKS.items()})
    usual = rows["network"].map({name: network.dropout for name, network in NETWORKS.items()})
    rows["dropout"] = (
        rows["dropout"].fillna(usual) if "dropout" in rows else usual
    )  # of rows from before these two could be chosen
    sizes = rows["size"].fillna(32) if "size" in rows else pd.Series(32, rows.index)
    rows["size"] = sizes.mask(rows["data"].isin(NAMES)).astype(
        "Int64"
    )  # of folders and zip files alone, whose images are resized
    settings = rows.reindex(columns=SETTINGS)
    rows = rows.assign(**settings[vary])
    twice = rows.duplicated([*KIND, *vary, "seed"], keep=False)
    if twice.any():
        each = ", ".join(["method", "network", "number of labels", *vary])
        raise ValueError(
            f"results must hold one run for each {each} and seed; got several: {rows.loc[twice, 'run'].tolist()}"
        )
    for name in settings.columns.difference(vary):
        several = settings[name].map(repr).groupby([rows[k] for k in KIND]).nunique()
        if (several > 1).any():
            raise ValueError(
                f"results must be of one {name} for each method, network and number of labels; {', '.join(map(str, several.idxmax()))} has {several.max()}"
            )
    return rows


def _settings(vary):
    """The settings of `vary`, a list."""
    if not isinstance(vary, (list, tuple)) or len(set(map(str, vary))) < len(vary):
        raise ValueError(f"vary must be a list of settings, each once; got {vary!r}")
    return [checks.one_of("vary", name, SETTINGS) for name in vary]


def _check(row):
    """Raise ValueError that names the run, if a row holds what notebook 9 does not write."""
    of = f" of {row['run']}"
    checks.one_of("method" + of, row["method"], METHODS)
    checks.one_of("network" + of, row["network"], NETWORKS)
    for name in ("labels", "seed"):
        value = row[name]
        if name == "seed" or not pd.isna(value):
            whole = isinstance(value, float) and value.is_integer()  # as pandas makes them where others are None
            checks.integer(name + of, int(value) if whole else value, 0)
    for name in SCORES:
        checks.real(name + of, row[name], 0.0, 100.0)


def stem(data):
    """A data set's name or path, in what a file's name may hold."""
    return re.sub(r"\W+", "_", str(data)).strip("_")


def titled(method, network):
    """What tables and figures call a method on a network."""
    return f"{METHODS[method].title}, {NETWORKS[network].title}"


def choose(rows, vary):
    """The settings of each kind that err least on validation images, on the seeds that all of its settings ran with.

    Args:
        rows: of `read`, with the same `vary`.
        vary: the settings to choose.

    Returns:
        DataFrame with a row a setting, in the order of NETWORKS and METHODS: KIND and `vary`, the kind's title, the setting (in words, by
        what differs within the kind), validation errors (%) of "seed 0", "seed 1", ..., their mean, and whether it is chosen.

    Raises:
        ValueError: if the settings of a kind have no seed in common.
    """
    vary = _settings(vary)
    order = {"network": list(NETWORKS), "method": list(METHODS)}
    rows = rows.sort_values(
        ["data", "labels", *order, *vary],
        key=lambda column: column.map(order[column.name].index) if column.name in order else column,
    )
    found = []
    for kind, part in rows.groupby(list(KIND), sort=False):
        differing = [name for name in vary if part[name].nunique(dropna=False) > 1] or vary
        words = [
            ", ".join(
                f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                for name, value in zip(differing, row)
            )
            for row in part[differing].values.tolist()
        ]
        part = part.assign(setting=words, title=titled(*kind[1:3]))
        errors = part.pivot(index="setting", columns="seed", values="validation_error_percent").dropna(axis="columns")
        if errors.empty:
            raise ValueError(
                f"all settings of a method, network and number of labels must share a seed; those of {', '.join(map(str, kind))} share none"
            )
        errors = errors.add_prefix("seed ").assign(mean=errors.mean(axis="columns"))
        chosen = part.drop_duplicates("setting")[[*KIND, *vary, "title", "setting"]].join(errors, on="setting")
        found.append(chosen.assign(chosen=chosen.index == chosen["mean"].idxmin()))
    table = pd.concat(found, ignore_index=True)
    return table[[name for name in table if name not in ("mean", "chosen")] + ["mean", "chosen"]]


def paired_differences(rows, level=0.95):
    """Differences in error on the same labels: a seed draws which images keep theirs.

    Each method is compared with supervised training of its network, and pseudo-label on the pretrained network with pseudo-label
    on the same without, on the seeds that both ran with.

    Args:
        rows: of `read`.
        level: of the intervals over seeds, for all of them together (Bonferroni).

    Returns:
        DataFrame: data, labels, one and other (pairs of method and network), seeds, difference, low, high in points.
    """
    checks.real("level", level, 0.0, 1.0, open_low=True, open_high=True)
    errors = rows.set_index([*KIND, "seed"])["error_percent"].sort_index()
    pairs = [
        ((m, n), ("supervised", n))
        for m, n in sorted(set(zip(rows["method"], rows["network"])))
        if m != "supervised" and n != "mlp_dropout_dae"
    ]
    pairs += [(("pseudo_label", "mlp_dropout_dae"), ("pseudo_label", "mlp_dropout"))]
    found = []
    for data, labels in sorted(set(zip(rows["data"], rows["labels"]))):
        for one, other in pairs:
            keys = [(data, *kind, labels) for kind in (one, other)]
            if all(key in errors.index for key in keys):
                difference = (errors.loc[keys[0]] - errors.loc[keys[1]]).dropna()
                if len(difference):
                    found.append(((data, labels, one, other), difference))
    together = 1 - (1 - level) / max(sum(len(difference) > 1 for _, difference in found), 1)
    table = [(*pair, len(difference), *statistics.mean_interval(difference, together)) for pair, difference in found]
    return pd.DataFrame(table, columns=["data", "labels", "one", "other", "seeds", "difference", "low", "high"])


def lowest(rows):
    """The method with the lowest mean error, of each family of networks, on the seeds that all methods of the family ran with.

    Args:
        rows: of `read`.

    Returns:
        DataFrame: data, labels, family, methods (how many), seeds (a list), and the best one's method, network and error (%), NaN where
        the methods share no seed.
    """
    found = []
    for (data, labels, family), part in rows.groupby(["data", "labels", "family"]):
        errors = part.pivot(index="seed", columns=["method", "network"], values="error_percent")
        shared = errors.dropna()
        best = shared.mean().idxmin() if len(shared) else (None, None)
        found.append((data, labels, family, len(errors.columns), shared.index.tolist(), *best, shared.mean().min()))
    return pd.DataFrame(
        found, columns=["data", "labels", "family", "methods", "seeds", "method", "network", "error_percent"]
    )


def against_published(rows, level=0.95):
    """Errors on MNIST minus those of PUBLISHED, which are means that were published without their spread.

    Args:
        rows: of `read`.
        level: of each interval over seeds.

    Returns:
        DataFrame: method, network, labels, published, seeds, difference, low, high in points, above (seeds whose error is above the published one).
    """
    found = []
    for (method, network), errors in PUBLISHED.items():
        for labels, published in errors.items():
            chosen = (
                (rows["data"] == "mnist")
                & (rows["method"] == method)
                & (rows["network"] == network)
                & (rows["labels"] == labels)
            )
            ours = rows.loc[chosen, "error_percent"]
            if len(ours):
                interval = statistics.mean_interval(ours - published, level)
                found.append((method, network, labels, published, len(ours), *interval, (ours > published).sum()))
    return pd.DataFrame(
        found, columns=["method", "network", "labels", "published", "seeds", "difference", "low", "high", "above"]
    )
