"""A folder that two people drew: trained on one of them, judged by the other, cross-validated."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from thesis_lib.annotation import agreement, shift_boundaries
from thesis_lib.data import Crops
from thesis_lib.metrics import calibration
from thesis_lib.paths import data_folder
from thesis_lib.segmentation import Run, drawn_rasters, raster_task
from thesis_lib.segmentation.rules import LATER

SETTINGS = {"folds": 3, "annotators": ["a"], "judge": "b", "width": 2, "depth": 1, "epochs": 1, "batch_size": 4}
SETTINGS |= {"crop": 32, "tile": 32, "margin": 4, "workers": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Nine images of bright discs; b draws each about two pixels larger than a does."""
    folder = tmp_path_factory.mktemp("drawn")
    generator = np.random.default_rng(0)
    at = np.indices((48, 80))
    for name in ("images", "masks_a", "masks_b"):
        (folder / name).mkdir()
    for i in range(9):
        centres = [(16, 16), (30, 45), (20, 66)] + generator.integers(-3, 4, (3, 2))
        distance = np.min([np.hypot(at[0] - row, at[1] - column) for row, column in centres], axis=0)
        wobble = generator.normal(0, 0.3, distance.shape)
        save(folder / "images" / f"{i}.png", np.clip(200 - 12 * distance + generator.normal(0, 8, at[0].shape), 0, 255))
        save(folder / "masks_a" / f"{i}.png", 255 * (distance + wobble < 6))
        save(folder / "masks_b" / f"{i}.png", 255 * (distance - wobble < 8))
    return folder


