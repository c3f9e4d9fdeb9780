"""A run that is killed goes on; one whose loss is not finite stops."""

import os

import keras
import numpy as np
import pytest
from killed import Killed
from semi_supervised_cases import QUICK

from thesis_lib import files
from thesis_lib.semi_supervised import Run
from thesis_lib.semi_supervised.scoring import logits


def test_a_network_is_pretrained_where_the_state_that_was_left_is_of_another_one(tmp_path, faces):
    options = {**QUICK, "method": "supervised", "network": "mlp_dropout_dae", "pretraining_epochs": 1, "epochs": 2}
    expected = Run(**options).train(splits=faces).get_weights()
    run = Run(**options, output=str(tmp_path))

    def killed(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.train(splits=faces, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=killed)])
    with np.load(tmp_path / "state.npz") as file:
        arrays = dict(file)
    first = next(name for name, array in arrays.items() if name.startswith("weight") and array.ndim)
    np.savez(tmp_path / "state.npz", **{**arrays, first: arrays[first][:1]})
    with pytest.warns(UserWarning, match="state.npz is of another network; training starts afresh"):
        found = run.train(splits=faces).get_weights()
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


class Break(keras.callbacks.Callback):
    """Gives all weights a value before the first step of an epoch, counted from 0, or after its last."""

    def __init__(self, value, epoch, after):
        super().__init__()
        self.value, self.broken, self.after = value, epoch, after

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self._break(not self.after)

    def on_train_batch_end(self, batch, logs=None):
        self._break(self.after and batch == self.params["steps"] - 1)

    def _break(self, now):
        if now and self.epoch == self.broken:
            weights = self.model.classifier.get_weights()
            self.model.classifier.set_weights([np.full_like(w, self.value) for w in weights])


@pytest.mark.parametrize(
    "breaks, message",
    [
        (Break(np.nan, 2, after=False), "the loss was nan at step 1 of epoch 3"),
        (Break(np.inf, 1, after=True), "weights were not finite after the last step of epoch 2"),
    ],
)
def test_what_is_not_finite_stops_the_training_and_the_last_good_model_is_kept(breaks, message, tmp_path, faces):
    run = Run(method="mean_teacher", network="mlp", **{**QUICK, "epochs": 3}, output=str(tmp_path))
    with pytest.raises(ValueError, match=f"learning_rate and weight must be small enough to train with; {message}"):
        run.train(faces, [breaks])
    assert np.isfinite(logits(keras.saving.load_model(tmp_path / "model.keras"), faces.test.images)).all()


@pytest.mark.parametrize("method", ["mix_match", "mean_teacher", "temporal_ensembling"])
def test_a_training_that_is_killed_goes_on_as_if_it_had_not_been(method, faces, tmp_path, monkeypatch):
    settings = {**QUICK, "epochs": 3, "method": method, "network": "mlp"}
    expected = Run(**settings, output=str(tmp_path / "whole"))
    weights = expected.train(splits=faces).get_weights()
    run, move, calls = Run(**settings, output=str(tmp_path / "run")), os.replace, []

    def kill_at_the_second_state(source, target):
        calls.append(target)
        if [path.name for path in calls].count("state.npz") == 2:
            raise Killed
        move(source, target)

    monkeypatch.setattr(files.os, "replace", kill_at_the_second_state)
    with pytest.raises(Killed):
        run.train(splits=faces)
    monkeypatch.setattr(files.os, "replace", move)
    assert len(run.log) == 1 and (tmp_path / "run/state.npz").exists()
    again = run.train(splits=faces)
    assert all(map(np.array_equal, again.get_weights(), weights))
    assert (tmp_path / "run/log.csv").read_text() == (tmp_path / "whole/log.csv").read_text()
    assert run.train(splits=faces) is not again  # taken as it is, from its file
    assert all(map(np.array_equal, run.model.get_weights(), weights)) and list(run.log["epoch"]) == [1, 2, 3]
