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

ENDED = "ended"  # a file that says that a training came to its end


def callbacks(
    folder, patience=10, schedule="plateau", tensorboard=None, run=None, monitor="val_loss", mode="min", batches=None
):
    """The callbacks of one training run, all its files under `folder`.

    Early stopping after `patience` epochs without a better value of what is monitored, learning rate x 0.3 after half of that where the schedule is "plateau",
    `best.keras` with the best model so far, `log.csv` and TensorBoard logs with every epoch, and a backup from which
    the same call resumes after a kill. The backup is deleted when a run ends. A run that resumes keeps the best
    model of its first part and counts its patience anew. A backup that is damaged, or of another `run`, is not used but renamed.
    Training stops if the loss is not finite.

    Args:
        folder: created if missing; raises if it cannot be written to, or has braces in its name.
        patience: epochs, 1 or more.
        schedule: as for `learning_rate`.
        monitor: a loss or metric of the epochs' logs; mode: "min" where the least is best, "max" where the largest is.
        run: the run's parameters, a dict that JSON can hold, kept in `run.json`: only the same run resumes.
        tensorboard: whether to write TensorBoard logs; they need TensorFlow, and None writes them where it is there.
        batches: what `fit(..., shuffle=False)` is given, with a method `start(epoch)`: a run that resumes then sees what it would have seen
            without a kill, in the same order.

    Returns:
        list of keras.callbacks.Callback.
    """
    checks.integer("patience", patience, 1)
    checks.one_of("schedule", schedule, SCHEDULES)
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
    watched = {"monitor": monitor, "mode": checks.one_of("mode", mode, ("min", "max"))}
    worst = float("inf") if mode == "min" else -float("inf")
    found = [
        # Keras takes the first value for the best whatever it is, and nothing is better than NaN.
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: logs.update({monitor: worst}) if np.isnan(logs.get(monitor, 0.0)) else None
        ),
        *checkpoint(folder, "best.keras", save_best_only=True, initial_value_threshold=best, **watched),
        keras.callbacks.EarlyStopping(patience=patience, baseline=best, **watched),
        keras.callbacks.TerminateOnNaN(),
    ]
    if schedule == "plateau":
        found.append(keras.callbacks.ReduceLROnPlateau(factor=0.3, patience=max(patience // 2, 1), **watched))
    # After what changes the model or adds to the logs: an epoch counts as done when all of it is on disk.
    found += [keras.callbacks.BackupAndRestore(backup), keras.callbacks.CSVLogger(log, append=resumes)]
    if batches is not None:
        found.append(keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs=None: batches.start(epoch)))
    found.append(keras.callbacks.LambdaCallback(on_train_end=lambda logs=None: (folder / ENDED).touch()))
    if tensorboard or (tensorboard is None and find_spec("tensorflow")):
        found.append(keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False))
    return found


def checkpoint(folder, name, **options):
    """Callbacks that save the model as folder/name after each epoch, under that name once it is whole: a kill while it is written leaves the one
    before. options: of `keras.callbacks.ModelCheckpoint`."""
    partial = Path(folder) / f".partial.{name}"
    partial.unlink(missing_ok=True)
    return [
        keras.callbacks.ModelCheckpoint(partial, **options),
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs=None: partial.exists() and partial.replace(Path(folder) / name)
        ),
    ]


def ended(folder, run):
    """Whether a training with `callbacks(folder, run=run)` came to its end there and left its best model."""
    folder = Path(folder)
    return (
        (folder / ENDED).exists()
        and (folder / "best.keras").exists()
        and _text(folder / "run.json") == json.dumps(run, sort_keys=True)
    )


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
    try:
        return float(pd.read_csv(log)[monitor].agg(mode))
    except (OSError, KeyError, ValueError):  # no epoch was logged yet
        return None


WHOLE = {  # parameter of a notebook: (least, most)
    **dict.fromkeys(
        ("epochs", "batch_size", "depth", "patience", "prior_scenes", "crop", "crops_per_image", "repeats", "workers"),
        (1, None),
    ),
    **dict.fromkeys(("margin", "gold_images"), (0, None)),
    "seed": (0, 2**32 - 1),
    "progress": (0, 2),
}
BOOLEAN = ("augment", "mixed_precision", "train_backbone", "resume", "export_network")


def checked(parameters):
    """The parameters of a run, if each can be trained with; raises ValueError naming the first that cannot.

    Args:
        parameters: dict; those of WHOLE, BOOLEAN and annotator_parameters are looked at, others are left to the function that uses them.
    """
    for name in (name for name in parameters if name in WHOLE):
        checks.integer(name, parameters[name], *WHOLE[name])
    for name in (name for name in parameters if name in BOOLEAN):
        checks.boolean(name, parameters[name])
    if not isinstance(parameters.get("annotator_parameters", {}), dict):
        raise ValueError(f"annotator_parameters must be a mapping; got {parameters['annotator_parameters']!r}")
    return parameters
