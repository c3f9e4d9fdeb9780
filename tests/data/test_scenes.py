import runpy
import sys
import tracemalloc
import zlib

import numpy as np
import pytest

from thesis_lib import paths
from thesis_lib.data import SceneBatches, digits, load_npz, load_scenes, m2nist, splits
from thesis_lib.paths import REPOSITORY

needs_m2nist = pytest.mark.skipif(
    not (paths.data_folder() / "m2nist_sample").exists(), reason="the ten M2NIST examples are not under THESIS_DATA"
)


ZEROS = np.zeros((4, 5, 6), np.uint8)
HALVES = ZEROS + (np.arange(6) > 2).astype(np.uint8)


@pytest.fixture
def kaggle(tmp_path):
    """A folder in M2NIST's layout; returns a function that writes it."""

    def write(images=None, one_hot=None, dtype="float32", count=7):
        sample = load_scenes("sample").train[:count]
        images = sample.images[..., 0].astype(dtype) if images is None else images
        one_hot = np.eye(11, dtype=dtype)[sample.labels] if one_hot is None else one_hot
        np.save(tmp_path / "combined.npy", images)
        np.save(tmp_path / "segmented.npy", one_hot)
        return tmp_path

    return write


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
def test_m2nist_loads_from_any_dtype(kaggle, dtype):
    loaded, sample = m2nist.load(kaggle(dtype=dtype)), load_scenes("sample").train[:7]
    assert loaded.images.dtype == loaded.labels.dtype == np.uint8
    assert (loaded.images == sample.images).all() and (loaded.labels == sample.labels).all()
    assert loaded.num_classes == 11 and loaded.background == 10


def test_the_first_n_are_read_and_the_rest_is_not_looked_at(kaggle):
    folder = kaggle()
    broken = np.load(folder / "segmented.npy")
    broken[5:] = 7
    np.save(folder / "segmented.npy", broken)
    assert len(m2nist.load(folder, 5)) == 5
    with pytest.raises(ValueError, match="segmented.npy is not one-hot in scenes 0 to 6"):
        m2nist.load(folder)


def test_loading_does_not_hold_the_one_hot_labels(tmp_path):
    """Of 2,000 scenes (118 MB of one-hot labels, 43 MB of images) 22 MB remain, and never more than 60 MB are held."""
    count = 2000
    np.lib.format.open_memmap(tmp_path / "combined.npy", "w+", np.float32, (count, 64, 84)).flush()
    one_hot = np.lib.format.open_memmap(tmp_path / "segmented.npy", "w+", np.uint8, (count, 64, 84, 11))
    one_hot[..., 10] = 1
    one_hot.flush()
    tracemalloc.start()  # NumPy reports its arrays, memory maps are none
    try:
        scenes = m2nist.load(tmp_path)
        remains, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(scenes) == count and 21e6 < remains < 23e6 and peak < 60e6


def test_the_sample_is_what_its_script_makes(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make_m2nist.py", str(tmp_path / "a.npz")])
    runpy.run_path(REPOSITORY / "sample_data" / "make_m2nist.py", run_name="__main__")
    made, shipped = np.load(tmp_path / "a.npz"), np.load(splits.SAMPLE)
    assert made.files == shipped.files
    for name in made.files:
        np.testing.assert_array_equal(made[name], shipped[name])
    if "ng" not in zlib.ZLIB_RUNTIME_VERSION:  # zlib-ng packs the same arrays into other bytes
        assert (tmp_path / "a.npz").read_bytes() == splits.SAMPLE.read_bytes()
    assert splits.SAMPLE.stat().st_size < 1_000_000


def test_the_samples_splits_share_no_digit():
    with np.load(splits.SAMPLE) as file:
        held = [set(file["digits"][file["split"] == part].ravel()) - {-1} for part in range(3)]
    assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]
    sample = load_scenes("sample")
    assert [len(part) for part in (sample.train, sample.validation, sample.test)] == [200, 40, 60]
    for part in (sample.train, sample.validation, sample.test):
        assert (part.labels != 10).any((1, 2)).all() and len(np.unique(part.labels)) == 11


