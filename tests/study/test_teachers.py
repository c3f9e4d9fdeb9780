"""What the committed sweep over methods for few labels says: the rows of three sweeps as one case, and differences."""

import re

import pandas as pd
import pytest

from thesis_lib.segmentation.methods import TEACHING
from thesis_lib.study import teachers


@pytest.fixture(scope="module")
def rows():
    return teachers.committed()


def test_the_rows_of_all_sweeps_are_of_one_case_and_say_how_many_labels_they_had(rows):
    assert rows["case"].nunique() == 1 and rows["data"].nunique() == 1
    assert {*teachers.TEACHERS, *teachers.OTHERS} <= set(rows["target"])
    assert not rows.duplicated(["target", "seed"]).any()
    taught = rows[rows["method"].isin(TEACHING)]
    assert set(taught["labelled"]) == {20} and set(taught["train_scenes"]) == {200}


@pytest.mark.parametrize("teacher", teachers.TEACHERS)
def test_differences_are_the_others_minus_the_teacher(rows, teacher):
    table = teachers.differences(rows, teacher, resamples=50)
    others = set(teachers.OTHERS) - {teacher}
    assert set(table["target"]) == others and set(table["metric"]) == set(teachers.HEADLINE)
    dice = rows.pivot_table(index="seed", columns="target", values="mean_dice_foreground")
    row = table[(table["target"] == teachers.OTHERS[0]) & (table["metric"] == "mean_dice_foreground")].iloc[0]
    expected = (dice[teachers.OTHERS[0]] - dice[teacher]).dropna()
    assert row["difference"] == pytest.approx(expected.mean(), abs=1e-6) and row["seeds"] == len(expected)
    said = teachers.sentences(table)
    assert len(said) == len(others)
    assert f"{row['difference']:+.3f}" in next(
        one for one in said if one.lower().startswith(row["title"].lower() + ":")
    )


def test_means_by_number_of_labels_have_a_line_for_each_method(rows):
    table = teachers.by_labels(rows)
    of_shift = table[(table["target"] == "shift") & (table["metric"] == "mean_dice_foreground")]
    assert (
        sorted(of_shift["labelled"]) == [20, 60, 200]
        and of_shift.sort_values("labelled")["mean"].is_monotonic_increasing
    )
    assert set(table.loc[table["how"] == "Bayesian teacher", "labelled"]) == {20}
    numbers = [float(number) for number in re.findall(r"0\.\d{3}", teachers.of_average(rows))]
    shared = rows[(rows["target"] == teachers.TEACHERS[0]) & (rows["seed"] < 5)]
    assert len(numbers) == 3 and numbers[2] == pytest.approx(shared["mean_dice_foreground"].mean(), abs=6e-4)
    assert isinstance(table, pd.DataFrame) and "## What a label is worth" in teachers.section()
