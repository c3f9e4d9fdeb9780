"""A training that is killed after its first epoch, in the test's own process."""

from contextlib import contextmanager

import pytest

from thesis_lib.training.state import TrainingState


class Killed(BaseException):
    """What nobody catches."""


@contextmanager
def after_an_epoch(monkeypatch):
    """What trains within is killed as soon as the state of its first epoch is written."""

    def kill(state, epoch, logs=None, write=TrainingState.on_epoch_end):
        write(state, epoch, logs)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(TrainingState, "on_epoch_end", kill)
        with pytest.raises(Killed):
            yield
