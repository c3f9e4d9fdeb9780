"""Sweeps: from a file with a grid to named runs whose parameters exist."""

import pytest

from thesis_lib import segmentation, semi_supervised
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import experiments
from thesis_lib.targets import OBJECTIVES


def test_an_experiment_file_becomes_named_runs(tmp_path):
    (tmp_path / "e.yaml").write_text(
        "parameters: {epochs: 3}\n"
        "grid:\n"
        "- objective: [one_hot, forward]\n"
        "  case: {small: {prior_sigma: 1.0, annotator_parameters: {sigma: 1.0}}}\n"
        "  seed: [0, 1]\n"
    )
    experiment = experiments.read(tmp_path / "e.yaml")
    runs = experiment.runs
    assert runs == experiments.runs(tmp_path / "e.yaml") and list(runs) == [
        "one_hot-small-seed0",
        "one_hot-small-seed1",
        "forward-small-seed0",
        "forward-small-seed1",
    ]
    common = {"epochs": 3, "prior_sigma": 1.0, "annotator_parameters": {"sigma": 1.0}}
    assert runs["forward-small-seed1"] == {**common, "objective": "forward", "seed": 1}
    assert [list(part) for part in experiment.parts] == [list(runs)[:2], list(runs)[2:]]  # by the first axis
    (tmp_path / "e.yaml").write_text("notebooks: {01_boundary_prior: {}, 99_nothing: {}}\ngrid: []")
    with pytest.raises(ValueError, match="must name notebooks that are in notebooks/; got '99_nothing'"):
        experiments.read(tmp_path / "e.yaml")
    (tmp_path / "e.yaml").write_text("notebooks:\n  # 01_boundary_prior: {}\ngrid: []")
    assert experiments.read(tmp_path / "e.yaml").notebooks == {}
    for wrong in (
        "grid",
        "parameters: {}",
        ":\n- ]",
        "grid: [{objective: forward}]",
        "grid: [{a: [..]}]",
        "grid: [{a: [x], b: [y-z]}, {a: [x-y], b: [z]}]",
    ):
        (tmp_path / "e.yaml").write_text(wrong)
        with pytest.raises(ValueError, match="e.yaml must be a YAML file with"):
            experiments.runs(tmp_path / "e.yaml")


def test_the_sample_sweep_runs_each_target_with_two_seeds():
    runs = experiments.read(REPOSITORY / "experiments" / "sample.yaml").runs.values()
    objectives = {run["objective"] for run in runs}
    assert {"one_hot", "posterior", "forward"} <= objectives <= set(OBJECTIVES)
    assert len(runs) == 2 * len(objectives)


def test_what_a_notebook_has_no_parameter_for_goes_into_its_settings():
    values = {"objective": "dice", "patience": 3, "width": 4}
    given = experiments.for_notebook("03_train_segmentation", values)
    assert given == {"objective": "dice", "settings": {"patience": 3, "width": 4}}
    assert experiments.for_notebook("03_train_segmentation", {"seed": 1}) == {"seed": 1}


@pytest.mark.parametrize("path", sorted((REPOSITORY / "experiments").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_run_of_an_experiment_can_be_made(path):
    experiment = experiments.read(path)
    for name, values in experiment.notebooks.items():
        assert "settings" not in experiments.for_notebook(name, values)
    kind = semi_supervised.Run if experiment.run == "09_train_few_labels" else segmentation.Run
    for values in experiment.runs.values():
        assert kind(**values)