def test_composed_scenes_hold_one_to_three_digits_that_do_not_overlap():
    bars = [np.full((28, 28), 200, np.uint8) * (np.arange(28) % 9 < 3)[:, None] for _ in range(10)]
    composed, held = digits.compose(bars, np.arange(10), 60, seed=3)
    ink = (bars[0] > 0).sum()
    for image, labels, sources in zip(composed.images[..., 0], composed.labels, held):
        placed = sources[sources >= 0]
        assert 1 <= len(placed) <= 3
        assert (labels != 10).sum() == ink * len(placed)  # all ink is visible
        assert ((image > 0) == (labels != 10)).all()
    assert {len(s[s >= 0]) for s in held} >= {1, 2}
    again, _ = digits.compose(bars, np.arange(10), 60, seed=3)
    assert (again.images == composed.images).all()


def test_n_scenes_are_composed_from_full_mnist(full_mnist):
    data = load_scenes(100, seed=1)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [70, 15, 15]
    assert data.train.images.shape[1:] == (64, 84, 1) and data.train.num_classes == 11
    other = load_scenes(100, seed=2)
    assert (other.test.images != data.test.images).any()
    assert (load_scenes(100, seed=1).train.labels == data.train.labels).all()


@needs_m2nist
def test_the_ten_original_m2nist_examples_load_and_split():
    folder = paths.data_folder() / "m2nist_sample"
    loaded = m2nist.load(folder)
    assert len(loaded) == 10 and loaded.images.max() == 255 and (loaded.labels != 10).any((1, 2)).all()
    data = load_scenes(str(folder))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [6, 2, 2]


def test_ones_own_npz_file_is_read(tmp_path):
    images, labels = np.zeros((10, 8, 9, 3), np.uint8), np.zeros((10, 8, 9), np.int64)
    labels[:, :3, :3] = 1
    np.savez(tmp_path / "mine.npz", images=images, labels=labels, class_names=["ground", "roof"])
    data = load_scenes(tmp_path / "mine.npz", seed=4)
    assert data.train.class_names == ("ground", "roof") and data.train.background == 0
    assert data.train.images.shape == (6, 8, 9, 3)
    assert len(load_scenes(tmp_path / "mine.npz", train_scenes=2).train) == 2


def test_batches_hold_every_scene_once_an_epoch_in_a_new_order_and_copy_nothing_else():
    part = load_scenes("sample").train[:10]
    shuffled, plain = (SceneBatches(part.images, part.labels, 4, seed) for seed in (0, None))
    assert len(shuffled) == 3 and shuffled.images is part.images
    np.testing.assert_array_equal(np.concatenate([plain[i][1] for i in range(3)]), part.labels)
    orders = []
    for _ in range(2):
        images, labels = (np.concatenate(parts) for parts in zip(*(shuffled[i] for i in range(3))))
        orders.append(shuffled.order)
        np.testing.assert_array_equal(images, part.images[shuffled.order])
        np.testing.assert_array_equal(labels, part.labels[shuffled.order])
        shuffled.on_epoch_end()
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10)) and (orders[0] != orders[1]).any()
    (together,) = SceneBatches(part.images, part.labels, 4, together=True)[2]
    assert together["images"].shape == (2, 64, 84, 1) and together["labels"].shape == (2, 64, 84)


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (HALVES[..., None], HALVES[:3], "as many, and not empty; got 4 and 3"),
        (HALVES[..., None] / 255, HALVES, "images must be uint8, with values 0-255; got float64"),
        (HALVES[..., None], HALVES.astype("float32"), "labels must be integer classes; got float32"),
    ],
)
def test_batches_of_other_arrays_are_refused(images, labels, message):
    with pytest.raises(ValueError, match=message):
        SceneBatches(images, labels, 4)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"images": ZEROS}, "must hold the array 'labels'; it holds images"),
        (
            {"images": ZEROS, "labels": ZEROS[:3]},
            r"labels \(N, H, W\) must match; got shapes \(4, 5, 6\) and \(3, 5, 6\)",
        ),
        ({"images": ZEROS, "labels": ZEROS.astype(float)}, "labels must be a non-empty array of integer"),
        (
            {"images": ZEROS, "labels": ZEROS.astype(int) + 300},
            "labels must hold classes in 0..255; got values from 300",
        ),
        ({"images": np.full((4, 5, 6), np.nan), "labels": HALVES}, "images must be finite"),
        ({"images": np.full((4, 5, 6), 256), "labels": HALVES}, r"images must hold values in 0..255; got 256 to 256"),
        ({"images": np.full((4, 5, 6), 0.9), "labels": HALVES}, "look like 0..1: multiply by 255"),
        ({"images": ZEROS, "labels": ZEROS + 255 * (np.arange(6) == 2).astype(np.uint8)}, "255 stands for 'no label'"),
        ({"images": ZEROS, "labels": ZEROS, "class_names": ["a", "b"], "background": 5}, "class_names must name all 6"),
        ({"images": ZEROS, "labels": ZEROS}, r"mine.npz: labels must be of two classes or more; got \[0\]"),
        (
            {"images": np.array(3), "labels": ZEROS},
            r"images \(N, H, W\[, C\]\) and labels \(N, H, W\) must match; got shapes \(\)",
        ),
        *[
            (
                {"images": ZEROS, "labels": ZEROS, "background": value},
                "mine.npz: background must be a class, a whole number from 0 to 254",
            )
            for value in (-1, 1.7, "background", [0])
        ],
        (
            {"images": ZEROS, "labels": ZEROS, "background": np.array(None)},
            "mine.npz is not a readable NumPy file of numbers",
        ),
        (
            {"images": ZEROS, "labels": ZEROS, "class_names": ["a", "a"]},
            "mine.npz: class_names must all be different; got",
        ),
        (
            {"images": ZEROS, "labels": ZEROS, "class_names": "ab"},
            "mine.npz: class_names must be a one-dimensional array of texts",
        ),
    ],
)
def test_what_is_wrong_with_an_npz_file_is_named(tmp_path, arrays, message):
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load_npz(tmp_path / "mine.npz")


