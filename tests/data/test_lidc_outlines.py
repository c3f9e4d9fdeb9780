"""From the outline of a nodule to its mask, by hand and beside a second implementation."""

import itertools
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from lidc_cases import DIAMOND, outline, square, write_database
from skimage.draw import polygon

from thesis_lib.data import lidc, lidc_slices


@pytest.fixture
def only(tmp_path):
    """The mask, without its margin, of one slice by one radiologist, as text; each contour (coords, inclusion)."""

    files = (tmp_path / f"{number}.sqlite" for number in itertools.count())

    def read(*contours):
        (one,) = lidc_slices(write_database(next(files), *((1, 0.0, *contour) for contour in contours)))
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
