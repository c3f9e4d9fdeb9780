"""Runs with few labels, read and compared on the same labels."""

from dataclasses import fields

import pandas as pd

from thesis_lib import provenance, statistics
from thesis_lib.few_labels import Run

KIND = ("data", "method", "network", "labels")
SETTINGS = (*(field.name for field in fields(Run) if field.name not in (*KIND, "seed")), "size")


def read(folder, runs=None):
    """Every run of notebook 9 below a folder: DataFrame with the columns of its rows; `labels` is -1 where all images keep theirs.
    runs: names of those wanted; None: all.

    Raises:
        ValueError: if two runs are of one kind and seed, or runs of one kind differ in a setting.
    """
    rows = provenance.read_rows(folder, ("method", "network", "labels", "seed"), runs)
    rows["labels"] = rows["labels"].fillna(-1).astype(int)
    twice = rows.duplicated([*KIND, "seed"], keep=False)
    if twice.any():
        raise ValueError(f"results must hold one run for each method, network, number of labels and seed; got several: {rows.loc[twice, 'run'].tolist()}")
    settings = rows.reindex(columns=SETTINGS).fillna({"size": 32})  # of rows from before it could be chosen
    for name in SETTINGS:
        several = settings[name].map(repr).groupby([rows[k] for k in KIND]).nunique()
        if (several > 1).any():
            raise ValueError(f"results must be of one {name} for each method, network and number of labels; {', '.join(map(str, several.idxmax()))} has {several.max()}")
    return rows


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
    errors = rows.set_index([*KIND, "seed"])["error_percent"].sort_index()
    pairs = [((m, n), ("supervised", n)) for m, n in sorted(set(zip(rows["method"], rows["network"]))) if m != "supervised" and n != "mlp_dropout_dae"]
    pairs += [(("pseudo_label", "mlp_dropout_dae"), ("pseudo_label", "mlp_dropout"))]
    found = []
    for data, labels in dict.fromkeys(zip(rows["data"], rows["labels"])):
        for one, other in pairs:
            keys = [(data, *kind, labels) for kind in (one, other)]
            if all(key in errors.index for key in keys):
                difference = (errors.loc[keys[0]] - errors.loc[keys[1]]).dropna()
                if len(difference):
                    found.append(((data, labels, one, other), difference))
    together = 1 - (1 - level) / max(sum(len(difference) > 1 for _, difference in found), 1)
    table = [(*pair, len(difference), *statistics.mean_interval(difference, together)) for pair, difference in found]
    return pd.DataFrame(table, columns=["data", "labels", "one", "other", "seeds", "difference", "low", "high"])
