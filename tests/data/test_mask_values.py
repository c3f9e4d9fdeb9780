"""What the values in the masks of a folder say about its classes."""

import numpy as np
import pytest
from PIL import Image
from raster_cases import folder_of_masks, write_table

from thesis_lib.data import load_segmentation_folder, warn_of_absent_classes


def test_absent_classes_are_warned_of_once(folder):
    write_table(folder, "name,r,g,b\nground,0,0,0\nroof,255,255,255\nroad,200,10,30\nlake,0,0,255\n")
    with pytest.warns(UserWarning, match="no training mask holds the class lake; its") as caught:
        warn_of_absent_classes(load_segmentation_folder(folder))
    assert len(caught) == 1


def test_classes_are_looked_for_in_the_masks_that_are_learned_from(folder):
    splits = load_segmentation_folder(folder)
    Image.new("RGB", (30, 20)).save(splits.train.masks[""][0])
    with pytest.warns(UserWarning, match="no training mask holds the class roof, road;"):
        warn_of_absent_classes(splits, labelled=1)


def test_masks_of_0_and_255_alone_show_one_object_where_no_table_says_otherwise(tmp_path):
    folder_of_masks(tmp_path, [255 * np.eye(16, dtype=np.uint8)] * 3)
    splits = load_segmentation_folder(tmp_path)
    assert splits.classes.names == ("background", "object")
    np.testing.assert_array_equal(splits.test.mask(0), np.eye(16))
    write_table(tmp_path, "name\nground\nroof\n")  # class numbers, of which 255 is none
    with pytest.raises(ValueError, match="masks must hold class numbers, .* 0 and 255 alone"):
        warn_of_absent_classes(load_segmentation_folder(tmp_path))


@pytest.mark.parametrize("numbers", [(0, 127, 255), (0, 200), (0, 100, 200), (2, 2)])
def test_masks_of_grey_levels_are_no_class_numbers_where_no_table_lists_them(tmp_path, numbers):
    masks = np.uint8(numbers)[np.arange(3 * 64).reshape(3, 8, 8) % len(numbers)]
    folder_of_masks(tmp_path, masks)
    highest = max(set(numbers) - {255})
    holds = rf"\. masks/\d\.png holds {highest}$"
    with pytest.raises(ValueError, match=r"masks in .* unless label_class_dict.csv \(name,r,g,b\) lists.*" + holds):
        load_segmentation_folder(tmp_path)
    rows = [f"class {k},{number},{number},{number}\n" for k, number in enumerate(sorted(set(numbers)))]
    write_table(tmp_path, "name,r,g,b\n" + "".join(rows))
    mask = load_segmentation_folder(tmp_path).train.mask(0)
    assert np.array_equal(np.unique(numbers)[mask], masks[int(load_segmentation_folder(tmp_path).train.images[0].stem)])


def test_pixels_of_no_class_are_warned_of_where_no_table_says_so(tmp_path):
    masks = np.uint8((0, 1, 255))[np.arange(3 * 64).reshape(3, 8, 8) % 3]
    with pytest.warns(UserWarning, match="hold 255 beside class numbers: it stands for no class, and is not learned"):
        assert load_segmentation_folder(folder_of_masks(tmp_path, masks)).num_classes == 2


def test_masks_that_were_resized_with_smooth_edges_do_not_become_hundreds_of_classes(tmp_path):
    disc = Image.fromarray(np.uint8(255 * (((np.indices((40, 40)) - 20) ** 2).sum(0) < 120)))
    masks = np.stack([np.asarray(disc.resize((97, 97), Image.Resampling.BILINEAR))] * 3)
    with pytest.raises(ValueError, match=r"at most 64 class numbers unless .*csv.* lists .*; got \d+ from 0 to 254"):
        load_segmentation_folder(folder_of_masks(tmp_path, masks))
    write_table(tmp_path, "name\n" + "".join(f"{k}\n" for k in range(255)))
    assert load_segmentation_folder(tmp_path).num_classes == 255


def test_numbers_of_all_parts_and_annotators_are_classes(tmp_path):
    for part, highest in (("train", 1), ("val", 2), ("test", 1)):
        for folder, value in ((part, 9), (f"{part}_labels", highest), (f"{part}_labels_b", 3)):
            (tmp_path / folder).mkdir()
            Image.fromarray(np.diag(np.full(8, value, np.uint8))).save(tmp_path / folder / "a.png")
    assert load_segmentation_folder(tmp_path).num_classes == 4
