"""What notebooks 10 and 11 show, from rows whose errors are known; no network is trained."""

import numpy as np
import pandas as pd
import pytest

from thesis_lib.semi_supervised.networks import NETWORKS
from thesis_lib.study import classification_runs, classification_tables


def row(method, network, labels, seed, error, **changed):
    return {
        "data": "mnist",
        "method": method,
        "network": network,
        "labels": labels,
        "seed": seed,
        "error_percent": error,
        "validation_error_percent": error,
        "family": NETWORKS[network].family,
        "run": f"{method}-{network}-{labels}-{seed}",
        "epochs": 5,
        "learning_rate": 0.01,
        "weight": 3.0,
        "noise": 0.0,
        "pretraining_epochs": 10,
        **changed,
    }


@pytest.fixture
def rows():
    table = [row("supervised", "mlp_dropout", 100, seed, error) for seed, error in enumerate((20.0, 22.0, 27.0))]
    table += [row("pseudo_label", "mlp_dropout", 100, seed, error) for seed, error in enumerate((17.0, 18.9, 23.8))]
    table += [row("pseudo_label", "mlp_dropout_dae", 100, 1, 15.0), row("supervised", "mlp_dropout", 1000, 0, 7.0)]
    return pd.DataFrame(table)


@pytest.mark.parametrize(
    "seeds, words",
    [([3], "seed 3"), ([2, 0, 1], "seeds 0-2"), ([0, 1], "seeds 0, 1"), ([0, 2, 3], "seeds 0, 2, 3")],
)
def test_seeds_in_words(seeds, words):
    assert classification_tables.seeds_in_words(seeds) == words


def test_numbers_of_labels_in_words():
    assert [classification_tables.labels_in_words(number) for number in (1000, -1)] == ["1,000 labels", "all labels"]
    assert classification_tables.several_labels_in_words([-1, 3000, 100, 100]) == "100, 3,000 and all labels"
    assert classification_tables.several_labels_in_words([600]) == "600 labels"


def test_errors_stand_with_their_interval_their_seeds_and_the_published_one(rows):
    table = classification_tables.error_table(rows)
    assert list(table.columns) == ["100 labels", "1,000 labels"]
    assert list(table.index) == [
        "supervised, dense + dropout",
        "pseudo-label, dense + dropout",
        "pseudo-label, dense + dropout + auto-encoder",
    ]
    assert table.iloc[0].tolist() == [
        "23.00 [14.04, 31.96], seeds 0-2; published 21.89",
        "7.00, seed 0; published 6.59",
    ]
    assert table.iloc[2].tolist() == ["15.00, seed 1; published 10.49", "published 3.46"]
    elsewhere = classification_tables.error_table(rows.assign(data="digits"))
    assert elsewhere.iloc[2].tolist() == ["15.00, seed 1", ""]


def test_settings_that_a_method_or_network_lacks_are_empty(rows):
    table = classification_tables.settings_table(rows)
    assert list(table.columns) == ["epochs", "learning_rate", "weight", "pretraining_epochs"]
    assert table.loc[("supervised", "mlp_dropout", "100, 1000")].tolist() == [5, 0.01, "", ""]
    assert table.loc[("pseudo_label", "mlp_dropout", "100")].tolist() == [5, 0.01, 3.0, ""]
    assert table.loc[("pseudo_label", "mlp_dropout_dae", "100")].tolist() == [5, 0.01, 3.0, 10]


def test_numbers_of_labels_with_other_settings_have_a_line_of_their_own(rows):
    rows.loc[rows["labels"] == 1000, "learning_rate"] = 0.1
    table = classification_tables.settings_table(rows).reset_index("labels").loc["supervised"]
    assert dict(zip(table["labels"], table["learning_rate"])) == {"100": 0.01, "1000": 0.1}


def test_lines_of_one_method_are_named_by_what_their_network_adds(rows):
    table, published = classification_tables.against_labels(rows)
    networks = {(row.objective, row.how) for row in table.itertuples()}
    assert networks == {
        ("supervised", "dropout"),
        ("pseudo_label", "dropout"),
        ("pseudo_label", "dropout + auto-encoder"),
    }
    supervised = table[table["objective"] == "supervised"]
    assert supervised["labels"].tolist() == [100, 1000] and supervised["mean"].tolist() == [23.0, 7.0]
    assert len(published) == 16 and ("supervised", 100, 25.81) in published
    alone, published = classification_tables.against_labels(rows[rows["network"] == "mlp_dropout"].assign(data="own"))
    assert set(alone["how"]) == {""} and published == []


