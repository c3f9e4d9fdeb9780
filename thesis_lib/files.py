"""Folders that can be written to, and files that are written whole or not at all."""

import errno
import json
import math
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from thesis_lib import checks

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]


def writable_folder(folder: str | Path) -> Path:
    """The folder as a Path, made if missing.

    Raises:
        OSError: naming it, if nothing can be written there.
        ValueError: if it is no path, or its name holds braces, which Keras would fill in.
    """
    folder = checks.path("output folder", folder)
    if set("{}") & set(str(folder)):
        raise ValueError(f"output folder must have no braces in its name; got {str(folder)!r}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OSError(f"output folder must be a folder one can write to; got {str(folder)!r}: {error}") from error
    return folder


@contextmanager
def alone(folder):
    """While the block runs, no other process can hold the folder by this, on systems that have such locks.

    Args:
        folder: that exists. A process that is killed lets go of it.

    Raises:
        OSError: naming the folder, if another process holds it.

    Example:
        >>> with alone("."):
        ...     np.savez("scores.npz", scores=scores)
    """
    if fcntl is None:
        yield
        return
    held = os.open(folder, os.O_RDONLY)
    try:
        _lock(held, folder)
        yield
    finally:
        os.close(held)


def _lock(held, folder):
    """Lock an open folder; OSError if another process has, nothing on a file system without locks."""
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        message = f"output folder must be one that no other training writes to; {str(folder)!r} is in use"
        raise OSError(errno.EBUSY, message) from error
    except OSError:
        pass


@contextmanager
def whole(path):
    """Write a file whole or not at all, whatever happens meanwhile.

    Args:
        path: of the file; what stood there stays until the new file is complete.

    Yields:
        Path of a hidden file beside it, with the same ending, to write instead. It takes the file's place in one step,
        if it was written at all.

    Raises:
        OSError: naming the file where no space is left.

    Example:
        >>> with whole("scores.npz") as partial:
        ...     np.savez(partial, scores=scores)
    """
    path = Path(path)
    partial = path.with_name(f".partial.{path.name}")
    partial.unlink(missing_ok=True)  # of a process that was killed
    try:
        yield partial
        if partial.exists():
            with open(partial, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(partial, path)
    except BaseException as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or _is_full(path)
        partial.unlink(missing_ok=True)
        if full and isinstance(error, Exception):
            raise OSError(errno.ENOSPC, f"no space is left to write {path}; what was there is unchanged") from error
        raise


def _is_full(path):
    return shutil.disk_usage(path.parent).free < 4096


def write_json(path, content):
    """Write a JSON file whole or not at all; NaN and infinity become null."""
    write_text(path, json.dumps(_plain(content), indent=1, allow_nan=False) + "\n")


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with whole(path) as partial:
        partial.write_text(text)


def write_csv(path, table, **options):
    """Write a DataFrame as CSV, whole or not at all; options: of `DataFrame.to_csv`, without its index."""
    with whole(path) as partial:
        table.to_csv(partial, **{"index": False, **options})


def write_arrays(path, **arrays):
    """Write arrays to an .npz file, compressed, whole or not at all."""
    with whole(path) as partial:
        np.savez_compressed(partial, **arrays)


def _plain(value):
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
