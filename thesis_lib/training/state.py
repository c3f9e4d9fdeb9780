"""The state of a training after an epoch, in one file: from it the training goes on as if it had not been killed."""

import json
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.files import whole, write_csv

ABOUT = {"run", "log", "callbacks", "stopped"}  # entries of a state beside the variables
REMEMBERED = ("best", "wait", "cooldown_counter", "stopped_epoch")  # by callbacks that compare epochs


def identity(run):
    """A run, a dict that JSON can hold, as the text by which runs are told apart.

    Raises:
        ValueError: if JSON cannot hold it.
    """
    try:
        return json.dumps(run, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"run must be what JSON can hold; got {checks.shown(run)}: {error}") from error


class TrainingState(keras.callbacks.Callback):
    """Writes the state of a training after each epoch, and takes it up where an earlier training was killed.

    The state holds the weights, the optimizer with its learning rate, the random states of all layers, what other
    callbacks remember, the log, and which run it is of. It is one file. The next one is written beside it and read back
    before it takes its place. `log.csv` is written from it.

    Place it after the callbacks whose memory it keeps and after those that change the logs.

    Args:
        path: of the file, ending in .npz. One that is damaged, or of another run or network, is renamed, with a
            warning.
        log: path of the log, a CSV file with a row an epoch.
        run: what the training depends on, a dict that JSON can hold.
        callbacks: those whose memory is kept.
        first: number of the first epoch in the log.
    """

    def __init__(self, path, log, run=None, callbacks=(), first=0):
        super().__init__()
        self.first = first
        self.path, self.log = Path(path), Path(log)
        self.run, self.remembering = identity(run), list(callbacks)
        self.rows = []
        self.found = self._read()

    def fits(self, model):
        """Whether a model can go on from the state that was found; one of another network is set aside."""
        self.set_model(model)
        if self.found is None:
            return False
        wanted = {
            f"{kind}{i}": tuple(v.shape) for kind, several in self._variables().items() for i, v in enumerate(several)
        }
        if {name: array.shape for name, array in self.found[0].items()} != wanted:
            self.found = None
            self._set_aside("of another network")
        return self.found is not None

    def on_train_begin(self, logs=None):
        if not self.fits(self.model):
            return
        (arrays, about), self.found = self.found, None
        for kind, variables in self._variables().items():
            for i, variable in enumerate(variables):
                variable.assign(arrays[f"{kind}{i}"])
        for callback, memory in zip(self.remembering, about["callbacks"]):
            for name, value in memory.items():
                setattr(callback, name, value)
        self.rows = about["log"]
        write_csv(self.log, pd.DataFrame(self.rows))
        # As keras.callbacks.BackupAndRestore does: fit begins with this epoch.
        self.model._initial_epoch = self.params["epochs"] if about["stopped"] else len(self.rows)

    def on_epoch_end(self, epoch, logs=None):
        row = {name: float(value) for name, value in sorted((logs or {}).items())}
        self.rows.append({"epoch": self.first + epoch, **row})
        memory = [{name: vars(one)[name] for name in REMEMBERED if name in vars(one)} for one in self.remembering]
        about = {"run": self.run, "log": self.rows, "callbacks": memory, "stopped": bool(self.model.stop_training)}
        arrays = {
            f"{kind}{i}": keras.ops.convert_to_numpy(variable)
            for kind, variables in self._variables().items()
            for i, variable in enumerate(variables)
        }
        text = np.frombuffer(json.dumps(about, default=float).encode(), np.uint8)
        with whole(self.path) as partial:
            np.savez(partial, about=text, **arrays)
            with zipfile.ZipFile(partial) as written:
                if written.testzip() is not None:
                    raise OSError(f"{self.path} could not be written: it does not read back as it was")
        write_csv(self.log, pd.DataFrame(self.rows))

    def on_train_end(self, logs=None):
        self.model._initial_epoch = None

    def _variables(self):
        """The model's variables by kind, each kind in its order."""
        model, optimizer = self.model, self.model.optimizer
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        random = [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]
        return {"weight": model.weights, "random": random, "optimizer": optimizer.variables}

    def _read(self):
        """(arrays, about) of an earlier training of this run that was killed; None where there is none."""
        if not self.path.exists():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            about = json.loads(arrays.pop("about").tobytes())
            why = None if about["run"] == self.run else "of a run with other parameters or data"
            if why is None and not (about.keys() >= ABOUT and len(about["callbacks"]) == len(self.remembering)):
                why = "of another version of this library"
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            why = f"damaged ({error})"
        if why is None:
            return arrays, about
        self._set_aside(why)
        return None

    def _set_aside(self, why):
        """Rename the state, with a warning that says why training starts afresh."""
        aside = self.path.with_name(f"old.{self.path.name}")
        self.path.replace(aside)
        warnings.warn(f"{self.path} is {why}; training starts afresh; it is now {aside.name}", stacklevel=5)
