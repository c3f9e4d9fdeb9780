"""Trainings on volumes: nnU-Net's layout and images/ with masks/, scores in mm, resuming, what is refused."""

import json
import re
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from thesis_lib.annotation import BoundaryPrior, shift_boundaries
from thesis_lib.data import Volume, read_volume, write_volume
from thesis_lib.segmentation import Run
from thesis_lib.segmentation.rules import VOLUME_OBJECTIVES
from thesis_lib.targets import OBJECTIVES, blur
from thesis_lib.training.state import TrainingState

pytest.importorskip("SimpleITK")
SMALL = {"width": 2, "depth": 1, "epochs": 1, "batch_size": 2, "crop": 8, "objective": "one_hot", "workers": 1}
SPACING = (2.0, 1.0, 1.0)


def case(number, spacing=SPACING, box=(5, 7, 8), inner=None):
    """An image and its label map: a bright box on a noisy background, at another depth for each number.

    With `inner`, what is so many voxels inside the box is of class 2.
    """
    generator = np.random.default_rng(number)
    labels = np.zeros(np.add(box, 6), np.uint8)
    for value, margin in enumerate((0,) if inner is None else (0, inner), start=1):
        corner = np.add((2 + number % 3, 3, 3), margin)
        labels[tuple(slice(start, start + side - 2 * margin) for start, side in zip(corner, box))] = value
    image = (100 * labels + generator.normal(0, 5, labels.shape)).astype(np.float32)
    origin = (1.0, 2.0, 3.0)
    return Volume(image, spacing, origin), Volume(labels, spacing, origin)


def write_nnunet(folder, cases, tests=(), spacings=(), inner=None):
    """A data set in nnU-Net's layout; `spacings` are those of the first cases, if they differ; `inner`: of `case`."""
    for part, numbers in (("Tr", range(cases)), ("Ts", tests)):
        for name in (f"images{part}", f"labels{part}") if numbers else ():
            (folder / name).mkdir(parents=True)
        for number in numbers:
            image, labels = case(number, dict(enumerate(spacings)).get(number, SPACING), inner=inner)
            write_volume(image, folder / f"images{part}" / f"case{number}_0000.nii.gz")
            write_volume(labels, folder / f"labels{part}" / f"case{number}.nii.gz")
    about = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "organ": 1}, "numTraining": cases}
    (folder / "dataset.json").write_text(json.dumps(about | {"file_ending": ".nii.gz"}))
    return str(folder)


def write_plain(folder, cases, biases=None, **options):
    """images/ and masks/, or masks_NAME/ with a bias in mm for each annotator's name; options of `case`."""
    for name in ("images", *(f"masks_{person}" if person else "masks" for person in biases or {"": 0.0})):
        (folder / name).mkdir(parents=True)
    for number in range(cases):
        image, labels = case(number, **options)
        write_volume(image, folder / "images" / f"case{number}.nrrd")
        for person, bias in (biases or {"": 0.0}).items():
            drawn = shift_boundaries(labels.values[None], bias, 0, labels.spacing)[0]
            place = folder / (f"masks_{person}" if person else "masks")
            write_volume(labels.with_values(drawn), place / f"case{number}.nrrd")
    return str(folder)


