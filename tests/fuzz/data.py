"""How the fuzzing test calls `thesis_lib.data`; `fuzz.folders` tries what lies in files."""

import numpy as np
from fuzz import files
from fuzz.entry import Entry
from hypothesis import strategies as st
from raster_cases import COLOURS

from thesis_lib import data as door

PICTURE = COLOURS.to_picture(files.CLASSES)
SPLITS = door.load_segmentation_folder(files.raster_folder())
RASTERS = SPLITS.train
TABLE = door.load_image_table(files.table_folder(), size=(8, 8))
IMAGES = door.Images(np.stack([files.random_image(seed=i) for i in range(6)]), np.arange(6) % 2)
SCENES = door.load_npz(files.scenes_file())
BATCHES = door.SceneBatches(SCENES.images, SCENES.labels, 2, 0)
CROPS = {"rasters": RASTERS, "size": 5, "batch_size": 2, "seed": 0, "crops_per_image": 1, "annotator": ""}
LOADED = {"size": (8, 8), "mode": "RGB"}
COLUMNS = {"file_column": "file", "label_column": "label", "group_column": "group", "split_column": "split"}


def first_batch(make):
    """A function that makes batches and takes the first."""

    def batch(**given):
        return make(**given)[0]

    return batch


def as_stored(given, result):
    assert np.array_equal(result, np.roll(files.CLASSES, given["i"] % 2, 0))


def written(array, path):
    door.write_image(array, path)
    return door.read_image(path, "L" if np.ndim(array) == 2 else "RGB")


def read_back(given, result):
    assert np.array_equal(np.squeeze(result), np.squeeze(given["array"]))


ENTRIES = {
    "ClassTable": Entry(door.ClassTable, {"names": ("a", "b"), "colours": ((0, 0, 0), (1, 2, 3))}),
    "ClassTable.to_classes": Entry(
        COLOURS.to_classes,
        {"picture": PICTURE, "name": "mask", "unknown": st.sampled_from(["error", "ignore"])},
        words={"picture": "mask"},
        fixed=("name",),
    ),
    "ClassTable.to_picture": Entry(COLOURS.to_picture, {"classes": files.CLASSES}),
    "ClassTable.select": Entry(COLOURS.select, {"names": ["roof"]}, words={"names": "classes"}),
    "Crops": Entry(
        first_batch(door.Crops), {**CROPS, "transform": None}, fixed=("transform",), large=("crops_per_image",)
    ),
    "Crops.crop": Entry(door.Crops(**CROPS).crop, {"number": 1}),
    "Crops.start": Entry(door.Crops(**CROPS).start, {"epoch": 2}),
    "ImageSplits.check": Entry(door.ImageSplits(IMAGES, IMAGES, IMAGES, ("a", "b")).check, {}),
    "ImageTable.part": Entry(TABLE.part, {"numbers": np.array([0, 2])}),
    "ImageTable.check": Entry(TABLE.check, {}),
    "ImageTable.digests": Entry(TABLE.digests, {}),
    "ImageTable.fingerprint": Entry(TABLE.fingerprint, {}),
    "ImageTable.looks": Entry(TABLE.looks, {}, nan=True),
    "Images.view": Entry(IMAGES.view, {"numbers": np.array([0, 2])}),
    "PartlyLabelledBatches": Entry(
        first_batch(door.PartlyLabelledBatches), {"labelled": BATCHES, "unlabelled": BATCHES}, examples=15
    ),
    "PartlyLabelledBatches.start": Entry(
        door.PartlyLabelledBatches(BATCHES, BATCHES).start, {"epoch": 2}, large=("epoch",)
    ),
    "RasterTiles": Entry(first_batch(door.RasterTiles), {"rasters": RASTERS, "size": 5}),
    "Rasters.image": Entry(RASTERS.image, {"i": 1}),
    "Rasters.mask": Entry(RASTERS.mask, {"i": 0, "annotator": ""}, as_stored),
    "Rasters.drawn_by": Entry(RASTERS.drawn_by, {"annotator": ""}),
    "SceneBatches": Entry(
        first_batch(door.SceneBatches),
        {
            "images": SCENES.images,
            "labels": SCENES.labels,
            "batch_size": 2,
            "seed": 0,
            "together": st.booleans(),
            "repeats": 2,
        },
    ),
    "SceneBatches.start": Entry(
        door.SceneBatches(SCENES.images, SCENES.labels, 2, 0).start, {"epoch": 2}, large=("epoch",)
    ),
    "lidc_database": Entry(door.lidc_database, {"path": "sample"}),
    "lidc_slices": Entry(door.lidc_slices, {"path": "sample", "drawn_by": 2}, examples=8),
    "load_image_table": Entry(
        door.load_image_table,
        {"root": TABLE.root, "table": "labels.csv", **LOADED, "skip_damaged": False, **COLUMNS},
        words={"root": "must hold", "file_column": "file", "label_column": "label"},
    ),
    "load_images": Entry(
        door.load_images, {"data": str(TABLE.root), "seed": 0, **LOADED}, words={"data": "must hold"}, examples=30
    ),
    "load_npz": Entry(door.load_npz, {"path": files.ROOT / "scenes.npz"}),
    "load_nuclei": Entry(door.load_nuclei, {"path": "sample", "shrink": 3}, examples=10),
    "load_scenes": Entry(
        door.load_scenes,
        {
            "data": str(files.ROOT / "scenes.npz"),
            "seed": 0,
            "train_scenes": 1,
            "validation_scenes": 1,
            "test_scenes": 1,
        },
    ),
    "load_segmentation_folder": Entry(
        door.load_segmentation_folder,
        {
            "root": RASTERS.images[0].parent.parent,
            "classes": ["roof"],
            "unknown": "error",
            "seed": 0,
            "folds": None,
            "fold": 0,
        },
        words={"root": "must hold"},
        examples=30,
    ),
    "read_class_table": Entry(
        door.read_class_table, {"path": RASTERS.images[0].parent.parent / "label_class_dict.csv"}
    ),
    "read_image": Entry(
        door.read_image,
        {"content": files.IMAGE, "mode": st.sampled_from(["RGB", "L"]), "name": "it", "size": (4, 5)},
        words={"content": "it"},
        fixed=("name",),
    ),
    "warn_of_absent_classes": Entry(
        door.warn_of_absent_classes, {"splits": SPLITS, "annotators": ("",), "labelled": 1}
    ),
    "write_image": Entry(written, {"array": files.random_image(), "path": files.ROOT / "written.png"}, read_back),
}
