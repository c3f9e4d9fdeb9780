import subprocess
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

from thesis_lib import paths
from thesis_lib.annotation import BoundaryPrior
from thesis_lib.data import image_io
from thesis_lib.data.class_table import ClassTable
from thesis_lib.data.segmentation_folder import load_segmentation_folder
from thesis_lib.metrics import calibration
from thesis_lib.segmentation import prediction
from thesis_lib.targets.blurring import blur
from thesis_lib.targets.shift import shifted

TABLE = "name,r,g,b\nground,0,0,0\nroof,255,255,255\nroad,200,10,30\n"


@pytest.fixture
def splits(tmp_path):
    """Roofs are bright squares, so that a threshold finds them; there is no road."""
    table = ClassTable(("ground", "roof", "road"), ((0, 0, 0), (255, 255, 255), (200, 10, 30)))
    for folder in ("data/images", "data/masks"):
        (tmp_path / folder).mkdir(parents=True)
    for i in range(3):
        mask = np.zeros((50 + i, 60), np.uint8)
        mask[10:30, 20:40] = 1
        image_io.write_image(np.repeat(mask[..., None] * 200, 3, -1), tmp_path / f"data/images/{i}.png")
        image_io.write_image(table.to_picture(mask), tmp_path / f"data/masks/{i}.png")
    (tmp_path / "data/label_class_dict.csv").write_text(TABLE)
    return load_segmentation_folder(tmp_path / "data")


def threshold(strength=1.0):
    images = keras.Input((None, None, 3))
    bright = (images[..., :1] - 100) * strength
    return keras.Model(images, keras.ops.concatenate([-bright, bright, -1000.0 + 0 * bright], -1))


def test_a_perfect_model_scores_perfectly_and_its_files_hold_the_classes(splits, tmp_path):
    scores, classes = prediction.score_rasters(
        threshold(), splits.test, splits.classes, tmp_path / "out", tile=32, margin=2, blend=4
    )
    (name,) = scores.index
    assert (
        scores.loc[name, ["iou", "dice", "surface_dice"]].tolist() == [1, 1, 1]
        and scores.loc[name, "surface_distance"] == 0
    )
    assert scores.loc[name, "log_loss"] == pytest.approx(0, abs=1e-5)
    assert classes["iou"].tolist()[:2] == [1, 1] and np.isnan(classes.loc["road", "iou"])
    written = splits.classes.to_classes(image_io.read_image(tmp_path / f"out/{name}_classes.png", "RGB", name))
    assert np.array_equal(written, splits.test.mask(0))
    probability = image_io.read_image(tmp_path / f"out/{name}_probability.png", "L", name)[..., 0]
    assert np.array_equal(probability, 255 * splits.test.mask(0))


def test_log_loss_and_brier_are_those_of_all_pixels(splits, tmp_path):
    scores, _ = prediction.score_rasters(
        threshold(0.005), splits.test, splits.classes, tmp_path / "out", tile=32, margin=2, blend=4
    )
    logits = np.asarray(threshold(0.005)(splits.test.image(0)[None].astype("float32")))
    beliefs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    true = np.eye(3)[splits.test.mask(0)]
    assert scores["log_loss"].item() == pytest.approx(-np.log((beliefs[0] * true).sum(-1)).mean(), rel=1e-4)
    assert scores["brier"].item() == pytest.approx(((beliefs[0] - true) ** 2).sum(-1).mean(), rel=1e-4)


@pytest.mark.parametrize("prior", [BoundaryPrior.known(1.3, mean=1.0), BoundaryPrior(0.0, 3.0, 2.0, 2.0)])
@pytest.mark.parametrize("drawing", [blur, partial(shifted, background=0)])
def test_the_blur_of_tiles_is_that_of_the_whole_image(splits, tmp_path, prior, drawing):
    options = {"tile": 32, "margin": 2, "blend": 4, "prior": prior, "drawing": drawing}
    scores, _ = prediction.score_rasters(threshold(0.02), splits.test, splits.classes, tmp_path / "out", **options)
    logits = keras.ops.convert_to_tensor(threshold(0.02)(splits.test.image(0)[None].astype("float32")))
    whole = np.asarray(drawing(keras.ops.softmax(logits), prior))
    expected = calibration.scores(splits.test.mask(0)[None], whole)
    for name in ("log_loss", "brier", "ece"):
        assert scores[f"{name}_blurred"].item() == pytest.approx(expected[name], rel=1e-4)
        assert scores[name].item() != pytest.approx(expected[name], rel=1e-2)


