import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from thesis_lib import training
from thesis_lib.data import pictures
from thesis_lib.data.class_table import IGNORE, ClassTable, read_class_table
from thesis_lib.data.crops import Crops, Tiles
from thesis_lib.data.segmentation_folder import Rasters, segmentation_folder, warn_of_absent_classes

REPOSITORY = Path(__file__).parents[1]
COLOURS = ClassTable(("ground", "roof", "road"), ((0, 0, 0), (255, 255, 255), (200, 10, 30)))


def write_table(folder, rows="name,r,g,b\nground,0,0,0\nroof,255,255,255\nroad,200,10,30\n"):
    (folder / "label_class_dict.csv").write_text(rows)


@pytest.fixture
def folder(tmp_path):
    """The layout with parts: four, two and two images of several sizes and formats, and a second annotator of those to train on."""
    generator = np.random.default_rng(0)
    write_table(tmp_path)
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        for i in range(count):
            size = (20 + i, 30)
            classes = generator.integers(0, 3, size)
            for name, picture in ((part, generator.integers(0, 256, (*size, 3))), (f"{part}_labels", COLOURS.to_picture(classes))):
                (tmp_path / name).mkdir(exist_ok=True)
                ending = "tiff" if i % 2 else "png"
                Image.fromarray(picture.astype(np.uint8)).save(tmp_path / name / f"scene{i}.{ending}")
            if part == "train":
                (tmp_path / "train_labels_b").mkdir(exist_ok=True)
                Image.fromarray(COLOURS.to_picture(np.roll(classes, 1, 0))).save(tmp_path / "train_labels_b" / f"scene{i}.png")
    return tmp_path


def test_colours_become_classes_and_back():
    classes = np.random.default_rng(0).integers(0, 3, (50, 60)).astype(np.uint8)
    assert np.array_equal(COLOURS.to_classes(COLOURS.to_picture(classes)), classes)


def test_a_colour_of_no_class_is_named_with_its_place_or_ignored():
    picture = COLOURS.to_picture(np.zeros((4, 5), np.uint8))
    picture[2, 3] = (1, 2, 3)
    with pytest.raises(ValueError, match=r"a.png must hold the 3 classes of the table alone; got \(1, 2, 3\) at row 2, column 3"):
        COLOURS.to_classes(picture, "a.png")
    classes = COLOURS.to_classes(picture, unknown="ignore")
    assert classes[2, 3] == IGNORE and (classes == IGNORE).sum() == 1
    with pytest.raises(ValueError, match="got 7 at row 0, column 1"):
        ClassTable(("a", "b")).to_classes(np.array([[0, 7]]))


def test_some_classes_are_told_apart_and_everything_else_is_class_0():
    kept, numbers = COLOURS.select(["road"])
    assert kept.names == ("other", "road") and numbers[:3].tolist() == [0, 0, 1] and numbers[IGNORE] == IGNORE
    kept, numbers = COLOURS.select(["roof", "road"])
    assert kept.names == ("ground", "roof", "road") and kept.colours == COLOURS.colours
    with pytest.raises(ValueError, match="classes must be one of ground, road, roof; got 'lake'"):
        COLOURS.select(["lake"])


@pytest.mark.parametrize(
    "rows, message",
    [
        ("name,r,g,b\n", "a row a class"),
        ("class,r,g,b\nroof,1,2,3\n", "must have a column 'name'"),
        ("name,r,g,b\na,1,2,3\na,4,5,6\n", "names must all be different; got 'a' twice"),
        ("name,r,g,b\na,1,2,3\nb,1,2,3\n", r"colours must all be different; got \(1, 2, 3\) twice"),
        ("name,r,g,b\na,1,2,300\n", "whole numbers from 0 to 255"),
        ("name,r,g\na,1,2\n", "must be a table of classes"),
        ("", "must be a table of classes"),
    ],
)  # fmt: skip
def test_a_wrong_class_table_is_named(tmp_path, rows, message):
    write_table(tmp_path, rows)
    with pytest.raises(ValueError, match=message) as caught:
        read_class_table(tmp_path / "label_class_dict.csv")
    assert "label_class_dict.csv" in str(caught.value)


