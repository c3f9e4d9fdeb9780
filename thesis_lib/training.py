"""Keras's callbacks for a run that stops early, keeps its best weights, writes logs and resumes after a kill."""

from pathlib import Path

import keras
import pandas as pd

from thesis_lib import checks


def callbacks(folder, patience=10, tensorboard=True):
    """The callbacks of one training run, all its files under `folder`.

    Early stopping after `patience` epochs without a lower validation loss, learning rate x 0.3 after half of that,
    `best.keras` with the best model so far, `log.csv` and TensorBoard logs with every epoch, and a backup from which
    the same call resumes after a kill. The backup is deleted when a run ends. A run that resumes keeps the best
    model of its first part and counts its patience anew.

    Args:
        folder: created if missing; raises if it cannot be written to.
        patience: epochs, 1 or more.
        tensorboard: whether to write TensorBoard logs; they need TensorFlow.

    Returns:
        list of keras.callbacks.Callback.
    """
    checks.integer("patience", patience, 1)
    folder = writable(folder)
    log = folder / "log.csv"
    backup = folder / "backup"
    if not backup.exists() and log.exists():
        log.unlink()  # a new run, not a resumed one
    best = _best_so_far(log)
    stop = keras.callbacks.EarlyStopping(patience=patience, baseline=best)
    found = [
        keras.callbacks.BackupAndRestore(backup),
        keras.callbacks.ModelCheckpoint(folder / "best.keras", save_best_only=True, initial_value_threshold=best),
        stop,
        keras.callbacks.ReduceLROnPlateau(factor=0.3, patience=max(patience // 2, 1)),
        keras.callbacks.CSVLogger(log, append=True),
    ]
    if tensorboard:
        found.append(keras.callbacks.TensorBoard(folder / "tensorboard"))
    return found


def writable(folder):
    """The folder, made if missing; raises OSError naming it if nothing can be written there."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OSError(f"output folder must be a folder one can write to; got {str(folder)!r}: {error}") from error
    return folder


def _best_so_far(log):
    try:
        return float(pd.read_csv(log)["val_loss"].min())
    except (OSError, KeyError, ValueError):  # no epoch was logged yet
        return None
