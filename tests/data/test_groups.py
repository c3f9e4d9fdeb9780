"""Copies of an image, and images of one patient or place, stay in one part."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from thesis_lib.data import load_images, load_scenes, load_segmentation_folder
from thesis_lib.data.groups import fill, joined
from thesis_lib.data.splits import counts

PARTS = ("train", "validation", "test")


def test_items_that_share_a_value_in_any_column_are_in_one_group():
    groups = joined(["a", "a", "", "b", ""], [None, "x", "x", None, "y"])
    assert groups[0] == groups[1] == groups[2] and len(set(groups.tolist())) == 3


@given(st.integers(3, 200), st.integers(0, 9))
def test_items_without_groups_are_cut_in_their_order(total, seed):
    order = np.random.default_rng(seed).permutation(total)
    train, validation, _ = counts(total)
    for part, expected in zip(
        fill(order, np.arange(total), counts(total)), np.split(order, [train, train + validation])
    ):
        np.testing.assert_array_equal(part, expected)


@given(st.lists(st.integers(0, 9), min_size=3, max_size=60), st.integers(0, 9))
def test_a_group_lies_in_one_part_and_no_part_is_empty(groups, seed):
    groups = np.array(groups)
    parts = fill(np.random.default_rng(seed).permutation(len(groups)), groups, counts(len(groups)))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(groups)))
    assert sum(len(np.unique(groups[part])) for part in parts) == len(np.unique(groups))
    assert min(3, len(np.unique(groups))) == sum(len(part) > 0 for part in parts)


def test_groups_of_one_size_fill_the_parts_as_single_images_would():
    parts = fill(np.random.default_rng(0).permutation(200), np.repeat(np.arange(20), 10), counts(200))
    assert [len(part) for part in parts] == [140, 30, 30]


def table_of(folder, count, rows):
    """A folder of images, each of another grey but for those that a row calls a copy, and its table."""
    for i, grey in enumerate(count):
        Image.new("L", (4, 4), grey).save(folder / f"{i:02}.png")
    (folder / "labels.csv").write_text(rows)
    return folder


def names(splits):
    return [set(part.images.files) for part in (splits.train, splits.validation, splits.test)]


@pytest.mark.parametrize("seed", range(5))
def test_copies_in_files_stay_in_one_part_and_are_counted(tmp_path, seed):
    rows = "file,label\n" + "".join(f"{i:02}.png,{'ab'[i % 2]}\n" for i in range(40))
    table_of(tmp_path, [i // 4 * 4 + i % 2 if i < 16 else 100 + i for i in range(40)], rows)
    with pytest.warns(
        UserWarning, match=r"8 of 40 images are copies of another, .*\(02.png of 00.png\); they are kept"
    ):
        parts = names(load_images(tmp_path, seed))
    assert sum(map(len, parts)) == 40
    for i in (0, 1, 4, 5, 8, 9, 12, 13):
        assert sum({f"{i:02}.png", f"{i + 2:02}.png"} <= part for part in parts) == 1


def test_images_of_a_group_stay_in_one_part(tmp_path):
    rows = "file,label,group\n" + "".join(f"{i:02}.png,{'ab'[i % 2]},{i // 4}\n" for i in range(48))
    parts = names(load_images(table_of(tmp_path, range(48), rows)))
    patients = [{int(name[:2]) // 4 for name in part} for part in parts]
    assert sum(map(len, patients)) == 12 and [len(part) for part in parts] == [32, 8, 8]
    parts = names(load_images(tmp_path, group_column=None))
    assert sum(len({int(name[:2]) // 4 for name in part}) for part in parts) > 12
    (tmp_path / "labels.csv").write_text(re.sub(r",\d+\n", ",one\n", rows))
    with pytest.raises(ValueError, match="groups must be at least 3 of each class, for as many parts; got 1"):
        load_images(tmp_path)


def test_unlabelled_images_of_a_test_group_do_not_train(tmp_path):
    rows = "file,label,group\n" + "".join(f"{i:02}.png,{'a' if i < 10 else ''},{i % 10}\n" for i in range(20))
    with pytest.warns(UserWarning, match="4 unlabelled images are left out: validation or test has their group"):
        splits = load_images(table_of(tmp_path, range(20), rows))
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [12, 2, 2]


def test_a_split_of_ones_own_is_kept_and_its_copies_do_not_train(tmp_path):
    said = ["train"] * 5 + ["val"] * 3 + ["Test"] * 2
    rows = "file,label,split\n" + "".join(f"{i:02}.png,{'ab'[i % 2]},{part}\n" for i, part in enumerate(said))
    table_of(tmp_path, [0, 1, 2, 3, 4, 5, 0, 7, 0, 5], rows)
    with pytest.warns(UserWarning, match="3 of 10 images are copies of another, .*; 3 of them are left out"):
        parts = names(load_images(tmp_path))
    assert parts == [{"01.png", "02.png", "03.png", "04.png"}, {"07.png"}, {"08.png", "09.png"}]


@pytest.mark.parametrize(
    "rows, message",
    [
        ("00.png,a,train,\n01.png,a,tset,\n", "row 3: split must be train, validation or test; got 'tset'"),
        ("00.png,a,train,\n01.png,a,test,\n", "split must give images to train, validation and test; got none of val"),
        ("00.png,a,train,x\n01.png,a,test,x\n02.png,a,val,\n", "group 'x' must lie in one part; got train and test"),
        (
            "00.png,a,train,\n01.png,,test,\n02.png,a,val,\n",
            "images of split test must have a label; '01.png' has none",
        ),
    ],
)
def test_a_split_that_cannot_be_is_named(tmp_path, rows, message):
    table_of(tmp_path, range(3), "file,label,split,group\n" + rows)
    with pytest.raises(ValueError, match=message):
        load_images(tmp_path)


@pytest.mark.parametrize("column", ["Group", "SPLIT"])
def test_a_column_with_other_capitals_is_not_passed_over(tmp_path, column):
    rows = [f"{i:02}.png,{'ab'[i % 2]},{('train', 'val', 'test')[i % 3]}\n" for i in range(12)]
    table_of(tmp_path, range(12), f"file,label,{column}\n" + "".join(rows))
    kind = column.lower()
    with pytest.raises(ValueError, match=f"must call the column '{kind}', or {kind}_column must .*; got '{column}'"):
        load_images(tmp_path)
    assert len(load_images(tmp_path, **{f"{kind}_column": None}).train) == 8


def test_folders_of_classes_have_groups_too(tmp_path):
    for i in range(24):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        Image.new("L", (4, 4), i).save(tmp_path / "ab"[i % 2] / f"{i}.png")
    rows = [f"{'ab'[i % 2]}/{i}.png,{i // 4}\n" for i in range(24)]
    (tmp_path / "groups.csv").write_text("file,group\n" + "".join(rows))
    parts = names(load_images(tmp_path))
    assert sum(len({int(name[2:-4]) // 4 for name in part}) for part in parts) == 6
    (tmp_path / "groups.csv").write_text("file,group\n" + "".join(rows[1:]))
    with pytest.raises(ValueError, match=r"groups.csv must have a row for each image; got none of a/0.png \(1 such"):
        load_images(tmp_path)


def rasters(folder, greys, images="images", masks="masks"):
    for name in (images, masks):
        (folder / name).mkdir(parents=True)
    for i, grey in enumerate(greys):
        Image.new("L", (8, 8), grey).save(folder / images / f"{i:02}.png")
        Image.fromarray(np.eye(8, dtype=np.uint8)).save(folder / masks / f"{i:02}.png")
    return folder


def numbers(splits):
    return [[int(path.stem) for path in getattr(splits, part).images] for part in PARTS]


def test_copies_among_rasters_stay_in_one_part_in_every_fold(tmp_path):
    rasters(tmp_path, [i // 2 if i < 10 else i for i in range(20)])
    for options in ({}, *({"folds": 4, "fold": fold} for fold in range(4))):
        with pytest.warns(UserWarning, match="5 of 20 images are copies of another, byte for byte"):
            parts = numbers(load_segmentation_folder(tmp_path, **options))
        assert sorted(sum(parts, [])) == list(range(20)) and all(parts)
        assert all(sum({i, i + 1} <= set(part) for part in parts) == 1 for i in range(0, 10, 2))


def test_copies_of_validation_and_test_images_do_not_train(tmp_path):
    for part, greys in {"train": [1, 2, 3, 4], "val": [3, 5, 6], "test": [2, 5]}.items():
        rasters(tmp_path, greys, part, f"{part}_labels")
    with pytest.warns(UserWarning, match="3 of 9 images are copies of another, .*; 3 of them are left out, as a later"):
        parts = numbers(load_segmentation_folder(tmp_path))
    assert parts == [[0, 3], [0, 2], [0, 1]]


def test_groups_and_parts_of_rasters_are_read_from_a_table(tmp_path):
    rasters(tmp_path, range(20))
    rows = [f"{i:02}.png,{i // 4}\n" for i in range(20)]
    (tmp_path / "groups.csv").write_text("file,group\n" + "".join(rows))
    for options in ({}, {"folds": 3, "fold": 1}):
        parts = numbers(load_segmentation_folder(tmp_path, **options))
        assert sum(len({i // 4 for i in part}) for part in parts) == 5 and all(parts)
    said = ["val", "test", *["train"] * 18]
    rows = [f"images/{i:02},{part}\n" for i, part in enumerate(said)]
    (tmp_path / "groups.csv").write_text("file,split\n" + "".join(rows))
    assert numbers(load_segmentation_folder(tmp_path)) == [list(range(2, 20)), [0], [1]]
    for wrong, message in {
        "file,patient\n": "must have the columns file, and group or split; got file, patient",
        "file,group\n00.png,Smith, Ann\n": "row 2: there must be no more than 2 values; got '00.png,Smith,Ann'",
        "file,group,Split\n00.png,a,train\n": "must call the column 'split'; got 'Split'",
        "file,group\n77.png,a\n": "row 2: file must name one image, once; got '77.png', 0 images",
        "file,group\n00.png,a\n00,a\n": "row 3: file must name one image, once; got '00', twice",
        "file,group\n00.png,a\n": r"must have a row for each image; got none of images/01.png \(19 such",
    }.items():
        (tmp_path / "groups.csv").write_text(wrong)
        with pytest.raises(ValueError, match=f"groups.csv.*{message}"):
            load_segmentation_folder(tmp_path)


def test_a_group_in_several_folders_is_named(tmp_path):
    for k, part in enumerate(("train", "val", "test")):
        rasters(tmp_path, [k], part, f"{part}_labels")
    (tmp_path / "groups.csv").write_text("file,group\ntrain/00.png,x\nval/00.png,y\ntest/00.png,x\n")
    with pytest.raises(ValueError, match="group 'x' must lie in one part; got train and test"):
        load_segmentation_folder(tmp_path)


def test_copies_among_scenes_stay_in_one_part(tmp_path):
    images = np.arange(40, dtype=np.uint8).repeat(16).reshape(40, 4, 4)
    images[20:] = images[:20]
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(640).reshape(40, 4, 4) % 2)
    with pytest.warns(UserWarning, match="20 of 40 images are copies of another"):
        splits = load_scenes(tmp_path / "a.npz")
    greys = [set(np.unique(part.images).tolist()) for part in (splits.train, splits.validation, splits.test)]
    assert sum(map(len, greys)) == 20


def test_too_few_different_images_are_split_all_the_same_and_it_is_said(tmp_path):
    with pytest.warns(
        UserWarning, match="2 of 3 images are copies .* they stand in several parts, as there are too few"
    ):
        assert all(numbers(load_segmentation_folder(rasters(tmp_path, [7, 7, 7]))))


def test_images_without_copies_are_not_warned_of(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_segmentation_folder(rasters(tmp_path, range(5)))
