"""A folder (or zip file) of images with a CSV table of file names and labels; an image is read when it is asked for."""

import os
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.data import image_io
from thesis_lib.data.csv_table import read_csv_table


@dataclass(frozen=True)
class ImageTable:
    """Images in files, read anew each time, so that only file names and labels are held.

    `table[numbers]`, an int array, a slice or a boolean mask, reads these images: uint8 (n, H, W, C).
    `table.part(numbers)` is the table of these alone.

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

    dtype = np.dtype(np.uint8)  # of the images

    def __len__(self):
        return len(self.files)

    @property
    def shape(self):
        """(N, H, W, C), as of the array of all images."""
        return (len(self), *self.size, image_io.MODES[self.mode])

    def part(self, numbers):
        """The ImageTable of some images."""
        return replace(self, files=self.files[numbers], labels=self.labels[numbers])

    def __getitem__(self, numbers):
        files = np.atleast_1d(self.files[numbers])
        images = np.empty((len(files), *self.shape[1:]), np.uint8)
        for image, name in zip(images, files):
            image[...] = image_io.read_image(_bytes(self.root, name), self.mode, self.root / name, self.size)
        return images

    def errors(self):
        """Decode every image once: a list of (N,) error messages, None for an image that can be read."""

        def error_of(number):
            try:
                self[[number]]
            except (ValueError, OSError) as error:
                return str(error)
            return None

        with ThreadPoolExecutor() as pool:
            return list(pool.map(error_of, range(len(self))))

    def check(self):
        """Decode every image once, so that no training ends by a damaged one.

        Raises:
            ValueError: naming the first image that cannot be decoded, and how many there are.
        """
        errors = [error for error in self.errors() if error]
        if errors:
            raise ValueError(
                f"{len(errors)} of {len(self)} images cannot be read (skip_damaged leaves them out): {errors[0]}"
            )


def _bytes(root, name):
    """The content of the file `name` below a folder or in a zip file."""
    if root.is_dir():
        return (root / name).read_bytes()
    try:
        return _archive(root).read(name)
    except Exception as error:  # of several kinds, none of which names the file
        raise ValueError(f"{root / name} cannot be read: {error}") from error


def _archive(root):
    """An open zip file, whose list of contents is read once, not for each image.

    A worker process needs its own, as two processes would share one position in the file.
    """
    return _opened(root, root.stat().st_mtime_ns, os.getpid())


@lru_cache(maxsize=4)
def _opened(root, changed, process):
    return zipfile.ZipFile(root)


def load_image_table(
    root, table="labels.csv", file_column="file", label_column="label", size=(32, 32), mode="RGB", skip_damaged=False
):
    """Read a table of images with a class each.

    Args:
        root: a folder, or a zip file, with the images and the table in it.
        table: the CSV's name below it, UTF-8, with a header.
        file_column, label_column: the columns with each image's name below `root` and its label; an empty label marks
            an image without one.
        size: (H, W) px to resize to.
        mode: "RGB" or "L" (grey); palette, grey, transparent and 16-bit images are converted.
        skip_damaged: decode every image once and leave out, with a warning, those that cannot be read. Otherwise such
            an image raises when it is read, and `ImageTable.check` looks for one.

    Returns:
        ImageTable; class_names are the labels that occur, sorted.

    Raises:
        FileNotFoundError, ValueError: naming the table and the row, for columns that are not there, files that are
            missing, named twice or outside the folder, or no label at all.
    """
    root = Path(root)
    if np.shape(size) != (2,):
        raise ValueError(f"size must be two lengths, height and width; got {size!r}")
    size = tuple(checks.integer("size", n, 1) for n in size)
    checks.one_of("mode", mode, ("RGB", "L"))
    checks.boolean("skip_damaged", skip_damaged)
    listed = _list_files(root)
    if table not in listed:
        raise FileNotFoundError(f"{root} must hold the table {table!r} of file names and labels")
    rows = _columns(f"{root / table}", _bytes(root, table), file_column, label_column)
    _check_files(f"{root / table}", root, rows["file"], listed)
    class_names = tuple(sorted(set(rows["label"]) - {""}))
    if not class_names:
        raise ValueError(f"{root / table} must give some images a label; column {label_column!r} is empty")
    numbers = {name: k for k, name in enumerate(class_names)} | {"": -1}
    labels = rows["label"].map(numbers).to_numpy(int)
    images = ImageTable(root, rows["file"].to_numpy(object), labels, class_names, size, mode)
    return _without_damaged(images) if skip_damaged else images


def _list_files(root):
    """Names of all files below a folder or in a zip file, with "/" between folders."""
    if root.is_dir():
        files = set()
        for folder, _, names in os.walk(root):
            below = PurePosixPath(Path(folder).relative_to(root).as_posix())
            files.update(str(below / name) for name in names)
        return files
    if not root.is_file() or not zipfile.is_zipfile(root):
        raise FileNotFoundError(f"data must be a folder or a zip file of images; got {str(root)!r}, which is neither")
    try:
        return set(_archive(root).namelist())
    except zipfile.BadZipFile as error:
        raise ValueError(f"data must be a whole zip file; {root} is damaged: {error}") from error


def _columns(name, content, file_column, label_column):
    """DataFrame with the columns file and label; its index holds the lines of the table."""
    try:
        head, rows = read_csv_table(content)
    except ValueError as error:
        raise ValueError(f"{name} must be a CSV table in UTF-8: {error}") from error
    for column in (file_column, label_column):
        if head.count(column) != 1:
            columns = ", ".join(map(repr, head)) or "none"
            raise ValueError(f"{name} must have the column {column!r} once; it has {columns}")
    if rows.empty:
        raise ValueError(f"{name} must name at least one image; it has no rows")
    too_long = rows[(rows.iloc[:, len(head) :] != "").any(axis=1)]
    if len(too_long):
        raise ValueError(
            f"{name}, row {too_long.index[0]}: there must be no more than {len(head)} values; "
            f"got {','.join(too_long.iloc[0]).rstrip(',')!r}"
        )
    files, labels = rows[head.index(file_column)], rows[head.index(label_column)]
    return pd.DataFrame({"file": files.map(lambda file: str(PurePosixPath(file)) if file else ""), "label": labels})


def _check_files(name, root, files, listed):
    seen = set()
    for line, file in files.items():
        path = PurePosixPath(file)
        if not file or path.is_absolute() or ".." in path.parts or "\\" in file:
            raise ValueError(f"{name}, row {line}: file must be a path below {root}; got {file!r}")
        if file in seen:
            raise ValueError(f"{name}, row {line}: {file!r} is named twice")
        if file not in listed:
            raise FileNotFoundError(f"{name}, row {line}: {file!r} is not in {root}")
        if root.is_dir() and (root / file).is_symlink() and not (root / file).resolve().is_relative_to(root.resolve()):
            raise ValueError(f"{name}, row {line}: {file!r} is a link that leads outside {root}")
        seen.add(file)


def _without_damaged(table):
    """The table of the images that can be read; warns of the others."""
    errors = table.errors()
    messages = [error for error in errors if error]
    if len(messages) == len(table):
        raise ValueError(f"{table.root} holds no image that can be read; {messages[0]}")
    if messages:
        warnings.warn(f"{len(messages)} of {len(table)} images were left out; {messages[0]}", stacklevel=3)
    return table.part(np.array([error is None for error in errors]))
