"""What ran: versions, commit and parameters, beside every result; and result rows that survive a kill."""

import json
import math
import os
import platform
import subprocess
import warnings
import zipfile
import zlib
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

PACKAGES = ("keras", "tensorflow", "jax", "numpy", "scipy", "scikit-learn", "pandas")


def record(parameters):
    """A dict that says what ran: parameters, commit (with "+changes" if the tree had any), machine with its accelerators, versions, time (UTC)."""
    import keras

    return {
        "parameters": dict(parameters),
        "commit": commit(),
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
        "machine": ", ".join([f"{platform.system()} {platform.machine()}", f"{os.cpu_count()} cores", *_accelerators()]),
        "versions": {name: _version(name) for name in PACKAGES},
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def commit():
    """The commit of the repository this library lies in, or "unknown"."""
    try:
        run = [subprocess.run(["git", *command], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
               for command in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))]  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return run[0].stdout.strip() + ("+changes" if run[1].stdout.strip() else "")


def _accelerators():
    """The names of the GPUs and other accelerators that the backend sees."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return [tf.config.experimental.get_device_details(device).get("device_name", device.name) for device in tf.config.list_physical_devices("GPU")]
    return []


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


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


def read_rows(folder, needed=("objective", "seed"), runs=None):
    """The result rows below a folder: every `row.json`, one a run.

    A file that is truncated or lacks one of the `needed` entries is reported in a warning and skipped, and likewise what is not of the `runs`:
    the folders' names of those wanted, or None: all.

    Returns:
        DataFrame with a row a run, sorted by run; the column `run` holds the run's folder, relative to `folder`.
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

    A file that is missing or damaged is reported in a warning.

    Args:
        folder: path.
        runs: folders of the runs, relative to `folder`.

    Returns:
        list with a dict of arrays for each run, or None where there is no readable file.
    """
    found = []
    for run in runs:
        path = Path(folder) / run / "scenes.npz"
        try:
            with np.load(path, allow_pickle=False) as file:
                found.append({name: file[name] for name in file.files})
        except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            warnings.warn(f"{path} holds no scores of scenes and its run was skipped: {error}", stacklevel=2)
            found.append(None)
    return found
