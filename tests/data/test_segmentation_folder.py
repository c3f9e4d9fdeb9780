"""Folders of images and masks: their layouts, and what in them does not fit, is damaged or leads outside."""

import os
import unicodedata

import numpy as np
import pytest
from PIL import Image
from raster_cases import drawn_by_two, folder_of_masks, write_table

from thesis_lib.data import Crops, load_segmentation_folder, warn_of_absent_classes


def test_the_layout_with_parts_is_read(folder):
    splits = load_segmentation_folder(folder)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (4, 2, 2) and splits.num_classes == 3
    assert set(splits.train.masks) == {"", "b"} and set(splits.test.masks) == {""}
    assert splits.train.image(1).shape == (21, 30, 3)
    assert np.array_equal(splits.train.mask(2, "b"), np.roll(splits.train.mask(2), 1, 0))
    roads = load_segmentation_folder(folder, classes=["road"])
    assert np.array_equal(roads.train.mask(0), splits.train.mask(0) == 2)


@pytest.mark.parametrize("mode", ["L", "P", "I;16"])
def test_the_plain_layout_with_class_numbers_is_read(tmp_path, mode):
    generator = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for i in range(7):
        Image.fromarray(generator.integers(0, 256, (9, 8)).astype(np.uint8)).save(tmp_path / "images" / f"{i}.png")
        numbers = generator.integers(0, 3, (9, 8)).astype(np.uint16 if mode == "I;16" else np.uint8)
        mask = Image.fromarray(numbers)
        if mode == "P":
            mask = Image.fromarray(numbers)
            mask.putpalette([90, 0, 0, 0, 90, 0, 0, 0, 90])
        mask.save(tmp_path / "masks" / f"{i}.png")
    splits = load_segmentation_folder(tmp_path)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (5, 1, 1) and splits.classes.names == (
        "0",
        "1",
        "2",
    )
    assert splits.test.image(0).shape == (9, 8, 3) and splits.train.mask(0).max() == 2


def test_what_does_not_fit_together_is_named(folder):
    (folder / "train_labels" / "scene1.tiff").rename(folder / "train_labels" / "other.tiff")
    with pytest.raises(ValueError, match="train_labels/other.tiff has no image in train/"):
        load_segmentation_folder(folder)
    (folder / "train_labels" / "other.tiff").unlink()
    with pytest.raises(ValueError, match="train/scene1.tiff has no mask in train_labels/$"):
        load_segmentation_folder(folder)
    Image.new("RGB", (5, 5)).save(folder / "train_labels" / "scene1.png")
    with pytest.raises(
        ValueError, match=r"scene1.png must be as large as its image scene1.tiff, \(21, 30\) px; got \(5, 5\)"
    ):
        load_segmentation_folder(folder)
    Image.new("RGB", (30, 21)).save(folder / "train_labels" / "scene1.tif")
    with pytest.raises(ValueError, match="must hold each name once; got scene1.png and scene1.tif"):
        load_segmentation_folder(folder)


def test_a_corrupt_file_a_missing_folder_and_a_link_outside_are_named(folder, tmp_path_factory):
    path = folder / "test" / "scene1.tiff"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="scene1.tiff cannot be read as an image"):
        load_segmentation_folder(folder).test.image(1)
    with pytest.raises(FileNotFoundError, match="root must be a folder of images and masks; got"):
        load_segmentation_folder(folder / "nowhere")
    for wrong, message in {None: "root must be a path; got None", "": "root must be a path; got ''"}.items():
        with pytest.raises(ValueError, match=message):
            load_segmentation_folder(wrong)
    with pytest.raises(ValueError, match="unknown must be one of error, ignore; got 1.5"):
        load_segmentation_folder(folder, unknown=1.5)
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    Image.new("RGB", (30, 20)).save(outside)
    (folder / "val" / "scene0.png").unlink()
    (folder / "val" / "scene0.png").symlink_to(outside)
    with pytest.raises(ValueError, match="scene0.png is a link that leads outside"):
        load_segmentation_folder(folder)


def test_all_damaged_files_of_all_parts_are_named_at_once(folder):
    heads = [folder / "train" / "scene0.png", folder / "test_labels" / "scene1.tiff"]
    for path in heads:
        path.write_bytes(b"no image")
    ends = [folder / "val" / "scene1.tiff", folder / "train_labels_b" / "scene2.png"]
    for path in ends:
        path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ValueError, match="4 files cannot be used") as raised:
        load_segmentation_folder(folder)
    assert all(str(path) in str(raised.value) for path in heads + ends)


def test_the_first_dozen_damaged_files_are_named_and_the_others_counted(tmp_path):
    drawn_by_two(tmp_path, 20)
    for path in (tmp_path / "images").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="20 files cannot be used: .*11.png cannot be read .*; and 8 more"):
        load_segmentation_folder(tmp_path)


