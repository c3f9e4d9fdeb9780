"""A folder (or zip file) of images with a CSV table of file names and labels; images are read when they are asked for."""

import os
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from thesis_lib import checks
from thesis_lib.data import image_io
from thesis_lib.data.csv_rows import csv_rows


@dataclass(frozen=True)
class ImageTable:
    """Images in files, read anew each time, so that only file names and labels are held.

    `table[numbers]`, an int array, a slice or a boolean mask, reads these images: uint8 (n, H, W, C). `table.part(numbers)` is the table
    of these alone.

    Args:
        root: the folder or zip file.
        files: names below it, str (N,).
        labels: int (N,), -1 for images without one.
        class_names: K names; label k is class_names[k].
        size: (H, W) that every image is resized to, px.
        mode: "RGB" or "L", that every image is converted to.
    """

    root: Path
    files: np.ndarray
    labels: np.ndarray
    class_names: tuple
    size: tuple
    mode: str

    def __len__(self):
        return len(self.files)

    @property
    def shape(self):
        """(N, H, W, C), as of the array of all images."""
        return (len(self), *self.size, image_io.MODES[self.mode])

    def part(self, numbers):
        return ImageTable(self.root, self.files[numbers], self.labels[numbers], self.class_names, self.size, self.mode)

    def __getitem__(self, numbers):
        files = np.atleast_1d(self.files[numbers])
        images = np.empty((len(files), *self.shape[1:]), np.uint8)
        for image, name in zip(images, files):
            image[...] = image_io.read_image(_bytes(self.root, name), self.mode, self.root / name, self.size)
        return images

    def damaged(self):
        """Decode every image once: a list with an error in words for each, or None where it is whole."""

        def error(number):
            try:
                self[[number]]
            except (ValueError, OSError) as found:
                return str(found)

        with ThreadPoolExecutor() as pool:
            return list(pool.map(error, range(len(self))))

    def check(self):
        """Raise ValueError naming an image that cannot be decoded, if there is one, so that no training ends by it."""
        if found := [error for error in self.damaged() if error]:
            raise ValueError(
                f"{len(found)} of {len(self)} images cannot be read (skip_damaged leaves them out): {found[0]}"
            )


def _bytes(root, name):
    """What the file `name` below a folder or in a zip file holds."""
    if root.is_dir():
        return (root / name).read_bytes()
    try:
        return _archive(root).read(name)
    except Exception as error:  # of several kinds, none of which names the file
        raise ValueError(f"{root / name} cannot be read: {error}") from error


def _archive(root):
    """A zip file whose list of contents is read once, not for each image. (A worker process needs its own: it shares no place in the file.)"""
    return _opened(root, root.stat().st_mtime_ns, os.getpid())


@lru_cache(maxsize=4)
def _opened(root, changed, process):
    return zipfile.ZipFile(root)


def load_image_table(
    root, table="labels.csv", file_column="file", label_column="label", size=(32, 32), mode="RGB", skip_damaged=False
):
    """Read a table of images.

    Args:
        root: a folder, or a zip file, with the images and the table in it.
        table: the CSV's name below it, UTF-8, with a header.
        file_column, label_column: the columns with each image's name below `root` and its label; an empty label marks an image
            without one.
        size: (H, W) px to resize to.
        mode: "RGB" or "L" (grey); palette, grey, transparent and 16-bit images are converted.
        skip_damaged: decode every image once and leave out, with a warning, those that cannot be; otherwise each
            raises when it is read, or all of them are named by `ImageTable.check`.

    Returns:
        ImageTable; class_names are the labels that occur, sorted.

    Raises:
        FileNotFoundError, ValueError: naming the table and the row: columns that are not there, files that are missing, named twice
            or lie outside the folder, no label at all.
    """
    root = Path(root)
    if np.shape(size) != (2,):
        raise ValueError(f"size must be two lengths, height and width; got {size!r}")
    size = tuple(checks.integer("size", n, 1) for n in size)
    checks.one_of("mode", mode, image_io.MODES)
    skip = checks.boolean("skip_damaged", skip_damaged)
    if root.is_dir():
        there = {
            os.path.join(os.path.relpath(folder, root), name) for folder, _, names in os.walk(root) for name in names
        }
        there = {os.path.normpath(name).replace(os.sep, "/") for name in there}
    elif root.is_file() and zipfile.is_zipfile(root):
        try:
            there = set(_archive(root).namelist())
        except zipfile.BadZipFile as error:
            raise ValueError(f"data must be a whole zip file; {root} is damaged: {error}") from error
    else:
        raise FileNotFoundError(f"data must be a folder or a zip file of images; got {str(root)!r}, which is neither")
    if table not in there:
        raise FileNotFoundError(f"{root} must hold the table {table!r} of file names and labels")
    lines, files, names = _columns(f"{root / table}", _bytes(root, table), file_column, label_column)
    _check_files(f"{root / table}", root, lines, files, there)
    class_names = tuple(sorted(set(names) - {""}))
    if not class_names:
        raise ValueError(f"{root / table} must give some images a label; column {label_column!r} is empty")
    number = {name: k for k, name in enumerate(class_names)} | {"": -1}
    found = ImageTable(
        root, np.array(files, object), np.array([number[name] for name in names]), class_names, size, mode
    )
    return _whole(found) if skip else found


def _columns(name, content, file_column, label_column):
    """(line, file, label) of each row, three lists; empty rows are none."""
    try:
        rows = csv_rows(content)
    except ValueError as error:
        raise ValueError(f"{name} must be a CSV table in UTF-8: {error}") from error
    head = rows[0][1] if rows else []
    for column in (file_column, label_column):
        if head.count(column) != 1:
            raise ValueError(
                f"{name} must have the column {column!r} once; it has {', '.join(map(repr, head)) or 'none'}"
            )
    if len(rows) == 1:
        raise ValueError(f"{name} must name at least one image; it has no rows")
    for line, row in rows[1:]:
        if any(row[len(head) :]):
            raise ValueError(
                f"{name}, row {line}: there must be no more than {len(head)} values; got {','.join(row)!r}"
            )
    file_at, label_at = head.index(file_column), head.index(label_column)
    value = lambda row, at: row[at] if at < len(row) else ""
    files = [str(PurePosixPath(file)) if file else "" for file in (value(row, file_at) for _, row in rows[1:])]
    return [line for line, _ in rows[1:]], files, [value(row, label_at) for _, row in rows[1:]]


def _check_files(name, root, lines, files, there):
    seen = set()
    for row, file in zip(lines, files):
        path = PurePosixPath(file)
        if not file or path.is_absolute() or ".." in path.parts or "\\" in file:
            raise ValueError(f"{name}, row {row}: file must be a path below {root}; got {file!r}")
        if file in seen:
            raise ValueError(f"{name}, row {row}: {file!r} is named twice")
        if file not in there:
            raise FileNotFoundError(f"{name}, row {row}: {file!r} is not in {root}")
        if root.is_dir() and (root / file).is_symlink() and not (root / file).resolve().is_relative_to(root.resolve()):
            raise ValueError(f"{name}, row {row}: {file!r} is a link that leads outside {root}")
        seen.add(file)


def _whole(table):
    errors = table.damaged()
    good = np.array([error is None for error in errors])
    if not good.all():
        warnings.warn(
            f"{(~good).sum()} of {len(table)} images were left out; {next(filter(None, errors))}", stacklevel=3
        )
    if not good.any():
        raise ValueError(f"{table.root} holds no image that can be read")
    return table.part(good)