def save(path, picture):
    Image.fromarray(picture.astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    output = str(tmp_path_factory.mktemp("run"))
    run = Run(data=str(folder), **SETTINGS, fold=1, objective="forward", prior="population", output=output)
    run.train()
    return run, run.scores()


def run_on(folder, **changes):
    return Run(**{"data": str(folder), **SETTINGS, "objective": "forward", "prior": "fitted", **changes})


def test_the_row_and_the_scores_of_images_hold_all_that_judges_a_network(trained):
    run, scores = trained
    row, arrays = json.loads((run.folder / "row.json").read_text()), np.load(run.folder / "scenes.npz")
    names = ["dice", "surface_distance", "boundary_bias", "volume_ratio", "log_loss", "log_loss_blurred"]
    names += ["ece", "ece_blurred", "dice_tuned", "surface_distance_tuned"]
    for name in names:
        assert row[name] is None or row[name] == pytest.approx(scores.images[name].mean())
        np.testing.assert_array_equal(arrays[name], scores.images[name])
    assert arrays["raster"].tolist() == [path.stem for path in run.task.splits.test.images]
    assert (row["fold"], row["judge"], row["prior"]) == (1, "b", "population") and 0 < row["threshold"] <= 1
    assert row["scores_of_annotators"]["a"]["dice"] == pytest.approx(arrays["dice of a"].mean())
    assert row["scores_of_annotators"]["a"]["boundary_bias"] == pytest.approx(-2, abs=0.3)


def test_the_judge_judges_the_test_images_and_is_not_learned_from(folder):
    run = run_on(folder, objective="one_hot")
    training, validation = run.task.batches()
    assert training.annotators == ["a"] and set(training.rasters.masks) == {"a"}
    names = [path.stem for path in run.task.splits.validation.images]
    np.testing.assert_array_equal(validation[0][1][0, :32, :32], read(folder / "masks_a" / f"{names[0]}.png")[:32, :32])
    assert run.task.watched() == {"monitor": "val_loss", "mode": "min"}
    own, other = run.task.annotator_scores("b"), run.task.annotator_scores("a")
    assert (own["dice"] == 1).all() and (own["boundary_bias"].abs() < 0.02).all()
    assert (other["dice"] < 0.9).all() and (other["volume_ratio"] < 0.8).all()
    with pytest.raises(ValueError, match="annotator must be one of a, b; got 'c'"):
        run.task.annotator_scores("c")


def read(path):
    return (np.asarray(Image.open(path)) > 0).astype(np.uint8)


def test_validation_compares_with_every_annotator_to_train_on(folder):
    run = run_on(folder, annotators=["a", "b"], objective="one_hot")
    validation = run.task.batches()[1].rasters
    count = len(run.task.splits.validation)
    assert len(validation) == 2 * count and validation.images[0] == validation.images[count]
    for i, name in ((0, "a"), (count, "b")):
        np.testing.assert_array_equal(validation.mask(i), run.task.splits.validation.mask(0, name))
    gold = run_on(folder, annotators=["b"], objective="one_hot")  # trained on the judge: the ceiling
    np.testing.assert_array_equal(gold.task.batches()[1].rasters.mask(0), gold.task.splits.validation.mask(0, "b"))
    assert run_on(folder, annotators=None).task.annotators == ["a"]


def test_the_prior_is_that_of_the_first_training_images_drawn_by_both(folder):
    run = run_on(folder, gold_images=3)
    some = run.task.splits.train[:3]
    drawings = {name: [some.mask(i, name) for i in range(3)] for name in "ab"}
    measured = agreement(drawings, background=0)
    assert run.boundary_prior == measured.prior
    assert run.variant(prior="population").boundary_prior == measured.population
    against_judge = agreement({"a": drawings["a"]}, drawings["b"], 0)
    assert run.variant(prior="measured").boundary_prior == against_judge.prior
    assert run.task.gold_agreement.annotators["a"].mean == pytest.approx(-2, abs=0.3)


def test_the_bias_is_taken_out_against_the_consensus_or_the_judge_or_not_at_all(folder):
    run = run_on(folder, gold_images=3)
    assert run.task.biases["a"] == pytest.approx(-1, abs=0.2) and list(run.task.biases) == ["a"]
    assert run.variant(bias_against="consensus").task.biases == run.task.biases
    assert run.variant(bias_against="judge").task.biases["a"] == pytest.approx(-2, abs=0.3)
    for unbiased in (run.variant(bias_against="none"), run.variant(objective="one_hot")):
        assert unbiased.task.biases == {"a": 0.0} and unbiased.task.transform is None
    shift = {"objective": "shift", "prior": "known", "prior_sigma": 1.0, "prior_mean": -2.0}
    assert run.variant(**shift).task.biases == {"a": 0.0}  # the bias is in the loss
    assert run.variant(objective="shift").task.biases == run.task.biases
    removed = run.variant(objective="one_hot", bias_against="judge").task
    mask = removed.splits.validation.mask(0, "a")
    moved = shift_boundaries(mask, -removed.biases["a"], 0)
    assert moved.sum() > 1.3 * mask.sum()
    np.testing.assert_array_equal(removed.batches()[1].rasters.mask(0), moved)
    with pytest.raises(ValueError, match="bias_against must be 'none' or None where no such bias.*; got 'judge'"):
        run_on(folder, annotators=["b"], bias_against="judge").task.transform  # noqa: B018


@pytest.mark.parametrize("displacement", [-0.353, 0.353])
def test_a_small_shift_moves_no_boundary(blobs, displacement):
    """No pixel's centre is nearer to a boundary than that of a single pixel to its own, a diamond."""
    assert abs(displacement) < drawn_rasters.STILL
    dots = (np.random.default_rng(0).random((2, 40, 40)) < 0.3).astype(np.uint8)
    for maps in (blobs[:2], dots):
        np.testing.assert_array_equal(shift_boundaries(maps, displacement, 0), maps)
    assert shift_boundaries(dots, -0.36, 0).sum() < dots.sum()


def test_what_the_annotator_draws_next_is_the_blurred_prediction(trained):
    run, scores = trained
    test = run.task.splits.test
    image = test.image(0)
    forecast, believed = run.annotation_probabilities(image), run.probabilities(image)
    assert forecast.shape == believed.shape == (48, 80, 2) and forecast.sum(-1) == pytest.approx(1, abs=1e-5)
    assert np.abs(np.diff(forecast[..., 1])).max() < np.abs(np.diff(believed[..., 1])).max()
    expected = calibration.scores(test.mask(0, "b")[None], forecast[None])
    of_image = scores.images.loc[test.images[0].stem]
    assert of_image["log_loss_blurred"] == pytest.approx(expected["log_loss"], rel=1e-4)
    assert of_image["ece_blurred"] == pytest.approx(expected["ece"], rel=1e-2, abs=1e-4)


def test_without_a_second_drawing_there_is_no_prior_and_no_blurred_score(folder, trained):
    run = run_on(folder, gold_images=0, objective="one_hot", prior=None, output=trained[0].output)
    assert run.task.agreement is None and run.task.prior_of_drawings is None
    with pytest.raises(ValueError, match="prior_sigma must be given"):
        run.annotation_probabilities(trained[0].task.splits.test.image(0))


def test_variants_read_check_and_measure_their_folder_once(folder, tmp_path):
    for name in ("images", "masks_a", "masks_b"):
        (tmp_path / name).mkdir()
        for path in (folder / name).iterdir():
            (tmp_path / name / path.name).write_bytes(path.read_bytes())
    run = run_on(tmp_path, gold_images=2)
    first, second = run.variant(objective="posterior"), run.variant(seed=1)
    third = second.variant(objective="one_hot")
    first.task.prepare()
    splits, measured = first.task.splits, first.task.agreement
    for path in (tmp_path / "images").iterdir():
        path.unlink()  # nothing is read or checked again
    for one in (run, second, third):
        one.task.prepare()
        assert one.task.splits is splits and one.task.agreement is measured
    assert run.variant(fold=1).task.base is None and run.variant(judge=None).task.base is None


def test_crops_are_the_same_from_memory_and_from_files(folder, monkeypatch):
    run = run_on(folder, gold_images=2, crops_per_image=2)
    kept = run.task.crops()
    monkeypatch.setattr(raster_task, "IN_MEMORY", 0)
    read_again = run.task.crops()
    assert isinstance(read_again, Crops) and read_again.rasters is run.task.labelled is not kept.rasters
    for index in range(len(kept)):
        for one, other in zip(kept[index], read_again[index]):
            np.testing.assert_array_equal(one, other)


def test_a_training_without_the_new_fields_is_what_it_was(folder):
    assert not set(LATER) & set(Run().identity)
    assert {"folds", "judge"} <= set(run_on(folder).identity)


def test_a_folder_may_lie_among_the_full_data_sets(folder, monkeypatch):
    monkeypatch.setenv("THESIS_DATA", str(folder.parent))
    run = run_on(folder.name)
    assert run.is_folder and run.data_path == folder and len(run.task.splits.test) == 3
    monkeypatch.setenv("THESIS_DATA", str(folder / "nowhere"))
    with pytest.raises(FileNotFoundError, match=f"data must be 'sample'.*got '{folder.name}', and there is no"):
        run_on(folder.name).task.splits  # noqa: B018


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"folds": 1}, "folds must be a whole number from 2; got 1"),
        ({"fold": 3}, "fold must be a whole number from 0 to 2; got 3"),
        ({"folds": None, "fold": 1}, "fold must be left at 0 without folds; got 1"),
        ({"folds": 10}, "folds must be a whole number from 2 to 9, the number of images; got 10"),
        ({"judge": "c"}, "judge must be who drew the test images: 'a' or 'b'; got 'c'"),
        ({"judge": None}, "judge must be who drew the test images: 'a' or 'b'; got None"),
        ({"judge": ""}, "judge must be the name of an annotator's mask folder; got ''"),
        ({"annotators": ["c"]}, "annotators must be one of a, b; got 'c'"),
        ({"bias_against": "truth"}, "bias_against must be one of consensus, judge, none; got 'truth'"),
        ({"data": "sample", "annotators": None}, "folds must be left at None where the data are scenes; got 3"),
    ],
)
def test_a_wrong_value_is_named(folder, wrong, message):
    with pytest.raises(ValueError, match=message):
        run_on(folder, **wrong).task.prepare()


