"""Nuclei: the sample, reduced resolution by hand, and bad folders."""

import runpy
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from thesis_lib import paths
from thesis_lib.data import load_nuclei, nuclei


def save(folder, name, image, objects):
    """One image and its numbers."""
    for part, array in (("images", np.array(image, np.uint8)), ("objects", np.array(objects, np.uint16))):
        (folder / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / part / name)


def test_the_sample_is_whole():
    sample = load_nuclei("sample")
    assert sample.images.shape == (12, 256, 256, 1) and sample.labels.shape == sample.objects.shape == (12, 256, 256)
    assert [a.dtype for a in (sample.images, sample.labels, sample.objects)] == [np.uint8, np.uint8, np.uint16]
    assert np.array_equal(sample.labels, sample.objects > 0)
    assert all(len(np.unique(objects)) > 5 for objects in sample.objects)
    # nuclei shine
    on, off = (sample.images[..., 0][sample.labels == value].mean() for value in (1, 0))
    assert on > 4 * off
    assert sum(file.stat().st_size for file in nuclei.SAMPLE.rglob("*.png")) < 600_000


def test_images_are_chosen_by_index():
    sample = load_nuclei()
    some = sample[[3, 0]]
    assert len(sample) == 12 and len(some) == 2
    assert np.array_equal(some.objects, sample.objects[[3, 0]]) and np.array_equal(some.images, sample.images[[3, 0]])


@pytest.mark.parametrize("shrink", [2, 3, 4])
def test_nuclei_keep_their_place_and_area_at_reduced_resolution(shrink):
    fine, coarse = load_nuclei("sample"), load_nuclei("sample", shrink)
    side = 256 // shrink
    assert coarse.images.shape == (12, side, side, 1) and coarse.objects.shape == (12, side, side)
    assert np.array_equal(coarse.labels, coarse.objects > 0)
    areas = [np.bincount(n.objects[0].ravel(), minlength=100)[1:] for n in (fine, coarse)]
    large = areas[0] > 200
    assert large.any() and np.allclose(areas[1][large] * shrink**2 / areas[0][large], 1, atol=0.05 * shrink)
    assert np.mean(coarse.labels) == pytest.approx(np.mean(fine.labels), rel=0.01 * shrink)
    assert np.mean(coarse.images) == pytest.approx(np.mean(fine.images), rel=0.02)


def test_a_block_has_the_mean_grey_value_and_its_most_frequent_nucleus(tmp_path):
    image = [[0, 4, 7, 7, 99], [4, 9, 7, 8, 99], [0, 0, 1, 1, 99], [0, 0, 1, 1, 99], [99] * 5]
    objects = [[1, 1, 0, 2, 5], [1, 2, 2, 0, 5], [0, 0, 700, 0, 5], [3, 0, 0, 3, 5], [5] * 5]
    save(tmp_path, "a.png", image, objects)
    half = load_nuclei(tmp_path, shrink=2)
    assert half.images[0, ..., 0].tolist() == [[4, 7], [0, 1]]  # 17 / 4, 29 / 4; the last row and column are cut off
    assert half.objects[0].tolist() == [[1, 0], [0, 0]]  # of 0, 2, 2, 0 the first
    assert half.labels[0].tolist() == [[1, 0], [0, 0]]
    whole = load_nuclei(tmp_path)
    assert whole.images[0, ..., 0].tolist() == image and whole.objects[0].tolist() == objects


@pytest.mark.parametrize("shrink", [0, 5, 1.5, True, None])
def test_shrink_is_checked(shrink):
    with pytest.raises(ValueError, match="shrink must be a whole number from 1 to 4; got"):
        load_nuclei("sample", shrink)


def test_an_absent_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("THESIS_DATA", str(tmp_path))
    for path in (None, tmp_path / "nuclei"):
        with pytest.raises(FileNotFoundError, match=f"nuclei must lie in {tmp_path}/nuclei"):
            load_nuclei(path)
    shutil.copytree(nuclei.SAMPLE, tmp_path / "nuclei")
    assert len(load_nuclei(None)) == 12
    shutil.rmtree(tmp_path / "nuclei" / "images")
    (tmp_path / "nuclei" / "images").mkdir()
    with pytest.raises(FileNotFoundError, match="must hold images of nuclei"):
        load_nuclei(None)


def test_a_bad_file_is_named(tmp_path):
    save(tmp_path, "a.png", np.zeros((6, 6)), np.ones((6, 6)))
    save(tmp_path, "b.png", np.zeros((6, 6)), np.ones((6, 5)))
    with pytest.raises(ValueError, match=r"b.png and its file of objects must be as large as a.png, \(6, 6\); got"):
        load_nuclei(tmp_path)
    Image.fromarray(np.zeros((6, 6, 3), np.uint8)).save(tmp_path / "objects" / "b.png")
    with pytest.raises(ValueError, match="objects/b.png must hold numbers of objects from 0 to 65535, .* got mode RGB"):
        load_nuclei(tmp_path)
    (tmp_path / "objects" / "b.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match="objects/b.png cannot be read as an image"):
        load_nuclei(tmp_path)
    (tmp_path / "objects" / "b.png").unlink()
    with pytest.raises(FileNotFoundError, match="objects/b.png must hold the numbers of nuclei; got no file"):
        load_nuclei(tmp_path)


def test_the_sample_is_what_its_script_chooses(tmp_path, monkeypatch):
    source = paths.data_folder() / "nuclei"
    if not source.is_dir():
        pytest.skip("the full set of nuclei is not under THESIS_DATA (nuclei)")
    monkeypatch.setattr(sys, "argv", ["make_nuclei.py", str(tmp_path)])
    runpy.run_path(paths.REPOSITORY / "sample_data" / "make_nuclei.py", run_name="__main__")
    files = sorted(file.relative_to(nuclei.SAMPLE) for file in nuclei.SAMPLE.rglob("*.png"))
    assert files == sorted(file.relative_to(tmp_path) for file in tmp_path.rglob("*.png")) and len(files) == 24
    assert all((tmp_path / file).read_bytes() == (nuclei.SAMPLE / file).read_bytes() for file in files)
    everything = load_nuclei(None, shrink=3)
    assert everything.images.shape == (334, 85, 85, 1)
