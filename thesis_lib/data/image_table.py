"""A folder (or zip file) of images with a class each, by a CSV table or by folders; an image is read when asked for."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from PIL import Image

from thesis_lib import checks
from thesis_lib.data import archive, groups, image_io
from thesis_lib.data.csv_table import check_widths, read_csv_table
from thesis_lib.data.near_duplicates import look
from thesis_lib.data.reading import as_name, attempt, hint_of_papermill, in_words, item_numbers, within

TABLE = "labels.csv"
LARGEST = 2**15  # px, side of an image


@dataclass(frozen=True)
class ImageTable:
    """Images in files, read anew each time, so that only file names and labels are held.

    `table[numbers]`, an int array, a slice or a boolean mask, reads these images: uint8 (n, H, W, C).
    `table.part(numbers)` is the table of these alone.

    Args:
        root: the folder or zip file.
        files: names below it, str (N,), as the folder or zip file has them.
        labels: int (N,), -1 for images without one.
        class_names: K names; label k is class_names[k].
        size: (H, W) that every image is resized to, px.
        mode: "RGB" or "L", that every image is converted to.
        groups: what the column `group` says of each image, str (N,), "" for nothing; None without the column.
        parts: what the column `split` says of each image, "train", "validation" or "test"; None without the column.
    """

    root: Path
    files: np.ndarray
    labels: np.ndarray
    class_names: tuple
    size: tuple
    mode: str
    groups: np.ndarray | None = None
    parts: np.ndarray | None = None

    dtype = np.dtype(np.uint8)  # of the images

    def __len__(self):
        return len(self.files)

    @property
    def shape(self):
        """(N, H, W, C), as of the array of all images."""
        return (len(self), *self.size, image_io.MODES[self.mode])

    def part(self, numbers):
        """The ImageTable of some images."""
        numbers = item_numbers("numbers", numbers, len(self))
        columns = {name: getattr(self, name) for name in ("files", "labels", "groups", "parts")}
        return replace(self, **{name: values[numbers] for name, values in columns.items() if values is not None})

    def __getitem__(self, numbers):
        files = self.files[item_numbers("numbers", numbers, len(self))]
        images = np.empty((len(files), *self.shape[1:]), np.uint8)
        for image, name in zip(images, files):
            image[...] = image_io.read_image(archive.content(self.root, name), self.mode, self.root / name, self.size)
        return images

    def digests(self):
        """A digest of each file that has a copy, byte for byte; None for the others. Few files are read."""
        return groups.digests_of_copies(
            archive.sizes(self.root, self.files), lambda i: archive.content(self.root, self.files[i])
        )

    def fingerprint(self):
        """A digest of the files' names and contents, in hexadecimal."""
        with ThreadPoolExecutor() as pool:
            contents = list(pool.map(lambda name: groups.digest(archive.content(self.root, name)), self.files))
        return groups.digest(repr(list(zip(self.files.tolist(), contents))).encode())

    def looks(self):
        """Decode every image once, as large as it is stored, on all cores.

        Returns:
            ((N,) perceptual hashes, see `near_duplicates.look`; (N,) error messages, None for an image that can be
            read).
        """

        def of_image(name):
            return look(image_io.read_image(archive.content(self.root, name), self.mode, self.root / name))

        with ThreadPoolExecutor() as pool:
            looks, errors = zip(*pool.map(lambda name: attempt(of_image, name), self.files))
        return list(looks), [error and str(error) for error in errors]

    def check(self):
        """Decode every image once, so that no training ends by a damaged one: see `check_images`."""
        check_images([self])


def check_images(tables):
    """Decode every image of some `ImageTable`s once.

    Returns:
        list with the perceptual hashes of each table's images, see `near_duplicates.look`.

    Raises:
        ValueError: naming the images that cannot be decoded, or the first dozen, and how many there are.
    """
    of_tables = [table.looks() for table in tables]
    errors = [error for _, of_table in of_tables for error in of_table if error]
    if errors:
        total = sum(map(len, tables))
        raise ValueError(
            f"{len(errors)} of {total} images cannot be read (skip_damaged leaves them out): {in_words(errors)}"
        )
    return [looks for looks, _ in of_tables]


