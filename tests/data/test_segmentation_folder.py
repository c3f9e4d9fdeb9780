import os
import unicodedata

import numpy as np
import pytest
from PIL import Image
from raster_cases import write_table

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
    for i in range(3):
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(255 * np.eye(16, dtype=np.uint8)).save(tmp_path / folder / f"{i}.png")
    splits = load_segmentation_folder(tmp_path)
    assert splits.classes.names == ("background", "object")
    np.testing.assert_array_equal(splits.test.mask(0), np.eye(16))
    write_table(tmp_path, "name\nground\nroof\n")  # class numbers, of which 255 is none
    with pytest.raises(ValueError, match="masks must hold class numbers, .* 0 and 255 alone"):
        warn_of_absent_classes(load_segmentation_folder(tmp_path))


def folder_of_masks(folder, masks, images=None):
    """A plain folder of masks (H, W) and black images, or the given ones."""
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for i, mask in enumerate(masks):
        image = np.full(mask.shape, i, np.uint8) if images is None else images[i]
        Image.fromarray(image).save(folder / "images" / f"{i}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{i}.png")
    return folder


@pytest.mark.parametrize("numbers", [(0, 127, 255), (0, 200), (0, 100, 200), (2, 2)])
def test_masks_of_grey_levels_are_no_class_numbers_where_no_table_lists_them(tmp_path, numbers):
    masks = np.uint8(numbers)[np.arange(3 * 64).reshape(3, 8, 8) % len(numbers)]
    folder_of_masks(tmp_path, masks)
    with pytest.raises(ValueError, match=r"masks in .* unless label_class_dict.csv \(name,r,g,b\) lists"):
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


def drawn_by_two(folder, count=7):
    """Images, and masks of a disc by two people; b draws it a pixel larger."""
    rows, columns = np.indices((24, 30)) - np.reshape((12, 15), (2, 1, 1))
    for name in ("images", "masks_a", "masks_b"):
        (folder / name).mkdir()
    for i in range(count):
        Image.fromarray(np.full((24, 30), 8 * i, np.uint8)).save(folder / "images" / f"{i:02}.png")
        for name, radius in {"masks_a": 6, "masks_b": 7}.items():
            disc = np.hypot(rows, columns) <= radius
            Image.fromarray(255 * disc.astype(np.uint8)).save(folder / name / f"{i:02}.png")
    return folder


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


def test_plain_masks_may_be_missing_beside_those_of_annotators(tmp_path):
    splits = load_segmentation_folder(drawn_by_two(tmp_path))
    assert set(splits.train.masks) == {"a", "b"} and splits.classes.names == ("background", "object")
    assert splits.test.mask(0, "b").sum() > splits.test.mask(0, "a").sum()
    with pytest.raises(ValueError, match="annotator must be one of a, b; got ''"):
        splits.test.mask(0)


def test_numbers_of_all_parts_and_annotators_are_classes(tmp_path):
    for part, highest in (("train", 1), ("val", 2), ("test", 1)):
        for folder, value in ((part, 9), (f"{part}_labels", highest), (f"{part}_labels_b", 3)):
            (tmp_path / folder).mkdir()
            Image.fromarray(np.diag(np.full(8, value, np.uint8))).save(tmp_path / folder / "a.png")
    assert load_segmentation_folder(tmp_path).num_classes == 4


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
