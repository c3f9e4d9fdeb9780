"""Rows of runs whose errors are known; no network is trained."""

from dataclasses import fields

import pandas as pd
import pytest
from scipy import stats

from thesis_lib import files
from thesis_lib.semi_supervised.run import Run
from thesis_lib.study import classification_runs


def write(folder, method, network, seed, error, **changed):
    run = {
        "data": "mnist",
        "method": method,
        "network": network,
        "labels": 100,
        "seed": seed,
        "error_percent": error,
        "validation_error_percent": error,
        "epochs": 5,
        **changed,
    }
    of_run = folder / f"{method}-{network}-{seed}-{len(list(folder.iterdir()))}"
    of_run.mkdir()
    files.write_json(of_run / "row.json", run)


@pytest.fixture
def runs(tmp_path):
    for seed, base in enumerate((20.0, 22.0, 27.0)):
        write(tmp_path, "supervised", "mlp_dropout", seed, base)
        write(tmp_path, "pseudo_label", "mlp_dropout", seed, base - 3 - 0.1 * seed)
    write(tmp_path, "pseudo_label", "mlp_dropout_dae", 1, 15.0)
    write(tmp_path, "mix_match", "convnet13", 0, 2.0)
    return tmp_path


def test_methods_are_compared_on_the_seeds_that_both_have(runs):
    table = classification_runs.paired_differences(classification_runs.read(runs))
    assert list(zip(table["one"], table["other"], table["seeds"])) == [
        (("pseudo_label", "mlp_dropout"), ("supervised", "mlp_dropout"), 3),
        (("pseudo_label", "mlp_dropout_dae"), ("pseudo_label", "mlp_dropout"), 1),
    ]
    assert table["difference"].tolist() == pytest.approx([-3.1, 15.0 - 18.9])
    # Errors differ by 7 points between seeds, their difference by 0.2 points.
    assert -3.5 < table["low"][0] < -3.1 < table["high"][0] < -2.7
    assert table["significant"].tolist() == [True, False]


def test_intervals_hold_for_all_pairs_together(runs):
    alone = classification_runs.paired_differences(classification_runs.read(runs)).iloc[0]
    write(runs, "pseudo_label", "mlp_dropout_dae", 2, 16.0)
    first, second = classification_runs.paired_differences(classification_runs.read(runs)).itertuples()
    widths = [alone["high"] - alone["low"], first.high - first.low]
    assert second.seeds == 2
    assert widths[1] / widths[0] == pytest.approx(stats.t(2).ppf(1 - 0.05 / 4) / stats.t(2).ppf(1 - 0.05 / 2))


def test_runs_of_one_kind_with_different_settings_are_refused(runs):
    write(runs, "supervised", "mlp_dropout", 7, 21.0, epochs=50)
    with pytest.raises(
        ValueError,
        match=r"results must have the same epochs for each .*; mnist, supervised, mlp_dropout, 100 has 2 values",
    ):
        classification_runs.read(runs)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"method": "magic"}, "method of .* must be one of .*; got 'magic'"),
        ({"network": None}, "network of .* must be one of .*; got (None|nan)"),
        ({"labels": 20.5}, r"labels of .* must be a whole number from 0; got 20\.5"),
        ({"seed": None}, "seed of .* must be a whole number from 0; got nan"),
        ({"error_percent": None}, "^error_percent of supervised-mlp-3-8 must be a finite number in .*; got nan"),
        (
            {"validation_error_percent": "low"},
            "validation_error_percent of .* must be a finite number in .*; got 'low'",
        ),
    ],
)
def test_a_row_that_notebook_9_does_not_write_is_named(values, message, runs):
    write(runs, **{"method": "supervised", "network": "mlp", "seed": 3, "error": 21.0, **values})
    with pytest.raises(ValueError, match=message):
        classification_runs.read(runs)


def test_a_level_that_is_no_probability_and_a_name_that_is_no_list_are_refused(runs):
    for level in (0.0, 1.0, "x"):
        for of in (classification_runs.paired_differences, classification_runs.against_published):
            with pytest.raises(ValueError, match=r"level must be a finite number in \(0, 1\)"):
                of(classification_runs.read(runs), level)
    with pytest.raises(ValueError, match="runs must be the names of several runs, or None; got 'r0r1'"):
        classification_runs.read(runs, "r0r1")


def test_size_is_a_setting_of_files_alone(tmp_path):
    write(tmp_path, "supervised", "mlp", 0, 9.0, size=32)
    write(tmp_path, "supervised", "mlp", 1, 9.0, size=48)
    assert classification_runs.read(tmp_path)["size"].isna().all()
    for seed, size in ((0, 32), (1, 48)):
        write(tmp_path, "supervised", "mlp", seed, 9.0, data="photographs/of.me", size=size)
    with pytest.raises(ValueError, match="results must have the same size"):
        classification_runs.read(tmp_path)


def test_a_file_name_is_made_of_the_name_or_path_of_a_data_set():
    assert classification_runs.stem("/data/photographs.zip") == "data_photographs_zip"
    assert classification_runs.stem("mnist") == "mnist"


