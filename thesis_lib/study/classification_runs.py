"""Runs with few labels: read and checked, their settings chosen, their errors compared."""

import re

import pandas as pd

from thesis_lib import checks
from thesis_lib.data.classification import NAMES
from thesis_lib.semi_supervised.methods import METHODS
from thesis_lib.semi_supervised.networks import NETWORKS
from thesis_lib.study import statistics
from thesis_lib.study.rows import read_rows

# Test error on MNIST, %, by number of labels (Lee, 2013, table 1; its first row is from Weston et al., 2008).
PUBLISHED = {
    ("supervised", "mlp"): {100: 25.81, 600: 11.44, 1000: 10.7, 3000: 6.04},
    ("supervised", "mlp_dropout"): {100: 21.89, 600: 8.57, 1000: 6.59, 3000: 3.72},
    ("pseudo_label", "mlp_dropout"): {100: 16.15, 600: 5.03, 1000: 4.30, 3000: 2.80},
    ("pseudo_label", "mlp_dropout_dae"): {100: 10.49, 600: 4.01, 1000: 3.46, 3000: 2.69},
}
KIND = ("data", "method", "network", "labels")
SCORES = ("error_percent", "validation_error_percent")
SETTINGS = (
    "unlabelled",
    "epochs",
    "batch_size",
    "unlabelled_batch_size",
    "learning_rate",
    "weight",
    "ramp",
    "decay",
    "shift",
    "noise",
    "mirror",
    "width",
    "dropout",
    "weights",
    "pretraining_epochs",
    "size",
)
# The columns of the table that notebook 10 writes, sorted by the first five.
COLUMNS = (
    *(*KIND, "seed", "error_percent", "f1", "validation_error_percent"),
    *(*SETTINGS, "hidden_units", "parameters_trained", "run"),
)

WHAT = "the DataFrame of `classification_runs.read`"


def read(folder, runs=None, vary=()):
    """Read every run of notebook 9 below a folder.

    Rows that were written before `dropout` and `size` could be chosen get the values that those runs used.

    Args:
        folder: path of the runs.
        runs: names of the wanted runs; None: all.
        vary: list of the settings, among SETTINGS, in which runs of one kind may differ. Runs of one kind (KIND) have
            the same data, method, network and number of labels.

    Returns:
        DataFrame with the columns of the runs' rows, and `family` of the network; `labels` is -1 where all images keep
        their label, `size` is missing for data that are not resized.

    Raises:
        ValueError: if a row holds a value that notebook 9 does not write, if two runs have the same kind, seed and
            varied settings, or if runs of one kind differ in another setting.
    """
    vary = _settings(vary)
    rows = read_rows(folder, (*KIND, "seed", *SCORES), runs)
    for row in rows.to_dict("records"):
        _check(row)
    rows["labels"] = rows["labels"].fillna(-1).astype(int)
    rows["family"] = rows["network"].map({name: network.family for name, network in NETWORKS.items()})
    rows = rows.assign(dropout=_dropout(rows), size=_size(rows))
    settings = rows.reindex(columns=SETTINGS)
    rows = rows.assign(**settings[vary])
    _check_one_run_a_seed(rows, vary)
    _check_same_settings(rows, settings.drop(columns=vary))
    return rows


def _settings(vary):
    """`vary` as a list, if it is a list of settings."""
    if not isinstance(vary, (list, tuple)) or len(set(map(str, vary))) < len(vary):
        raise ValueError(f"vary must be a list of settings, each once; got {vary!r}")
    return [checks.one_of("vary", name, SETTINGS) for name in vary]


def _check(row):
    """Raise ValueError that names the run, if a row holds a value that notebook 9 does not write."""
    of = f" of {row['run']}"
    checks.one_of("method" + of, row["method"], METHODS)
    checks.one_of("network" + of, row["network"], NETWORKS)
    for name in ("labels", "seed"):
        value = row[name]
        if name == "seed" or not pd.isna(value):
            whole = isinstance(value, float) and value.is_integer()  # pandas makes floats where others are None
            checks.integer(name + of, int(value) if whole else value, 0)
    for name in SCORES:
        checks.real(name + of, row[name], 0.0, 100.0)