def test_the_layout_with_parts_is_read(folder):
    splits = segmentation_folder(folder)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (4, 2, 2) and splits.num_classes == 3
    assert set(splits.train.masks) == {"", "b"} and set(splits.test.masks) == {""}
    assert splits.train.image(1).shape == (21, 30, 3)
    assert np.array_equal(splits.train.mask(2, "b"), np.roll(splits.train.mask(2), 1, 0))
    roads = segmentation_folder(folder, classes=["road"])
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
    splits = segmentation_folder(tmp_path)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (5, 1, 1) and splits.classes.names == ("0", "1", "2")
    assert splits.test.image(0).shape == (9, 8, 3) and splits.train.mask(0).max() == 2


def test_what_does_not_fit_together_is_named(folder):
    (folder / "train_labels" / "scene1.tiff").rename(folder / "train_labels" / "other.tiff")
    with pytest.raises(ValueError, match="train_labels/other has no partner in train/"):
        segmentation_folder(folder)
    (folder / "train_labels" / "other.tiff").unlink()
    with pytest.raises(ValueError, match="train/scene1 has no partner in train_labels/"):
        segmentation_folder(folder)
    Image.new("RGB", (5, 5)).save(folder / "train_labels" / "scene1.png")
    with pytest.raises(ValueError, match=r"scene1.png must be as large as its image scene1.tiff, \(21, 30\) px; got \(5, 5\)"):
        segmentation_folder(folder)
    Image.new("RGB", (30, 21)).save(folder / "train_labels" / "scene1.tif")
    with pytest.raises(ValueError, match="must hold each name once; got scene1.png and scene1.tif"):
        segmentation_folder(folder)


def test_a_corrupt_file_a_missing_folder_and_a_link_outside_are_named(folder, tmp_path_factory):
    path = folder / "test" / "scene1.tiff"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="scene1.tiff is not"):
        segmentation_folder(folder).test.image(1)
    with pytest.raises(FileNotFoundError, match="data must be a folder of images and masks; got"):
        segmentation_folder(folder / "nowhere")
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    Image.new("RGB", (30, 20)).save(outside)
    (folder / "val" / "scene0.png").unlink()
    (folder / "val" / "scene0.png").symlink_to(outside)
    with pytest.raises(ValueError, match="scene0.png is a link that leads outside"):
        segmentation_folder(folder)


def test_absent_classes_are_warned_of_once(folder):
    write_table(folder, "name,r,g,b\nground,0,0,0\nroof,255,255,255\nroad,200,10,30\nlake,0,0,255\n")
    with pytest.warns(UserWarning, match="no mask to train on holds the class lake") as caught:
        assert warn_of_absent_classes(segmentation_folder(folder)) == ["lake"]
    assert len(caught) == 1


def test_crops_keep_images_and_masks_together(folder):
    """Images that are their masks' pictures stay so under every crop, turn and mirroring."""
    for i in range(4):
        name = f"scene{i}.{'tiff' if i % 2 else 'png'}"
        Image.open(folder / "train_labels" / name).save(folder / "train" / name)
    splits = segmentation_folder(folder)
    crops = Crops(splits.train, 16, 3, seed=1, crops_per_image=2)
    assert len(crops) == 3
    seen = []
    for images, masks in (crops[i] for i in range(3)):
        assert images.shape[1:] == (16, 16, 3) and masks.shape[1:] == (16, 16)
        assert np.array_equal(COLOURS.to_picture(masks), images)
        seen.append(images)
    again = Crops(splits.train, 16, 3, seed=1, crops_per_image=2)
    assert np.array_equal(again[0][0], seen[0])
    again.on_epoch_end()
    assert not np.array_equal(again[0][0], seen[0])


def test_images_smaller_than_the_crop_are_padded_and_the_padding_is_not_learned(folder):
    images, masks = Crops(segmentation_folder(folder).train, 64, 1)[0]
    inside = (masks != IGNORE).sum()
    assert images.shape == (1, 64, 64, 3) and inside in {20 * 30, 21 * 30, 22 * 30, 23 * 30}
    assert not images[masks == IGNORE].any()


