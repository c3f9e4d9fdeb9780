"""A folder or a zip file of files, read alike; `root` is its path, and `name` the name of a file below it."""

import io
import os
import zipfile
from functools import lru_cache
from pathlib import Path, PurePosixPath

from thesis_lib.data.reading import TABLE_BYTES, bounded, path_name, regular, same_form, table_bytes, within


def folder_or_zip(name, value):
    """A path that a user gives, if it is that of a folder or a zip file; `name` of the argument is for the error."""
    path = Path(path_name(name, value))
    try:
        is_either = path.is_dir() or (path.is_file() and zipfile.is_zipfile(path))
    except (OSError, ValueError):  # a name that no file can have
        is_either = False
    if not is_either:
        raise FileNotFoundError(f"{name} must be a folder or a zip file of images; got {value!r}, which is neither")
    return path


def content(root, name):
    """The content of the file `name` below a folder or in a zip file."""
    if root.is_dir():
        return regular(root / name).read_bytes()
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


def sizes(root, names):
    """What two files of one content have in common: their size, and in a zip file a checksum of it."""
    if root.is_dir():
        return [(root / name).stat().st_size for name in names]
    members = [_archive(root).getinfo(name) for name in names]
    return [(member.file_size, member.CRC) for member in members]


def table_content(root, name):
    """The content of a table below a folder or in a zip file."""
    if root.is_dir():
        return table_bytes(within(root, root / name))
    try:
        with _archive(root).open(name) as file:
            start = file.read(TABLE_BYTES + 1)
    except Exception as error:  # of several kinds, none of which names the file
        raise ValueError(f"{root / name} cannot be read: {error}") from error
    return bounded(io.BytesIO(start), root / name)


def compared(name):
    """A file's name as it is compared: in one Unicode form, with "/" between folders."""
    return same_form(name).replace("\\", "/")


def list_files(root):
    """The names of all files below a folder or in a zip file, by these names as they are compared."""
    if root.is_dir():
        names = set()
        for folder, _, here in os.walk(root):
            below = PurePosixPath(Path(folder).relative_to(root).as_posix())
            names.update(str(below / name) for name in here)
    else:
        try:
            names = {name for name in _archive(root).namelist() if not name.endswith("/")}
        except zipfile.BadZipFile as error:
            raise ValueError(f"{root} must be a whole zip file; it is damaged: {error}") from error
    listed = {}
    for name in sorted(names):
        other = listed.setdefault(compared(name), name)
        if other != name:
            raise ValueError(f"{root} must hold each name once, in one Unicode form; got {other!r} and {name!r}")
    return listed


def is_hidden(name):
    """Whether a system made a file: a Mac's zip files have a folder __MACOSX beside the images."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def without_top_folder(listed, table):
    """The files by their names below the folder that holds all of them, if there is one, as "compress folder" makes."""
    while table not in listed:
        tops = {name.partition("/")[0] if "/" in name else "" for name in listed if not is_hidden(name)}
        if len(tops) != 1 or "" in tops:
            break
        start = f"{tops.pop()}/"
        listed = {name.removeprefix(start): file for name, file in listed.items() if name.startswith(start)}
    return listed
