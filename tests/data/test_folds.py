"""Folds of a folder of images and masks."""

import numpy as np
import pytest
from raster_cases import drawn_by_two

from thesis_lib.data import load_segmentation_folder


def test_every_image_is_tested_in_one_fold_and_seen_otherwise(tmp_path):
    drawn_by_two(tmp_path)
    tested = []
    for fold in range(3):
        splits = load_segmentation_folder(tmp_path, folds=3, fold=fold)
        parts = [[path.stem for path in part.images] for part in (splits.train, splits.validation, splits.test)]
        assert sorted(sum(parts, [])) == [f"{i:02}" for i in range(7)] and len(parts[1]) == 1
        assert [path.stem for path in splits.train.masks["b"]] == parts[0] and set(splits.test.masks) == {"a", "b"}
        tested += parts[2]
    assert sorted(tested) == [f"{i:02}" for i in range(7)]


def test_the_first_images_to_train_on_are_a_random_sample_in_a_fold(tmp_path):
    drawn_by_two(tmp_path, 30)
    names = [int(path.stem) for path in load_segmentation_folder(tmp_path, folds=5).train.images]
    assert names != sorted(names) and np.mean(names[:10]) > 6  # the first ten names have a mean of 4.5


def test_folds_take_the_parts_together_with_the_masks_that_every_image_has(folder):
    for part in ("val", "test"):
        for kind in (part, f"{part}_labels"):
            for path in sorted((folder / kind).iterdir()):
                path.rename(path.with_name(f"{part}_{path.name}"))
    with pytest.warns(UserWarning, match=r"folds leave out the masks \(b\) that are not there for every image"):
        splits = load_segmentation_folder(folder, folds=4)
    assert len(splits.test) == 2 and len(splits.train) + len(splits.validation) == 6
    assert set(splits.train.masks) == {""}


def test_folds_that_cannot_be_are_named(folder, tmp_path_factory):
    with pytest.raises(ValueError, match="must hold each image's name once.*; got 'scene0' twice"):
        load_segmentation_folder(folder, folds=2)
    few = drawn_by_two(tmp_path_factory.mktemp("few"), 3)
    with pytest.raises(ValueError, match="folds must be a whole number from 2 to 3, the number of images; got 4"):
        load_segmentation_folder(few, folds=4)
    with pytest.raises(ValueError, match="fold must be a whole number from 0 to 2; got 3"):
        load_segmentation_folder(few, folds=3, fold=3)
    with pytest.raises(
        ValueError, match="folds must leave two images, to train and validate, .*; 2 of 3 images leave 1"
    ):
        load_segmentation_folder(few, folds=2)
