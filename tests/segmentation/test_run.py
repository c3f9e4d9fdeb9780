"""One training as an object: parameters checked, trained, resumed, scored."""

import json
import os
import shutil

import killed
import numpy as np
import pytest

from thesis_lib import parameters
from thesis_lib.data import read_image
from thesis_lib.segmentation import Run

SCENES = {
    "train_scenes": 12,
    "validation_scenes": 4,
    "test_scenes": 4,
    "annotator": "displacement",
    "annotator_parameters": {"sigma": 1.0, "correlation_length": 4.0},
    "width": 2,
    "depth": 2,
    "epochs": 2,
    "batch_size": 4,
}
ROOFS = {"data": "sample_data/buildings", "width": 2, "depth": 2, "epochs": 1, "batch_size": 4, "crop": 32, "tile": 96}


@pytest.fixture(scope="module")
def of_scenes(tmp_path_factory):
    run = Run(**SCENES, objective="forward", prior="fitted", output=str(tmp_path_factory.mktemp("scenes")))
    run.train()
    return run, run.scores()


@pytest.fixture(scope="module")
def of_roofs(tmp_path_factory):
    run = Run(**ROOFS, objective="forward_dice", output=str(tmp_path_factory.mktemp("roofs")))
    run.train()
    return run, run.scores()


def test_a_run_on_scenes_leaves_a_row_and_scores_of_each_scene(of_scenes):
    run, scores = of_scenes
    row = json.loads((run.folder / "row.json").read_text())
    assert row["objective"] == "forward" and row["prior"] == "fitted" and row["epochs_run"] == 2
    assert row["log_loss"] == pytest.approx(scores.row["log_loss"]) and row["believed_sigma_low"] > 0.5
    assert "tile" not in row and row["provenance"]["parameters"]["width"] == 2
    assert len(scores.images) == 4 and len(np.load(run.folder / "scenes.npz")["log_loss"]) == 4
    assert np.load(run.folder / "predictions.npz")["classes"].shape == (4, 64, 84)


def test_the_prediction_of_a_scene_is_what_its_probabilities_say(of_scenes):
    run, scores = of_scenes
    image = run.task.splits.test.images[1]
    np.testing.assert_array_equal(run.predict(image), scores.probabilities[1].argmax(-1))
    with pytest.raises(ValueError, match=r"image must be of shape \(H, W, 1\); got \(64, 84\)"):
        run.predict(image[..., 0])


def test_the_next_drawing_of_a_scene_is_forecast_by_the_blurred_prediction(of_scenes):
    run, scores = of_scenes
    forecast = run.annotation_probabilities(run.task.splits.test.images[1])
    log_loss = -np.log(np.take_along_axis(forecast, run.task.test_drawing()[1][..., None].astype(int), -1)).mean()
    assert log_loss == pytest.approx(scores.images["log_loss_of_drawing_blurred"][1], rel=1e-4)
    with pytest.raises(ValueError, match=r"image must be of shape \(H, W, 1\)"):
        run.annotation_probabilities(np.zeros((64, 84)))


def test_the_labels_to_learn_from_are_moved_back_by_the_known_bias():
    run = Run(**SCENES, prior_sigma=1.0, prior_mean=2.0)
    moved = run.task.labels[0] != run.task.drawn[0]
    assert moved.any() and run.variant(objective="one_hot").task.labels[0] is not run.task.labels[0]
    shift = run.variant(objective="shift")  # whose loss knows of the bias
    np.testing.assert_array_equal(shift.task.labels[0], run.task.drawn[0])
    assert np.isfinite(shift.loss()(run.task.drawn[0][:1], np.zeros((1, 64, 84, 11), "float32")))
    one_hot = run.variant(objective="one_hot")
    np.testing.assert_array_equal(one_hot.task.labels[0], run.task.drawn[0])
    assert one_hot.task.splits is run.task.splits and run.variant(test_scenes=3).task.splits is not run.task.splits


