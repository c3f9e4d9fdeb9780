"""Folders that can be written to, and files that are written whole or not at all."""

import json
import math
import os
from pathlib import Path

import numpy as np


def writable_folder(folder):
    """The folder as a Path, made if missing.

    Raises:
        OSError: naming it, if nothing can be written there.
        ValueError: if its name holds braces, which Keras would fill in.
    """
    if set("{}") & set(str(folder)):
        raise ValueError(f"output folder must have no braces in its name; got {str(folder)!r}")
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OSError(f"output folder must be a folder one can write to; got {str(folder)!r}: {error}") from error
    return folder


def write_json(path, content):
    """Write a JSON file whole or not at all; NaN and infinity become null."""
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(_plain(content), indent=1, allow_nan=False) + "\n")
    os.replace(partial, path)


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
