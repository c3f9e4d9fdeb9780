"""Callbacks of a training that keep the best weights, write logs and resume after a kill."""

import json
import shutil
import warnings
from importlib.util import find_spec
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.files import writable_folder
from thesis_lib.training.optimization import SCHEDULES

KEPT = ("best", "last")  # epochs whose model is kept
ENDED = "ended"  # a file that says that a training came to its end


def callbacks(
    folder,
    patience=10,
    schedule="plateau",
    tensorboard=None,
    run=None,
    monitor="val_loss",
    mode="min",
    batches=None,
    network=None,
    keep="best",
):
    """The callbacks of one training, all its files under `folder`.

    Training stops after `patience` epochs without a better value of what is monitored, or at a loss that is not finite.
    Where the schedule is "plateau" the learning rate falls to 0.3 of itself after half as many. `best.keras` is the
    best model so far; `log.csv` and TensorBoard have every epoch. A backup lets the same call resume after a kill. It
    is deleted when a training ends. A training that resumes keeps the best model of its first part, and counts its
    patience anew. A backup that is damaged, or of another `run`, is not used but renamed.

    Args:
        folder: created if missing.
        patience: epochs, 1 or more.
        schedule: as for `learning_rate`.
        tensorboard: whether to write TensorBoard logs, which need TensorFlow; None writes them where it is installed.
        run: what the training depends on, a dict that JSON can hold, kept in `run.json`: only the same run resumes.
        monitor: a loss or metric of the epochs' logs.
        mode: "min" where the lowest value is best, "max" where the highest is.
        batches: what `fit(..., shuffle=False)` is given, with a method `start(epoch)`: a training that resumes sees
            the same batches, in the same order, as without a kill.
        network: the keras.Model that `best.keras` holds, without an optimizer; the model that is fitted, as it is
            compiled, if None.
        keep: "best": the model of the best epoch; "last": that of the last one, and no epoch stops the training.

    Returns:
        list of keras.callbacks.Callback.

    Raises:
        OSError, ValueError: if the folder cannot be written to, or has braces in its name.
    """
    checks.integer("patience", patience, 1)
    checks.one_of("schedule", schedule, SCHEDULES)
    watched = {"monitor": monitor, "mode": checks.one_of("mode", mode, ("min", "max"))}
    folder = writable_folder(folder)
    log, backup, identity = folder / "log.csv", folder / "backup", folder / "run.json"
    mine = json.dumps(run, sort_keys=True)
    if backup.exists() and not (_text(identity) == mine and _whole(backup)):
        warnings.warn(
            f"{backup} is damaged or of a run with other parameters; training starts afresh; it is now backup.old",
            stacklevel=2,
        )
        shutil.rmtree(folder / "backup.old", ignore_errors=True)
        backup.rename(folder / "backup.old")
    identity.write_text(mine)
    (folder / ENDED).unlink(missing_ok=True)
    resumes = backup.exists()
    best = _best_so_far(log, monitor, mode) if resumes else None
    several = [
        NotANumberIsWorst(**watched),
        keras.callbacks.TerminateOnNaN(),
    ]
    path, only_best = folder / "best.keras", checks.one_of("keep", keep, KEPT) == "best"
    several.append(Checkpoint(path, network, save_best_only=only_best, initial_value_threshold=best, **watched))
    if only_best:
        several.append(keras.callbacks.EarlyStopping(patience=patience, baseline=best, **watched))
    if schedule == "plateau":
        several.append(keras.callbacks.ReduceLROnPlateau(factor=0.3, patience=max(patience // 2, 1), **watched))
    # After what changes the model or adds to the logs: an epoch counts as done when all of it is on disk.
    several += [keras.callbacks.BackupAndRestore(backup), keras.callbacks.CSVLogger(log, append=resumes)]
    if batches is not None:
        several.append(InOrder(batches))
    several.append(Ended(folder / ENDED))
    if tensorboard or (tensorboard is None and find_spec("tensorflow")):
        several.append(keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False))
    return several


class NotANumberIsWorst(keras.callbacks.Callback):
    """Replaces NaN by the worst value: Keras takes the first value for the best, and nothing is better than NaN."""

    def __init__(self, monitor, mode):
        super().__init__()
        self.monitor, self.worst = monitor, float("inf") if mode == "min" else -float("inf")

    def on_epoch_end(self, epoch, logs=None):
        if np.isnan(logs.get(self.monitor, 0.0)):
            logs[self.monitor] = self.worst


class Checkpoint(keras.callbacks.ModelCheckpoint):
    """Saves the model after each epoch, under its name once the file is whole: a kill meanwhile leaves the one before.

    Args:
        path: of the file, ending in .keras.
        network: the keras.Model to save, without an optimizer; the model that is fitted if None.
        options: of `keras.callbacks.ModelCheckpoint`.
    """

    def __init__(self, path, network=None, **options):
        self.path = Path(path)
        self.partial = self.path.with_name(f".partial.{self.path.name}")
        self.partial.unlink(missing_ok=True)
        super().__init__(self.partial, **options)
        self.network = network and keras.Model(network.inputs, network.outputs, name=network.name)

    def set_model(self, model):
        super().set_model(self.network or model)

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if self.partial.exists():
            self.partial.replace(self.path)


class InOrder(keras.callbacks.Callback):
    """Lets batches take the order of the epoch that begins, whether training goes on from there or began before."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.start(epoch)


class Ended(keras.callbacks.Callback):
    """Leaves a file that says that the training came to its end."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_train_end(self, logs=None):
        self.path.touch()


def ended(folder, run):
    """Whether a training with `callbacks(folder, run=run)` came to its end there and left its best model."""
    folder = Path(folder)
    files = [folder / ENDED, folder / "best.keras"]
    return all(path.exists() for path in files) and _text(folder / "run.json") == json.dumps(run, sort_keys=True)


def _text(path):
    return path.read_text() if path.is_file() else None


def _whole(backup):
    """Whether Keras's backup can be read: its weights as HDF5 and its metadata as JSON."""
    try:
        json.loads((backup / "training_metadata.json").read_text())
        h5py.File(backup / "latest.weights.h5").close()
    except (OSError, ValueError):
        return False
    return True


def _best_so_far(log, monitor, mode):
    """The best value in a log; None if no epoch is in it."""
    try:
        return float(pd.read_csv(log)[monitor].agg(mode))
    except (OSError, KeyError, ValueError):
        return None
