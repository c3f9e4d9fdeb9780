"""The results of runs, read back: rows, and the scores of every test scene."""

import json
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd


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
    folder = Path(folder)
    if isinstance(runs, str):
        raise ValueError(f"runs must be the names of several runs, or None; got {runs!r}")
    if not folder.is_dir():
        raise FileNotFoundError(f"results must be a folder of runs; got {str(folder)!r}, which is not there")
    rows, others = [], 0
    for path in sorted(folder.rglob("row.json")):
        if runs is not None and path.parent.name not in runs:
            others += 1
            continue
        try:
            row = json.loads(path.read_text())
            if not isinstance(row, dict) or not set(needed) <= row.keys():
                raise ValueError(f"it does not hold {', '.join(needed)}")
            rows.append({"run": path.parent.relative_to(folder).as_posix(), **row})
        except (OSError, ValueError) as error:
            warnings.warn(f"{path} is no whole result row and was skipped: {error}", stacklevel=2)
    if others:
        warnings.warn(f"{others} runs in {folder} are not of the experiment and were left out", stacklevel=2)
    if not rows:
        raise ValueError(f"results must hold at least one row.json; {str(folder)!r} holds none that can be read")
    return pd.DataFrame(rows)


def read_scenes(folder, runs):
    """The scores of every test scene of some runs: `scenes.npz` beside each `row.json`.

    Files that are missing or damaged are reported in a warning.

    Args:
        folder: path.
        runs: folders of the runs, relative to `folder`.

    Returns:
        list with a dict of arrays for each run, or None for a run without a readable file.
    """
    scores = []
    for run in runs:
        path = Path(folder) / run / "scenes.npz"
        try:
            with np.load(path, allow_pickle=False) as file:
                scores.append({name: file[name] for name in file.files})
        except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            warnings.warn(f"{path} holds no scores of scenes and its run was skipped: {error}", stacklevel=2)
            scores.append(None)
    return scores
