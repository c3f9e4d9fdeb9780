"""Images without a mask, in `unlabelled/` beside the others: which are read, which are left out."""

import numpy as np
import pytest
from own_cases import SIDE, save, write_discs

from thesis_lib.data import load_segmentation_folder


@pytest.fixture
def folder(tmp_path):
    """Ten images with masks and four without, of which one is a copy of the first test image."""
    write_discs(tmp_path, people=("",))
    generator = np.random.default_rng(1)
    for i in range(3):
        save(tmp_path / "unlabelled" / f"other{i}.png", generator.integers(0, 256, (SIDE, SIDE)))
    copied = load_segmentation_folder(tmp_path).test.images[0]
    (tmp_path / "unlabelled" / "copy.png").write_bytes(copied.read_bytes())
    return tmp_path


def names(rasters):
    return [path.stem for path in rasters.images]


def test_images_without_a_mask_train_and_copies_of_test_images_do_not(folder):
    with pytest.warns(UserWarning, match="1 images in .*unlabelled are left out: validation or test has them"):
        splits = load_segmentation_folder(folder, unlabelled=True)
    assert names(splits.unlabelled) == ["other0", "other1", "other2"] and splits.unlabelled.masks == {}
    without = load_segmentation_folder(folder)
    assert without.unlabelled is None and without.train.images == splits.train.images
    before = splits.fingerprint
    assert before != without.fingerprint
    (folder / "unlabelled" / "other2.png").unlink()
    (folder / "unlabelled" / "copy.png").unlink()
    assert load_segmentation_folder(folder, unlabelled=True).fingerprint != before


def test_images_of_a_test_images_group_are_left_out_and_need_no_row(folder):
    (folder / "unlabelled" / "copy.png").unlink()
    rows = ["file,group", *(f"{path.stem},{path.stem}" for path in (folder / "images").iterdir())]
    (folder / "groups.csv").write_text("\n".join(rows))
    test = load_segmentation_folder(folder).test.images
    (folder / "groups.csv").write_text("\n".join([*rows, f"unlabelled/other1.png,{test[0].stem}"]))
    assert load_segmentation_folder(folder).test.images == test
    with pytest.warns(UserWarning, match="1 images in"):
        assert names(load_segmentation_folder(folder, unlabelled=True).unlabelled) == ["other0", "other2"]


def test_a_damaged_image_without_a_mask_is_named(folder):
    (folder / "unlabelled" / "copy.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"unlabelled/copy\.png"):
        load_segmentation_folder(folder, unlabelled=True)
    assert load_segmentation_folder(folder).unlabelled is None


def test_what_lies_in_unlabelled_stops_no_training_that_does_not_use_it(folder):
    save(folder / "unlabelled" / "other0.jpg", np.zeros((SIDE, SIDE)))
    assert load_segmentation_folder(folder).unlabelled is None
    with pytest.raises(ValueError, match="must hold each name once; got other0.jpg and other0.png"):
        load_segmentation_folder(folder, unlabelled=True)
    for path in (folder / "unlabelled").iterdir():
        path.unlink()
    assert len(load_segmentation_folder(folder).train) == 6
    with pytest.raises(FileNotFoundError, match="unlabelled must hold images"):
        load_segmentation_folder(folder, unlabelled=True)


def test_a_row_names_an_image_without_a_mask_by_its_name_where_no_other_has_it(folder):
    (folder / "unlabelled" / "copy.png").rename(folder / "unlabelled" / "scan00.png")
    save(folder / "unlabelled" / "scan00.png", np.eye(SIDE))
    rows = ["file,group", *(f"{path.stem},{path.stem}" for path in (folder / "images").iterdir())]
    (folder / "groups.csv").write_text("\n".join(rows))
    test = load_segmentation_folder(folder).test.images
    (folder / "groups.csv").write_text("\n".join([*rows, f"other1.png,{test[0].stem}", f"other2,{test[0].stem}"]))
    with pytest.warns(UserWarning, match="2 images in"):
        assert names(load_segmentation_folder(folder, unlabelled=True).unlabelled) == ["other0", "scan00"]
