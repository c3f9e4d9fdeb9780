"""A training that is killed at any write goes on as if it had not been: the same weights, log and row, bit for bit."""

import os

import keras
import numpy as np
import pandas as pd
import pytest
from killed import Killed
from state_cases import Stop, fit, model_and_data

from thesis_lib import files, semi_supervised
from thesis_lib.files import alone
from thesis_lib.segmentation import Run
from thesis_lib.training.callbacks import Checkpoint, ended
from thesis_lib.training.state import TrainingState

RUN = {
    "data": "sample",
    "train_scenes": 6,
    "validation_scenes": 4,
    "test_scenes": 4,
    "annotator": "displacement",
    "annotator_parameters": {"sigma": 1.0, "correlation_length": 4.0},
    "objective": "one_hot",
    "width": 2,
    "depth": 1,
    "epochs": 2,
    "batch_size": 3,
    "augment": True,
}


class Killer:
    """Stands in for `os.replace`, by which every file takes its place: kills before or after one of the calls."""

    def __init__(self, at, after):
        self.at, self.after, self.calls = at, after, 0

    def __call__(self, source, target):
        self.calls += 1
        if self.calls == self.at and not self.after:
            raise Killed
        os.rename(source, target)
        if self.calls == self.at:
            raise Killed


@pytest.fixture
def killing(monkeypatch):
    """A function that kills whatever runs then at its nth write, before or after the file takes its place."""

    def kill(at, after=False):
        killer = Killer(at, after)
        monkeypatch.setattr(files.os, "replace", killer)
        return killer

    return kill


def results(folder):
    """(row without what depends on the time, weights, log) of a finished run."""
    row = pd.read_json(folder / "row.json", typ="series").drop("provenance").to_dict()
    weights = keras.saving.load_model(folder / "best.keras", compile=False).get_weights()
    return {name: str(value) for name, value in row.items()}, weights, (folder / "log.csv").read_text()


def same(first, second):
    return first[0] == second[0] and first[2] == second[2] and all(map(np.array_equal, first[1], second[1]))


def whole_run(folder):
    run = Run(**RUN, output=str(folder))
    run.train()
    run.scores()
    return results(folder)


def test_a_run_that_is_killed_gives_the_same_row(tmp_path, killing):
    """With augmentation, at the first state, at the second epoch's log, and while it scores."""
    killer = killing(at=0)
    expected = whole_run(tmp_path / "whole")
    writes = killer.calls
    assert writes >= 2 * 3 + 5  # the best model, the state and the log of each epoch; the end, four tables, the row
    for at in (2, 5, writes - 1):
        folder = tmp_path / f"killed{at}"
        killing(at, after=at % 2 == 0)
        with pytest.raises(Killed):
            whole_run(folder)
        killing(at=0)
        assert same(whole_run(folder), expected), f"after a kill at write {at} of {writes}"
        assert not list(folder.glob(".partial*")) and not (folder / "state.npz").exists()


def test_a_training_that_is_killed_at_any_write_ends_with_the_same_weights_and_log(tmp_path, killing):
    options = {"schedule": "plateau", "patience": 2}
    killer = killing(at=0)
    expected = fit(tmp_path / "whole", 3, **options)
    log, best = ((tmp_path / "whole" / name).read_bytes() for name in ("log.csv", "ended"))
    writes = killer.calls
    assert writes >= 3 * 2 + 2
    for at in range(1, writes + 1):
        folder = tmp_path / f"killed{at}"
        killing(at, after=at % 2 == 0)
        with pytest.raises(Killed):
            fit(folder, 3, **options)
        killing(at=0)
        if not ended(folder, None):
            assert all(map(np.array_equal, fit(folder, 3, **options), expected)), f"at write {at} of {writes}"
        assert (folder / "log.csv").read_bytes() == log and (folder / "ended").read_bytes() == best
        assert not list(folder.glob(".partial*"))


def test_dropout_momentum_and_the_log_go_on_where_they_were(killed, tmp_path):
    expected = fit(tmp_path / "whole", 5)
    assert all(map(np.array_equal, fit(killed, 5), expected))
    assert (killed / "log.csv").read_text() == (tmp_path / "whole/log.csv").read_text()
    assert sorted(path.name for path in killed.iterdir()) == ["best.keras", "ended", "log.csv"]
    assert ended(killed, None) and not ended(killed, {"objective": "dice"})