def test_crops_of_several_annotators_are_mixed(folder):
    rasters = segmentation_folder(folder).train
    both = Crops(rasters, 20, 4, annotator=None, crops_per_image=5)
    first, second = (Crops(rasters, 20, 4, annotator=name, crops_per_image=5) for name in ("", "b"))
    kinds = [np.array_equal(both[i][1], first[i][1]) for i in range(5)]
    assert not all(kinds) and first[0][1].shape == second[0][1].shape
    with pytest.raises(ValueError, match="annotator must be one of , b; got 'c'"):
        Crops(rasters, 20, 4, annotator="c")


def convolution(radius, classes=2):
    keras.utils.set_random_seed(0)
    images = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 255)(images)
    for _ in range(radius):
        x = keras.layers.Conv2D(classes, 3, padding="same")(x)
    return keras.Model(images, x)


@pytest.mark.parametrize("shape, tile", [((70, 93), 32), ((32, 32), 32), ((20, 45), 32), ((200, 33), 64)])
def test_tiles_give_what_the_whole_image_gives(shape, tile):
    """A network that sees three pixels far, and a margin of three: the seams vanish. (Padding is seen at the lower and right border of small images.)"""
    from thesis_lib import tiles

    model = convolution(3)
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    whole = np.array(keras.ops.softmax(model(image[None].astype("float32"))))[0]
    found = np.zeros_like(whole)
    rows = 0
    for top, beliefs in tiles.bands(model, image, tile, margin=3, blend=5, batch_size=2):
        assert top == rows
        found[top : top + len(beliefs)] = beliefs
        rows += len(beliefs)
    assert rows == shape[0]
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    inside = tuple(slice(0, n if n >= tile else n - 3) for n in shape)
    np.testing.assert_allclose(found[inside], whole[inside], atol=1e-5)
    assert np.array_equal(tiles.predict(model, image, tile=tile, margin=3, blend=5), found.argmax(-1))


def test_tiles_that_do_not_fit_are_named():
    from thesis_lib import tiles

    with pytest.raises(ValueError, match=r"tile must be more than 2 \* \(margin \+ blend\), 80; got 64"):
        next(tiles.bands(convolution(1), np.zeros((9, 9, 3), np.uint8), tile=64, margin=20, blend=20))
    with pytest.raises(ValueError, match=r"image must be \(H, W, 3\); got shape \(9, 9\)"):
        tiles.predict(convolution(1), np.zeros((9, 9), np.uint8))


def test_the_sample_of_buildings_is_what_its_script_draws(tmp_path):
    subprocess.run([sys.executable, REPOSITORY / "sample_data/make_buildings.py", tmp_path], check=True)
    sample = REPOSITORY / "sample_data" / "buildings"
    files = sorted(path.relative_to(sample) for path in sample.rglob("*.*"))
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*")) and len(files) == 41
    for file in files:
        if file.suffix == ".tiff":
            made, kept = (np.asarray(Image.open(folder / file), int) for folder in (tmp_path, sample))
            assert np.mean(np.abs(made - kept) > 2) < 0.002, file
    assert sum(path.stat().st_size for path in sample.rglob("*.*")) < 2_000_000


def test_the_sample_of_buildings_is_read():
    splits = segmentation_folder(REPOSITORY / "sample_data" / "buildings", classes=["building"])
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (8, 2, 2)
    assert set(splits.train.masks) == {"", "a", "b"} and splits.classes.names == ("background", "building")
    true, outside, inside = (np.mean([splits.train.mask(i, a).mean() for i in range(8)]) for a in ("", "a", "b"))
    assert inside < true < outside