def test_wrong_files_are_named(kaggle, tmp_path):
    folder = kaggle(images=np.zeros((6, 64, 84)))
    with pytest.raises(ValueError, match=r"combined.npy must be .* got \(6, 64, 84\) and \(7, 64, 84, 11\)"):
        m2nist.load(folder)
    np.save(folder / "combined.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="combined.npy is not a readable NumPy file of numbers"):
        m2nist.load(folder)
    (folder / "combined.npy").write_bytes(b"\x93NUMPY garbage")
    with pytest.raises(ValueError, match="combined.npy is not a readable"):
        m2nist.load(folder)
    (folder / "combined.npy").unlink()
    with pytest.raises(FileNotFoundError, match="combined.npy is not there"):
        m2nist.load(folder)


def test_wrong_values_are_named(kaggle, tmp_path, monkeypatch):
    folder = kaggle()
    with pytest.raises(ValueError, match="number of scenes of .* must be a whole number from 1 to 7; got 8"):
        m2nist.load(folder, 8)
    with pytest.raises(ValueError, match="must be a whole number from 1 to 7; got 0"):
        m2nist.load(folder, 0)
    with pytest.raises(ValueError, match="data must be a whole number from 3 to 1000000; got -5"):
        load_scenes("-5")
    with pytest.raises(FileNotFoundError, match="data must be 'sample', a number of scenes, .*nowhere'"):
        load_scenes("nowhere")
    with pytest.raises(ValueError, match="data must be .*; got 2.5"):
        load_scenes(2.5)
    with pytest.raises(ValueError, match="train_scenes must be a whole number from 1 to 200; got 201"):
        load_scenes("sample", train_scenes=201)
    monkeypatch.setenv("THESIS_DATA", str(folder))
    with pytest.raises(ValueError, match="from 1 to 7; got 9"):
        load_scenes(9)
    assert len(load_scenes(6).train) == 4
    monkeypatch.setenv("THESIS_DATA", "elsewhere/data")
    assert paths.data_folder() == REPOSITORY / "elsewhere" / "data"


def test_labels_of_grey_levels_are_no_classes_unless_named(tmp_path):
    images, labels = np.zeros((3, 4, 4)), np.uint8((0, 200))[np.arange(48).reshape(3, 4, 4) % 2]
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    with pytest.raises(ValueError, match="must hold class numbers 0, 1, 2, ... unless class_names .*; got 0, 200"):
        load_npz(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", images=images, labels=labels // 100, class_names=["a", "b", "c"])
    assert load_npz(tmp_path / "a.npz").num_classes == 3
