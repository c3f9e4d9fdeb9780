"""A training that was killed."""

import pytest
from killed import Killed
from state_cases import Stop, fit

from thesis_lib.training.callbacks import ended


@pytest.fixture
def killed(tmp_path):
    """The folder of a training that was killed when its third epoch began."""
    with pytest.raises(Killed):
        fit(tmp_path / "run", 5, Stop(2))
    assert (tmp_path / "run/state.npz").exists() and not ended(tmp_path / "run", None)
    return tmp_path / "run"