def test_tiles_side_by_side_are_the_raster(folder):
    splits = segmentation_folder(folder)
    tiles = Tiles(splits.train, 16, "b")
    assert len(tiles) == 4 * 2 * 2 and {(image.shape, mask.shape) for image, mask in tiles} == {((1, 16, 16, 3), (1, 16, 16))}
    for i in range(4):
        images, masks = ([tiles[4 * i + j][part][0] for j in range(4)] for part in (0, 1))
        image, mask = (np.concatenate([np.concatenate(row, 1) for row in (parts[:2], parts[2:])]) for parts in (images, masks))
        known = slice(20 + i), slice(30)
        assert np.array_equal(image[known], splits.train.image(i)) and np.array_equal(mask[known], splits.train.mask(i, "b"))
        assert (mask != IGNORE).sum() == (20 + i) * 30
    with pytest.raises(ValueError, match="annotator must be one of .*'c'"):
        Tiles(splits.train, 16, "c")


def test_crops_tell_the_transform_whose_mask_it_is(folder):
    splits = segmentation_folder(folder)
    crops = Crops(splits.train, 16, 8, crops_per_image=2, annotator=["", "b"], transform=lambda mask, name: np.full_like(mask, len(name)))
    assert set(np.unique(crops[0][1])) == {0, 1}


@pytest.mark.parametrize("size, ok", [(10**6, True), (2000, False)])
def test_a_picture_is_written_whole_or_not_at_all(tmp_path, size, ok):
    """In a process that may write only so much to a file, as on a full disk."""
    pictures.save(np.zeros((5, 5), np.uint8), tmp_path / "a.png")
    program = (
        "import resource, signal, numpy as np; from thesis_lib.data import pictures;"
        f"signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}));"
        f"pictures.save(np.random.default_rng(0).integers(0, 256, (90, 90)).astype(np.uint8), {str(tmp_path / 'a.png')!r})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode == 0) == ok, done.stderr
    if not ok:
        assert f"{tmp_path / 'a.png'} could not be written" in done.stderr
    assert pictures.shape(tmp_path / "a.png") == ((90, 90) if ok else (5, 5))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_validation_images_of_any_sizes_come_in_one_shape(tmp_path):
    for i, (height, width) in enumerate([(32, 32), (32, 32), (40, 64)]):
        for folder, array in (("images", np.full((height, width, 3), 7, np.uint8)), ("masks", np.eye(height, width, dtype=np.uint8))):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(array).save(tmp_path / folder / f"{i}.png")
    paths = {folder: tuple(tmp_path / folder / f"{i}.png" for i in range(3)) for folder in ("images", "masks")}
    whole = Tiles(Rasters(paths["images"], {"": paths["masks"]}, ClassTable(("0", "1"))), 48)
    shapes = [(batch.shape, drawn.shape) for batch, drawn in (whole[i] for i in range(4))]
    assert shapes == [((1, 48, 48, 3), (1, 48, 48))] * 4
    assert (whole[0][0] == 7).all() and (whole[0][1][0, :, 32:] == 255).all() and whole[0][1][0, :32, :32].sum() == 32
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1)])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255))
    assert np.isfinite(model.evaluate(whole, verbose=0))


def test_masks_of_0_and_255_without_a_table_are_not_taken_for_ignored(tmp_path):
    for i in range(3):
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(255 * np.eye(16, dtype=np.uint8)).save(tmp_path / folder / f"{i}.png")
    with pytest.raises(ValueError, match="masks must hold class numbers, as label_class_dict.csv gives no colours; .* 0 and 255 alone"):
        segmentation_folder(tmp_path)


def test_the_first_class_stays_the_background_when_it_is_named():
    kept, numbers = COLOURS.select([COLOURS.names[0], COLOURS.names[-1]])
    assert kept.names[-1] == COLOURS.names[-1] and numbers[0] == 0 and numbers[len(COLOURS.names) - 1] == 1
    with pytest.raises(ValueError, match="classes must name a class beside the first"):
        COLOURS.select([COLOURS.names[0]])


def test_class_names_are_text_whatever_they_say(tmp_path):
    write_table(tmp_path, "name,r,g,b\nNone,0,0,0\n01,255,255,255\n")
    assert read_class_table(tmp_path / "label_class_dict.csv").names == ("None", "01")
    write_table(tmp_path, "name,r,g,b\n,0,0,0\n")
    with pytest.raises(ValueError, match="every class must have a name"):
        read_class_table(tmp_path / "label_class_dict.csv")


