"""Classes and their colours: masks that are pictures become class maps, and back, exactly."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from thesis_lib import checks
from thesis_lib.data.csv_rows import csv_rows
from thesis_lib.labels import IGNORE

BAND = 1 << 20  # pixels that are looked up at a time


@dataclass(frozen=True)
class ClassTable:
    """K classes, at most 255.

    Args:
        names: K names, all different.
        colours: K colours (r, g, b), 0-255, all different; None where masks hold class numbers.
    """

    names: tuple
    colours: tuple | None = None

    def __post_init__(self):
        if not 1 <= len(self.names) <= IGNORE:
            raise ValueError(f"names must be of 1 to {IGNORE} classes; got {len(self.names)}")
        for what, values in (("names", self.names), ("colours", self.colours or ())):
            twice = [v for v in values if list(values).count(v) > 1]
            if twice:
                raise ValueError(f"{what} must all be different; got {twice[0]!r} twice")
        if self.colours is not None and len(self.colours) != len(self.names):
            raise ValueError(f"colours must be as many as names, {len(self.names)}; got {len(self.colours)}")
        for colour in self.colours or ():
            if len(colour) != 3 or not all(
                isinstance(value, (int, np.integer)) and 0 <= value <= 255 for value in colour
            ):
                raise ValueError(f"colours must each be three whole numbers from 0 to 255; got {colour!r}")

    @cached_property
    def _number_of(self):
        """The class of each of the 2^24 colours, 16 MB, IGNORE for those of none."""
        table = np.full(1 << 24, IGNORE, np.uint8)
        for k, (red, green, blue) in enumerate(self.colours):
            table[red << 16 | green << 8 | blue] = k
        return table

    def to_classes(self, picture, name="mask", unknown="error"):
        """The class map (H, W), uint8, of a mask.

        Args:
            picture: uint8 (H, W, 3), or (H, W, 1) or (H, W): class numbers where the table has no colours.
            name: what errors call it.
            unknown: "error", or "ignore": what is of no class becomes IGNORE.

        Raises:
            ValueError: naming the mask, the first colour that is of no class, and its position.
        """
        checks.one_of("unknown", unknown, ("error", "ignore"))
        picture = np.asarray(picture)
        if self.colours is None:
            classes = picture.reshape(picture.shape[:2])
            strange = (classes >= len(self.names)) & (classes != IGNORE)
        else:
            classes = np.empty(picture.shape[:2], np.uint8)
            step = max(BAND // max(picture.shape[1], 1), 1)
            for rows in (
                slice(top, top + step) for top in range(0, len(picture), step)
            ):  # a whole raster would need 20 bytes a pixel
                wide = picture[rows].astype(np.uint32)
                classes[rows] = self._number_of[wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]]
            strange = classes == IGNORE
        if unknown == "error" and strange.any():
            row, column = np.argwhere(strange)[0]
            value = tuple(picture[row, column].tolist()) if self.colours else int(classes[row, column])
            raise ValueError(
                f"{name} must hold the {len(self.names)} classes of the table alone; got {value} at row {row}, column {column}"
            )
        return (
            np.where(strange, np.uint8(IGNORE), classes).astype(np.uint8) if strange.any() else classes.astype(np.uint8)
        )

    def to_picture(self, classes):
        """Class map (H, W) as a picture (H, W, 3) in the classes' colours; IGNORE is black."""
        colours = np.zeros((256, 3), np.uint8)
        colours[: len(self.names)] = self.colours
        return colours[classes]

    def select(self, names):
        """A table of some classes, everything else together as class 0, and the number in it of each class of this table.

        The first class of this table, the background as a rule, stays class 0, alone or with what is not named.

        Args:
            names: of the classes to tell apart, in the order of their numbers from 1; None for all.

        Returns:
            (ClassTable, uint8 array (256,) from old numbers to new ones).
        """
        numbers = np.full(256, IGNORE, np.uint8)
        if names is None:
            numbers[: len(self.names)] = np.arange(len(self.names))
            return self, numbers
        if not isinstance(names, (list, tuple)):
            raise ValueError(f"classes must be a list of names, of {', '.join(self.names)}; got {names!r}")
        for name in names:
            checks.one_of("classes", name, self.names)
            if names.count(name) > 1:
                raise ValueError(f"classes must all be different; got {name!r} twice")
        names = [name for name in names if name != self.names[0]]
        if not names:
            raise ValueError(
                f"classes must name a class beside the first, one of {', '.join(self.names[1:])}; got none"
            )
        rest = [k for k, name in enumerate(self.names) if name not in names]
        kept = [*rest[:1], *(self.names.index(name) for name in names)]
        numbers[rest] = 0
        for new, old in enumerate(kept):
            numbers[old] = new
        other = "other" if "other" not in names else "everything else"
        chosen = [other if k in rest and len(rest) > 1 else self.names[k] for k in kept]
        return ClassTable(tuple(chosen), self.colours and tuple(self.colours[k] for k in kept)), numbers


def read_class_table(path):
    """The table in a CSV file with the columns name and r, g, b (or name alone, where masks hold class numbers).

    Raises:
        ValueError: naming the file, the line, and what is wrong with it.
    """
    try:
        rows = csv_rows(Path(path).read_bytes())
        head = [name.lower() for name in rows[0][1]] if rows else []
        places = [head.index(column) for column in ("name", "r", "g", "b") if head.count(column) == 1]
        if "name" not in head or len(places) != len({"name", "r", "g", "b"} & set(head)) or len(places) not in (1, 4):
            raise ValueError(
                f"it must have a column 'name', and r, g, b or none of them, each once, with commas between; got {','.join(head)!r}"
            )
        if len(rows) == 1:
            raise ValueError("it must have a row a class")
        for number, line in rows[1:]:
            if len(line) != len(head) or not line[places[0]]:
                raise ValueError(
                    f"line {number}: every class must have a name, and every column a value; got {','.join(line)!r}"
                )
            if not all(line[at].isdecimal() and int(line[at]) <= 255 for at in places[1:]):
                raise ValueError(
                    f"line {number}: colours must be whole numbers from 0 to 255; got {','.join(line[at] for at in places[1:])!r}"
                )
        colours = tuple(tuple(int(line[at]) for at in places[1:]) for _, line in rows[1:]) if len(places) > 1 else None
        return ClassTable(tuple(line[places[0]] for _, line in rows[1:]), colours)
    except ValueError as error:
        raise ValueError(f"{path} must be a table of classes, name, r, g, b: {error}") from error
