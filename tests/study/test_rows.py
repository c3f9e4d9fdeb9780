"""Result rows on disk: whole, with what ran; damaged ones are skipped, not lost."""

import json
import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from thesis_lib import files, provenance
from thesis_lib.study.rows import read_rows, read_scenes


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


def test_a_truncated_row_is_reported_and_skipped(tmp_path):
    whole = '{"objective": "forward", "seed": 0}'
    for name, content in (("a", whole), ("b", whole[:20]), ("c", "[1]"), ("d", "{}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "row.json").write_text(content)
    with pytest.warns(UserWarning, match="is no whole result row and was skipped") as caught:
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


def test_runs_that_are_not_of_the_experiment_are_left_out_with_a_warning(tmp_path):
    for name in ("one_hot-seed0", "forward-seed0", "gone-seed0"):
        (tmp_path / name).mkdir()
        files.write_json(tmp_path / name / "row.json", {"objective": name, "seed": 0})
    with pytest.warns(UserWarning, match="1 runs in .* are not of the experiment and were left out"):
        rows = read_rows(tmp_path, runs={"one_hot-seed0": {}, "forward-seed0": {}})
    assert set(rows["run"]) == {"one_hot-seed0", "forward-seed0"}
    assert len(read_rows(tmp_path)) == 3
