"""Files that a user gives: regular ones alone, tables of a bounded size, names in one Unicode form, errors in one."""

import numbers
import stat
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from thesis_lib import checks

MOST_NAMED = 12  # errors in one message
TABLE_BYTES = 2**26  # of a table that a person wrote


def regular(path):
    """The path, if it is a file that ends: a pipe would be waited for, a device never ends.

    Raises:
        FileNotFoundError, OSError, ValueError: naming the path.
    """
    try:
        kind = Path(path).stat().st_mode
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is not there; expected a file") from None
    except OSError as error:  # a name that is too long, or a folder that one may not enter
        raise OSError(error.errno, f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(kind):
        raise ValueError(f"{path} must be a file; got a {'folder' if stat.S_ISDIR(kind) else 'pipe or device'}")
    return path


def within(root, path):
    """The path, unless it is a link that leads outside the folder `root`, or nowhere."""
    try:
        is_inside = path.resolve(strict=True).is_relative_to(root.resolve())
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{path} is a link that leads nowhere") from error
    if not is_inside:
        raise ValueError(f"{path} is a link that leads outside {root}")
    return path


def table_bytes(path):
    """The content of a CSV file, of 64 MiB at most."""
    with open(regular(path), "rb") as file:
        return bounded(file, path)


def bounded(file, name):
    """The content of an open file, of 64 MiB at most."""
    content = file.read(TABLE_BYTES + 1)
    if len(content) > TABLE_BYTES:
        raise ValueError(f"{name} must be a table of at most {TABLE_BYTES >> 20} MiB; it is larger")
    return content


def same_form(text):
    """Text as it is compared: in Unicode's form NFC, as a Mac names files in another one."""
    return unicodedata.normalize("NFC", text)


def as_name(name, value, what="a name"):
    """A name that a user gives, as text in NFC: papermill's -p makes numbers of names such as 2024.

    Args:
        name: of the argument, for the error.
        value: text, or a whole number.
        what: what is accepted, for the error.
    """
    is_number = isinstance(value, numbers.Integral) and not isinstance(value, bool) and abs(value) < 10**18
    if not is_number and (not isinstance(value, str) or value == ""):
        raise ValueError(f"{name} must be {what}; got {checks.shown(value)}{hint_of_papermill(value)}")
    return same_form(str(value))


def path_name(name, value):
    """A path that a user gives, as text; a whole number is one, as in `as_name`."""
    if not isinstance(value, Path):
        as_name(name, value, "a path")
    return str(value)


def existing_folder(name, value, of):
    """A path that a user gives, if it is that of a folder `of` something; `name` of the argument is for the error."""
    path = Path(path_name(name, value))
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError):  # a name that no file can have
        is_folder = False
    if not is_folder:
        raise FileNotFoundError(f"{name} must be a folder of {of}; got {value!r}, which is none")
    return path


def item_numbers(name, value, count):
    """Numbers of some of `count` items, int (n,), of a number, an int array, a slice or a boolean mask (count,)."""
    try:
        chosen = np.atleast_1d(np.arange(count)[value])
    except (IndexError, OverflowError, TypeError, ValueError):
        chosen = np.empty((0, 0))
    if chosen.ndim != 1:
        raise ValueError(f"{name} must be numbers of the {count} items, or a mask of them; got {checks.shown(value)}")
    return chosen


def hint_of_papermill(value):
    """What to add to an error about an unknown name: how papermill leaves a number as it is written; "" for a word."""
    is_number = isinstance(value, numbers.Real) or (isinstance(value, str) and value.isdecimal())
    return "; papermill's -r, not -p, keeps a number such as 01 as it is written" if is_number else ""


def known_name(name, value, known):
    """A name that a user gives, as `as_name`, if it is among the `known` ones."""
    if as_name(name, value) not in known:
        names = ", ".join(sorted(known))
        raise ValueError(f"{name} must be one of {names}; got {as_name(name, value)!r}{hint_of_papermill(value)}")
    return as_name(name, value)


def in_words(messages):
    """The first dozen of some messages, and how many more there are."""
    text = "; ".join(messages[:MOST_NAMED])
    return text if len(messages) <= MOST_NAMED else f"{text}; and {len(messages) - MOST_NAMED} more"


def raise_all(errors):
    """Raise one error that holds the messages of all, unless there is none."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ValueError(f"{len(errors)} files cannot be used: {in_words([str(error) for error in errors])}")


def attempt(read, item):
    """(read(item), None), or (None, the error) where the item cannot be read."""
    try:
        return read(item), None
    except (ValueError, OSError) as error:
        return None, error


def read_all(read, items):
    """[read(item) for each of the items], on all cores.

    Raises:
        ValueError: naming all that cannot be read, or the first dozen and how many more there are.
    """
    with ThreadPoolExecutor() as pool:
        pairs = list(pool.map(lambda item: attempt(read, item), items))
    raise_all([error for _, error in pairs if error])
    return [result for result, _ in pairs]
