"""A folder (or zip file) of images with a CSV table of file names and labels; images are read when they are asked for."""

import io
import os
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.data import pictures


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
        return (len(self), *self.size, pictures.MODES[self.mode])

    def part(self, numbers):
        return ImageTable(self.root, self.files[numbers], self.labels[numbers], self.class_names, self.size, self.mode)

    def __getitem__(self, numbers):
        files = np.atleast_1d(self.files[numbers])
        images = np.empty((len(files), *self.shape[1:]), np.uint8)
        if self.root.suffix == ".zip":
            with zipfile.ZipFile(self.root) as archive:
                for image, name in zip(images, files):
                    image[...] = self._decode(name, archive.read(name))
        else:
            for image, name in zip(images, files):
                image[...] = self._decode(name, (self.root / name).read_bytes())
        return images

    def _decode(self, name, content):
        return pictures.decode(content, self.mode, self.root / name, self.size)


def image_table(root, table="labels.csv", file_column="file", label_column="label", size=(32, 32), mode="RGB", skip_damaged=False):
    """Read a table of images.

    Args:
        root: a folder, or a .zip file, with the images and the table in it.
        table: the CSV's name below it, UTF-8, with a header.
        file_column, label_column: the columns with each image's name below `root` and its label; an empty label marks an image
            without one.
        size: (H, W) px to resize to.
        mode: "RGB" or "L" (grey); palette, grey, transparent and 16-bit images are converted.
        skip_damaged: decode every image once and leave out, with a warning, those that cannot be; otherwise the first
            one raises when it is read.

    Returns:
        ImageTable; class_names are the labels that occur, sorted.

    Raises:
        FileNotFoundError, ValueError: naming the table and the row: columns that are not there, files that are missing, named twice
            or lie outside the folder, no label at all.
    """
    root = Path(root)
    size = tuple(checks.integer("size", n, 1) for n in size)
    checks.one_of("mode", mode, pictures.MODES)
    if root.is_dir():
        there = {os.path.join(os.path.relpath(folder, root), name) for folder, _, names in os.walk(root) for name in names}
        there = {os.path.normpath(name).replace(os.sep, "/") for name in there}
        read = lambda name: (root / name).read_bytes()
    elif root.suffix == ".zip" and zipfile.is_zipfile(root):
        with zipfile.ZipFile(root) as archive:
            there = set(archive.namelist())
        read = lambda name: zipfile.ZipFile(root).read(name)
    else:
        raise FileNotFoundError(f"data must be a folder or a zip file of images; got {str(root)!r}, which is neither")
    if table not in there:
        raise FileNotFoundError(f"{root} must hold the table {table!r} of file names and labels")
    files, names = _columns(f"{root / table}", read(table), file_column, label_column)
    _check_files(f"{root / table}", root, files, there)
    class_names = tuple(sorted(set(names) - {""}))
    if not class_names:
        raise ValueError(f"{root / table} must give some images a label; column {label_column!r} is empty")
    number = {name: k for k, name in enumerate(class_names)} | {"": -1}
    found = ImageTable(root, files, np.array([number[name] for name in names]), class_names, size, mode)
    return _whole(found) if skip_damaged else found


def _columns(name, content, file_column, label_column):
    try:
        rows = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{name} must be a CSV table in UTF-8: {error}") from error
    missing = [column for column in (file_column, label_column) if column not in rows.columns]
    if missing:
        raise ValueError(f"{name} must have the column {missing[0]!r}; it has {', '.join(map(repr, rows.columns))}")
    if rows.empty:
        raise ValueError(f"{name} must name at least one image; it has no rows")
    files = [str(PurePosixPath(file)) if file else "" for file in rows[file_column].str.strip()]
    return np.array(files, object), rows[label_column].str.strip().tolist()


def _check_files(name, root, files, there):
    seen = set()
    for row, file in enumerate(files, start=2):  # as a spreadsheet counts
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
    def readable(number):
        try:
            table[[number]]
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:
        errors = list(pool.map(readable, range(len(table))))
    good = np.array([error is None for error in errors])
    if not good.all():
        warnings.warn(f"{(~good).sum()} of {len(table)} images were left out; {next(filter(None, errors))}", stacklevel=3)
    if not good.any():
        raise ValueError(f"{table.root} holds no image that can be read")
    return table.part(good)
