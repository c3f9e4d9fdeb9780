"""Classes and their colours: masks in colours become class maps, and back, exactly."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from thesis_lib import checks
from thesis_lib.data.csv_table import read_csv_table
from thesis_lib.data.reading import known_name, table_bytes
from thesis_lib.labels import IGNORE

MOST_UNLISTED = 64  # classes that need no list; masks of 0 and 255 that were resized hold more numbers
BAND = 1 << 20  # pixels that are looked up at a time: a whole raster would need 20 bytes a pixel


@dataclass(frozen=True)
class ClassTable:
    """K classes, at most 255.

    Args:
        names: K names, all different.
        colours: K colours (r, g, b), 0-255, all different; None where masks hold class numbers.

    Raises:
        ValueError: if a field is of another kind.

    Example:
        >>> table = ClassTable(("background", "building"), ((0, 0, 0), (255, 255, 255)))
    """

    names: tuple
    colours: tuple | None = None

    def __post_init__(self):
        names = checks.listed("names", self.names, str, f"a list of 1 to {IGNORE} names")
        if len(names) > IGNORE:
            raise ValueError(f"names must be of 1 to {IGNORE} classes; got {len(names)}")
        object.__setattr__(self, "names", tuple(names))
        _check_different("names", self.names)
        if self.colours is None:
            return
        found = checks.listed("colours", self.colours, (tuple, list), "a list of colours (r, g, b)")
        if len(found) != len(names):
            raise ValueError(f"colours must be as many as names, {len(names)}; got {len(found)}")
        for colour in found:
            if len(colour) != 3 or not all(_is_byte(value) for value in colour):
                raise ValueError(f"colours must each be three whole numbers from 0 to 255; got {colour!r}")
        _check_different("colours", found)
        object.__setattr__(self, "colours", tuple(tuple(int(value) for value in colour) for colour in found))

    @cached_property
    def _number_of(self):
        """The class of each of the 2^24 colours, 16 MB; IGNORE for a colour of no class."""
        table = np.full(1 << 24, IGNORE, np.uint8)
        for k, (red, green, blue) in enumerate(self.colours):
            table[red << 16 | green << 8 | blue] = k
        return table

    def to_classes(self, picture, name="mask", unknown="error"):
        """The class map of a mask.

        Args:
            picture: integers 0-255, (H, W, 3), or (H, W, 1) or (H, W): class numbers where the table has no colours.
            name: what errors call the mask.
            unknown: what to do with a pixel of no class: "error", or "ignore": it becomes IGNORE.

        Returns:
            uint8 (H, W).

        Raises:
            ValueError: naming the mask, the first colour or number that is of no class, and its position.
        """
        checks.one_of("unknown", unknown, ("error", "ignore"))
        picture = checks.array(name, picture)
        of_colours = self.colours is not None
        shapes = ((3,),) if of_colours else ((), (1,))
        is_whole = picture.dtype.kind in "iu" and picture.size and picture.min() >= 0 and picture.max() <= 255
        if not is_whole or picture.ndim < 2 or picture.shape[2:] not in shapes:
            what = "colours 0-255, (H, W, 3)" if of_colours else "class numbers 0-255, (H, W) or (H, W, 1)"
            raise ValueError(f"{name} must be of {what}; got {checks.shown(picture)}")
        if self.colours is None:
            classes = picture.reshape(picture.shape[:2])
            of_no_class = (classes >= len(self.names)) & (classes != IGNORE)
        else:
            classes = self._of_colours(picture)
            of_no_class = classes == IGNORE
        if not of_no_class.any():
            return classes.astype(np.uint8)
        if unknown == "error":
            row, column = np.argwhere(of_no_class)[0]
            value = tuple(picture[row, column].tolist()) if self.colours else int(classes[row, column])
            raise ValueError(
                f"{name} must hold the {len(self.names)} classes of the table alone; "
                f"got {value} at row {row}, column {column}"
            )
        return np.where(of_no_class, np.uint8(IGNORE), classes).astype(np.uint8)

    def _of_colours(self, picture):
        """The classes (H, W) of colours (H, W, 3); IGNORE for a colour of no class."""
        classes = np.empty(picture.shape[:2], np.uint8)
        height = max(BAND // max(picture.shape[1], 1), 1)
        for top in range(0, len(picture), height):
            band = picture[top : top + height].astype(np.uint32)
            classes[top : top + height] = self._number_of[band[..., 0] << 16 | band[..., 1] << 8 | band[..., 2]]
        return classes

    def to_picture(self, classes):
        """A class map (H, W) as a picture, uint8 (H, W, 3), in the classes' colours; IGNORE is black.

        Raises:
            ValueError: if it holds another class, or the table has no colours.
        """
        if self.colours is None:
            raise ValueError("classes must be of a table with colours; this one has none")
        classes = checks.label_maps("classes", classes, len(self.names), ignore=IGNORE)
        colours = np.zeros((256, 3), np.uint8)
        colours[: len(self.names)] = self.colours
        return colours[classes]

    def select(self, names):
        """Keep some classes and put every other one into class 0.

        The first class of this table, the background as a rule, stays in class 0.

        Args:
            names: a list of the classes to tell apart, in the order of their numbers from 1; None for all.

        Returns:
            (ClassTable, uint8 array (256,)): the new table, and the new number of each number of this table.
        """
        numbers = np.full(256, IGNORE, np.uint8)
        if names is None:
            numbers[: len(self.names)] = np.arange(len(self.names))
            return self, numbers
        if not isinstance(names, (list, tuple)):
            raise ValueError(f"classes must be a list of names, of {', '.join(self.names)}; got {names!r}")
        names = [known_name("classes", name, self.names) for name in names]
        _check_different("classes", names)
        names = [name for name in names if name != self.names[0]]
        if not names:
            raise ValueError(
                f"classes must name a class beside the first, one of {', '.join(self.names[1:])}; got none"
            )
        others = [k for k, name in enumerate(self.names) if name not in names]  # the first class is one of them
        selected = [self.names.index(name) for name in names]
        numbers[others] = 0
        numbers[selected] = np.arange(1, len(names) + 1)
        first = self.names[0]
        if len(others) > 1:
            first = "other" if "other" not in names else "everything else"
        colours = self.colours and tuple(self.colours[k] for k in [0, *selected])
        return ClassTable((first, *names), colours), numbers


def _is_byte(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and 0 <= value <= 255


def _check_different(what, values):
    values = list(values)
    repeated = [value for value in values if values.count(value) > 1]
    if repeated:
        raise ValueError(f"{what} must all be different; got {repeated[0]!r} twice")


def numbered_classes(name, numbers, listed_in, holder=None):
    """The classes 0..K - 1 of label maps, where no table lists them.

    Args:
        name: what errors call the label maps.
        numbers: those that occur, without IGNORE.
        listed_in: what errors call the place where classes can be listed.
        holder: function from a number to what errors call a label map that holds it; None: they name none.

    Returns:
        ClassTable; at least two classes.

    Raises:
        ValueError: if most numbers up to the highest do not occur: 0, 127 and 254, for example, are colours. If they
            are more than 64: the edges of resized masks hold every grey between 0 and 255.

    Example:
        >>> numbered_classes("masks", [0, 1, 3], "label_class_dict.csv").names
        ('0', '1', '2', '3')
    """
    numbers = sorted({int(number) for number in numbers})
    count = max([1, *numbers]) + 1
    example = f". {holder(numbers[-1])} holds {numbers[-1]}" if holder else ""
    if len(numbers) > MOST_UNLISTED:
        raise ValueError(
            f"{name} must hold at most {MOST_UNLISTED} class numbers unless {listed_in} lists the classes; "
            f"got {len(numbers)} from {numbers[0]} to {numbers[-1]}, as masks do that were resized with smooth edges"
            + example
        )
    if 2 * len(numbers) < count and count > 2:
        some = ", ".join(map(str, numbers[:12])) + (", ..." if len(numbers) > 12 else "")
        raise ValueError(
            f"{name} must hold class numbers 0, 1, 2, ... unless {listed_in} lists the classes; "
            f"got {some}, of which most numbers in between are missing{example}"
        )
    return ClassTable(tuple(str(k) for k in range(count)))


def read_class_table(path: str | Path) -> ClassTable:
    """Read the classes from a CSV file.

    Args:
        path: the file. Its columns are name and r, g, b, the class's colour; or name alone, where masks hold class
            numbers. Other columns do not matter.

    Returns:
        ClassTable.

    Raises:
        ValueError: naming the file, the line, and what is wrong with it.
    """
    path = checks.path("path", path)
    try:
        return _class_table(*read_csv_table(table_bytes(path)))
    except ValueError as error:
        raise ValueError(f"{path} must be a table of classes, name, r, g, b: {error}") from error


def _class_table(head, rows):
    head = [column.lower() for column in head]
    columns = [column for column in head if column in ("name", "r", "g", "b")]
    if sorted(columns) not in (["name"], ["b", "g", "name", "r"]):
        raise ValueError(
            "it must have a column 'name', and r, g, b or none of them, each once, with commas between; "
            f"got {','.join(head)!r}"
        )
    if rows.empty:
        raise ValueError("it must have a row for each class")
    name_at, *colour_at = (head.index(column) for column in ("name", "r", "g", "b")[: len(columns)])
    names, colours = [], []
    for line, row in zip(rows.index, rows.values.tolist()):
        name, colour = row[name_at], [row[at] for at in colour_at]
        if not name or any(row[len(head) :]):
            raise ValueError(
                f"line {line}: every class must have a name, and every value a column; "
                f"got {','.join(row).rstrip(',')!r}"
            )
        if not all(value.isdecimal() and int(value) <= 255 for value in colour):
            raise ValueError(f"line {line}: colours must be whole numbers from 0 to 255; got {','.join(colour)!r}")
        names.append(name)
        colours.append(tuple(int(value) for value in colour))
    return ClassTable(tuple(names), tuple(colours) if colour_at else None)