def test_transparency_changes_pictures_but_no_masks(tmp_path):
    pixels = np.full((4, 4, 4), 200, np.uint8)
    pixels[..., 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (pictures.decode(tmp_path / "a.png", "RGB", "a") == 0).all() and (pictures.decode(tmp_path / "a.png", "colours", "a") == 200).all()


@pytest.mark.parametrize("values, expected", [(np.uint16(65535), 255), (np.uint16(200), 1), (np.float32(0.5), 128), (np.float32(200), 200)])
def test_the_brightness_of_deep_pictures_does_not_depend_on_the_others_of_the_sensor(tmp_path, values, expected):
    Image.fromarray(np.full((4, 4), values)).save(tmp_path / "a.tif")
    assert (pictures.decode(tmp_path / "a.tif", "L", "a") == expected).all()


def test_a_value_that_no_picture_holds_is_named(tmp_path):
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match="a must hold values from 0 to 255; got nan to nan"):
        pictures.decode(tmp_path / "a.tif", "RGB", "a")


def test_numbers_of_all_parts_and_annotators_are_classes(tmp_path):
    for part, highest in (("train", 1), ("val", 2), ("test", 1)):
        for folder, value in ((part, 9), (f"{part}_labels", highest), (f"{part}_labels_b", 3)):
            (tmp_path / folder).mkdir()
            Image.fromarray(np.diag(np.full(8, value, np.uint8))).save(tmp_path / folder / "a.png")
    assert segmentation_folder(tmp_path).num_classes == 4


def test_colours_are_three_bytes_and_a_class_may_be_called_other():
    with pytest.raises(ValueError, match=r"colours must each be three whole numbers from 0 to 255; got \(0, 256, 0\)"):
        ClassTable(("a", "b"), ((0, 256, 0), (0, 0, 0)))
    assert ClassTable(("ground", "other", "road")).select(["other"])[0].names == ("everything else", "other")


@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_a_picture_that_lies_on_its_side_is_turned_upright(tmp_path, ending):
    orientation = Image.Exif()
    orientation[0x0112] = 6  # the camera was turned: what is stored as the left column is the top row
    stored = np.zeros((16, 24, 3), np.uint8)
    stored[:, :8] = 255
    Image.fromarray(stored).save(tmp_path / f"a.{ending}", exif=orientation)
    upright = pictures.decode(tmp_path / f"a.{ending}", "RGB", "a")
    assert pictures.shape(tmp_path / f"a.{ending}") == upright.shape[:2] == (24, 16)
    assert (upright[:8] > 200).all() and (upright[8:] < 50).all()


def test_what_a_caller_gets_wrong_is_named(folder):
    rasters = segmentation_folder(folder).train
    for ask in (lambda: rasters.mask(0, "zz"), lambda: rasters.drawn_by("zz")):
        with pytest.raises(ValueError, match="annotator must be one of , b; got 'zz'"):
            ask()
    with pytest.raises(ValueError, match="annotator must name a mask folder, one of '', 'b'; got none"):
        Crops(rasters, 8, 2, annotator=[])
    with pytest.raises(ValueError, match="classes must be a list of names, of ground, roof, road; got 5"):
        segmentation_folder(folder, classes=5)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_training_that_resumes_sees_the_crops_of_its_epoch(folder, workers):
    class Seen(Crops):
        def __getitem__(self, index):
            epochs[-1][index] = batch = super().__getitem__(index)
            return batch

    class Epoch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            epochs.append({})

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 1)])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    found = []
    for first in (0, 2):
        epochs = [{}]
        crops = Seen(segmentation_folder(folder).train, 8, 2, crops_per_image=3, workers=workers)
        model.fit(crops, initial_epoch=first, epochs=3, verbose=0, callbacks=[Epoch(), training._Start(crops)])
        found.append(epochs)
    assert len(found[0]) == 4 and len(found[1]) == 2
    for index in range(len(crops)):
        walked, resumed, before = (epochs[index] for epochs in (found[0][-1], found[1][-1], found[0][-2]))
        assert all(np.array_equal(a, b) for a, b in zip(walked, resumed)) and not np.array_equal(walked[0], before[0])


