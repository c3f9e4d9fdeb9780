"""The committed sweeps over training targets: their runs and their tables of paired differences.

The differences take a minute, so they are read from differences.csv beside the rows, which
`python -m thesis_lib.study.results` writes.
"""

import pandas as pd

from thesis_lib.paths import REPOSITORY
from thesis_lib.study import segmentation_runs
from thesis_lib.study.comparison import Comparison

REFERENCE = REPOSITORY / "reports/reference"
DIGITS = "%.12g"  # of numbers in committed tables; the last digits of a float differ between machines
LATER = 5  # the first of the seeds that were added after the first results


def read(sweep):
    """The `Comparison` of a committed sweep."""
    return Comparison(segmentation_runs.read(REFERENCE / sweep / "runs"))


def families(compared):
    """Every paired difference of RESULTS.md: the tables of a `Comparison`, each corrected by itself.

    Returns:
        DataFrame with the columns of `Comparison.paired` and family: which table a row is of.
    """
    later = compared.rows[(compared.rows["seed"] >= LATER) & compared.rows["target"].isin(("one_hot", "forward"))]
    tables = {
        "against one-hot": compared.differences,
        "median scene": compared.medians,
        "like for like": compared.like_for_like,
        "misspecified prior": compared.wrong_prior,
        "later seeds": compared.paired(later, "one_hot", ("log_loss",)),
    }
    return pd.concat([table.assign(family=name) for name, table in tables.items() if len(table)], ignore_index=True)


def write_differences(sweep):
    """Compute the `families` of a committed sweep and write them into its differences.csv."""
    families(read(sweep)).to_csv(REFERENCE / sweep / "differences.csv", index=False, float_format=DIGITS)


def read_differences(sweep):
    """The `families` of a committed sweep, from its differences.csv."""
    return pd.read_csv(
        REFERENCE / sweep / "differences.csv",
        keep_default_na=False,
        na_values=dict.fromkeys(("low", "high", "p_value", "p_holm"), ""),
    )
