"""Outlines as LIDC's radiologists draw them, and a database of them."""

import sqlite3
from contextlib import closing

import numpy as np

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


def write_database(path, *contours, spacing=0.7):
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