def test_the_chosen_threshold_is_where_dice_is_highest(tmp_path):
    """The roofs are bright, and a faint rim of theirs belongs to them: its probability is 0.1."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for i in range(3):
        mask = np.zeros((40, 40), np.uint8)
        mask[10 : 30 + i, 10:30] = 1
        picture = np.where(mask == 1, 78, 56)  # of probability 0.1 and 0.01
        picture[14:26, 14:26] = 200
        image_io.write_image(np.repeat(picture[..., None], 3, -1).astype(np.uint8), tmp_path / f"images/{i}.png")
        image_io.write_image(mask, tmp_path / f"masks/{i}.png")
    splits, options = load_segmentation_folder(tmp_path), {"tile": 64, "margin": 2, "blend": 4}
    images = keras.Input((None, None, 3))
    model = keras.Model(images, keras.ops.concatenate([0 * images[..., :1], (images[..., :1] - 100) / 10], -1))
    chosen = prediction.choose_threshold(model, splits.train, splits.classes, "", **options)
    assert round(255 * 0.011) < chosen <= round(255 * 0.1)
    scores, _ = prediction.score_rasters(
        model, splits.test, splits.classes, tmp_path / "out", threshold=chosen, **options
    )
    assert scores["dice"].item() < 0.6 and scores["dice_tuned"].item() == 1 and scores["volume_ratio_tuned"].item() == 1
    empty = load_segmentation_folder(tmp_path).test
    for path in empty.masks[""]:
        image_io.write_image(np.zeros((40, 40), np.uint8), path)
    assert prediction.choose_threshold(model, empty, splits.classes, "", **options) == prediction.HALF


def test_what_is_finished_stays_when_a_later_file_cannot_be_written(splits, tmp_path):
    (tmp_path / "out").mkdir()
    last = splits.train.images[-1].stem if len(splits.train) > 1 else splits.train.images[0].stem
    (tmp_path / f"out/{last}_probability.png").mkdir()  # a folder is in the way
    with pytest.raises(OSError, match=f"{last}_probability.png could not be written"):
        list(
            prediction.predict_rasters(
                threshold(), splits.train, splits.classes, tmp_path / "out", tile=32, margin=2, blend=4
            )
        )
    assert image_io.image_shape(tmp_path / f"out/{last}_classes.png") == splits.train.mask(-1).shape


def test_a_network_that_diverged_and_a_wrong_background_are_named_not_scored(tmp_path):
    class Diverged:
        def predict_on_batch(self, images):
            return np.full((*images.shape[:3], 2), np.nan, np.float32)

    splits = load_segmentation_folder(paths.REPOSITORY / "sample_data" / "buildings")
    with pytest.raises(ValueError, match="model must give finite logits; it does not for .*scene00"):
        prediction.score_rasters(Diverged(), splits.test, splits.classes, tmp_path, tile=64, margin=4, blend=4)
    with pytest.raises(ValueError, match="background must be a whole number from 0 to 1; got -1"):
        prediction.score_rasters(Diverged(), splits.test, splits.classes, tmp_path, background=-1)
    with pytest.raises(ValueError, match="tolerance must be .*; got -1"):
        prediction.score_rasters(Diverged(), splits.test, splits.classes, tmp_path, tolerance=-1)


def test_what_would_be_scored_wrongly_is_refused_before_a_file_is_written(splits, tmp_path):
    options = {"tile": 32, "margin": 2, "blend": 4}
    score = partial(prediction.score_rasters, threshold(), classes=splits.classes, folder=tmp_path / "out", **options)
    with pytest.raises(ValueError, match="threshold must be a whole number from 1 to 255; got 0.5"):
        score(splits.test, threshold=0.5)
    with pytest.raises(ValueError, match="rasters must hold an image or more; got none"):
        score(splits.test[:0])
    for background in (-1, 3):
        with pytest.raises(ValueError, match=f"background must be a whole number from 0 to 2; got {background}"):
            prediction.choose_threshold(threshold(), splits.train, splits.classes, "", background, **options)
    with pytest.raises(ValueError, match="background must be a whole number from 0 to 254; got -1"):
        prediction.score_drawings(splits.test, "", "", background=-1)
    assert not (tmp_path / "out").exists()


def test_the_edge_of_what_is_ignored_is_no_surface(tmp_path):
    """Half of a disc of 60 px is not labelled; the other half is predicted 6 px too large, wherever the labels end."""
    rows, columns = np.indices((200, 200)) - 100
    true, predicted = ((np.hypot(rows, columns) < radius).astype(np.uint8) for radius in (60, 66))
    found = {}
    for name, known in (("whole", 200), ("half", 100)):
        mask = np.where(columns < known - 100, true, 255).astype(np.uint8)
        for folder, picture in (("images", np.repeat(200 * predicted[..., None], 3, -1)), ("masks", mask)):
            (tmp_path / name / folder).mkdir(parents=True)
            for i in range(3):
                image_io.write_image(picture, tmp_path / name / folder / f"{i}.png")
        splits = load_segmentation_folder(tmp_path / name)
        model = keras.Sequential(
            [
                keras.Input((None, None, 3)),
                keras.layers.Lambda(lambda x: keras.ops.concatenate([100 - x[..., :1], x[..., :1] - 100], -1)),
            ]
        )
        found[name] = prediction.score_rasters(
            model, splits.test, splits.classes, tmp_path / "out", tile=256, margin=2, blend=4
        )[0].iloc[0]
    assert found["whole"]["surface_distance"] == pytest.approx(6, abs=0.4)
    assert found["half"]["surface_distance"] == pytest.approx(6, abs=0.4) and found["half"]["surface_dice"] < 0.02


def test_a_model_of_other_classes_is_named(splits, tmp_path):
    images = keras.Input((None, None, 3))
    with pytest.raises(ValueError, match="model must have the 3 classes of the table, ground, roof, road; it has 2"):
        prediction.score_rasters(
            keras.Model(images, images[..., :2]),
            splits.test,
            splits.classes,
            tmp_path / "out",
            tile=32,
            margin=2,
            blend=4,
        )


def test_predictions_do_not_go_where_images_lie(tmp_path, splits):
    with pytest.raises(ValueError, match="folder must not be where images or masks lie"):
        prediction.score_rasters(None, splits.test, splits.classes, splits.test.images[0].parent)


LARGE = """
import re, sys, keras, numpy as np
from thesis_lib.segmentation import prediction
from thesis_lib.data import load_segmentation_folder

