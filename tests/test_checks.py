"""Checks of a caller's values: what they accept is returned as plain Python or NumPy, the rest is named."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from thesis_lib import checks


def test_masked_values_are_no_array():
    masked = np.ma.masked_array([1, 2, 3], [True, False, False])
    with pytest.raises(ValueError, match="labels must be an array without masked values; got 1 that are masked"):
        checks.array("labels", masked)
    assert checks.array("labels", masked[1:]).tolist() == [2, 3]


@pytest.mark.parametrize("value", [2**16, 2**40, -1])
def test_classes_fit_into_16_bits(value):
    """A count of all classes up to 2**40 would need eight terabytes."""
    with pytest.raises(ValueError, match=rf"labels must hold classes in 0..65535; got values from .*{value}"):
        checks.label_maps("labels", np.array([[value, 0 if value > 0 else value]]))


def test_bounds_may_be_too_large_for_half_precision():
    assert checks.real("mean", np.float16(1), -1e9, 1e9) == 1.0


@pytest.mark.parametrize("value", ["", "a\0b", "\ud800", b"a", None, 3, ["a"]])
def test_what_cannot_name_a_file_is_no_path(value):
    with pytest.raises(ValueError, match="folder must be a path; got"):
        checks.path("folder", value)
    assert checks.path("folder", "a/b") == Path("a/b")


def test_a_misspelt_name_is_answered_by_the_one_that_is_like_it():
    with pytest.raises(ValueError, match=r"must be one of mean, median; got 'meen'; did you mean 'mean'\?$"):
        checks.one_of("of", "meen", ("median", "mean"))
    for unlike in ("zzz", 3, None):
        with pytest.raises(ValueError, match=f"got {unlike!r}$"):
            checks.one_of("of", unlike, ("median", "mean"))


def test_tables_lists_and_lengths_are_named():
    rows = pd.DataFrame({"case": [1]})
    assert checks.table("rows", rows, ["case"]) is rows
    with pytest.raises(ValueError, match="rows must have the columns case, seed; it lacks seed"):
        checks.table("rows", rows, ["case", "seed"])
    with pytest.raises(ValueError, match=r"names must be a list of names; got \['a', 1\]"):
        checks.listed("names", ["a", 1], str, "a list of names")
    assert checks.lengths("size", np.array([3, 4]), 2, "(H, W)") == (3, 4)
    with pytest.raises(ValueError, match=r"size must be \(H, W\), 2 whole numbers from 1 to 32768; got \[3, 0\]"):
        checks.lengths("size", [3, 0], 2, "(H, W)")


def test_errors_show_any_value_in_a_line():
    assert checks.shown(np.zeros((9, 9))) == "shape (9, 9), dtype float64"
    assert checks.shown(10**5000) == "a value of type int"
    assert len(checks.shown("a" * 999)) < 210