def test_labels_stay_where_they_are_for_a_loss_that_knows_of_the_bias():
    run = Run(**SCENES, prior_sigma=1.0, prior_mean=2.0, objective="shift")
    np.testing.assert_array_equal(run.task.labels[0], run.task.drawn[0])
    assert run.loss().prior.mean == 2.0 and run.loss().background == run.task.background


def test_a_bias_that_is_measured_on_true_labels_is_taken_out_for_any_loss_that_does_not_know_of_it():
    drawn = {"annotator_parameters": {"sigma": 1.0, "correlation_length": 4.0, "mean": 2.0}}
    run = Run(**{**SCENES, **drawn}, objective="one_hot_dice", prior="measured", bias_against="judge")
    assert run.task.bias == pytest.approx(2.0, abs=0.3)
    maps = run.task.splits.train.labels, run.task.drawn[0], run.task.labels[0]
    true, drawn, moved = ((labels != run.task.background).sum() for labels in maps)
    assert moved == pytest.approx(true, rel=0.15) and drawn > 1.3 * true
    assert run.variant(bias_against=None).task.bias == 0.0
    assert run.variant(objective="forward").task.bias == run.variant(objective="forward", bias_against=None).task.bias
    assert run.variant(objective="forward", bias_against="none").task.bias == 0.0
    with pytest.raises(ValueError, match="bias_against must be None or 'none' for the objective shift.*'judge'"):
        run.variant(objective="shift").train()
    with pytest.raises(ValueError, match="bias_against must be 'judge', 'none' or None where .* scenes.*; got 'cons"):
        run.variant(bias_against="consensus").train()


def test_a_run_on_a_folder_measures_its_annotators_and_writes_predictions(of_roofs):
    run, scores = of_roofs
    assert run.task.annotators == ["a", "b"] and run.prior_kind == "fitted"
    assert run.boundary_prior == run.task.agreement.prior and set(run.task.biases) == {"a", "b"}
    assert scores.images.index.tolist() == ["scene00", "scene01"] and "building" in scores.classes.index
    row = json.loads((run.folder / "row.json").read_text())
    assert row["iou"] == pytest.approx(scores.images["iou"].mean()) and "annotator_parameters" not in row
    image = run.task.splits.test.image(0)
    classes = run.task.splits.classes.to_classes(read_image(run.folder / "test" / "scene00_classes.png"))
    np.testing.assert_array_equal(run.predict(image), classes)


def test_deeplab_trains_on_grey_scenes(tmp_path):
    """U-Net on scenes and on a folder is trained above, DeepLabV3+ on a folder in notebook 8."""
    own = {"network": "deeplab", "resnet_depth": 18, "filters": 4, "dilation_rates": [1], "objective": "fixed_adjacent"}
    scenes = {name: value for name, value in SCENES.items() if name not in ("width", "depth")} | {"epochs": 1}
    run = Run(**scenes, **own, output=str(tmp_path))
    run.train()
    assert np.isfinite(run.scores().row["log_loss"])


def test_a_killed_run_resumes_and_a_finished_one_is_taken_as_it_is(tmp_path, monkeypatch):
    """Processes are killed in the test of `make report`."""
    settings = {**SCENES, "epochs": 3, "augment": False, "output": str(tmp_path / "killed")}
    with killed.after_an_epoch(monkeypatch):
        Run(**settings).train()
    run = Run(**settings)
    run.train()
    assert run.log()["epoch"].tolist() == [0, 1, 2]
    written = (run.folder / "best.keras").stat().st_mtime_ns
    run.train()
    assert (run.folder / "best.keras").stat().st_mtime_ns == written
    assert not run.scored
    run.scores()
    copy = shutil.copytree(run.folder, tmp_path / "copy", copy_function=shutil.copyfile)  # of the contents alone
    os.utime(copy / "row.json", (0, 0))
    assert run.scored and run.variant(output=str(copy)).scored
    run.train(reuse=False)
    assert (run.folder / "best.keras").stat().st_mtime_ns > written and not run.scored
    assert run.identity != Run(**{**settings, "test_scenes": 3}).identity  # other data: such a run starts afresh