def constant(values):
    return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(val_loss=values[epoch]))


def test_the_plateau_the_patience_and_the_best_value_are_remembered(tmp_path):
    """The learning rate falls after epoch 4 of 1, 2, 2, 2, ...; a best value that were forgotten would delay it."""
    values = [1.0, *[2.0] * 9]
    options = {"schedule": "plateau", "patience": 6}
    fit(tmp_path / "whole", 10, constant(values), **options)
    for epoch in range(1, 6):
        folder = tmp_path / f"killed{epoch}"
        with pytest.raises(Killed):
            fit(folder, 10, constant(values), Stop(epoch), **options)
        best = (folder / "best.keras").stat().st_mtime_ns
        fit(folder, 10, constant(values), **options)
        assert (folder / "log.csv").read_text() == (tmp_path / "whole/log.csv").read_text()
        assert (folder / "best.keras").stat().st_mtime_ns == best  # of the first epoch
    rates = pd.read_csv(tmp_path / "whole/log.csv")["learning_rate"]
    assert len(rates) == 7 and rates[3] == pytest.approx(0.1) and rates[4] == pytest.approx(0.03)


def test_a_training_that_was_killed_when_its_patience_had_ended_does_not_go_on(tmp_path, killing):
    values, epochs = [1.0, 2.0, 2.0, 0.5], 3
    expected = fit(tmp_path / "whole", 4, constant(values), patience=2)
    killing(at=1 + 2 * epochs)  # best model once, then the state and the log of each epoch; the end is next
    fit_killed = killing(at=1 + 2 * epochs + 1)
    with pytest.raises(Killed):
        fit(tmp_path / "run", 4, constant(values), patience=2)
    assert fit_killed.calls == 1 + 2 * epochs + 1 and not ended(tmp_path / "run", None)
    killing(at=0)
    assert all(map(np.array_equal, fit(tmp_path / "run", 4, constant(values), patience=2), expected))
    assert len(pd.read_csv(tmp_path / "run/log.csv")) == epochs and ended(tmp_path / "run", None)


def test_a_kill_while_the_best_model_is_written_leaves_the_one_before(tmp_path, killing):
    (tmp_path / "best.keras").write_text("the one before")
    checkpoint = Checkpoint(tmp_path / "best.keras", save_best_only=True, monitor="val_loss", mode="min")
    checkpoint.set_model(model_and_data()[0])
    killing(at=1)
    with pytest.raises(Killed):
        checkpoint.on_epoch_end(0, {"val_loss": 1.0})
    assert (tmp_path / "best.keras").read_text() == "the one before"
    killing(at=0)
    checkpoint.on_epoch_end(0, {"val_loss": 0.5})
    assert keras.saving.load_model(tmp_path / "best.keras").count_params() == 58


def test_the_state_of_every_kind_of_variable_is_kept(tmp_path):
    model, images, labels = model_and_data()
    state = TrainingState(tmp_path / "state.npz", tmp_path / "log.csv")
    model.fit(images, labels, epochs=1, verbose=0, callbacks=[state])
    kinds = state._variables()
    assert [len(kinds[kind]) for kind in ("weight", "random", "optimizer")] == [4, 1, 6]
    with np.load(tmp_path / "state.npz") as stored:
        assert sum(name != "about" for name in stored.files) == 11


def test_one_training_at_a_time_writes_to_a_folder(tmp_path):
    run = Run(**RUN, output=str(tmp_path))
    with alone(tmp_path), pytest.raises(OSError, match="no other training writes to.*is in use"):
        run.train()
    assert not (tmp_path / "log.csv").exists()
    few = semi_supervised.Run(data="digits", epochs=1, output=str(tmp_path))
    with alone(tmp_path), pytest.raises(OSError, match="is in use"):
        few.train()
    with pytest.raises(Killed), alone(tmp_path):
        raise Killed
    with alone(tmp_path):  # it was let go of
        pass