def load_image_table(
    root,
    table=TABLE,
    file_column="file",
    label_column="label",
    size=(32, 32),
    mode="RGB",
    skip_damaged=False,
    group_column="group",
    split_column="split",
):
    """Read a table of images with a class each.

    Where there is no labels.csv, a folder for each class is the table: all images in `root`/cat/ are of the class cat.
    A table `groups.csv` beside these folders may then have the columns file, group and split.

    Args:
        root: a folder, or a zip file, with the images and the table in it; all of it may lie in one folder below.
        table: the CSV's name below it, UTF-8, with a header.
        file_column, label_column: the columns with each image's name below `root` and its label; an empty label marks
            an image without one.
        size: (H, W) px to resize to.
        mode: "RGB" or "L" (grey); palette, grey, transparent and 16-bit images are converted.
        skip_damaged: decode every image once and leave out, with a warning, those that cannot be read. Otherwise such
            an image raises when it is read, and `ImageTable.check` looks for them.
        group_column: the column with what images have in common, a patient or a place: `load_images` keeps those of one
            group in one part. It may be missing; None: it does not count.
        split_column: the column that says train, validation (or val) or test. It may be missing; None: it does not
            count.

    Returns:
        ImageTable; class_names are the labels that occur, sorted.

    Raises:
        FileNotFoundError, ValueError: naming the table and the row, for columns that are not there, files that are
            missing, named twice or outside the folder, or no label at all.
    """
    root = archive.folder_or_zip("root", root)
    if checks.array("size", size).shape != (2,):
        raise ValueError(f"size must be two lengths, height and width; got {checks.shown(size)}")
    size = tuple(checks.integer("size", n, 1, LARGEST) for n in size)
    checks.one_of("mode", mode, ("RGB", "L"))
    checks.boolean("skip_damaged", skip_damaged)
    table = as_name("table", table, "a file's name")
    columns = {"file": file_column, "label": label_column, "group": group_column, "split": split_column}
    for kind, column in columns.items():
        if column is not None or kind not in OPTIONAL:
            columns[kind] = as_name(f"{kind}_column", column, "a column's name")
    listed = archive.without_top_folder(archive.list_files(root), table)
    if table in listed:
        name = root / listed[table]
        rows = _columns(name, archive.table_content(root, listed[table]), columns)
        _check_files(name, root, rows["file"], listed)
    elif table == TABLE:
        rows = _class_folders(root, listed)
    else:
        raise FileNotFoundError(f"{root} must hold the table {table!r} of file names and labels")
    class_names = tuple(sorted(set(rows["label"]) - {""}))
    if not class_names:
        raise ValueError(f"{root / table} must give some images a label; column {columns['label']!r} is empty")
    numbers = {name: k for k, name in enumerate(class_names)} | {"": -1}
    labels = rows["label"].map(numbers).to_numpy(int)
    files = rows["file"].map(listed).to_numpy(object)
    optional = [rows[kind].to_numpy(object) if kind in rows else None for kind in OPTIONAL]
    images = ImageTable(root, files, labels, class_names, size, mode, *optional)
    return _without_damaged(images) if skip_damaged else images


OPTIONAL = ("group", "split")  # columns


def _class_folders(root, listed):
    """DataFrame with the columns file and label, of images in a folder for each class."""
    names = sorted(name for name in listed if not archive.is_hidden(name))
    Image.init()
    images = [name for name in names if PurePosixPath(name).suffix.lower() in Image.registered_extensions()]
    elsewhere = [name for name in images if name.count("/") != 1]
    labels = [name.partition("/")[0] for name in images]
    if elsewhere or len(set(labels)) < 2:
        found = repr(elsewhere[0]) if elsewhere else f"{len(set(labels))} such folders"
        raise FileNotFoundError(
            f"{root} must hold the table {TABLE!r} of file names and labels, or images in one folder for each class; "
            f"got {found}"
        )
    others = sorted(set(names) - set(images) - {groups.TABLE})
    if others:
        warnings.warn(f"{len(others)} files below {root} do not end like images: {in_words(others)}", stacklevel=4)
    rows = {"file": images, "label": labels}
    if groups.TABLE in listed:
        content = archive.table_content(root, listed[groups.TABLE])
        read = groups.read_groups(root / listed[groups.TABLE], content, [[name] for name in images])
        rows |= {kind: values for kind, values in zip(OPTIONAL, read) if values is not None}
    return pd.DataFrame(rows)


def _columns(name, content, columns):
    """DataFrame with the columns file and label, and group and split if there; its index holds the table's lines.

    Args:
        name, content: of the table.
        columns: {"file": the column's name, ...}.
    """
    try:
        head, rows = read_csv_table(content)
    except ValueError as error:
        raise ValueError(f"{name} must be a CSV table in UTF-8: {error}") from error
    for kind in OPTIONAL:
        if columns[kind] == kind:
            groups.check_spelling(name, head, kind, f", or {kind}_column must name it or be None")
    columns = {
        kind: column
        for kind, column in columns.items()
        if kind not in OPTIONAL or (column is not None and (column in head or column != kind))
    }
    for kind, column in columns.items():
        if head.count(column) != 1:
            known = ", ".join(map(repr, head)) or "none"
            raise ValueError(
                f"{name} must have the column {column!r} once, as {kind}_column says; it has {known}"
                + hint_of_papermill(column)
            )
    if rows.empty:
        raise ValueError(f"{name} must name at least one image; it has no rows")
    check_widths(name, head, rows)
    rows = pd.DataFrame({kind: rows[head.index(column)] for kind, column in columns.items()})
    rows["file"] = rows["file"].map(lambda file: str(PurePosixPath(archive.compared(file))) if file else "")
    if "split" in rows:
        rows["split"] = groups.parts_of(name, rows["split"])
    return rows


def _check_files(name, root, files, listed):
    seen = set()
    for line, file in files.items():
        path = PurePosixPath(file)
        if not file or path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{name}, row {line}: file must be a path below {root}; got {file!r}")
        if file in seen:
            raise ValueError(f"{name}, row {line}: {file!r} is named twice")
        if file not in listed:
            raise FileNotFoundError(f"{name}, row {line}: {file!r} is not in {root}")
        if root.is_dir() and (root / listed[file]).is_symlink():
            within(root, root / listed[file])
        seen.add(file)


def _without_damaged(table):
    """The table of the images that can be read; warns of the others."""
    _, errors = table.looks()
    messages = [error for error in errors if error]
    if len(messages) == len(table):
        raise ValueError(f"{table.root} holds no image that can be read; {messages[0]}")
    if messages:
        warnings.warn(f"{len(messages)} of {len(table)} images were left out; {in_words(messages)}", stacklevel=3)
    return table.part(np.array([error is None for error in errors]))
