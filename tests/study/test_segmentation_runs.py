"""Runs of a sweep as they are read: how each is labelled, and which are left out or refused."""

import json

import numpy as np
import pytest
from sweep_cases import SCENES, USUAL, write_run

from thesis_lib import files
from thesis_lib.study.segmentation_runs import read


def test_runs_are_labelled_by_case_and_target(rows):
    assert list(dict.fromkeys(rows["case"])) == [
        "no error, 100 scenes, 5 epochs",
        "sigma 1 px, 100 scenes, 5 epochs",
        "sigma 2 px, 100 scenes, 5 epochs",
        "sigma 1 px, 50 scenes, 5 epochs",
        "sigma 1 px, 100 scenes, 50 epochs",
    ]
    usual = rows[rows["case"] == "sigma 1 px" + USUAL]
    assert usual.groupby("variant", sort=False)["target"].unique().map(list).to_dict() == {
        "": ["one_hot", "posterior", "forward", "dice"],
        "magnitude": ["weighted_adjacent, m = 0.8", "weighted_adjacent, m = 0.9"],
        "fitted": ["forward, prior fitted on 5", "forward, prior fitted on 20"],
        "assumed": ["forward, sigma 0.25 px assumed", "forward, sigma 4 px assumed"],
    }
    fitted = usual[usual["target"] == "forward, prior fitted on 5"].iloc[0]
    assert (fitted["objective"], fitted["how"]) == ("forward", "prior fitted on 5")
    assert fitted["title"] == "forward likelihood, prior fitted on 5"


def test_scenes_where_nothing_is_found_are_counted(tmp_path):
    write_run(tmp_path, "one", 0, 0, objective="one_hot")
    scenes = dict(np.load(tmp_path / "one" / "scenes.npz"))
    for name, value in (("surface_distance", 105.6), ("hausdorff95", 105.6), ("surface_dice", 0.0)):
        scenes[name] = np.where(np.arange(SCENES) < 3, value, scenes[name])
    np.savez(tmp_path / "one" / "scenes.npz", **scenes)
    assert read(tmp_path)["nothing_found"].tolist() == [3]


def test_annotators_that_differ_in_any_parameter_are_cases_of_their_own(tmp_path):
    for width in (1, 2):
        write_run(
            tmp_path,
            f"w{width}",
            0,
            0,
            objective="one_hot",
            annotator="morphological",
            annotator_parameters={"low": -1, "high": 1, "some_width": width},
        )
    assert read(tmp_path)["case"].tolist() == ["morphological, some width 1", "morphological, some width 2"]


def test_runs_of_one_objective_are_told_apart_by_method_and_labels(tmp_path):
    taught = {"labelled": 9, "method": "mean_teacher", "consistency_weight": 10.0}
    average = {**taught, "consistency_weight": 0.0}
    for name, own in {"all": {}, "few": {"labelled": 9}, "taught": taught, "without": average}.items():
        write_run(tmp_path, name, 0.1, 0, objective="one_hot", **own)
    assert read(tmp_path)["target"].tolist() == [
        "one_hot",
        "one_hot, 9 labelled",
        "one_hot, mean teacher, 9 labelled",
        "one_hot, mean teacher, consistency weight 0, 9 labelled",
    ]


def test_runs_whose_prior_was_measured_within_another_radius_are_told_apart(tmp_path):
    for name, own in {"a": {"objective": "one_hot"}, "b": {"objective": "shift"}}.items():
        write_run(tmp_path, name, 0.1, 0, search_radius=15.0, **own)
    write_run(tmp_path, "c", 0.1, 0, objective="shift", search_radius=5.0)
    assert read(tmp_path)["target"].tolist() == ["one_hot", "shift", "shift, search radius 5 px"]


def test_sweeps_that_cannot_be_compared_are_refused(tmp_path):
    write_run(tmp_path / "a", "one", 0, 0, objective="one_hot")
    write_run(tmp_path / "a", "two", 0, 0, objective="one_hot")
    with pytest.raises(ValueError, match=r"one run for each case, target and seed; got several: \['one', 'two'\]"):
        read(tmp_path / "a")
    write_run(tmp_path / "b", "one", 0, 0, objective="one_hot")
    write_run(tmp_path / "b", "two", 0, 0, objective="forward", width=16)
    with pytest.raises(ValueError, match=r"results must be of one width to be compared; got \['16', '8'\]"):
        read(tmp_path / "b")
    (tmp_path / "b" / "two" / "scenes.npz").write_bytes(b"PK")
    (tmp_path / "b" / "one" / "scenes.npz").unlink()
    with (
        pytest.warns(UserWarning, match="holds no scores"),
        pytest.raises(ValueError, match="a run with scores of scenes"),
    ):
        read(tmp_path / "b")


@pytest.mark.parametrize("name", ["annotator_parameters", "background", "prior_scenes", "learning_rate"])
def test_a_run_whose_row_lacks_an_entry_is_named_and_left_out(tmp_path, name):
    for run in ("whole", "lacking"):
        write_run(tmp_path, run, 0.1, 0, objective="forward")
    path = tmp_path / "lacking" / "row.json"
    row = json.loads(path.read_text())
    files.write_json(path, {key: value for key, value in row.items() if key != name})
    with pytest.warns(UserWarning, match=f"lacking/row.json .* it does not hold {name}; the run was skipped"):
        assert read(tmp_path)["run"].tolist() == ["whole"]


@pytest.mark.parametrize("name", ["union", "surface_distance"])
def test_a_run_whose_scores_of_scenes_lack_an_entry_is_named_and_left_out(tmp_path, name):
    for run in ("whole", "lacking"):
        write_run(tmp_path, run, 0.1, 0, objective="forward")
    path = tmp_path / "lacking" / "scenes.npz"
    scenes = dict(np.load(path))
    np.savez(path, **{key: value for key, value in scenes.items() if key != name})
    with pytest.warns(UserWarning, match=f"lacking/scenes.npz holds no .*: it does not hold {name}"):
        assert read(tmp_path)["run"].tolist() == ["whole"]


@pytest.mark.parametrize("name", ["objective", "annotator"])
def test_a_row_of_an_unknown_objective_or_annotator_is_named(tmp_path, name):
    write_run(tmp_path, "a", 0.1, 0, **{"objective": "forward", name: "nonsense"})
    with pytest.raises(ValueError, match=f"{name} of a must be one of .*; got 'nonsense'"):
        read(tmp_path)
