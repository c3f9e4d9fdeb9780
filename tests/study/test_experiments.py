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


ONE = "grid: [{objective: [one_hot]}]"


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "the file must be a mapping whose keys are text; got None"),
        ("grid", "the file must be a mapping .*; got 'grid'"),
        ("[1]", r"the file must be a mapping .*; got \[1\]"),
        (f"1: 2\n{ONE}", "the file must be a mapping whose keys are text"),
        (":\n- ]", "the file must be readable YAML; ParserError"),
        ("parameters: !!python/object:os.system {}", "the file must be readable YAML; ConstructorError"),
        ("[" * 10**4, "the file must be readable YAML; RecursionError"),
        ("parameters: {}", "grid must be a list of crossings, .*; got None"),
        ("grid: {objective: [one_hot]}", "grid must be a list of crossings"),
        ("grid: [[one_hot]]", r"each crossing of grid must be a mapping .*; got \['one_hot'\]"),
        ("grid: [{}]", "each crossing of grid must have an axis or more; got none"),
        (f"paramters: {{epochs: 3}}\n{ONE}", "its keys must be known ones, such as parameters; got 'paramters'"),
        (f"parameters: [epochs]\n{ONE}", r"parameters must be a mapping whose keys are text; got \['epochs'\]"),
        (f"parameters:\n{ONE}", "parameters must be a mapping whose keys are text; got None"),
        (f"parameters: {{epochs: 3, epochs: 9}}\n{ONE}", "keys must be given once .*; got 'epochs' twice .* line 1"),
        (f"{ONE}\n{ONE}", "keys must be given once in a mapping; got 'grid' twice"),
        (
            f"parameters: {{epoch: 3}}\n{ONE}",
            "parameters of 03_train_segmentation must be known .* epochs; got 'epoch'",
        ),
        (f"parameters: {{output: here}}\n{ONE}", "parameters of 03_train_segmentation must .*; got 'output'"),
        (f"parameters: {{settings: {{}}}}\n{ONE}", "parameters of 03_train_segmentation must .*; got 'settings'"),
        ("grid: [{objectve: [one_hot]}]", "must be known ones, such as objective; got 'objectve'"),
        ("grid: [{case: {a: {sigma: 1}}}]", "parameters of 03_train_segmentation must be known .*; got 'sigma'"),
        ("run: 09_train_few_labels\ngrid: [{objective: [one_hot]}]", "of 09_train_few_labels must .*; got 'objective'"),
        ("notebooks: {01_boundary_prior: {sigmas: 3}}\ngrid: []", "of 01_boundary_prior must .* sigma; got 'sigmas'"),
        ("notebooks: {01_boundary_prior: [3]}\ngrid: []", r"01_boundary_prior must be a mapping .*; got \[3\]"),
        ("notebooks: [01_boundary_prior]\ngrid: []", "notebooks must be a mapping whose keys are text"),
        ("run: ../notebooks/03_train_segmentation\ngrid: []", "run must name notebooks that are in notebooks/"),
        ("run: [1]\ngrid: []", r"run must name notebooks that are in notebooks/; got \[1\]"),
        ("grid: [{objective: forward}]", "objective must be a list of values or a mapping .*; got 'forward'"),
        ("grid: [{objective: []}]", r"objective must be a list of values .* not empty; got \[\]"),
        ("grid: [{case: {a: 3}}]", "a of case must be a mapping whose keys are text; got 3"),
        ("grid: [{case: {no: {seed: 1}}}]", "case must have names that are text or numbers; got False"),
        ("grid: [{objective: [..]}]", "every run must have a name of its own, of letters, .*; got '..'"),
        ("grid: [{seed: [1, 1]}]", "every run must have a name of its own; got 'seed1' twice"),
        (
            "grid: [{case: {x: {}}, target: {y-z: {}}}, {case: {x-y: {}}, target: {z: {}}}]",
            "every run must have a name of its own; got 'x-y-z' twice",
        ),
    ],
)
def test_what_a_sweep_gets_wrong_is_refused_with_its_file_and_key(tmp_path, text, message):
    (tmp_path / "e.yaml").write_text(text)
    with pytest.raises(ValueError, match=f"e.yaml: {message}|e.yaml: .*{message}"):
        experiments.read(tmp_path / "e.yaml")


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "e.yaml").write_bytes(b"grid: [\xff]")
    for path in (tmp_path / "e.yaml", tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ValueError, match=f"{path.name}: the file must be readable YAML"):
            experiments.read(path)


def test_merged_mappings_may_repeat_a_key(tmp_path):
    """`<<` takes over another mapping, of which a key may be given anew; so do mappings that are merged in turn."""
    (tmp_path / "e.yaml").write_text(
        "grid:\n- case:\n    a: &a {epochs: 1, seed: 0}\n    b: &b {<<: *a, seed: 1}\n    c: {<<: *b, seed: 2}\n"
    )
    assert experiments.runs(tmp_path / "e.yaml") == {
        name: {"epochs": 1, "seed": seed} for seed, name in enumerate("abc")
    }


def test_the_sample_sweep_runs_each_target_with_two_seeds():
    runs = experiments.read(REPOSITORY / "experiments" / "sample.yaml").runs.values()
    objectives = {run["objective"] for run in runs}
    assert {"one_hot_dice", "one_hot", "forward"} <= objectives <= set(OBJECTIVES)
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