def test_masks_that_are_not_turned_as_their_images_are_warned_of(tmp_path):
    folder_of_masks(tmp_path, np.zeros((3, 8, 8), np.uint8))
    orientation = Image.Exif()
    orientation[0x0112] = 6
    for i in range(2):
        Image.new("L", (8, 8), i).save(tmp_path / "images" / f"{i}.png", exif=orientation)
    with pytest.warns(UserWarning, match="EXIF data turn 2 images, but not their masks"):
        load_segmentation_folder(tmp_path)
    Image.new("L", (8, 6)).save(tmp_path / "images" / "0.png", exif=orientation)
    Image.new("L", (8, 6)).save(tmp_path / "masks" / "0.png")
    with pytest.raises(ValueError, match=r"\(8, 6\) px; got \(6, 8\); EXIF data turn the image, but not the mask"):
        load_segmentation_folder(tmp_path)


@pytest.mark.parametrize("path", ["images/0.png", "masks/0.png", "label_class_dict.csv"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, path):
    folder_of_masks(tmp_path, np.zeros((3, 8, 8), np.uint8))
    (tmp_path / path).unlink(missing_ok=True)
    os.mkfifo(tmp_path / path)
    with pytest.raises(ValueError, match=f"{path} must be a file; got a pipe or device"):
        load_segmentation_folder(tmp_path)


def test_names_are_the_same_in_either_form_of_unicode(tmp_path):
    folder_of_masks(tmp_path, np.zeros((3, 8, 8), np.uint8))
    (tmp_path / "masks").rename(tmp_path / unicodedata.normalize("NFD", "masks_Zoë"))
    (tmp_path / "images" / "0.png").rename(tmp_path / "images" / unicodedata.normalize("NFC", "Grün.png"))
    drawn = tmp_path / unicodedata.normalize("NFD", "masks_Zoë")
    (drawn / "0.png").rename(drawn / unicodedata.normalize("NFD", "Grün.png"))
    write_table(tmp_path, unicodedata.normalize("NFD", "name\nWiese\nBäume\n"))
    splits = load_segmentation_folder(tmp_path, classes=[unicodedata.normalize("NFC", "Bäume")])
    assert len(splits.train) == 1 and list(splits.train.masks) == [unicodedata.normalize("NFC", "Zoë")]


def test_plain_masks_may_be_missing_beside_those_of_annotators(tmp_path):
    splits = load_segmentation_folder(drawn_by_two(tmp_path))
    assert set(splits.train.masks) == {"a", "b"} and splits.classes.names == ("background", "object")
    assert splits.test.mask(0, "b").sum() > splits.test.mask(0, "a").sum()
    with pytest.raises(ValueError, match="annotator must be one of a, b; got ''"):
        splits.test.mask(0)


def test_what_a_caller_gets_wrong_is_named(folder):
    rasters = load_segmentation_folder(folder).train
    for ask in (lambda: rasters.mask(0, "zz"), lambda: rasters.drawn_by("zz")):
        with pytest.raises(ValueError, match="annotator must be one of , b; got 'zz'"):
            ask()
    with pytest.raises(ValueError, match="annotator must name one whose masks there are, one of '', 'b'; got none"):
        Crops(rasters, 8, 2, annotator=[])
    with pytest.raises(ValueError, match="classes must be a list of names, of ground, roof, road; got 5"):
        load_segmentation_folder(folder, classes=5)


def test_a_damaged_image_of_any_part_is_named_before_training(folder):
    path = folder / "test" / "scene1.tiff"
    Image.fromarray(np.zeros((21, 30, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-900])  # its head is whole
    splits = load_segmentation_folder(folder)
    with pytest.raises(ValueError, match="test/scene1.tiff cannot be read as an image"):
        warn_of_absent_classes(splits)


def test_other_data_have_another_fingerprint(folder):
    path = folder / "train_labels_b" / "scene0.png"
    Image.new("RGB", (30, 20)).save(path, compress_level=0)
    size, before = path.stat().st_size, load_segmentation_folder(folder).fingerprint
    assert (
        before
        == load_segmentation_folder(folder).fingerprint
        != load_segmentation_folder(folder, classes=["roof"]).fingerprint
    )
    Image.new("RGB", (30, 20), (255, 0, 0)).save(path, compress_level=0)
    assert path.stat().st_size == size and load_segmentation_folder(folder).fingerprint != before


def test_a_table_outside_and_links_to_nowhere_are_not_followed(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "table.csv"
    (folder / "label_class_dict.csv").rename(outside)
    (folder / "label_class_dict.csv").symlink_to(outside)
    with pytest.raises(ValueError, match="label_class_dict.csv is a link that leads outside"):
        load_segmentation_folder(folder)
    (folder / "train" / "loop.png").symlink_to("loop.png")
    outside.replace(folder / "label_class_dict.csv")
    with pytest.raises(ValueError, match="loop.png is a link that leads nowhere"):
        load_segmentation_folder(folder)
