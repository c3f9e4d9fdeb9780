"""Trainings on structures that overlap: a channel, a prior and scores for each, of images and of volumes."""

import json
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy import ndimage

from tests.segmentation.test_volume_run import SMALL, write_nnunet
from thesis_lib.annotation import BoundaryPrior, shift_boundaries
from thesis_lib.data import read_image, read_volume, structures, write_image
from thesis_lib.metrics import of_structures
from thesis_lib.segmentation import Run
from thesis_lib.targets import ForwardLikelihood, Overlapping, blur
from thesis_lib.training.callbacks import ended

REGIONS = {"whole": [1, 2], "core": [2]}
TINY = {"width": 4, "depth": 1, "crop": 32, "tile": 32, "margin": 4, "batch_size": 4, "workers": 1, "epochs": 1}


def scene(number, size=64):
    """An image and its classes: a disc of class 2, brightest, in one of class 1, on a noisy background."""
    generator = np.random.default_rng(number)
    far = ndimage.distance_transform_edt(np.arange(size * size).reshape(size, size) != size * (size // 2) + size // 2)
    far = np.roll(far, generator.integers(-6, 7, 2), (0, 1))
    classes = ((far < 22).astype(np.uint8) + (far < 11)).astype(np.uint8)
    image = 90 * classes[..., None] + generator.integers(0, 20, (size, size, 3))
    return image.astype(np.uint8), classes


def write(folder, count=6, biases=None):
    """images/ and masks_NAME/; each annotator moves the outline of whole and core by px of his own."""
    for name in ("images", *(f"masks_{person}" if person else "masks" for person in biases or {"": 0})):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        image, classes = scene(number)
        write_image(image, folder / "images" / f"{number}.png")
        for person, (whole, core) in (biases or {"": (0, 0)}).items():
            drawn = (shift_boundaries((classes > k).astype(np.uint8), move, 0) for k, move in enumerate((whole, core)))
            write_image(
                sum(drawn).astype(np.uint8), folder / (f"masks_{person}" if person else "masks") / f"{number}.png"
            )
    return str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("discs"))


def test_a_training_predicts_and_scores_each_structure_on_its_own(folder, tmp_path):
    settings = {**TINY, "epochs": 6, "crops_per_image": 8, "learning_rate": 0.03}
    run = Run(**settings, data=folder, structures=REGIONS, objective="one_hot_dice", output=str(tmp_path))
    run.train()
    scores = run.scores()
    test = run.task.splits.test
    image, true = test.image(0), structures(test.mask(0), REGIONS)
    name = scores.images.index[0][0]
    assert list(scores.classes.index) == ["whole", "core"] and scores.images.index.names == ["raster", "structure"]

    predicted = run.predict(image)
    assert predicted.shape == (64, 64, 2) and (predicted.min(), predicted.max()) == (0, 1)
    assert (predicted[..., 0] >= predicted[..., 1]).mean() > 0.95, "the core lies in the whole"
    for number, structure in enumerate(REGIONS):
        written = read_image(tmp_path / "test" / f"{name}_{structure}.png")[..., 0]
        assert np.array_equal(written > 0, predicted[..., number] > 0)
    alone = of_structures(true[None], run.probabilities(image)[None], list(REGIONS))
    assert scores.images.loc[name, "dice"].to_numpy() == pytest.approx(alone["dice"], abs=1e-6)
    assert scores.images.loc[name, "log_loss"].to_numpy() == pytest.approx(alone["log_loss"], rel=1e-4)
    assert scores.classes["dice"].min() > 0.8
    row = json.loads((tmp_path / "row.json").read_text())
    assert row["structures"] == REGIONS and row["dice"] == pytest.approx(scores.classes["dice"].mean())


def test_each_structure_has_the_prior_and_the_bias_of_its_own_outlines(tmp_path):
    """Ann draws the whole 2 px too large, Bob 2 px too small; they agree on the core but for a pixel."""
    data = write(tmp_path, biases={"ann": (2, 0), "bob": (-2, 0)})
    given = {**TINY, "data": data, "structures": REGIONS, "judge": "bob", "annotators": ["ann", "bob"]}
    run = Run(**given, objective="forward", output=str(tmp_path / "run"))
    assert run.task.biases["whole"] == {"ann": pytest.approx(2, abs=0.4), "bob": pytest.approx(-2, abs=0.4)}
    assert run.task.biases["core"] == {"ann": pytest.approx(0, abs=0.2), "bob": pytest.approx(0, abs=0.2)}
    assert list(run.task.annotator_table().index.get_level_values("structure").unique()) == ["whole", "core"]
    loss = run.loss()
    assert isinstance(loss, Overlapping) and [type(one) for one in loss.losses] == [ForwardLikelihood] * 2
    assert [one.prior for one in loss.losses] == list(run.boundary_prior.values())

    training, _ = run.task.batches()
    train, crops = run.task.splits.train, training.crop(0)[1]
    assert crops.shape == (32, 32, 2)
    for person in ("ann", "bob"):
        moved = run.task.channels(train.mask(0, person), person)
        raw = structures(train.mask(0, person), REGIONS)
        true = structures(scene(int(train.images[0].stem))[1], REGIONS)
        assert np.mean(moved[..., 0] != true[..., 0]) < 0.3 * np.mean(raw[..., 0] != true[..., 0])
        assert np.array_equal(moved[..., 1], raw[..., 1])

    run.train()
    row = json.loads((run.scores() and tmp_path / "run" / "row.json").read_text())
    assert set(row["believed"]) == set(REGIONS) and "ann" in row["scores_of_annotators"]
    image = train.image(0)
    drawn, probable = run.annotation_probabilities(image), run.probabilities(image)
    two = np.stack([1 - probable[..., 0], probable[..., 0]], -1)[None]
    expected = keras.ops.convert_to_numpy(blur(two, run.boundary_prior["whole"]))[0, ..., 1]
    assert drawn[..., 0] == pytest.approx(expected, abs=1e-6) and drawn.shape == probable.shape


@pytest.fixture(scope="module")
def nnunet(tmp_path_factory):
    """nnU-Net's layout with regions: voxels of class 2 are the core of what class 1 is the rest of."""
    pytest.importorskip("SimpleITK")
    data = tmp_path_factory.mktemp("regions")
    write_nnunet(data, 4, inner=2)
    about = json.loads((data / "dataset.json").read_text())
    about["labels"] = {"background": 0, "whole": [1, 2], "core": [2]}
    (data / "dataset.json").write_text(json.dumps(about | {"regions_class_order": [1, 2]}))
    return str(data)


def test_the_regions_of_nnunets_layout_train_as_structures(nnunet, tmp_path):
    settings = {**SMALL, "epochs": 8, "learning_rate": 0.03, "width": 4, "crops_per_image": 4}
    run = Run(**settings, data=nnunet, structures="regions", output=str(tmp_path))
    assert run.task.outputs == ("whole", "core")
    run.train()
    scores = run.scores()
    (name,) = scores.images.index.get_level_values("volume").unique()
    image = read_volume(f"{nnunet}/imagesTr/{name}_0000.nii.gz")
    predicted = run.predict(image)
    assert predicted.values.shape == (*image.values.shape, 2)
    for number, structure in enumerate(("whole", "core")):
        written = read_volume(tmp_path / "test" / f"{name}_{structure}.nii.gz", labels=True, like=image)
        assert np.array_equal(written.values, predicted.values[..., number])
    true = read_volume(f"{nnunet}/labelsTr/{name}.nii.gz", labels=True)
    alone = of_structures(
        structures(true.values, REGIONS)[None], run.probabilities(image)[None], list(REGIONS), image.spacing, 3.0
    )
    found = scores.images.loc[name]
    for score in ("dice", "surface_distance", "log_loss"):
        assert found[score].to_numpy() == pytest.approx(alone[score], rel=1e-3, nan_ok=True)
    assert found.loc["whole", "dice"] > 0.5


def test_a_number_for_each_structure_is_of_the_names_in_the_file(nnunet, tmp_path):
    given = {**SMALL, "objective": "forward", "data": nnunet, "structures": "regions", "output": str(tmp_path)}
    sigma = {"whole": 0.8, "core": 2.0}
    known = {name: BoundaryPrior.known(one, 0.5, "mm") for name, one in sigma.items()}
    assert Run(**given, prior_sigma=sigma, prior_mean=0.5).boundary_prior == known
    with pytest.raises(ValueError, match="prior_sigma must have a number for each structure; got none for core"):
        Run(**given, prior_sigma={"whole": 0.8}).loss()


def test_patches_of_volumes_are_around_voxels_of_structures(nnunet, tmp_path):
    """Whatever number the rest has: where class 0 is in a structure and class 1 in none, the rest is class 1."""
    for regions, rest in ((REGIONS, 0), ({"air": [0], "core": [2]}, 1)):
        run = Run(**SMALL, data=nnunet, structures=regions, output=str(tmp_path))
        assert [patches.background for patches in run.task.batches()] == [rest, rest]


def test_the_bias_of_a_structure_is_taken_out_of_volumes(nnunet, tmp_path):
    run = Run(**{**SMALL, "objective": "forward"}, data=nnunet, structures="regions", prior_sigma=1.0, prior_mean=2.0,
              prior="measured", output=str(tmp_path))  # fmt: skip
    task = run.task
    for part in task.parts.values():
        part.__dict__["biases"] = {"": 2.0}  # mm, as measured against a judge
    training, _ = task.batches()
    mask = task.splits.train.mask(0)
    moved = training.volumes.mask(0, "").values
    whole = (mask.values > 0).astype(np.uint8)
    assert np.array_equal(moved[..., 0], shift_boundaries(whole[None], -2.0, 0, mask.spacing)[0])
    assert training[0][1].shape[1:] == (8, 8, 8, 2)


def test_classes_that_the_data_lack_are_refused(folder, tmp_path):
    for given, message in (
        ({"whole": [1, 7], "core": [2]}, "a class of structures['whole'] must be a whole number from 0 to 2; got 7"),
        ("regions", "structures must be a mapping"),
        ({"whole": [1, 2]}, "structures must be two or more, as two classes need none; got whole alone"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            Run(**TINY, data=folder, structures=given, output=str(tmp_path)).loss()


def test_structures_in_another_order_are_another_training(folder, tmp_path):
    """Channels are in the order of the structures, so the trained network of another order has others."""
    runs = [Run(**TINY, data=folder, structures=dict(some), objective="one_hot", output=str(tmp_path))
            for some in (REGIONS.items(), reversed(REGIONS.items()))]  # fmt: skip
    runs[0].train()
    assert ended(tmp_path, runs[0].identity) and not ended(tmp_path, runs[1].identity)


def test_numbers_of_numpy_are_numbers_of_classes(folder):
    run = Run(**TINY, data=folder, structures={"whole": np.array([1, 2]), "core": [np.int64(2)], "rim": np.uint8(1)})
    assert run.structures == {**REGIONS, "rim": [1]}
    json.dumps(run.identity)


def test_a_structure_that_no_test_image_shows_is_named(folder, tmp_path):
    data = Path(shutil.copytree(folder, tmp_path / "data"))
    run = Run(**TINY, data=str(data), structures=REGIONS, objective="one_hot", output=str(tmp_path / "run"))
    test = run.task.splits.test
    write_image(np.minimum(test.mask(0), 1), test.masks[""][0])
    network = run.untrained_network()
    network.weights[-1].assign([9.0, -9.0])  # biases of the logits: the whole everywhere, the core nowhere
    with pytest.warns(UserWarning, match="no test mask and no prediction shows core: without a Dice of it"):
        scores = run.task.score(network, run.folder)
    assert np.isnan(scores.classes.loc["core", "dice"])
    assert scores.row["dice"] == scores.classes.loc["whole", "dice"]


def test_a_structure_that_could_not_be_measured_is_named_and_needs_no_prior_without_a_likelihood(tmp_path):
    data = write(tmp_path / "data", biases={"ann": (1, 0), "bob": (-1, 0)})
    for path in tmp_path.glob("data/masks_*/*.png"):
        write_image(np.minimum(read_image(path, "index")[..., 0], 1), path)  # nobody draws a core
    (tmp_path / "data" / "label_class_dict.csv").write_text("name\nbackground\nrest\ncore\n")
    given = {**TINY, "data": data, "structures": REGIONS, "judge": "bob", "output": str(tmp_path / "run")}
    with pytest.warns(UserWarning, match="could not be measured"):
        run = Run(**given, objective="one_hot", annotators=["ann", "bob"])
        assert run.task.prior_of_drawings is None
        with pytest.raises(ValueError, match="the outlines of the structure 'core' could not be measured"):
            run.variant(objective="forward").loss()
