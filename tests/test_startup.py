import os

import pytest

from thesis_lib.startup import as_log_level_says

NOISE = [
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n",
    b"I0000 00:00:1795810969.997215   31987 port.cc:153] oneDNN custom operations are on.\n",
]
WARNING = b"W0000 00:00:1795810969.997654   31987 gpu_device.cc:2341] Cannot dlopen some GPU libraries.\n"


@pytest.mark.parametrize(
    ("level", "shown"), [("0", [*NOISE, WARNING, b"own\n"]), ("1", [WARNING, b"own\n"]), ("3", [b"own\n"])]
)
def test_lines_below_the_log_level_are_dropped_and_others_are_shown(level, shown, monkeypatch, capfdbinary):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    with as_log_level_says():
        os.write(2, b"".join([*NOISE, WARNING, b"own\n"]))
    assert capfdbinary.readouterr().err == b"".join(shown)


def test_an_error_within_is_raised_and_what_it_wrote_is_shown(monkeypatch, capfdbinary):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    with pytest.raises(ModuleNotFoundError), as_log_level_says():
        os.write(2, b"why\n")
        raise ModuleNotFoundError("jax")
    assert capfdbinary.readouterr().err == b"why\n"