def _dropout(rows):
    """The rate of dropout of each run: the network's usual one in rows that do not hold it."""
    usual = rows["network"].map({name: network.dropout for name, network in NETWORKS.items()})
    return rows["dropout"].fillna(usual) if "dropout" in rows else usual


def _size(rows):
    """The side, in px, to which images of folders and zip files were resized; it was always 32 in rows without it."""
    sizes = rows["size"].fillna(32) if "size" in rows else pd.Series(32, rows.index)
    return sizes.mask(rows["data"].isin(NAMES)).astype("Int64")


def _check_one_run_a_seed(rows, vary):
    several = rows.duplicated([*KIND, *vary, "seed"], keep=False)
    if several.any():
        each = ", ".join(["method", "network", "number of labels", *vary])
        raise ValueError(
            f"results must hold one run for each {each} and seed; got several: {rows.loc[several, 'run'].tolist()}"
        )


def _check_same_settings(rows, settings):
    for name in settings:
        counts = settings[name].map(repr).groupby([rows[column] for column in KIND]).nunique()
        if (counts > 1).any():
            kind = ", ".join(map(str, counts.idxmax()))
            raise ValueError(
                f"results must have the same {name} for each method, network and number of labels; "
                f"{kind} has {counts.max()} values"
            )


def stem(data):
    """A data set's name or path with only the characters that a file's name may hold."""
    return re.sub(r"\W+", "_", str(data)).strip("_")


def titled(method, network):
    """The title of a method on a network, for tables and figures."""
    checks.one_of("method", method, METHODS)
    checks.one_of("network", network, NETWORKS)
    return f"{METHODS[method].title}, {NETWORKS[network].title}"


def choose(rows, vary):
    """Choose the settings of each kind that have the lowest validation error, on the seeds that all of them ran with.

    Args:
        rows: of `read`, with the same `vary`.
        vary: list of the settings to choose.

    Returns:
        DataFrame with a row for each setting, in the order of NETWORKS and METHODS: the columns of KIND and `vary`, the
        kind's title, the setting (in words, by what differs within the kind), validation errors (%) of "seed 0",
        "seed 1", ..., their mean, and whether the setting is chosen.

    Raises:
        ValueError: if the settings of a kind have no seed in common.
    """
    vary = _settings(vary)
    checks.table("rows", rows, (*KIND, "seed", "validation_error_percent", *vary), WHAT)
    order = {"network": list(NETWORKS), "method": list(METHODS)}
    rows = rows.sort_values(
        ["data", "labels", *order, *vary],
        key=lambda column: column.map(order[column.name].index) if column.name in order else column,
    )
    table = pd.concat(
        [_choose_one(kind, part, vary) for kind, part in rows.groupby(list(KIND), sort=False)], ignore_index=True
    )
    return table[[name for name in table if name not in ("mean", "chosen")] + ["mean", "chosen"]]


def _choose_one(kind, part, vary):
    """The rows of `choose` for one kind."""
    differing = [name for name in vary if part[name].nunique(dropna=False) > 1] or vary
    part = part.assign(
        setting=[_in_words(differing, values) for values in part[differing].values.tolist()],
        title=titled(*kind[1:3]),
    )
    errors = part.pivot(index="setting", columns="seed", values="validation_error_percent").dropna(axis="columns")
    if errors.empty:
        raise ValueError(
            "all settings of a method, network and number of labels must share a seed; "
            f"those of {', '.join(map(str, kind))} share none"
        )
    errors = errors.add_prefix("seed ").assign(mean=errors.mean(axis="columns"))
    table = part.drop_duplicates("setting")[[*KIND, *vary, "title", "setting"]].join(errors, on="setting")
    return table.assign(chosen=table.index == table["mean"].idxmin())


def _in_words(names, values):
    """Settings and their values: "learning_rate 0.01, ramp 0.5"."""
    texts = (f"{value:g}" if isinstance(value, float) else str(value) for value in values)
    return ", ".join(f"{name} {text}" for name, text in zip(names, texts))