images = keras.Input((None, None, 3))
model = keras.Model(images, keras.ops.concatenate([100 - images[..., :1], images[..., :1] - 100], -1))
splits = load_segmentation_folder(sys.argv[1])
tiling = {"tile": 512, "margin": 16, "blend": 16}
(one,) = prediction.predict_rasters(model, splits.test, splits.classes, sys.argv[2], **tiling)
assert one.classes.shape == (6000, 6000) and np.array_equal(one.classes, one.mask) and one.labelled == 6000**2
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1)) / 2**20)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_a_raster_of_6000_by_6000_px_is_predicted_within_1_5_gib(tmp_path):
    roofs = np.zeros((6000, 6000), np.uint8)
    for i in range(0, 6000, 500):
        roofs[i + 100 : i + 300, 70 : 5000 + i // 10] = 1
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        image_io.write_image(
            np.repeat(200 * roofs[..., None], 3, -1) if folder == "images" else roofs, tmp_path / folder / "0.png"
        )
        for i in (1, 2):
            (tmp_path / folder / f"{i}.png").hardlink_to(tmp_path / folder / "0.png")
    done = subprocess.run(
        [sys.executable, "-c", LARGE, tmp_path, tmp_path / "out"], capture_output=True, text=True, cwd=paths.REPOSITORY
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) < 1.5
