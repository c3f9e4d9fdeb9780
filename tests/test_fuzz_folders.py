"""Folders, zip files, sweeps and results of runs with something odd in them: read as stored or refused by name.

See test_fuzz_files.py, whose helpers these tests share.
"""

import json
import shutil
import zipfile

import numpy as np
import pytest
from fuzz import files
from fuzz.stored import damaged, tables
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_fuzz_files import read, rows_of, run

from thesis_lib import data as loaders
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import experiments, segmentation_runs

SAMPLE = REPOSITORY / "reports" / "reference" / "sample" / "runs"
EXPERIMENT = (REPOSITORY / "experiments" / "sample.yaml").read_bytes()
WAYS = ((np.uint8, "PNG"), (np.uint16, "PNG"), (np.uint16, "TIFF"), (np.int32, "TIFF"), (np.float32, "TIFF"))
ODD_VALUES = (None, True, -1, 1.5, 10**400, "x", "²", [], {}, [1], {"a": 1}, "NaN")


@pytest.fixture(scope="module")
def zipped():
    """A zip file of images and labels.csv, as bytes."""
    folder = files.table_folder("zipped")
    path = files.ROOT / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path.read_bytes()


@run(80)
@given(drawn=st.data())
def test_a_damaged_zip_file_is_named_or_its_images_are_whole(zipped, drawn):
    path = files.ROOT / "damaged.zip"
    path.write_bytes(drawn.draw(damaged(zipped)))
    found = read(images_of, "damaged.zip", root=path)
    assert found is None or found.shape[1:] == (6, 7, 3)


def images_of(root):
    return loaders.load_image_table(root, size=(6, 7))[:]


@run(80)
@given(content=tables(("file", "group"), [(f"{'ab'[i % 2]}/{i}.png", f"g{i // 2}") for i in range(8)]))
def test_groups_are_those_of_their_table(content):
    root = files.ROOT / "classes"
    for i in range(8):
        files.save(root / "ab"[i % 2] / f"{i}.png", files.random_image(seed=i))
    (root / "groups.csv").write_bytes(content)
    found = read(loaders.load_image_table, "groups.csv", root=root)
    if found is not None:
        assert [found.class_names[k] for k in found.labels] == [name[0] for name in found.files]
        cells = {row["file"]: row.get("group", "") for row in rows_of(content)}
        assert found.groups is None or [cells[name] for name in found.files] == found.groups.tolist()


@run(60)
@given(drawn=st.data())
def test_objects_keep_their_numbers(drawn):
    root = files.ROOT / "nuclei"
    shutil.rmtree(root, ignore_errors=True)
    highest = drawn.draw(st.sampled_from([1, 254, 255, 256, 4095, 65535]))
    numbers = np.random.default_rng(highest).integers(0, highest + 1, (9, 10))
    kind, written = drawn.draw(st.sampled_from(WAYS))
    files.save(root / "images" / "a.png", files.random_image()[..., 0])
    path = root / "objects" / "a.png"
    path.parent.mkdir()
    Image.fromarray(numbers.astype(kind)).save(path, written)
    found = read(loaders.load_nuclei, "a.png", path=root)
    if found is not None:
        assert np.array_equal(found.objects[0], numbers.astype(kind))


@run(100)
@given(content=damaged(EXPERIMENT))
def test_a_damaged_sweep_is_named_or_has_runs(content):
    path = files.ROOT / "sweep.yaml"
    path.write_bytes(content)
    found = read(experiments.runs, "sweep.yaml", path=path)
    assert found is None or all(isinstance(parameters, dict) for parameters in found.values())


@run(60)
@given(drawn=st.data())
def test_damaged_results_are_skipped_or_named(drawn):
    root = files.ROOT / "runs"
    shutil.rmtree(root, ignore_errors=True)
    some = sorted(SAMPLE.iterdir())[:3]
    for run_folder in some:
        shutil.copytree(run_folder, root / run_folder.name)
    path = root / some[0].name / drawn.draw(st.sampled_from(["row.json", "scenes.npz"]))
    if path.suffix == ".json" and drawn.draw(st.booleans()):
        row = json.loads(path.read_text())
        row[drawn.draw(st.sampled_from(sorted(row)))] = drawn.draw(st.sampled_from(ODD_VALUES))
        path.write_text(json.dumps(row))
    else:
        path.write_bytes(drawn.draw(damaged(path.read_bytes())))
    found = read(segmentation_runs.read, some[0].name, "results", folder=root)
    if found is not None:
        assert set(found["run"]) <= {run_folder.name for run_folder in some}