def test_annotators_may_be_called_by_numbers(folder, tmp_path):
    for name, called in {"images": "images", "masks_a": "masks_01", "masks_b": "masks_2"}.items():
        shutil.copytree(folder / name, tmp_path / called)
    assert run_on(tmp_path, annotators="01", judge=2).task.annotators == ["01"]  # papermill -r and -p
    hint = "papermill's -r, not -p, keeps a number such as 01 as it is written"
    with pytest.raises(ValueError, match=f"annotators must be one of 01, 2; got '1'; {hint}"):
        run_on(tmp_path, annotators=1, judge=2).task.annotators  # noqa: B018
    with pytest.raises(ValueError, match=f"judge must be who drew the test images: '01' or '2'; got '1'; {hint}"):
        run_on(tmp_path, judge=1).task.splits  # noqa: B018
    with pytest.raises(ValueError, match=f"annotators must be a list of names; got 1.0; {hint}"):
        run_on(tmp_path, annotators=1.0)


def test_masks_of_the_judge_alone_are_trained_on_when_asked_for(folder, tmp_path):
    for name in ("images", "masks_b"):
        (tmp_path / name).symlink_to(folder / name)
    with pytest.raises(ValueError, match="leads outside"):
        run_on(tmp_path, annotators=None).task.prepare()
    for name in ("images", "masks_b"):
        (tmp_path / name).unlink()
        (tmp_path / name).mkdir()
        for path in (folder / name).iterdir():
            (tmp_path / name / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="annotators must be given where all masks are the judge's, 'b'; got None"):
        run_on(tmp_path, annotators=None).task.prepare()
    assert run_on(tmp_path, annotators=["b"], objective="one_hot").task.annotators == ["b"]


@pytest.mark.skipif(not (data_folder() / "stare").is_dir(), reason="retinal photographs: THESIS_DATA/stare is absent")
def test_vessels_drawn_by_two_observers_are_read_as_they_come():
    settings = {**SETTINGS, "folds": 5, "annotators": ["ah"], "judge": "vk"}
    parts = [Run(data="stare", **{**settings, "fold": fold}).task.splits for fold in (0, 4)]
    assert len({path for splits in parts for path in splits.test.images}) == 8
    first = parts[0]
    assert [len(part) for part in (first.train, first.validation, first.test)] == [14, 2, 4]
    ah, vk = (first.test.mask(0, name).mean() for name in ("ah", "vk"))
    assert 0.05 < ah < 0.15 and 0.05 < vk < 0.2 and first.classes.names == ("background", "object")
