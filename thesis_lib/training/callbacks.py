"""Callbacks of a training that keep the best weights, write logs and resume after a kill."""

import errno
import hashlib
import json
import zipfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np

from thesis_lib import checks
from thesis_lib.files import whole, writable_folder, write_text
from thesis_lib.training.optimization import SCHEDULES
from thesis_lib.training.state import TrainingState, identity

KEPT = ("best", "last")  # epochs whose model is kept
ENDED = "ended"  # a file that says which training came to its end
STATE = "state.npz"  # of a training that has not come to its end


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
    best model so far; `log.csv` and TensorBoard have every epoch. `state.npz` lets the same call resume after a kill:
    it goes on as if there had been none (`TrainingState`). It is deleted when a training ends.

    Args:
        folder: created if missing.
        patience: epochs, 1 or more.
        schedule: as for `learning_rate`.
        tensorboard: whether to write TensorBoard logs, which need TensorFlow; None writes them where it is installed.
        run: what the training depends on, a dict that JSON can hold: only the same run resumes.
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
        ValueError: naming an argument of another kind.
    """
    checks.integer("patience", patience, 1)
    checks.instance("monitor", monitor, str, "the name of a loss or metric")
    if tensorboard is not None:
        checks.boolean("tensorboard", tensorboard)
    identity(run)
    checks.one_of("schedule", schedule, SCHEDULES)
    watched = {"monitor": monitor, "mode": checks.one_of("mode", mode, ("min", "max"))}
    only_best = checks.one_of("keep", keep, KEPT) == "best"
    folder = writable_folder(folder)
    (folder / ENDED).unlink(missing_ok=True)
    comparing = [Checkpoint(folder / "best.keras", network, save_best_only=only_best, **watched)]
    if only_best:
        comparing.append(keras.callbacks.EarlyStopping(patience=patience, **watched))
    if schedule == "plateau":
        comparing.append(keras.callbacks.ReduceLROnPlateau(factor=0.3, patience=max(patience // 2, 1), **watched))
    # After what changes the model or adds to the logs: an epoch counts as done when all of it is on disk.
    state = TrainingState(folder / STATE, folder / "log.csv", run, comparing)
    several = [NotANumberIsWorst(**watched), keras.callbacks.TerminateOnNaN(), *comparing, state]
    if batches is not None:
        several.append(InOrder(batches))
    several.append(Ended(folder, run))
    if tensorboard or (tensorboard is None and find_spec("tensorflow")):
        several.append(keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False))
    return several


@contextmanager
def full_disk_named(folder):
    """Turns another library's error on a full disk, such as TensorBoard's, into an OSError that names the folder."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError) and "No space left on device" in str(error):
            message = f"no space is left to write in {folder}; what was there is unchanged"
            raise OSError(errno.ENOSPC, message) from error
        raise


class NotANumberIsWorst(keras.callbacks.Callback):
    """Replaces NaN by the worst value: Keras takes the first value for the best, and nothing is better than NaN."""

    def __init__(self, monitor, mode):
        super().__init__()
        self.monitor, self.worst = monitor, float("inf") if mode == "min" else -float("inf")

    def on_epoch_end(self, epoch, logs=None):
        if np.isnan(logs.get(self.monitor, 0.0)):
            logs[self.monitor] = self.worst


class Checkpoint(keras.callbacks.ModelCheckpoint):
    """Saves the model after each epoch, whole or not at all: a kill meanwhile leaves the one before.

    Args:
        path: of the file, ending in .keras.
        network: the keras.Model to save, without an optimizer; the model that is fitted if None.
        options: of `keras.callbacks.ModelCheckpoint`.
    """

    def __init__(self, path, network=None, **options):
        self.path = checks.path("path", path)
        if self.path.suffix != ".keras":
            raise ValueError(f"path must end in .keras; got {str(path)!r}")
        super().__init__(self.path, **options)
        if network is not None:
            checks.instance("network", network, keras.Model, "a keras.Model or None")
        self.network = network and keras.Model(network.inputs, network.outputs, name=network.name)

    def set_model(self, model):
        super().set_model(self.network or model)

    def on_epoch_end(self, epoch, logs=None):
        with whole(self.path) as partial:
            self.filepath = str(partial)
            super().on_epoch_end(epoch, logs)


class InOrder(keras.callbacks.Callback):
    """Lets batches take the order of the epoch that begins, whether training goes on from there or began before."""

    def __init__(self, batches):
        super().__init__()
        if not callable(getattr(batches, "start", None)):
            raise ValueError(f"batches must have a method start(epoch); got {checks.shown(batches)}")
        self.batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.start(epoch)


class Ended(keras.callbacks.Callback):
    """Leaves a file that says which training came to its end, and takes away its state."""

    def __init__(self, folder, run):
        super().__init__()
        self.folder, self.run = Path(folder), run

    def on_train_end(self, logs=None):
        write_text(self.folder / ENDED, identity(self.run))
        (self.folder / STATE).unlink(missing_ok=True)


def ended(folder, run, model="best.keras"):
    """Whether a training with `callbacks(folder, run=run)` came to its end there and left its model, a file's name.

    If so, a state that a kill at the very end left is taken away.
    """
    folder, model = checks.path("folder", folder), checks.path("model", model, "a file's name")
    path, text = folder / ENDED, identity(run)
    is_there = path.is_file() and path.read_text(errors="replace") == text
    whole_run = is_there and zipfile.is_zipfile(folder / model)
    if whole_run:
        (folder / STATE).unlink(missing_ok=True)
    return whole_run


def model_digest(folder, model="best.keras"):
    """A digest of the model's file in a folder, in hexadecimal, by which a row says what it is of."""
    with open(Path(folder) / model, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def scored(folder, model="best.keras"):
    """Whether `row.json` in a folder is of the model there: a kill while it is scored leaves none, or an earlier one.

    The row's provenance holds the `model_digest`, so a copy of the folder is scored, too. A row from before there was
    a digest counts.
    """
    try:
        row = json.loads((Path(folder) / "row.json").read_text())
        made = row["provenance"].get("model")
        return made is None or made == model_digest(folder, model)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # no row, no whole one, or no model
        return False
