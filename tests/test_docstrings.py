"""The examples in docstrings run, on small data of the kind that they name, and give what they show."""

import csv
import doctest
import functools
import importlib
import json
import re
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

import thesis_lib
from thesis_lib import (
    annotation,
    data,
    figures,
    metrics,
    models,
    segmentation,
    semi_supervised,
    study,
    targets,
    training,
)
from thesis_lib.metrics import surface
from thesis_lib.paths import REPOSITORY

LIBRARY = Path(thesis_lib.__file__).parent
DOORS = (annotation, data, figures, metrics, models, segmentation, semi_supervised, study, targets, training)
SIDE = 32
SHORT = {"data": "sample", "train_scenes": 8, "epochs": 1, "width": 2, "depth": 1, "objective": "one_hot"}


class OnlyWhereShown(doctest.OutputChecker):
    """What an example returns is compared where the docstring shows it."""

    def check_output(self, want, got, optionflags):
        return want == "" or super().check_output(want, got, optionflags)


def examples():
    """Every docstring with an example: {its name: doctest.DocTest}."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        if ">>>" in path.read_text():
            name = ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts).removesuffix(".__init__")
            tests = finder.find(importlib.import_module(name), name)
            found |= {test.name.removeprefix("thesis_lib."): test for test in tests if test.examples}
    return found


EXAMPLES = examples()


@functools.cache
def drawings():
    """True maps (N, SIDE, SIDE) of one square each, two people's drawings of them, and images."""
    generator = np.random.default_rng(0)
    true = np.zeros((24, SIDE, SIDE), np.uint8)
    for mask in true:
        top, left = generator.integers(6, 12, 2)
        mask[top : top + 12, left : left + 12] = 1
    first, second = (annotation.DisplacementField(1.0, 4.0)(true, seed) for seed in (1, 2))
    images = np.clip(60 + 120 * true[..., None] + generator.normal(0, 5, (*true.shape, 1)), 0, 255).astype(np.uint8)
    return true, first, second, images


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder that holds what examples read."""
    root = tmp_path_factory.mktemp("examples")
    for name in ("notebooks", "reports", "sample_data"):
        (root / name).symlink_to(REPOSITORY / name)
    true, _, _, images = drawings()
    colours = np.repeat(images, 3, axis=-1)
    data.write_image(colours[0], root / "photograph.png")
    np.savez(root / "my_scenes.npz", images=images, labels=true)
    for part in ("images", "masks"):
        (root / "my_images" / part).mkdir(parents=True)
    (root / "my_images" / "label_class_dict.csv").write_text("name,r,g,b\nground,0,0,0\nbuilding,255,255,255\n")
    (root / "my_photographs").mkdir()
    with (root / "my_photographs" / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label"])
        for i in range(12):
            data.write_image(colours[i], root / "my_images" / "images" / f"{i}.png")
            data.write_image(255 * true[i], root / "my_images" / "masks" / f"{i}.png")
            data.write_image(colours[i], root / "my_photographs" / f"{i}.png")
            writer.writerow([f"{i}.png", "mask" if i % 2 else "no mask"])
    data.write_bands(np.repeat(images[0], 4, axis=-1), root / "sentinel.tif")
    return root


@pytest.fixture(scope="module")
def volumes(folder):
    """Files of volumes in the same folder, where there is what reads them."""
    pytest.importorskip("SimpleITK")
    labels = np.zeros((40, 56, 40), np.uint8)
    labels[10:20, 20:40, 10:30] = 1
    values = (100 * labels + np.random.default_rng(0).normal(0, 5, labels.shape)).astype(np.float32)
    of_nnunet = folder / "nnUNet_raw" / "Dataset004_Hippocampus"
    about = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "organ": 1}}
    (of_nnunet / "imagesTr").mkdir(parents=True)
    (of_nnunet / "dataset.json").write_text(json.dumps(about | {"numTraining": 1, "file_ending": ".nii.gz"}))
    image, mask = (data.Volume(array, (1.0, 1.0, 1.0)) for array in (values, labels))
    for path in ("imagesTr/case_0000", "labelsTr/case", "scans/case", "masks_of_scans/case", "case"):
        for root in (folder, of_nnunet) if path.endswith("Tr/case_0000") or path.startswith("labels") else (folder,):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            data.write_volume(mask if "labels" in path or "masks" in path else image, root / f"{path}.nii.gz")


@pytest.fixture
def names(folder, tmp_path):
    """What examples take for granted: the library's public names, and arrays that are called as in docstrings."""
    public = {name: getattr(door, name) for door in DOORS for name in door.__all__}
    true, first, second, images = drawings()
    return public | {
        "np": np,
        "Path": Path,
        "true": true,
        "drawn": first,
        "labels": true,
        "masks": true,
        "first": first,
        "second": second,
        "ann": first,
        "bob": second,
        "images": images,
        "image": images[0],
        "class_maps": true + first,
        "labelled": data.SceneBatches(images[:4], first[:4], 2, seed=0, repeats=3),
        "unlabelled": data.SceneBatches(images[4:], np.full_like(first[4:], 255), 4, seed=1),
        "scores": np.arange(3.0),
        "true_volumes": true[None],
        "drawn_volumes": first[None],
        "predicted_volumes": second[None],
        "ann_ct": first[:9],
        "bob_ct": second[:9],
        "ann_mr": first[9:],
        "bob_mr": second[9:],
        "log": pd.DataFrame({"loss": [2.0, 1.0], "val_loss": [2.0, 1.5]}).rename_axis("epoch").reset_index(),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "figures": figures,
        "run": segmentation.Run(**SHORT, output=str(tmp_path)),
        "surface": surface,
    }


def networks(source):
    """Untrained networks of the kinds that an example uses, if it uses any: of images, and of volumes."""
    if "model" not in source and "network" not in source:
        return {}
    bands = 4 if "sentinel" in source else 1
    built = {axes: models.unet(2, **models.symmetric(2, 1), image_shape=(*axes * [None], bands)) for axes in (2, 3)}
    for one in built.values():
        one.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return {"model": built[2], "network": built[2], "volume_model": built[3]}


def made_absolute(source, folder):
    """The source with the folder before each text that starts with the name of one of its files."""
    known = "|".join(re.escape(path.name) for path in folder.iterdir())
    return re.sub(rf'"(?=(?:{known})["/])', f'"{folder}/', source)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_runs_as_shown(name, names, folder, request, monkeypatch):
    monkeypatch.chdir(folder)
    test = EXAMPLES[name]
    source = "".join(example.source for example in test.examples)
    if ".nii" in source or "olume" in source:
        request.getfixturevalue("volumes")
    test.globs = names | networks(source) | test.globs
    for example in test.examples:
        example.source = made_absolute(example.source, folder)
    assert not doctest.DocTestRunner(OnlyWhereShown()).run(test).failed