@pytest.fixture
def uncompiled():
    """Steps that are not compiled, which takes longer than so few of them."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.run_functions_eagerly(True)
    yield
    if keras.backend.backend() == "tensorflow":
        tensorflow.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def nnunet(tmp_path_factory):
    return write_nnunet(tmp_path_factory.mktemp("nnunet"), 4)


def test_a_training_on_nnunets_layout_scores_in_mm_and_writes_predictions_on_the_grid_of_the_input(nnunet, tmp_path):
    run = Run(**{**SMALL, "epochs": 8, "learning_rate": 0.03}, data=nnunet, crops_per_image=4, output=str(tmp_path))
    assert run.has_volumes and run.task.class_names == ("background", "organ")
    assert [len(files) for files in run.task.splits.files.values()] == [2, 1, 1]
    run.train()
    scores = run.scores()
    (name,) = scores.images.index
    image = read_volume(f"{nnunet}/imagesTr/{name}_0000.nii.gz")
    written = read_volume(tmp_path / "test" / f"{name}.nii.gz", labels=True, like=image)
    assert np.array_equal(run.predict(image).values, written.values)
    true = read_volume(f"{nnunet}/labelsTr/{name}.nii.gz", labels=True).values
    dice = 2 * np.sum((true == 1) & (written.values == 1)) / (np.sum(true == 1) + np.sum(written.values == 1))
    assert scores.images.loc[name, "mean_dice"] == pytest.approx(dice) and dice > 0.5
    probabilities = run.probabilities(image)
    likelihood = np.take_along_axis(probabilities, true[..., None].astype(int), -1)
    assert scores.images.loc[name, "log_loss"] == pytest.approx(-np.log(likelihood).mean(), rel=1e-4)
    row = json.loads((tmp_path / "row.json").read_text())
    assert row["spacing"] == list(SPACING) and row["split"] == "70 / 15 / 15% at random, seed 0"
    assert row["hausdorff95"] == scores.images["hausdorff95"].mean()


def test_a_killed_training_goes_on_exactly_as_if_it_had_not_been(nnunet, tmp_path, uncompiled, monkeypatch):
    given = {**SMALL, "epochs": 3, "data": nnunet, "crops_per_image": 2}
    whole = Run(**given, output=str(tmp_path / "whole"))
    whole.train()
    killed = Run(**given, output=str(tmp_path / "killed"))
    write = TrainingState.on_epoch_end

    def kill(state, epoch, logs=None):
        write(state, epoch, logs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(TrainingState, "on_epoch_end", kill)
        killed.train()
    assert len(killed.log()) == 1
    killed.train()
    pd.testing.assert_frame_equal(killed.log(), whole.log())
    for resumed, other in zip(killed.trained_network().weights, whole.trained_network().weights):
        assert np.array_equal(resumed.numpy(), other.numpy())


def test_annotators_of_volumes_are_measured_in_mm_and_lose_their_bias(tmp_path):
    """Ann draws a voxel of 2 mm outside of the truth, Bob one inside."""
    biases = {"": 0.0, "ann": 2.0, "bob": -2.0}
    data = write_plain(tmp_path / "data", 4, biases, spacing=(2.0, 2.0, 2.0), box=(12, 12, 12))
    run = Run(**{**SMALL, "objective": "forward"}, data=data, output=str(tmp_path / "run"), bias_against="judge")
    assert run.task.annotators == ["ann", "bob"] and run.boundary_prior.unit == "mm"
    biases = run.task.biases
    assert biases["ann"] == pytest.approx(2.0, abs=0.3) and biases["bob"] == pytest.approx(-2.0, abs=0.3)
    training, _ = run.task.batches()
    truth = run.task.splits.train
    moved = [training.volumes.mask(i, name).values for name in biases for i in range(len(truth))]
    drawn = [truth.mask(i, name).values for name in biases for i in range(len(truth))]
    true = [truth.mask(i).values for _ in biases for i in range(len(truth))]

    def errors(maps):
        return np.sum([one != other for one, other in zip(maps, true)])

    assert errors(moved) < errors(drawn) / 2
    by_bob = run.variant(judge="bob", bias_against=None)
    assert by_bob.task.annotator_scores("ann")["boundary_bias"].between(3.5, 4.5).all()  # mm


def test_volumes_of_several_spacings_are_resampled_to_the_one_that_is_given(tmp_path):
    fine = (1.0, 1.0, 0.5)
    data = write_nnunet(tmp_path / "data", 3, (7,), spacings=(SPACING, fine))
    own = Run(**SMALL, data=data, output=str(tmp_path / "run"))
    with pytest.raises(ValueError, match="spacing must be given, mm along depth, height and width"):
        own.train()
    run = own.variant(spacing=[2, 1, 1])
    assert run.task.splits.rule.startswith("nnU-Net's test cases") and run.task.splits is own.task.splits
    training, validation = run.task.batches()
    assert {batches.spacing_of(i) for batches in (training, validation) for i in range(len(batches))} == {SPACING}
    validation.on_epoch_end()
    first = [image for image, _ in validation]
    validation.on_epoch_end()
    assert all(np.array_equal(*pair) for pair in zip(first, [image for image, _ in validation]))
    assert run.variant(crop=None).task.size == (11, 13, 14)
    network = run.untrained_network()
    assert network.get_layer("encoder0_conv0").kernel.shape[:3] == (1, 3, 3)  # depth is twice as long
    scores = run.task.score(network, tmp_path / "run")
    assert scores.images.index.tolist() == ["case7"] and (tmp_path / "run/test/case7.nii.gz").is_file()


def test_every_objective_whose_loss_takes_volumes_has_a_finite_one_in_mm(nnunet, tmp_path):
    run = Run(**SMALL, data=nnunet, output=str(tmp_path), prior_sigma=1.5, prior_mean=0.5)
    logits = np.random.default_rng(0).normal(size=(1, 4, 6, 5, 2)).astype(np.float32)
    labels = np.zeros((1, 4, 6, 5), np.int32)
    labels[:, 1:3, 2:4, 1:4] = 1
    losses = {}
    for name in OBJECTIVES:
        if name in VOLUME_OBJECTIVES:
            losses[name] = float(run.variant(objective=name).loss()(labels, logits))
        else:
            with pytest.raises(ValueError, match="objective where the data are volumes must be one of"):
                run.variant(objective=name)
    assert np.isfinite(list(losses.values())).all() and len(losses) == len(OBJECTIVES) - 1
    blurred = blur(keras.ops.softmax(logits), BoundaryPrior.known(1.5, 0.5, "mm"), SPACING)
    likelihood = np.take_along_axis(keras.ops.convert_to_numpy(blurred), labels[..., None], -1)
    assert losses["forward"] == pytest.approx(-np.log(likelihood).mean(), rel=1e-4)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"tile": 128}, "tile must be left at 224 where the data are volumes; got 128"),
        ({"network": "deeplab"}, "network must be left at 'unet' where the data are volumes; got 'deeplab'"),
        ({"folds": 3}, "folds must be left at None where the data are volumes; got 3"),
        ({"crop": 3}, "crop where the data are volumes must be a whole number from 4; got 3"),
        ({"crop": [8, 8]}, "crop must be a number, or voxels along depth, height and width"),
        ({"scale": [3, 1]}, "scale's higher bound"),
        (
            {"spacing": [2, 1, 1], "objective": "weighted_adjacent_prior"},
            "spacing must be left at None for the objective weighted_adjacent_prior, which counts voxels as they are",
        ),
        ({"spacing": [1, 1]}, "spacing must be three numbers above 0, mm along depth, height and width"),
        (
            {"data": "sample", "workers": None, "crop": [8, 8, 8]},
            "crop must be one number where the data are no volumes",
        ),
        ({"data": "sample", "spacing": [1, 1, 1]}, "spacing must be left at None where the data are scenes"),
        (
            {"data": "sample_data/buildings", "scale": "standard"},
            "scale must be left at None where the data are a folder",
        ),
    ],
)
def test_fields_without_a_meaning_are_refused_by_name(nnunet, wrong, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Run(**{**SMALL, "data": nnunet, **wrong})


def test_data_that_cannot_be_split_or_told_apart_are_refused(nnunet, tmp_path):
    def splits(data):
        return Run(**SMALL, data=data, output=str(tmp_path / "run")).task.splits

    with pytest.raises(ValueError, match="data must hold 3 volumes or more, as some validate; .* holds case0; case1"):
        splits(write_plain(tmp_path / "few", 2))
    folder = tmp_path / "regions"
    about = json.loads((Path(write_nnunet(folder, 3)) / "dataset.json").read_text())
    (folder / "dataset.json").write_text(
        json.dumps(about | {"labels": {"background": 0, "whole": [1, 2], "core": [2]}})
    )
    with pytest.raises(ValueError, match="structures that overlap, whole; core: see `structures` of segmentation.Run"):
        splits(str(folder))
    run = Run(**SMALL, data=nnunet, output=str(tmp_path / "run"))
    with pytest.raises(ValueError, match="image where the data are volumes must be a data.Volume"):
        run.task.predict(None, np.zeros((8, 8, 8)))


def test_of_dicom_series_predictions_are_dicom_segmentations(tmp_path):
    pytest.importorskip("highdicom")
    from dicom_cases import write_series

    for number in range(3):
        series = tmp_path / "data" / "images" / f"case{number}"
        series.mkdir(parents=True)
        image = read_volume(write_series(series))
        (tmp_path / "data" / "masks").mkdir(exist_ok=True)
        labels = image.with_values((image.values > np.median(image.values)).astype(np.uint8))
        write_volume(labels, tmp_path / "data" / "masks" / f"case{number}.nii.gz")
    run = Run(**SMALL, data=str(tmp_path / "data"), output=str(tmp_path / "run"), scale=(-1000, 1000))
    network = run.untrained_network()
    (name,) = run.task.score(network, tmp_path / "run").images.index
    written = read_volume(tmp_path / "run" / "test" / f"{name}.dcm", labels=True, like=image)
    assert np.array_equal(written.values, run.task.predict(network, image).values)
