"""Result rows on disk: whole, with what ran; damaged ones are skipped, not lost."""

import io
import json
import os
import re
import zipfile
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from thesis_lib import files, provenance
from thesis_lib.study.rows import read_row, read_rows, read_scenes


def test_rows_are_written_whole_and_say_what_ran(tmp_path):
    row = {
        "miou": np.float32(0.5),
        "ece": float("nan"),
        "counts": np.arange(2),
        "provenance": provenance.record({"seed": 1}),
    }
    files.write_json(tmp_path / "row.json", row)
    read = json.loads((tmp_path / "row.json").read_text())
    assert read["miou"] == 0.5 and read["ece"] is None and read["counts"] == [0, 1]
    assert read["provenance"]["parameters"] == {"seed": 1} and read["provenance"]["versions"]["keras"]
    assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?|unknown", read["provenance"]["commit"])
    assert [p.name for p in tmp_path.iterdir()] == ["row.json"]


def test_a_record_names_the_accelerators_that_the_backend_sees(monkeypatch):
    if keras.backend.backend() == "jax":
        import jax

        devices = [
            SimpleNamespace(platform="gpu", device_kind="NVIDIA H200"),
            SimpleNamespace(platform="cpu", device_kind="cpu"),
        ]
        monkeypatch.setattr(jax, "devices", lambda: devices)
    else:
        import tensorflow as tf

        monkeypatch.setattr(
            tf.config,
            "list_physical_devices",
            lambda kind: [SimpleNamespace(name="/physical_device:GPU:0")] if kind == "GPU" else [],
        )
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: {"device_name": "NVIDIA H200"})
    assert re.fullmatch(r".+, \d+ cores, NVIDIA H200", provenance.record({})["machine"])


NOT_ROWS = {
    '{"objective": "forw': "Unterminated string",
    "[1]": "it does not hold a JSON object",
    '[["objective", "forward"], ["seed", 0]]': "it does not hold a JSON object",
    '{"seed": 0}': "it does not hold objective$",
    "[" * 100_000: "recursion",
    b"\xff\xfe": "utf-8",
    "": "Expecting value",
}


@pytest.mark.parametrize("content", NOT_ROWS, ids=lambda content: repr(content[:25]))
def test_a_row_that_is_not_whole_is_named_and_what_it_lacks(tmp_path, content):
    path = tmp_path / "row.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=f"(?s){path} is no whole result row: .*{NOT_ROWS[content]}"):
        read_row(path, ("objective", "seed"))


def test_rows_that_are_not_whole_are_reported_and_skipped(tmp_path):
    for name, content in (("a", '{"objective": "forward", "seed": 0}'), ("b", "{"), ("c", "{}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "row.json").write_text(content)
    os.mkfifo(tmp_path / "row.json")  # to read it would wait for ever
    with pytest.warns(UserWarning, match="is no whole result row: .*; the run was skipped") as caught:
        rows = read_rows(tmp_path)
    assert rows["run"].tolist() == ["a"] and len(caught) == 3
    with pytest.raises(FileNotFoundError, match="results must be a folder of runs; got '.*nowhere'"):
        read_rows(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="results must hold at least one row.json"), pytest.warns(UserWarning):
        read_rows(tmp_path / "b")


def test_scores_of_scenes_that_are_missing_or_damaged_are_reported_and_skipped(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        np.savez_compressed(tmp_path / name / "scenes.npz", x=np.arange(5000))
    content = bytearray((tmp_path / "b" / "scenes.npz").read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "b" / "scenes.npz").write_bytes(content)
    (tmp_path / "c" / "scenes.npz").write_bytes(content[:100])
    with pytest.warns(UserWarning, match="holds no scores of scenes and its run was skipped") as caught:
        scores = read_scenes(tmp_path, ["a", "b", "c", "d"])
    assert scores[0]["x"].sum() == 5000 * 4999 / 2 and scores[1:] == [None] * 3
    assert sum("holds no scores" in str(warning.message) for warning in caught) == 3


def npz_of(header):
    """The bytes of an .npz whose only array has this header and no numbers."""
    stream, text = io.BytesIO(), header.encode()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    return stream.getvalue()


def npz(save=np.savez, **arrays):
    stream = io.BytesIO()
    save(stream, **arrays)
    return stream.getvalue()


SHAPE = "{'descr': '<i8', 'fortran_order': False, 'shape': (%d,)}\n"
NOT_SCENES = {
    "lacks": (npz(dice=np.ones(3)), "it does not hold union, x$"),
    "lengths": (npz(union=np.ones((3, 2)), x=np.ones(1)), r"its arrays must be of the same scenes; .*\(3,\).*\(1,\)"),
    "number": (npz(union=np.ones((3, 2)), x=np.array(1.0)), "its arrays must be of the same scenes"),
    "npy": (npz(lambda stream: np.save(stream, np.ones(3))), "it is a .npy file"),
    "pickle": (npz(union=np.array([{}]), x=np.ones(1)), "allow_pickle=False"),
    "huge": (npz_of(SHAPE % 10**14), "."),
    "more than 64 bits": (npz_of(SHAPE % 10**24), "."),
    "no header": (npz_of("(" * 100 + "\n"), "."),
    "empty": (b"", "."),
}


@pytest.mark.parametrize("kind", NOT_SCENES)
def test_scores_of_scenes_that_lack_an_entry_or_are_of_several_numbers_of_scenes_are_skipped(tmp_path, kind):
    content, reason = NOT_SCENES[kind]
    (tmp_path / "scenes.npz").write_bytes(content)
    with pytest.warns(UserWarning, match=f"(?s){tmp_path}/scenes.npz holds no scores of .*: .*{reason}"):
        assert read_scenes(tmp_path, ["."], needed=("union", "x")) == [None]


def test_runs_that_are_not_of_the_experiment_are_left_out_with_a_warning(tmp_path):
    for name in ("one_hot-seed0", "forward-seed0", "gone-seed0"):
        (tmp_path / name).mkdir()
        files.write_json(tmp_path / name / "row.json", {"objective": name, "seed": 0})
    with pytest.warns(UserWarning, match="1 runs in .* are not of the experiment and were left out"):
        rows = read_rows(tmp_path, runs={"one_hot-seed0": {}, "forward-seed0": {}})
    assert set(rows["run"]) == {"one_hot-seed0", "forward-seed0"}
    assert len(read_rows(tmp_path)) == 3
