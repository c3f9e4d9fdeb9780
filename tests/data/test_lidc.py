"""Radiologists' drawings: which annotations are of one nodule, and the sample beside the full database."""

import itertools
import runpy
import sqlite3
import sys
import warnings
from contextlib import closing

import numpy as np
import pytest
from lidc_cases import square, write_database

from thesis_lib import paths
from thesis_lib.data import lidc, lidc_database, lidc_slices


def test_annotations_that_share_a_pixel_are_of_one_nodule(tmp_path):
    file = write_database(
        tmp_path / "two.sqlite",
        (7, 1.0, square(10, 10, 5)),
        (8, 1.0, square(14, 14, 5)),  # shares one pixel with 7
        (8, 2.0, square(14, 14, 5)),
        (9, 1.0, square(40, 40, 3)),  # far away
        (5, 2.0, square(10, 10, 3)),  # lies on 7, but in another slice
    )
    slices = lidc_slices(file)
    assert [(one.z, one.readers, one.of_nodule) for one in slices] == [
        (2.0, (5,), 1),
        (1.0, (7, 8), 2),
        (2.0, (8,), 2),
        (1.0, (9,), 1),
    ]
    assert [one.nodule for one in slices] == [0, 1, 1, 2]
    assert {(one.scan, one.spacing) for one in slices} == {(3, 0.7)}
    both = slices[1].masks
    assert (
        both.shape == (2, 24 + 9, 24 + 9) and both.sum((1, 2)).tolist() == [25, 25] and (both[0] & both[1]).sum() == 1
    )
    assert [one.readers for one in lidc_slices(file, drawn_by=2)] == [(7, 8)]
    assert lidc_slices(file, drawn_by=3) == []


def test_ambiguous_groups_are_left_out(tmp_path):
    two_in_one = [(1, 0.0, square(10, 10, 3)), (2, 0.0, square(16, 10, 3)), (3, 0.0, square(10, 10, 9))]
    assert lidc_slices(write_database(tmp_path / "chain.sqlite", *two_in_one)) == []
    five = [(annotation, 0.0, square(10, 10, 3)) for annotation in range(1, 6)]
    four = [(annotation, 0.0, square(40, 10, 3)) for annotation in range(6, 10)]
    (one,) = lidc_slices(write_database(tmp_path / "five.sqlite", *five, *four))
    assert one.readers == (6, 7, 8, 9)


def test_the_sample_is_whole():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slices = lidc_slices("sample")
    nodules = {one.nodule: one for one in slices}
    assert len(nodules) == 240 and sum(len(one.masks) for one in slices) == 784
    assert lidc.SAMPLE.stat().st_size < 300_000
    for one in slices:
        assert 1 <= len(one.readers) == len(one.masks) <= one.of_nodule <= 4
        assert one.masks.any((1, 2)).all() and 0.4 < one.spacing < 1
    # each nodule has a slice that all of its radiologists drew, so of_nodule is LIDC's
    all_drew = {one.nodule for one in slices if len(one.masks) == one.of_nodule}
    assert all_drew == set(nodules)
    # a reader keeps the number of the annotation over the slices of a nodule
    readers = {one.nodule: one.readers for one in slices if len(one.masks) == one.of_nodule}
    assert all(set(one.readers) <= set(readers[one.nodule]) for one in slices)
    assert any(len(one.masks) < one.of_nodule for one in slices)


def test_radiologists_agree_where_they_draw_one_nodule():
    overlaps = []
    for one in lidc_slices("sample", drawn_by=4):
        for a, b in itertools.combinations(one.masks.astype(int), 2):
            overlaps.append(2 * (a * b).sum() / (a.sum() + b.sum()))
    assert 0.75 < np.median(overlaps) < 0.9  # Dice


def read_table(file, table):
    with closing(sqlite3.connect(file)) as database:
        return database.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()


@pytest.fixture(scope="module")
def full():
    try:
        return lidc_database()
    except FileNotFoundError as error:
        pytest.skip(f"the full database of drawings is not installed: {error}")


def test_the_sample_is_what_its_script_chooses(full, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make_lidc.py", str(tmp_path / "lidc.sqlite"), str(full)])
    with pytest.warns(UserWarning, match="contours skipped"):
        runpy.run_path(paths.REPOSITORY / "sample_data" / "make_lidc.py", run_name="__main__")
    for table in ("scans", "annotations", "contours"):
        made, shipped = (read_table(file, table) for file in (tmp_path / "lidc.sqlite", lidc.SAMPLE))
        assert made == shipped


def test_the_sample_has_the_masks_of_the_full_database(full):
    with pytest.warns(UserWarning, match="1 that cannot be read .ids 21362., 131 that enclose no pixel"):
        slices = lidc_slices(full)
    counts = np.bincount([len(one.masks) for one in slices], minlength=5)
    assert counts.tolist() == [0, 4833, 2813, 2773, 5069]
    same = {(one.readers, one.z): one for one in slices}
    for one in lidc_slices("sample"):
        other = same[one.readers, one.z]
        assert np.array_equal(one.masks, other.masks)
        assert (one.scan, one.spacing, one.of_nodule) == (other.scan, other.spacing, other.of_nodule)