def paired_differences(rows, level=0.95):
    """Differences in error on the same labels: a seed draws which images keep their label.

    Each method is compared with supervised training of its network. Pseudo-label on the pretrained network is compared
    with pseudo-label on the same network without pretraining. Each pair is compared on the seeds that both ran with.

    Args:
        rows: of `read`.
        level: of the intervals over seeds, for all of them together (Bonferroni).

    Returns:
        DataFrame: data, labels, one and other (each a pair of method and network), seeds, difference, low, high (in
        points), and whether the difference is significant: its interval leaves out zero.
    """
    checks.real("level", level, 0.0, 1.0, open_low=True, open_high=True)
    checks.table("rows", rows, (*KIND, "seed", "error_percent"), WHAT)
    errors = rows.set_index([*KIND, "seed"])["error_percent"].sort_index()
    pairs = [
        ((method, network), ("supervised", network))
        for method, network in sorted(set(zip(rows["method"], rows["network"])))
        if method != "supervised" and network != "mlp_dropout_dae"
    ]
    pairs.append((("pseudo_label", "mlp_dropout_dae"), ("pseudo_label", "mlp_dropout")))
    compared = []
    for data, labels in sorted(set(zip(rows["data"], rows["labels"]))):
        for one, other in pairs:
            keys = [(data, *kind, labels) for kind in (one, other)]
            if all(key in errors.index for key in keys):
                differences = (errors.loc[keys[0]] - errors.loc[keys[1]]).dropna()
                if len(differences):
                    compared.append(((data, labels, one, other), differences))
    intervals = sum(len(differences) > 1 for _, differences in compared)
    each = 1 - (1 - level) / max(intervals, 1)
    table = pd.DataFrame(
        [(*pair, len(differences), *statistics.mean_interval(differences, each)) for pair, differences in compared],
        columns=["data", "labels", "one", "other", "seeds", "difference", "low", "high"],
    )
    return table.assign(significant=(table["low"] > 0) | (table["high"] < 0))


def lowest(rows):
    """The method with the lowest mean error of each family of networks, on the seeds that all its methods ran with.

    Args:
        rows: of `read`.

    Returns:
        DataFrame: data, labels, family, methods (how many), seeds (a list), and the best method, its network and its
        error (%), which are missing where the methods share no seed.
    """
    checks.table("rows", rows, (*KIND, "family", "seed", "error_percent"), WHAT)
    table = []
    for (data, labels, family), part in rows.groupby(["data", "labels", "family"]):
        errors = part.pivot(index="seed", columns=["method", "network"], values="error_percent")
        shared = errors.dropna()
        best = shared.mean().idxmin() if len(shared) else (None, None)
        table.append((data, labels, family, len(errors.columns), shared.index.tolist(), *best, shared.mean().min()))
    return pd.DataFrame(
        table, columns=["data", "labels", "family", "methods", "seeds", "method", "network", "error_percent"]
    )


def against_published(rows, level=0.95):
    """Errors on MNIST minus those of PUBLISHED, which are means that were published without their spread.

    Args:
        rows: of `read`.
        level: of each interval over seeds.

    Returns:
        DataFrame: method, network, labels, published (%), seeds, difference, low, high (in points), above (the number
        of seeds whose error is above the published one).
    """
    checks.table("rows", rows, (*KIND, "error_percent"), WHAT)
    checks.real("level", level, 0.0, 1.0, open_low=True, open_high=True)
    errors = rows[rows["data"] == "mnist"].groupby(["method", "network", "labels"])["error_percent"]
    ours = dict(iter(errors))
    table = []
    for (method, network), by_labels in PUBLISHED.items():
        for labels, published in by_labels.items():
            values = ours.get((method, network, labels), ())
            if len(values):
                interval = statistics.mean_interval(values - published, level)
                table.append((method, network, labels, published, len(values), *interval, (values > published).sum()))
    return pd.DataFrame(
        table, columns=["method", "network", "labels", "published", "seeds", "difference", "low", "high", "above"]
    )
