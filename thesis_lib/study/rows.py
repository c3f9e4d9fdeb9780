"""The results of runs, read back: rows, and the scores of every test scene."""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from thesis_lib import checks


def read_row(path, needed=()):
    """One result row.

    Args:
        path: of a `row.json`.
        needed: entries that the row must hold.

    Returns:
        dict.

    Raises:
        ValueError: naming the file, if it cannot be read, is no JSON object or lacks a needed entry.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise ValueError("it is no file")
        row = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(row, dict):
            raise ValueError("it does not hold a JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no whole result row: {error}") from error
    lacking = [name for name in needed if name not in row]
    if lacking:
        raise ValueError(f"{path} is no whole result row: it does not hold {', '.join(lacking)}")
    return row


def read_rows(folder, needed=("objective", "seed"), runs=None):
    """The result rows below a folder: every `row.json`, one a run.

    Files that are truncated or lack a needed entry are skipped with a warning, and so are runs that are not wanted.

    Args:
        folder: path.
        needed: entries that a row must hold.
        runs: names of the folders of the runs that are wanted; None: all.

    Returns:
        DataFrame with a row a run, sorted by run; the column `run` holds the folder of the run, relative to `folder`.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it holds no whole row.
    """
    folder = checks.path("folder", folder)
    are_names = isinstance(runs, (list, tuple, set, dict)) and all(isinstance(run, str) for run in runs)
    if runs is not None and not are_names:
        raise ValueError(f"runs must be the names of several runs, or None; got {checks.shown(runs)}")
    if not folder.is_dir():
        raise FileNotFoundError(f"results must be a folder of runs; got {str(folder)!r}, which is not there")
    rows, others = [], 0
    for path in sorted(folder.rglob("row.json")):
        if runs is not None and path.parent.name not in runs:
            others += 1
            continue
        try:
            rows.append({"run": path.parent.relative_to(folder).as_posix(), **read_row(path, needed)})
        except ValueError as error:
            warnings.warn(f"{error}; the run was skipped", stacklevel=2)
    if others:
        warnings.warn(f"{others} runs in {folder} are not of the experiment and were left out", stacklevel=2)
    if not rows:
        raise ValueError(f"results must hold at least one row.json; {str(folder)!r} holds none that can be read")
    return pd.DataFrame(rows)


def read_scenes(folder, runs, needed=()):
    """The scores of every test scene of some runs: `scenes.npz` beside each `row.json`.

    Files that are missing or damaged, lack a needed array, or whose arrays are not all of the same scenes are reported
    in a warning.

    Args:
        folder: path.
        runs: folders of the runs, relative to `folder`.
        needed: names of arrays that each file must hold.

    Returns:
        list with a dict of arrays (scenes, ...) for each run, or None for a run without a readable file.
    """
    scores = []
    for run in runs:
        path = Path(folder) / run / "scenes.npz"
        try:
            scores.append(_whole_scenes(path, needed))
        except Exception as error:  # NumPy and zipfile raise errors of a dozen classes for damaged files
            reason = str(error) or type(error).__name__
            warnings.warn(f"{path} holds no scores of scenes and its run was skipped: {reason}", stacklevel=2)
            scores.append(None)
    return scores


def _whole_scenes(path, needed):
    if not path.is_file():
        raise ValueError("it is no file")
    file = np.load(path, allow_pickle=False)
    if isinstance(file, np.ndarray):
        raise ValueError("it is a .npy file, not .npz")
    with file:
        arrays = {name: file[name] for name in file.files}
    lacking = [name for name in needed if name not in arrays]
    if lacking:
        raise ValueError(f"it does not hold {', '.join(lacking)}")
    lengths = {name: array.shape[:1] for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"its arrays must be of the same scenes; their lengths are {lengths}")
    return arrays