def test_settings_are_chosen_by_validation_error_on_shared_seeds(tmp_path):
    errors = {(0.1, 0): 20.0, (0.1, 1): 22.0, (0.2, 0): 25.0, (0.2, 1): 16.0, (0.2, 2): 90.0}
    for (rate, seed), error in errors.items():
        write(tmp_path, "vat", "mlp", seed, 1.0 / error, learning_rate=rate, validation_error_percent=error)
    with pytest.raises(ValueError, match="results must hold one run for each method"):
        classification_runs.read(tmp_path)
    with pytest.raises(ValueError, match="vary must be one of .*; got 'learning'"):
        classification_runs.read(tmp_path, vary=["learning"])
    with pytest.raises(ValueError, match="vary must be a list of settings, each once; got 'learning_rate'"):
        classification_runs.read(tmp_path, vary="learning_rate")
    vary = ["ramp", "learning_rate"]
    table = classification_runs.choose(classification_runs.read(tmp_path, vary=vary), vary)
    assert table["setting"].tolist() == ["learning_rate 0.1", "learning_rate 0.2"]
    assert table["seed 1"].tolist() == [22.0, 16.0] and "seed 2" not in table
    assert table["mean"].tolist() == [21.0, 20.5] and table["chosen"].tolist() == [False, True]
    write(tmp_path, "vat", "mlp", 3, 1.0, learning_rate=0.3, validation_error_percent=1.0)
    with pytest.raises(ValueError, match="must share a seed; those of mnist, vat, mlp, 100 share none"):
        classification_runs.choose(classification_runs.read(tmp_path, vary=["learning_rate"]), ["learning_rate"])


def test_kinds_are_in_the_order_of_networks_then_methods(tmp_path):
    kinds = [
        ("mix_match", "convnet13"),
        ("vat", "convnet13"),
        ("supervised", "convnet13"),
        ("pseudo_label", "mlp_dropout"),
        ("supervised", "mlp"),
    ]
    for kind in kinds:
        write(tmp_path, *kind, 0, 1.0, weight=1.0, validation_error_percent=1.0)
    table = classification_runs.choose(classification_runs.read(tmp_path, vary=["weight"]), ["weight"])
    assert list(zip(table["method"], table["network"])) == kinds[::-1]


def test_two_runs_of_one_seed_are_named(runs):
    write(runs, "supervised", "mlp_dropout", 1, 21.0)
    with pytest.raises(
        ValueError,
        match="one run for each method, network, number of labels and seed; got several: .*supervised-mlp_dropout-1",
    ):
        classification_runs.read(runs)


def test_every_field_of_a_run_that_changes_the_training_is_a_setting():
    columns = {"file_column", "label_column", "group_column", "split_column"}
    files = {"table", *columns, "skip_damaged", "workers", "output"}  # read and written
    others = {field.name for field in fields(Run)} - {*classification_runs.KIND, "seed", *files}
    assert others == set(classification_runs.SETTINGS)


def test_rows_from_before_dropout_and_size_could_be_chosen_have_the_usual_ones(tmp_path):
    write(tmp_path, "supervised", "mlp_dropout", 0, 9.0)
    write(tmp_path, "supervised", "mlp_dropout", 1, 9.0, dropout=0.5, size=32)
    write(tmp_path, "supervised", "mlp", 0, 9.0)
    write(tmp_path, "supervised", "mlp_dropout", 0, 9.0, data="own/images")
    write(tmp_path, "supervised", "mlp_dropout", 1, 9.0, data="own/images", dropout=0.5, size=32)
    rows = classification_runs.read(tmp_path)
    assert set(rows.loc[rows["network"] == "mlp_dropout", "dropout"]) == {0.5}
    assert rows.loc[rows["network"] == "mlp", "dropout"].isna().all()
    assert set(rows.loc[rows["data"] == "own/images", "size"]) == {32}


def test_the_lowest_error_is_that_on_the_seeds_that_all_methods_of_a_family_have(runs):
    table = classification_runs.lowest(classification_runs.read(runs)).set_index("family")
    columns = ["methods", "seeds", "method", "network", "error_percent"]
    assert table.loc["dense", columns].tolist() == [3, [1], "pseudo_label", "mlp_dropout_dae", 15.0]
    assert table.loc["convolutional", columns].tolist() == [1, [0], "mix_match", "convnet13", 2.0]
    write(runs, "vat", "convnet13", 5, 3.0)
    apart = classification_runs.lowest(classification_runs.read(runs)).set_index("family").loc["convolutional"]
    assert apart["methods"] == 2 and apart["seeds"] == [] and apart[["method", "network", "error_percent"]].isna().all()


def test_errors_are_compared_with_the_published_ones_of_their_method_and_number_of_labels(runs):
    table = classification_runs.against_published(classification_runs.read(runs)).set_index(["method", "network"])
    assert len(table) == 3 and set(table["labels"]) == {100}
    plain = table.loc[("supervised", "mlp_dropout")]
    assert plain["difference"] == pytest.approx(23.0 - 21.89)
    assert plain["low"] < 1.11 < plain["high"]
    assert plain["above"] == 2 and plain["seeds"] == 3
    alone = table.loc[("pseudo_label", "mlp_dropout_dae")]
    assert alone["difference"] == pytest.approx(15.0 - 10.49) and pd.isna(alone["low"])
    write(runs, "supervised", "mlp", 0, 11.0, data="digits")
    assert len(classification_runs.against_published(classification_runs.read(runs))) == 3
