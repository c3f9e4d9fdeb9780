"""Trainings on volumes: nnU-Net's layout and images/ with masks/, scores in mm, resuming, what is refused."""

import json

import numpy as np
import pytest

from thesis_lib.annotation import shift_boundaries
from thesis_lib.data import Volume, read_volume, write_volume
from thesis_lib.segmentation import Run

pytest.importorskip("SimpleITK")
SMALL = {"width": 2, "depth": 1, "epochs": 1, "batch_size": 2, "crop": 8, "objective": "one_hot", "workers": 1}
SPACING = (2.0, 1.0, 1.0)


def case(number, spacing=SPACING):
    """An image and its label map: a bright box on a noisy background, another one for each number."""
    generator = np.random.default_rng(number)
    labels = np.zeros((10, 16, 14), np.uint8)
    top = 2 + number % 3
    labels[top : top + 5, 4:11, 3:10] = 1
    image = (100 * labels + generator.normal(0, 5, labels.shape)).astype(np.float32)
    origin = (1.0, 2.0, 3.0)
    return Volume(image, spacing, origin), Volume(labels, spacing, origin)


def write_nnunet(folder, cases, tests=(), spacings=()):
    """A data set in nnU-Net's layout; `spacings` are those of the first cases, where they differ."""
    for part, numbers in (("Tr", range(cases)), ("Ts", tests)):
        for name in (f"images{part}", f"labels{part}") if numbers else ():
            (folder / name).mkdir(parents=True)
        for number in numbers:
            image, labels = case(number, dict(enumerate(spacings)).get(number, SPACING))
            write_volume(image, folder / f"images{part}" / f"case{number}_0000.nii.gz")
            write_volume(labels, folder / f"labels{part}" / f"case{number}.nii.gz")
    about = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "organ": 1}, "numTraining": cases}
    (folder / "dataset.json").write_text(json.dumps(about | {"file_ending": ".nii.gz"}))
    return str(folder)


def write_plain(folder, cases, biases=None, ending=".nrrd"):
    """images/ and masks/, or masks_NAME/ with a bias in mm for each annotator's name."""
    for name in ("images", *(f"masks_{person}" if person else "masks" for person in biases or {"": 0.0})):
        (folder / name).mkdir(parents=True)
    for number in range(cases):
        image, labels = case(number)
        write_volume(image, folder / "images" / f"case{number}{ending}")
        for person, bias in (biases or {"": 0.0}).items():
            drawn = shift_boundaries(labels.values[None], bias, 0, SPACING)[0]
            place = folder / (f"masks_{person}" if person else "masks")
            write_volume(labels.with_values(drawn), place / f"case{number}{ending}")
    return str(folder)


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
