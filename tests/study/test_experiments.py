"""Sweeps: from a file with a grid to named runs whose parameters exist."""

import re

import nbformat
import pytest

from thesis_lib.annotation import simulated
from thesis_lib.paths import REPOSITORY
from thesis_lib.semi_supervised import run as few_labels
from thesis_lib.study import experiments
from thesis_lib.targets import objectives


def test_an_experiment_file_becomes_named_runs(tmp_path):
    (tmp_path / "e.yaml").write_text(
        "parameters: {epochs: 3}\n"
        "grid:\n"
        "- objective: [one_hot, forward]\n"
        "  case: {small: {prior_sigma: 1.0, annotator_parameters: {sigma: 1.0}}}\n"
        "  seed: [0, 1]\n"
    )
    runs = experiments.runs(tmp_path / "e.yaml")
    assert list(runs) == ["one_hot-small-seed0", "one_hot-small-seed1", "forward-small-seed0", "forward-small-seed1"]
    assert runs["forward-small-seed1"] == {
        "epochs": 3, "objective": "forward", "prior_sigma": 1.0, "annotator_parameters": {"sigma": 1.0}, "seed": 1,
    }  # fmt: skip
    assert [list(part) for part in experiments.parts(tmp_path / "e.yaml")] == [
        list(runs)[:2],
        list(runs)[2:],
    ]  # by the first axis
    (tmp_path / "e.yaml").write_text("stories: {01_boundary_prior: {}, 99_nothing: {}}\ngrid: []")
    with pytest.raises(ValueError, match="must name notebooks that are in notebooks/; got '99_nothing'"):
        experiments.notebooks(tmp_path / "e.yaml")
    (tmp_path / "e.yaml").write_text("stories:\n  # 01_boundary_prior: {}\ngrid: []")
    assert experiments.notebooks(tmp_path / "e.yaml")["stories"] == {}
    for wrong in ("grid", "parameters: {}", ":\n- ]", "grid: [{objective: forward}]", "grid: [{a: [..]}]",
                  "grid: [{a: [x], b: [y-z]}, {a: [x-y], b: [z]}]"):  # fmt: skip
        (tmp_path / "e.yaml").write_text(wrong)
        with pytest.raises(ValueError, match="e.yaml must be a YAML file with"):
            experiments.runs(tmp_path / "e.yaml")


def test_the_sample_sweep_runs_every_objective_with_two_seeds():
    runs = experiments.runs(REPOSITORY / "experiments" / "sample.yaml").values()
    # fixed_uniform is uniform smoothing under its other name; the sums of losses are for larger comparisons
    left_out = {"fixed_uniform", "forward_uniform", "forward_dice", "one_hot_dice"}
    assert {run["objective"] for run in runs} == set(objectives.OBJECTIVES) - left_out
    assert len(runs) == 2 * len({run["objective"] for run in runs})


def parameters_of(notebook):
    (cell,) = [
        c
        for c in nbformat.read(REPOSITORY / f"notebooks/{notebook}.ipynb", 4).cells
        if "parameters" in c.metadata.get("tags", [])
    ]
    return set(re.findall(r"^(\w+) =", cell.source, flags=re.MULTILINE))


@pytest.mark.parametrize("path", sorted((REPOSITORY / "experiments").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_parameter_of_an_experiment_exists(path):
    notebooks = experiments.notebooks(path)
    for name, parameters in notebooks["stories"].items():
        assert set(parameters or {}) <= parameters_of(name)
    known = parameters_of(notebooks["run"])
    for run in experiments.runs(path).values():
        assert set(run) <= known
        if "annotator" in run:
            assert simulated.annotator(run["annotator"], **run.get("annotator_parameters", {}))
            assert run["objective"] in objectives.OBJECTIVES
        if "method" in run:
            assert few_labels.Run(**{k: v for k, v in run.items() if k != "data"})