def test_differences_are_signed_and_called_significant_where_the_interval_leaves_out_zero(rows):
    table = classification_tables.differences_table(classification_runs.paired_differences(rows))
    shown = table.set_index("method")[["minus", "difference", "low", "high", "significant"]]
    assert shown.loc["pseudo-label, dense + dropout"].tolist() == [
        "supervised, dense + dropout",
        *("-3.10", "-3.35", "-2.85", "yes"),
    ]
    assert shown.loc["pseudo-label, dense + dropout + auto-encoder"].tolist() == [
        "pseudo-label, dense + dropout",
        *("-3.90", "", "", ""),
    ]


def test_published_errors_are_listed_by_title(rows):
    table = classification_tables.published_table(classification_runs.against_published(rows))
    first = table.iloc[0]
    assert first[["method", "labels", "published", "difference"]].tolist() == [
        "supervised, dense + dropout",
        *(100, 21.89, "+1.11"),
    ]
    assert "network" not in table


def test_conclusions_name_the_lowest_error_and_what_is_significant(rows):
    rows.loc[rows["network"] == "mlp_dropout_dae", "error_percent"] = 9.0
    lines = classification_tables.conclusions(rows).splitlines()
    assert "9.00% (seed 1)" in lines[0] and "the lowest mean error of 3 methods" in lines[0]
    assert "the only method" in lines[1]
    assert "1 of 4 cells" in lines[2]
    assert "0.41 to 3.75 points above" in lines[3] and "with 100 and 1,000 labels" in lines[3]
    assert lines[4].startswith("- 1 of 1 differences") and "95% intervals" in lines[4]
    assert "3.10 points [2.85, 3.35] lower" in lines[5] and lines[5].endswith("this difference is significant.")
    assert len(lines) == 6


def test_differences_that_are_not_significant_are_counted_alone(rows):
    rows.loc[rows["method"] == "pseudo_label", "error_percent"] = [10.0, 30.0, 20.0, 15.0]
    last = classification_tables.conclusions(rows).splitlines()[-1]
    assert last.startswith("- 0 of 1 differences between methods on the same labels are significant")


def test_methods_without_a_common_seed_are_named():
    rows = pd.DataFrame([row("vat", "convnet13", 100, 0, 4.0), row("supervised", "convnet13", 100, 1, 8.0)])
    text = classification_tables.conclusions(rows)
    assert "the 2 methods have no seed in common" in text and "No two methods to compare" in text


def test_the_summary_counts_runs_and_commits(rows):
    rows["provenance"] = [{"commit": "a" * 40}] * 7 + [None]
    assert classification_tables.summary(rows, range(10), "experiments/some.yaml").splitlines() == [
        "- mnist: 8 runs of 3 pairs of method and network, with 100 and 1,000 labels, seeds 0-2.",
        "- 8 of the 10 runs of experiments/some.yaml have finished.",
        "- Commits: aaaaaaa (7 runs).",
    ]


def test_the_chosen_setting_stands_beside_the_next_best():
    tried = [
        row("vat", "convnet13", 100, seed, rate * (seed + 1), learning_rate=rate)
        for rate in (1.0, 2.0)
        for seed in (0, 1)
    ]
    rows = pd.DataFrame(tried)
    both = classification_tables.chosen(classification_runs.choose(rows, ["learning_rate"]))
    assert "learning_rate 1, 1.50%; the next best of 2 settings 3.00%; seeds differ by up to 2.00 points." in both
    alone = classification_runs.choose(rows[(rows["seed"] == 0) & (rows["learning_rate"] == 1.0)], ["learning_rate"])
    assert classification_tables.chosen(alone).endswith("learning_rate 1, 1.00%; seed 0 alone.")


def test_a_difference_of_zero_width_has_an_interval():
    assert classification_tables.interval_in_words(0.0, 0.0) == " [+0.00, +0.00]"
    assert classification_tables.interval_in_words(np.nan, np.nan) == ""
