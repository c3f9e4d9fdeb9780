"""Images that belong together, as copies of each other or as pictures of one patient or place, stay in one part.

A network that has seen one of them in training knows the others, so that the error on test images would be too low.
"""

import hashlib
import warnings
from collections import Counter
from pathlib import PurePosixPath

import numpy as np
from scipy.sparse import coo_array, csgraph

from thesis_lib.data.csv_table import check_widths, read_csv_table
from thesis_lib.data.reading import attempt, same_form, table_bytes, within

TABLE = "groups.csv"
PARTS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


def digest(content):
    """A digest of bytes or of an array, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(content) if isinstance(content, np.ndarray) else content).hexdigest()


def digests_of_copies(sizes, read):
    """A digest of each file that has a copy, byte for byte; None for the others.

    Args:
        sizes: of the files; only those of a size that several have are read.
        read: called with a file's number, returns its content, or raises ValueError or OSError: it then has no copy.
    """
    frequency = Counter(sizes)
    contents = (attempt(read, i)[0] if frequency[size] > 1 else None for i, size in enumerate(sizes))
    return of_copies([None if content is None else digest(content) for content in contents])


def of_copies(digests):
    """Digests that several items have; None for the others."""
    frequency = Counter(digests)
    return [one if frequency[one] > 1 else None for one in digests]


def joined(*columns):
    """The number of each item's group: items that share a value in any of the columns are in one group.

    Args:
        columns: sequences (N,) of values; None or "" is shared with no other item.

    Returns:
        int array (N,).

    Example:
        >>> joined(["a", "a", "", ""], [None, "x", "x", None]).tolist()
        [0, 0, 0, 1]
    """
    items, keys = [], []
    number_of = {}
    for at, column in enumerate(columns):
        for item, value in enumerate(column):
            if value is not None and value != "":
                items.append(item)
                keys.append(number_of.setdefault((at, value), len(number_of)))
    total = len(columns[0])
    size = total + len(number_of)
    links = coo_array((np.ones(len(items)), (items, np.asarray(keys, int) + total)), (size, size))
    return csgraph.connected_components(links, directed=False)[1][:total]


def fill(order, groups, sizes, filled=None):
    """An order of items, cut into parts of about these sizes, so that each group lies in one part.

    A group takes the place of its first item by number. Where each item is a group of its own, the parts are those of
    `numpy.split`.

    Args:
        order: item numbers (n,).
        groups: the group of each item there is, int (N,).
        sizes: of the parts, items.
        filled: how many items each part holds already; none if None.

    Returns:
        list of int arrays. Every part gets a group, if there are as many groups as parts that are still empty.
    """
    members = {}
    for item in order.tolist():
        members.setdefault(groups[item], []).append(item)
    position = {item: place for place, item in enumerate(order.tolist())}
    units = sorted(members.values(), key=lambda unit: position[min(unit)])
    filled = [0] * len(sizes) if filled is None else list(filled)
    parts = [[] for _ in sizes]
    for left, unit in zip(range(len(units), 0, -1), units):
        part = _part_for(len(unit), left, sizes, filled)
        parts[part] += unit
        filled[part] += len(unit)
    return [np.asarray(part, int) for part in parts]


def _part_for(size, left, sizes, filled):
    """The first part with room for a group; a part that would else stay empty; or the one that lacks most."""
    empty = [part for part, count in enumerate(filled) if not count]
    if empty and left <= len(empty):
        return empty[0]
    for part, (wanted, count) in enumerate(zip(sizes, filled)):
        if count + size / 2 <= wanted:
            return part
    return int(np.argmax(np.subtract(sizes, filled)))


def together(digests, names, groups=None, least=3, labels=None):
    """The groups of images, for `fill`: copies of each other, and those that a table names. Warns of copies.

    Args:
        digests: of each image that has a copy, else None.
        names: of the images, for the warning.
        groups: what a table says of each image, "" for nothing; None without one.
        least: how many groups the parts need. Where copies leave fewer, they are not kept together.
        labels: int (N,), where each class needs as many groups; -1 for no label.

    Returns:
        int array (N,).

    Raises:
        ValueError: if the table leaves fewer groups.
    """
    numbers = joined(digests, *([] if groups is None else [groups]))
    classes = [numbers] if labels is None else [numbers[labels == k] for k in np.unique(labels[labels >= 0])]
    count = min(len(np.unique(of_class)) for of_class in classes)
    if count >= least:
        warn_of_copies(digests, names, "they are kept in one part")
        return numbers
    if groups is not None:
        of_class = "" if labels is None else " of each class"
        raise ValueError(f"groups must be at least {least}{of_class}, for as many parts; got {count}")
    warn_of_copies(digests, names, f"they stand in several parts, as there are too few different images, {count}")
    return np.arange(len(digests))


def declared(parts, groups, digests, names):
    """Image numbers of the parts that a table, or a folder, says.

    Copies are left out of training where validation or test images have them, and of validation where test images do.

    Args:
        parts: "train", "validation" or "test" for each image.
        groups: what a table says of each image, "" for nothing; None without one.
        digests: of each image that has a copy, else None.
        names: of the images, for errors and the warning.

    Returns:
        {part: int array}.

    Raises:
        ValueError: naming a part without images, or a group in several parts.
    """
    part_of = {}
    for group, part in zip(groups if groups is not None else (), parts):
        if group and part_of.setdefault(group, part) != part:
            raise ValueError(f"group {group!r} must lie in one part; got {part_of[group]} and {part}")
    numbers = {part: [i for i, other in enumerate(parts) if other == part] for part in ("train", "validation", "test")}
    for part, of_part in numbers.items():
        if not of_part:
            raise ValueError(f"split must give images to train, validation and test; got none of {part}")
    seen, kept = set(), {}
    for part, of_part in reversed(numbers.items()):
        kept[part] = np.asarray([i for i in of_part if digests[i] not in seen], int)
        seen |= {digests[i] for i in of_part} - {None}
    left_out = len(parts) - sum(map(len, kept.values()))
    if not all(map(len, kept.values())):
        warn_of_copies(digests, names, "they stand in several parts, as a part would else be empty")
        return {part: np.asarray(of_part) for part, of_part in numbers.items()}
    in_parts = f"{left_out} of them are left out, as a later part holds them" if left_out else "each lies in one part"
    warn_of_copies(digests, names, in_parts)
    return {part: kept[part] for part in numbers}


def warn_of_copies(digests, names, what):
    """Say how many images are copies of another, if any, and what is done about it."""
    frequency = Counter(one for one in digests if one is not None)
    if frequency:
        first = next(one for one in digests if one is not None)
        one, other = [name for name, its_digest in zip(names, digests) if its_digest == first][:2]
        warnings.warn(
            f"{sum(frequency.values()) - len(frequency)} of {len(digests)} images are copies of another, "
            f"byte for byte ({other} of {one}); {what}",
            stacklevel=5,
        )


def warn_of_known_test_images(name, train, test):
    """Say how many test images of a published set are among its training images, too. They stay, as in published work.

    Args:
        name: of the set.
        train, test: images, each an array (n, ...).
    """
    known = {digest(image) for image in train}
    copies = [i for i, image in enumerate(test) if digest(image) in known]
    if copies:
        warnings.warn(
            f"{len(copies)} of {len(test)} test images of {name} are copies of training images, pixel for pixel "
            f"(the first is test image {copies[0]}); they stay, as in published results",
            stacklevel=4,
        )


def of_folder(root, items, needed):
    """What groups.csv in a folder says of images or volumes.

    Args:
        root: the folder.
        items: function that returns (name, paths) of each, called where there is a table. The table may name an item by
            its name or one of its paths, whole or without folders.
        needed: so many of the items, the first ones, need a row. A name that one of them has is not that of a later
            item, whose path tells it apart.

    Returns:
        (groups, parts) as `read_groups`; (None, None) without the file.

    Raises:
        ValueError: as `read_groups`.
    """
    table = root / TABLE
    if not table.exists() and not table.is_symlink():
        return None, None
    known, taken = [], set()
    for i, (name, paths) in enumerate(items()):
        below = [PurePosixPath(same_form(path.relative_to(root).as_posix())) for path in paths]
        short = {name, *(path.name for path in below)}
        if i < needed:
            taken |= short
        else:
            short -= taken
        known.append([str(below[0]), *map(str, below[1:]), str(below[0].with_name(name)), *short])
    return read_groups(table, table_bytes(within(root, table)), known, needed)


def parts_of(name, splits):
    """The column `split` of a table, a Series of text, with one name for each part."""
    parts = splits.str.lower().map(PARTS)
    for line, value in splits[parts.isna()].items():
        raise ValueError(f"{name}, row {line}: split must be train, validation or test; got {value!r}")
    return parts


def check_spelling(name, head, column, hint=""):
    """Raise if a table has no such optional column, but one spelt with other capitals, which would not count."""
    other = [one for one in head if one.lower() == column]
    if other and column not in head:
        raise ValueError(f"{name} must call the column {column!r}{hint}; got {other[0]!r}")


def read_groups(name, content, known, needed=None):
    """A table groups.csv with a row for each image: columns file, and group or split or both.

    Args:
        name, content: of the table.
        known: for each image, a list of the names that it may have in the table.
        needed: so many of the images, the first ones, need a row; None: all.

    Returns:
        (groups, parts): lists of text (N,), None without such a column. A part is "train", "validation" or "test". An
        image without a row has None for both.

    Raises:
        ValueError: naming the table, for other columns, an image without a row, a row without an image, or two.
    """
    try:
        head, rows = read_csv_table(content)
    except ValueError as error:
        raise ValueError(f"{name} must be a CSV table in UTF-8: {error}") from error
    if head.count("file") != 1 or not {"group", "split"} & set(head) or len(head) != len(set(head)):
        raise ValueError(f"{name} must have the columns file, and group or split; got {', '.join(head)}")
    for column in ("group", "split"):
        check_spelling(name, head, column)
    check_widths(name, head, rows)
    images = {}
    for i, names in enumerate(known):
        for one in names:
            images.setdefault(one, []).append(i)
    rows = rows.iloc[:, : len(head)].set_axis(head, axis=1)
    row_of = {}
    for line, file in rows["file"].items():
        found = images.get(file.replace("\\", "/"), [])
        if len(found) != 1 or found[0] in row_of:
            number = "twice" if len(found) == 1 else f"{len(found)} images"
            raise ValueError(f"{name}, row {line}: file must name one image, once; got {file!r}, {number}")
        row_of[found[0]] = line
    missing = [names[0] for i, names in enumerate(known[:needed]) if i not in row_of]
    if missing:
        raise ValueError(f"{name} must have a row for each image; got none of {missing[0]} ({len(missing)} such)")
    found = {"group": rows["group"]} if "group" in head else {}
    if "split" in head:
        found["split"] = parts_of(name, rows["split"].loc[[row_of[i] for i in range(len(known[:needed]))]])
    columns = {
        column: [values.get(row_of[i]) if i in row_of else None for i in range(len(known))]
        for column, values in found.items()
    }
    return columns.get("group"), columns.get("split")
