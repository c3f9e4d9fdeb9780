"""Errors of many runs, from their rows: by number of labels, and by seed."""

import pandas as pd

from thesis_lib import checks
from thesis_lib.semi_supervised.methods import METHODS
from thesis_lib.semi_supervised.networks import NETWORKS
from thesis_lib.semi_supervised.repeated import checked_pairs


def errors_by_labels(rows, kinds, published=None):
    """Mean test error by number of labels, from rows of many runs.

    Args:
        rows: DataFrame with method, network, labels, seed and error_percent, such as
            reports/reference/mnist_few_labels.csv.
        kinds: list of (method, network), in the order of the table.
        published: dict from (method, network) to {number of labels: published error, %}, or None.

    Returns:
        DataFrame of text with a row a kind and a column a number of labels: mean ± standard deviation over seeds, and
        in parentheses the published error where there is one.
    """
    _check_rows(rows)
    what = "a list of (method, network)"
    kinds = [_checked_kind("kinds", kind) for kind in checks.listed("kinds", kinds, (list, tuple), what)]
    published = {} if published is None else _checked_published(published)
    table = {}
    for method, network in kinds:
        errors = rows[(rows["method"] == method) & (rows["network"] == network)].groupby("labels")["error_percent"]
        others = published.get((method, network), {})
        table[_kind((method, network))] = {
            labels: f"{values.mean():.2f} ± {values.std():.2f}"
            + (f" ({others[labels]:.2f})" if labels in others else "")
            for labels, values in errors
        }
    return pd.DataFrame(table).T.rename_axis(columns="labels")


def seed_differences(rows, one, other, labels):
    """Differences in test error on the same labelled images: the errors of `one` minus those of `other`, by seed.

    Args:
        rows: as for `errors_by_labels`.
        one, other: (method, network).
        labels: number of labels.

    Returns:
        Series (points of error), indexed by the seeds that both have.
    """
    _check_rows(rows)
    labels = checks.integer("labels", labels, -1)
    chosen = rows[rows["labels"] == labels]
    if not len(chosen):
        raise ValueError(f"labels must be a number of labels in the rows; got {labels}")
    if chosen.duplicated(["method", "network", "seed"]).any():
        raise ValueError("rows must have each seed once for each method, network and number of labels; got one twice")
    errors = chosen.pivot(index="seed", columns=["method", "network"], values="error_percent")
    one, other = _checked_kind("one", one), _checked_kind("other", other)
    for name, kind in (("one", one), ("other", other)):
        if kind not in errors:
            raise ValueError(f"{name} must be a (method, network) in the rows with {labels} labels; got {kind}")
    return (errors[one] - errors[other]).dropna()


def seed_sentences(rows, pairs, labels):
    """`seed_differences` of pairs of (method, network) as a Markdown list, a sentence each."""
    sentences = []
    for one, other in checked_pairs(pairs, lambda kind: _checked_kind("pairs", kind)):
        change = seed_differences(rows, one, other, labels)
        sentences.append(
            f"- *{_kind(one)}* minus *{_kind(other)}*, {labels} labels: {change.mean():+.2f} points on average; "
            f"lower with {(change < 0).sum()} of {len(change)} seeds."
        )
    return "\n".join(sentences)


def _checked_kind(name, kind):
    """(method, network), if both are known."""
    if not isinstance(kind, (list, tuple)) or len(kind) != 2:
        raise ValueError(f"{name} must be (method, network); got {checks.shown(kind)}")
    return checks.one_of(f"method of {name}", kind[0], METHODS), checks.one_of(f"network of {name}", kind[1], NETWORKS)


def _checked_published(published):
    what = "a dict from (method, network) to {number of labels: published error, %}, or None"
    for kind, errors in checks.instance("published", published, dict, what).items():
        _checked_kind("published", kind)
        for number, error in checks.instance("published", errors, dict, what).items():
            checks.integer("number of labels of published", number, 1)
            checks.real("error of published", error, 0.0, 100.0)
    return published


def _check_rows(rows):
    checks.table("rows", rows, ("method", "network", "labels", "seed", "error_percent"))
    checks.number_array("rows, column error_percent,", rows["error_percent"].to_numpy())


def _kind(kind):
    method, network = kind
    return f"{METHODS[method].title}, {NETWORKS[network].title}"