@pytest.mark.parametrize("values, message", [
    (np.uint16([[0, 255]]), None),
    (np.uint16([[0, 65535]]), None),
    (np.uint16([[0, 1]]), r"got \(1, 1, 1\) at row 0, column 1"),
    (np.uint16([[0, 65000]]), "must hold colours of 8 bits: whole numbers from 0 to 255, or 16-bit multiples of 257"),
    (np.float32([[0, 0.5]]), "must hold colours of 8 bits"),
    (np.float32([[0, 255]]), None),
])  # fmt: skip
def test_colours_of_deep_masks_are_exact_or_an_error(tmp_path, values, message):
    Image.fromarray(values).save(tmp_path / "a.tif")
    table = ClassTable(("ground", "roof"), ((0, 0, 0), (255, 255, 255)))
    read = lambda: table.to_classes(pictures.decode(tmp_path / "a.tif", "colours", "a"), "a")
    if message is None:
        assert read().tolist() == [[0, 1]]
    else:
        with pytest.raises(ValueError, match=message):
            read()


def test_class_numbers_are_whole_and_stored_without_losses(tmp_path):
    for values in ([[0, 1.9]], [[0, np.nan]]):
        Image.fromarray(np.float32(values)).save(tmp_path / "a.tif")
        with pytest.raises(ValueError, match="a must hold class numbers from 0 to 255, .* got values from"):
            pictures.decode(tmp_path / "a.tif", "index", "a")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="stored without losses, .* got a JPEG"):
        pictures.decode(tmp_path / "a.jpg", "index", "a")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="got mode RGB. If it shows classes in colours, the table must list them"):
        pictures.decode(tmp_path / "a.png", "index", "a")


@pytest.mark.parametrize("rows, message", [
    ("name,r,g,b\nground,0,0,0,0\n", "line 2: .*every column a value; got 'ground,0,0,0,0'"),
    ("name;r;g;b\nground;0;0;0\n", "with commas between; got 'name;r;g;b'"),
    ("name,name,r,g,b\na,b,0,0,0\n", "each once"),
    ("name,r,g,b\na,0,0,0\nb,red,0,0\n", "line 3: colours must be whole numbers from 0 to 255; got 'red,0,0'"),
])  # fmt: skip
def test_the_line_of_a_wrong_class_table_is_named(tmp_path, rows, message):
    write_table(tmp_path, rows)
    with pytest.raises(ValueError, match=message):
        read_class_table(tmp_path / "label_class_dict.csv")


def test_a_class_table_may_have_other_columns_and_begin_with_a_mark(tmp_path):
    (tmp_path / "t.csv").write_text("id,r,g,b,name\n7, 1,2,3,roof\n\n", encoding="utf-8-sig")
    assert read_class_table(tmp_path / "t.csv") == ClassTable(("roof",), ((1, 2, 3),))


def test_a_damaged_image_of_any_part_is_named_before_training(folder):
    path = folder / "test" / "scene1.tiff"
    Image.fromarray(np.zeros((21, 30, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-900])  # its head is whole
    splits = segmentation_folder(folder)
    with pytest.raises(ValueError, match="test/scene1.tiff is not a whole image file"):
        warn_of_absent_classes(splits)


def test_other_data_have_another_fingerprint(folder):
    before = segmentation_folder(folder).fingerprint
    assert before == segmentation_folder(folder).fingerprint != segmentation_folder(folder, classes=["roof"]).fingerprint
    Image.new("RGB", (30, 20)).save(folder / "train_labels_b" / "scene0.png")
    assert segmentation_folder(folder).fingerprint != before


def test_a_table_outside_and_links_to_nowhere_are_not_followed(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "table.csv"
    (folder / "label_class_dict.csv").rename(outside)
    (folder / "label_class_dict.csv").symlink_to(outside)
    with pytest.raises(ValueError, match="label_class_dict.csv is a link that leads outside"):
        segmentation_folder(folder)
    (folder / "train" / "loop.png").symlink_to("loop.png")
    outside.replace(folder / "label_class_dict.csv")
    with pytest.raises(ValueError, match="loop.png is a link that leads nowhere"):
        segmentation_folder(folder)
