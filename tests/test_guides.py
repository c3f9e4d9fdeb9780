"""The code of the guides runs as it stands, but for smaller networks and shorter trainings."""

import json
import re

import numpy as np
import pytest
from own_cases import write_discs

from thesis_lib.annotation import BoundaryPrior
from thesis_lib.data import Volume, VolumePatches, load_nnunet, unpack, write_image, write_volume
from thesis_lib.models import symmetric, unet
from thesis_lib.paths import REPOSITORY
from thesis_lib.targets import ForwardLikelihood

SMALLER = {"epochs=100": "epochs=1", "epochs=80": "epochs=1", "patience=80": "patience=1", "width=16": "width=2"}


def executed(page, folder=None, block=0, **names):
    """The names that a block of Python in a guide leaves; its paths within the repository lie in a folder."""
    code = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / page).read_text(), re.DOTALL)[block]
    for usual, smaller in SMALLER.items():
        code = code.replace(usual, smaller)
    if folder is not None:
        code = re.sub(r'"(?=data/|reports/)', f'"{folder}/', code)
    exec(code, names)  # noqa: S102
    return names


def write_nnunet(folder, of_classes, thickness=1.0):
    """Two volumes to train on and one to test on, of an object with a core, in nnU-Net's layout.

    Planes of the second one are `thickness` mm apart, all others 1 mm.
    """
    generator = np.random.default_rng(0)
    for part, cases in (("Tr", "ab"), ("Ts", "c")):
        for name in (f"images{part}", f"labels{part}"):
            (folder / name).mkdir(parents=True)
        for case in cases:
            labels = np.zeros((35, 50, 33), np.uint8)
            labels[10:20, 20:30, 5:25] = 1
            labels[13:17, 23:27, 10:20] = np.max(list(of_classes.values())[-1])
            image = (100 * labels + generator.normal(0, 10, labels.shape)).astype(np.float32)
            spacing = (thickness if case == "b" else 1.0, 1.0, 1.0)
            write_volume(Volume(image, spacing), folder / f"images{part}" / f"{case}_0000.nii.gz")
            write_volume(Volume(labels, spacing), folder / f"labels{part}" / f"{case}.nii.gz")
    about = {"channel_names": {"0": "MRI"}, "labels": of_classes, "numTraining": 2, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(about))


def test_a_training_on_a_folder_of_nnunet(tmp_path, monkeypatch, capsys):
    pytest.importorskip("SimpleITK")
    monkeypatch.setenv("THESIS_DATA", str(tmp_path))
    write_nnunet(tmp_path / "nnUNet_raw" / "Dataset004_Hippocampus", {"background": 0, "organ": 1})
    executed("volumes.md", tmp_path)
    assert "hausdorff95" in capsys.readouterr().out
    assert (tmp_path / "reports" / "hippocampus" / "test" / "c.nii.gz").is_file()


def test_from_a_folder_of_nnunet_to_predictions(tmp_path, monkeypatch, capsys):
    pytest.importorskip("SimpleITK")
    monkeypatch.chdir(tmp_path)
    write_nnunet(tmp_path / "nnUNet_raw" / "Dataset004_Hippocampus", {"background": 0, "organ": 1})
    executed("volumes.md", block=1)
    assert capsys.readouterr().out.strip().endswith("predicted/c.nii.gz")
    assert (tmp_path / "predicted" / "c.nii.gz").is_file()


def test_volumes_of_several_spacings_each_at_its_own(tmp_path, capsys):
    pytest.importorskip("SimpleITK")
    write_nnunet(tmp_path, {"background": 0, "organ": 1}, thickness=2.5)
    names = {"BoundaryPrior": BoundaryPrior, "ForwardLikelihood": ForwardLikelihood, "VolumePatches": VolumePatches}
    names["volumes"] = unpack(load_nnunet(tmp_path).train, tmp_path / "unpacked")
    names["model"] = unet(2, **symmetric(width=2, depth=1), image_shape=(None, None, None, 1))
    used = executed("volumes.md", block=3, **names)
    values = [float(line) for line in capsys.readouterr().out.split()]
    assert {used["patches"].spacing_of(i)[0] for i in range(len(values))} == {1.0, 2.5}
    assert len(values) == len(used["patches"]) and np.isfinite(values).all()


def test_from_regions_of_nnunet_to_scores_of_each_structure(tmp_path, monkeypatch):
    pytest.importorskip("SimpleITK")
    monkeypatch.chdir(tmp_path)
    regions = {"background": 0, "whole": [1, 2], "core": [2]}
    write_nnunet(tmp_path / "nnUNet_raw" / "Dataset001_Tumour", regions)
    scores = executed("overlapping.md", block=1)["scores"]
    assert scores.index.tolist() == ["whole", "core"] and scores["log_loss"].between(0, 5).all()


def test_a_training_on_structures_that_overlap(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("THESIS_DATA", str(tmp_path))
    write_discs(tmp_path / "data" / "tumours", people=("",), core=True)
    used = executed("overlapping.md", tmp_path, image=np.zeros((40, 50, 3), np.uint8))
    assert used["inside"].shape == (40, 50, 2) and "core" in capsys.readouterr().out


def test_a_folder_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_discs(tmp_path / "data" / "mine", people=("",))
    write_image(np.zeros((40, 50, 3), np.uint8), tmp_path / "new.tif")
    assert executed("own_images.md", tmp_path)["classes"].shape == (40, 50)


def test_two_annotators():
    generator = np.random.default_rng(0)
    first = np.zeros((6, 24, 24), np.int64)
    for drawing in first:
        top, left = generator.integers(2, 10, 2)
        drawing[top : top + 10, left : left + 10] = 1
    names = {"first": first, "second": np.roll(first, 1, 1), "labels": first}
    names |= {"images": 255 * first[..., None], "model": unet(2, **symmetric(2, 1), image_shape=(24, 24, 1))}
    assert executed("annotators.md", **names)["prior"].predictive().std() > 0