def test_without_anything_known_of_the_annotators_an_objective_that_needs_it_says_so(tmp_path):
    run = Run(train_scenes=4, objective="forward", output=str(tmp_path))
    assert run.prior_kind is None and Run(objective="one_hot").prior_kind is None
    with pytest.raises(ValueError, match="prior_sigma must be given, for example 1.5"):
        run.train()


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"epochs": 0}, "epochs must be a whole number from 1; got 0"),
        ({"seed": 2**32}, "seed must be a whole number from 0 to 4294967295; got 4294967296"),
        ({"augment": "false"}, "augment must be True or False; got 'false'"),
        ({"annotator_parameters": "x"}, "annotator_parameters must be a mapping; got 'x'"),
        ({"objective": "typo"}, "objective must be one of dice, .*; got 'typo'"),
        ({"network": "segformer"}, "network must be one of deeplab, unet; got 'segformer'"),
        ({"xla": "yes"}, "xla must be True, False or 'auto'; got 'yes'"),
        ({"data": 1.5}, "data must be 'sample', a number of scenes, or a path; got 1.5"),
        ({"tile": 96}, "tile must be left at 224 where the data are scenes; got 96"),
        (
            {"crops_per_image": 2},
            "crops_per_image must be left at 1 where whole scenes are learned, without a crop; got 2",
        ),
        ({"crop": 32, "augment": True}, "augment must be left at False beside a crop"),
        ({"filters": 64}, "filters must be left at 256 for the network unet, which does not have it; got 64"),
        ({**ROOFS, "train_scenes": 3}, "train_scenes must be left at None where the data are a folder"),
        ({**ROOFS, "search_radius": 1e200}, r"search_radius must be a finite number in \[0.5, 1000\]; got 1e\+200"),
        ({"depth": 2**31}, "depth must be a whole number from 1 to 16; got 2147483648"),
        ({"network": "deeplab", "weights": np.zeros(3)}, "weights must be a path; got"),
        ({**ROOFS, "annotators": ["a", "a"]}, "annotators must be a list of different names"),
        ({**ROOFS, "output": "sample_data/buildings"}, "output must be another folder than data"),
        ({"network": "deeplab", "resnet_depth": 20}, "resnet_depth must be 18, 50 or 101; got 20"),
        ({"network": "deeplab", "dilation_rates": []}, "dilation_rates must be a list of whole numbers from 1"),
        ({"tile": 32, "margin": 16}, "tile must be more than"),
    ],
)
def test_a_wrong_value_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        Run(**wrong)


def test_settings_that_are_no_fields_are_named():
    with pytest.raises(
        ValueError, match=r"settings must be fields of Run, one of data, .*; got 'epoch'; did you mean 'epochs'\?"
    ):
        parameters.create(Run, {"epochs": 3}, {"epoch": 4})
    with pytest.raises(ValueError, match=r"settings must be a mapping .*; got '\{depth: 2\}'; papermill takes .* -y"):
        parameters.create(Run, {"epochs": 3}, "{depth: 2}")
    with pytest.raises(ValueError, match="epochs must be given once; it is a parameter and in settings"):
        parameters.create(Run, {"epochs": 3}, {"epochs": 4})
    assert parameters.create(Run, {"epochs": 3}, {"depth": 2}).depth == 2


def test_every_field_is_documented_with_its_unit_and_default():
    for name in Run.__dataclass_fields__:
        assert f"        {name}: " in Run.__doc__
    expected = (
        "search_radius: largest displacement that is measured: at least four sigma, less than from object to object:"
    )
    assert f"{expected} a number in [0.5, 1000], px" in " ".join(Run.__doc__.split())


def test_data_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="data must be 'sample'.*got '.*nowhere'"):
        Run(data="nowhere", output=str(tmp_path)).train()


def test_scores_before_a_training_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no trained network: call train"):
        Run(output=str(tmp_path)).scores()
