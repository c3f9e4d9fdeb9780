import keras
import numpy as np
import pytest
from PIL import Image
from raster_cases import COLOURS

from thesis_lib.data import ClassTable, Crops, Rasters, RasterTiles, load_segmentation_folder
from thesis_lib.labels import IGNORE


def test_crops_keep_images_and_masks_together(folder):
    """Images that show their masks' colours still do so in every crop, turned and mirrored."""
    for i in range(4):
        name = f"scene{i}.{'tiff' if i % 2 else 'png'}"
        Image.open(folder / "train_labels" / name).save(folder / "train" / name)
    splits = load_segmentation_folder(folder)
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
    images, masks = Crops(load_segmentation_folder(folder).train, 64, 1)[0]
    inside = (masks != IGNORE).sum()
    assert images.shape == (1, 64, 64, 3) and inside in {20 * 30, 21 * 30, 22 * 30, 23 * 30}
    assert not images[masks == IGNORE].any()


def test_crops_of_several_annotators_are_mixed(folder):
    rasters = load_segmentation_folder(folder).train
    both = Crops(
        rasters,
        20,
        20,
        annotator=None,
        crops_per_image=5,
        transform=lambda mask, annotator: np.full_like(mask, annotator == "b"),
    )
    drawn_by_b = both[0][1].reshape(20, -1).mean(1)
    assert set(drawn_by_b) == {0, 1} and 4 <= drawn_by_b.sum() <= 16
    with pytest.raises(ValueError, match="annotator must be one of , b; got 'c'"):
        Crops(rasters, 20, 4, annotator="c")


def test_tiles_side_by_side_are_the_raster(folder):
    rasters = load_segmentation_folder(folder).train
    tiles = RasterTiles(rasters, 16)
    assert len(tiles) == 4 * 2 * 2
    for i in range(4):
        images, masks = zip(*(tiles[4 * i + j] for j in range(4)))
        assert {image.shape for image in images} == {(1, 16, 16, 3)} and {mask.shape for mask in masks} == {(1, 16, 16)}
        image, mask = side_by_side(images), side_by_side(masks)
        known = slice(20 + i), slice(30)
        assert np.array_equal(image[known], rasters.image(i)) and np.array_equal(mask[known], rasters.mask(i))
        assert (mask != IGNORE).sum() == (20 + i) * 30


def side_by_side(tiles):
    """Four tiles, each a batch of one, two in a row."""
    return np.concatenate([np.concatenate([left[0], right[0]], 1) for left, right in (tiles[:2], tiles[2:])])


def test_crops_tell_the_transform_whose_mask_it_is(folder):
    splits = load_segmentation_folder(folder)
    crops = Crops(
        splits.train,
        16,
        8,
        crops_per_image=2,
        annotator=["", "b"],
        transform=lambda mask, name: np.full_like(mask, len(name)),
    )
    assert set(np.unique(crops[0][1])) == {0, 1}


def test_validation_images_of_any_sizes_come_in_one_shape(tmp_path):
    for i, (height, width) in enumerate([(32, 32), (32, 32), (40, 64)]):
        for folder, array in (
            ("images", np.full((height, width, 3), 7, np.uint8)),
            ("masks", np.eye(height, width, dtype=np.uint8)),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(array).save(tmp_path / folder / f"{i}.png")
    images, masks = (tuple(tmp_path / folder / f"{i}.png" for i in range(3)) for folder in ("images", "masks"))
    tiles = RasterTiles(Rasters(images, {"": masks}, ClassTable(("0", "1"))), 48)
    assert [tiles[i][0].shape for i in range(4)] == [(1, 48, 48, 3)] * 4
    assert [tiles[i][1].shape for i in range(4)] == [(1, 48, 48)] * 4
    image, mask = tiles[0]
    assert (image == 7).all() and (mask[0, :, 32:] == IGNORE).all() and mask[0, :32, :32].sum() == 32
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1)])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255))
    assert np.isfinite(model.evaluate(tiles, verbose=0))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_training_that_resumes_sees_the_crops_of_its_epoch(folder, workers):
    class Seen(Crops):
        def __getitem__(self, index):
            epochs[-1][index] = batch = super().__getitem__(index)
            return batch

    class Start(keras.callbacks.Callback):
        def __init__(self, crops):
            super().__init__()
            self.crops = crops

        def on_epoch_begin(self, epoch, logs=None):
            epochs.append({})
            self.crops.start(epoch)

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 1)])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    seen = []
    for first in (0, 2):
        epochs = [{}]
        crops = Seen(load_segmentation_folder(folder).train, 8, 2, crops_per_image=3, workers=workers)
        model.fit(crops, initial_epoch=first, epochs=3, verbose=0, callbacks=[Start(crops)])
        seen.append(epochs)
    whole, resumed = seen
    assert len(whole) == 4 and len(resumed) == 2
    for index in range(len(crops)):
        for ours, theirs in zip(whole[-1][index], resumed[-1][index]):
            assert np.array_equal(ours, theirs)
        assert not np.array_equal(whole[-1][index][0], whole[-2][index][0])
