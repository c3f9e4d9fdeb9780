"""A state that is damaged, of another training or not written whole is named, and so is a full disk."""

import errno
import json

import numpy as np
import pandas as pd
import pytest
from state_cases import fit

from thesis_lib.training.callbacks import ended, full_disk_named


@pytest.mark.parametrize("damage", ["cut", "zeros", "other run", "no zip"])
def test_a_state_that_is_damaged_or_of_another_run_is_set_aside_and_said(killed, damage):
    path = killed / "state.npz"
    stored = path.read_bytes()
    if damage != "other run":
        changed = {"cut": stored[:600], "zeros": stored[:300] + bytes(len(stored) - 300), "no zip": b"?"}[damage]
        path.write_bytes(changed)
    why = "of a run with other parameters or data" if damage == "other run" else "damaged"
    with pytest.warns(UserWarning, match=f"state.npz is {why}.*; training starts afresh; it is now old.state.npz"):
        fit(killed, 5, run={"objective": "dice"} if damage == "other run" else None)
    assert len(pd.read_csv(killed / "log.csv")) == 5 and (killed / "old.state.npz").exists()


@pytest.mark.parametrize("change", ["lacks an entry", "other shape", "fewer variables"])
def test_a_state_that_another_version_of_the_code_left_is_set_aside_and_said(killed, change):
    with np.load(killed / "state.npz") as file:
        arrays = dict(file)
    if change == "lacks an entry":
        about = json.loads(arrays["about"].tobytes())
        del about["callbacks"]
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    elif change == "other shape":
        arrays["weight0"] = arrays["weight0"][:1]
    else:
        del arrays["weight0"]
    np.savez(killed / "state.npz", **arrays)
    why = "of another version of this library" if change == "lacks an entry" else "of another network"
    with pytest.warns(UserWarning, match=f"state.npz is {why}; training starts afresh; it is now old.state.npz"):
        fit(killed, 5)
    assert len(pd.read_csv(killed / "log.csv")) == 5 and (killed / "old.state.npz").exists()


def test_without_space_the_file_is_named_and_nothing_finished_is_touched(killed, monkeypatch):
    before = (killed / "state.npz").read_bytes()

    def full(path, *args, **arrays):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space is left to write .*state.npz; what was there is unchanged"):
        fit(killed, 5)
    assert (killed / "state.npz").read_bytes() == before and not list(killed.glob(".partial*"))


def test_a_state_that_does_not_read_back_is_not_taken(killed, monkeypatch):
    before, real = (killed / "state.npz").read_bytes(), np.savez

    def torn(path, **arrays):
        real(path, **arrays)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 255
        path.write_bytes(content)

    monkeypatch.setattr(np, "savez", torn)
    with pytest.raises(OSError, match="state.npz could not be written: it does not read back as it was"):
        fit(killed, 5)
    assert (killed / "state.npz").read_bytes() == before


def test_what_ended_without_a_model_that_can_be_read_has_not_ended(killed):
    fit(killed, 3)
    assert ended(killed, None)
    (killed / "best.keras").write_bytes(b"")
    assert not ended(killed, None)
    (killed / "ended").write_bytes(b"\xff\xfe")
    assert not ended(killed, None)


def test_a_full_disk_is_named_whoever_meets_it(tmp_path):
    message = f"no space is left to write in {tmp_path}; what was there is unchanged"
    with pytest.raises(OSError, match=message), full_disk_named(tmp_path):
        raise RuntimeError("events.out.v2; No space left on device\n\tCould not initialize events writer")  # TensorFlow
    with pytest.raises(ValueError, match="another error"), full_disk_named(tmp_path):
        raise ValueError("another error")
