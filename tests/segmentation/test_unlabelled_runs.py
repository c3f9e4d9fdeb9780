"""Trainings on images and volumes of which some have no mask: each method, resumed, and what is refused."""

import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from own_cases import SIDE, save, write_discs

from tests.segmentation.test_volume_run import SMALL, SPACING, case, write_nnunet, write_plain
from thesis_lib.annotation import BoundaryPrior
from thesis_lib.data import write_volume
from thesis_lib.data.volume_splits import load_volume_splits
from thesis_lib.models import symmetric, unet
from thesis_lib.segmentation import BayesianTeacher, CutMix, OtherColours, Run
from thesis_lib.segmentation.methods import TEACHING
from thesis_lib.targets import ForwardLikelihood, votes

TINY = {"width": 2, "depth": 1, "crop": 16, "tile": 32, "margin": 4, "batch_size": 2, "workers": 1, "epochs": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = write_discs(tmp_path_factory.mktemp("images"), people=("",))
    for i in range(9):
        save(path / "unlabelled" / f"other{i}.png", np.full((SIDE, SIDE), 10 * i))
    return path


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    pytest.importorskip("SimpleITK")
    path = tmp_path_factory.mktemp("volumes")
    data = write_nnunet(path, 4)
    (path / "unlabelled").mkdir()
    for number in (10, 11, 12):
        write_volume(case(number)[0], path / "unlabelled" / f"case{number}_0000.nii.gz")
    return data


def test_an_epoch_shows_each_image_without_a_mask_once(folder, tmp_path):
    run = Run(**TINY, data=str(folder), method="mean_teacher", objective="one_hot", output=str(tmp_path))
    batches, _ = run.task.batches()
    for labelled, count in ((None, 9), (5, 10)):  # all images with a mask train as labelled ones, or the first five
        changed = run.variant(labelled=labelled)
        batches, _ = changed.task.batches()
        shown = np.concatenate([batches[i][0]["unlabelled"] for i in range(len(batches))])
        assert len(shown) == count == len(changed.task.others)
    run.train()
    assert np.isfinite(run.scores().row["log_loss"])
    save(folder / "unlabelled" / "other9.png", np.full((SIDE, SIDE), 200))
    again = Run(**TINY, data=str(folder), method="mean_teacher", objective="one_hot", output=str(tmp_path))
    assert again.identity != run.identity, "an image more is another training"
    supervised = run.variant(method="supervised")
    assert supervised.task.splits.unlabelled is None


def test_without_an_image_that_has_no_label_the_method_is_refused(tmp_path):
    data = write_discs(tmp_path / "data", people=("",))
    message = "labelled must be given for the method mean_teacher, which needs images without a mask, such as"
    with pytest.raises(ValueError, match=re.escape(message)):
        Run(**TINY, data=str(data), method="mean_teacher")
    scans = load_copy_only(data)
    run = Run(**TINY, data=str(scans), method="mean_teacher", objective="one_hot", output=str(tmp_path / "run"))
    with pytest.warns(UserWarning, match="left out"), pytest.raises(ValueError, match="data must hold images without"):
        run.train()


def load_copy_only(data):
    """The folder, whose only image without a mask is a copy of a test image."""
    from thesis_lib.data import load_segmentation_folder

    copied = load_segmentation_folder(data).test.images[0]
    (data / "unlabelled").mkdir()
    (data / "unlabelled" / "copy.png").write_bytes(copied.read_bytes())
    return data


@pytest.mark.parametrize("method", TEACHING)
def test_every_method_learns_from_volumes_without_a_mask(volumes, tmp_path, method):
    objective = "forward" if method == "bayesian_teacher" else "one_hot"
    given = {**SMALL, "objective": objective, "prior_sigma": 1.0, "data": volumes}
    run = Run(**given, method=method, output=str(tmp_path))
    batches, _ = run.task.batches()
    assert len(run.task.labelled) == 2 and len(batches) == 2
    (inputs,) = batches[0]
    assert inputs["labelled"].shape[1:] == inputs["unlabelled"].shape[1:] == (8, 8, 8, 1)
    run.train()
    assert np.isfinite(run.log()["val_loss"]).all() and np.isfinite(run.scores().row["log_loss"])
    assert run.trained_network().count_params() == run.untrained_network().count_params()


def test_volumes_after_the_labelled_ones_are_learned_without_their_masks(tmp_path):
    pytest.importorskip("SimpleITK")
    data = write_plain(tmp_path / "data", 6)
    run = Run(
        **{**SMALL, "objective": "one_hot"}, data=data, method="fix_match", labelled=1, output=str(tmp_path / "r")
    )
    batches, _ = run.task.batches()
    assert len(run.task.labelled) == 1 and len(batches.unlabelled.volumes) == 3
    assert (batches.unlabelled[0][1] == 255).all() and (batches.labelled[0][1] != 255).any()
    assert len(batches.labelled) >= len(batches.unlabelled)


def test_copies_of_validation_and_test_volumes_are_not_learned_from(tmp_path):
    pytest.importorskip("SimpleITK")
    data = Path(write_plain(tmp_path / "data", 4))
    shutil.copytree(data / "images", data / "unlabelled")
    with pytest.warns(UserWarning, match="2 volumes in .*unlabelled are left out: validation or test has them"):
        splits = load_volume_splits(data, tmp_path / "unpacked", unlabelled=True)
    assert splits.files["unlabelled"].names == splits.files["train"].names and len(splits.unlabelled) == 2
    for name in splits.files["train"].names:
        (data / "unlabelled" / f"{name}.nrrd").unlink()
    run = Run(**SMALL, data=str(data), method="mean_teacher", output=str(tmp_path / "run"))
    with pytest.warns(UserWarning, match="left out"), pytest.raises(ValueError, match="data must hold images without"):
        run.train()


def test_the_bayesian_teacher_learns_the_votes_of_volumes_in_mm():
    prior = BoundaryPrior(0.0, 3.0, 2.6, 2.0, unit="mm")
    network = unet(2, **symmetric(width=2, depth=1), image_shape=(None, None, None, 1))
    generator = np.random.default_rng(0)
    volumes = generator.integers(0, 256, (2, 6, 8, 8, 1)).astype("float32")
    labels = generator.integers(0, 2, (1, 6, 8, 8)).astype(np.uint8)
    inputs = {"labelled": volumes[:1], "labels": labels, "unlabelled": volumes[1:]}
    model = BayesianTeacher(network, ForwardLikelihood(prior, spacing=SPACING), decay=0.0)
    outputs = model(inputs, training=True)
    believed = keras.ops.softmax(model.teacher(volumes[:1], training=False))
    shared = np.asarray(votes(labels, believed, prior, SPACING))
    by_hand = -(shared * np.asarray(keras.ops.log_softmax(outputs["logits"]))).sum() / labels.size
    assert float(model._supervised_loss(inputs, outputs)) == pytest.approx(by_hand, rel=1e-5)
    assert shared.sum() == pytest.approx(labels.size, rel=0.05)


def test_strong_variations_of_volumes_move_no_voxel_and_keep_their_range():
    volumes = np.random.default_rng(0).normal(127, 90, (3, 6, 7, 8, 1)).astype("float32")
    colours = OtherColours(blur=0.0, noise=0.0, contrast=0.3, brightness=0.05, seed=1)
    for varied, volume in zip(np.asarray(colours(volumes, training=True)), volumes, strict=True):
        assert (np.diff(varied.ravel()[volume.ravel().argsort()]) >= 0).all() and not np.allclose(varied, volume)
    noisy = np.asarray(OtherColours(seed=2)(volumes, training=True))
    for varied, volume in zip(noisy, volumes, strict=True):
        assert varied.min() >= volume.min() and varied.max() <= volume.max(), "the volume's values reach beyond 0-255"


def test_a_box_of_half_of_each_volume_comes_from_the_one_before():
    volumes = np.arange(1.0, 5.0, dtype="float32")[:, None, None, None, None] * np.ones((4, 16, 20, 24, 1), "float32")
    mixed, targets = CutMix(seed=2)(volumes, 10 * volumes)
    np.testing.assert_allclose(targets, 10 * mixed)
    for i, one in enumerate(np.asarray(mixed)):
        inside = np.nonzero(one[..., 0] == volumes[i - 1].max())
        sides = [np.ptp(along) + 1 for along in inside]
        assert len(inside[0]) == np.prod(sides), "a box"
        assert len(inside[0]) == pytest.approx(one.size / 2, rel=0.2)
