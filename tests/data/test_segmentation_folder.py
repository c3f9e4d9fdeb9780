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
    with pytest.raises(ValueError, match="train_labels/other has no partner in train/"):
        load_segmentation_folder(folder)
    (folder / "train_labels" / "other.tiff").unlink()
    with pytest.raises(ValueError, match="train/scene1 has no partner in train_labels/"):
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
    with pytest.raises(ValueError, match="scene1.tiff is not"):
        load_segmentation_folder(folder).test.image(1)
    with pytest.raises(FileNotFoundError, match="data must be a folder of images and masks; got"):
        load_segmentation_folder(folder / "nowhere")
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


def test_masks_of_0_and_255_without_a_table_are_not_taken_for_ignored(tmp_path):
    for i in range(3):
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(255 * np.eye(16, dtype=np.uint8)).save(tmp_path / folder / f"{i}.png")
    with pytest.raises(
        ValueError, match="masks must hold class numbers, as label_class_dict.csv gives no colours; .* 0 and 255 alone"
    ):
        load_segmentation_folder(tmp_path)


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
    with pytest.raises(ValueError, match="annotator must name a mask folder, one of '', 'b'; got none"):
        Crops(rasters, 8, 2, annotator=[])
    with pytest.raises(ValueError, match="classes must be a list of names, of ground, roof, road; got 5"):
        load_segmentation_folder(folder, classes=5)


def test_a_damaged_image_of_any_part_is_named_before_training(folder):
    path = folder / "test" / "scene1.tiff"
    Image.fromarray(np.zeros((21, 30, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-900])  # its head is whole
    splits = load_segmentation_folder(folder)
    with pytest.raises(ValueError, match="test/scene1.tiff is not a whole image file"):
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
