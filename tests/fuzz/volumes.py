"""How the fuzzing test calls what `thesis_lib.data` has for volumes and images of many bands."""

import json
import shutil

import numpy as np
from fuzz import files
from fuzz.entry import Entry
from fuzz.values import fields

from thesis_lib import data as door
from thesis_lib import segmentation
from thesis_lib.models import symmetric, unet

VALUES = np.arange(120, dtype=np.uint8).reshape(4, 5, 6)
LABELS = VALUES % 3
ABOUT = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "a": 1, "b": 2},
    "numTraining": 2,
    "file_ending": ".nii.gz",
}
VOLUME = door.Volume(VALUES, (3.0, 1.0, 1.0))
MASK = door.Volume(LABELS, (3.0, 1.0, 1.0))
FOLDER = files.ROOT / "volumes"
for kind, volume in (("images", VOLUME), ("masks", MASK)):
    (FOLDER / kind).mkdir(parents=True)
    for name in "ab":
        door.write_volume(volume, FOLDER / kind / f"{name}.nii.gz")
FILES = door.volume_folders(FOLDER / "images", FOLDER / "masks")
UNPACKED = door.unpack(FILES, files.ROOT / "unpacked")
BANDS = np.arange(90, dtype=np.uint16).reshape(5, 6, 3)
door.write_bands(BANDS, files.ROOT / "bands.tif")
NNUNET = files.ROOT / "nnunet"
for part in ("imagesTr", "labelsTr"):
    shutil.copytree(FOLDER / "masks", NNUNET / part)
(NNUNET / "imagesTr" / "a.nii.gz").rename(NNUNET / "imagesTr" / "a_0000.nii.gz")
(NNUNET / "imagesTr" / "b.nii.gz").rename(NNUNET / "imagesTr" / "b_0000.nii.gz")
(NNUNET / "dataset.json").write_text(json.dumps(ABOUT))
NETWORK = unet(3, **symmetric(width=1, depth=1), image_shape=(None, None, None, 1))
PREDICTION = {"model": NETWORK, "size": (6, 6, 6), "margin": 1, "blend": 1, "batch_size": 2, "scale": (0, 255)}
PATCHES = {"volumes": UNPACKED, "size": (2, 3, 3), "batch_size": 2, "seed": 0}


def as_stored(given, result):
    assert np.array_equal(np.squeeze(result.values), LABELS)


def written(volume, path):
    door.write_volume(volume, path)
    return door.read_volume(path)


def written_bands(values, path, like):
    door.write_bands(values, path, like)
    return door.read_bands(path)


def known_stay(given, result):
    assert np.shape(result) == (*np.shape(given["labels"]), len(given["regions"])) and result.max() in (0, 1, 255)


def predicted_volumes(**given):
    return [volume for _, volume in segmentation.predict_volume_files(**given)]


def of_all_planes(given, result):
    assert np.concatenate([slab for _, slab in result]).shape == (*VALUES.shape, 3)


def on_its_grid(given, result):
    assert result.values.shape == VALUES.shape and result.values.max() <= 2


SEGMENTATION = {
    "slabs": Entry(
        lambda **given: list(segmentation.slabs(**given)),
        {**PREDICTION, "values": VALUES[..., None], "name": "it", "overlapping": False},
        of_all_planes,
        words={"values": "it"},
        fixed=("name", "overlapping"),
        large=("batch_size",),
    ),
    "predict_volume": Entry(
        segmentation.predict_volume,
        {**PREDICTION, "volume": VOLUME, "spacing": (2.0, 1.0, 1.0), "overlapping": False},
        on_its_grid,
        fixed=("overlapping",),
        large=("batch_size",),
    ),
    "predict_volume_files": Entry(
        predicted_volumes,
        {
            **PREDICTION,
            "volumes": FILES,
            "folder": files.ROOT / "predicted",
            "names": ["background", "a", "b"],
            "overlapping": False,
        },
        fixed=("overlapping",),
        large=("batch_size",),
    ),
}
ENTRIES = {
    "Volume": Entry(door.Volume, {**fields(VOLUME), "name": "it"}, fixed=("name",), nan=True),
    "Volume.with_values": Entry(VOLUME.with_values, {"values": LABELS}, nan=True),
    "UnpackedVolumes.drawn_by": Entry(UNPACKED.drawn_by, {"annotator": ""}),
    "UnpackedVolumes.image": Entry(UNPACKED.image, {"i": 0}),
    "UnpackedVolumes.mask": Entry(UNPACKED.mask, {"i": 0, "annotator": ""}, as_stored),
    "VolumeFiles.image": Entry(FILES.image, {"i": 1}),
    "VolumeFiles.mask": Entry(FILES.mask, {"i": 1, "annotator": "", "like": VOLUME}, as_stored),
    "VolumePatches": Entry(
        lambda **given: door.VolumePatches(**given)[0],
        {
            **PATCHES,
            "patches_per_volume": 2,
            "annotator": "",
            "spacing": (3.0, 1.0, 1.0),
            "scale": None,
            "objects": 0.5,
            "background": 0,
            "mirror": (0, 1),
            "regions": {"whole": (1, 2), "core": 2},
        },
        large=("patches_per_volume",),
    ),
    "VolumePatches.patch": Entry(door.VolumePatches(**PATCHES).patch, {"number": 1, "i": 0}),
    "VolumePatches.spacing_of": Entry(door.VolumePatches(**PATCHES).spacing_of, {"index": 0}),
    "VolumePatches.start": Entry(door.VolumePatches(**PATCHES).start, {"epoch": 1}),
    "check_same_grid": Entry(door.check_same_grid, {"image": VOLUME, "mask": MASK}),
    "load_nnunet": Entry(lambda folder: door.load_nnunet(folder) and None, {"folder": NNUNET}),
    "read_bands": Entry(door.read_bands, {"path": files.ROOT / "bands.tif"}),
    "read_volume": Entry(
        door.read_volume,
        {"path": FOLDER / "images" / "a.nii.gz", "labels": False, "like": VOLUME, "spacing": None, "series": None},
    ),
    "structures": Entry(door.structures, {"labels": LABELS, "regions": {"whole": (1, 2), "core": 2}}, known_stay),
    "unpack": Entry(
        door.unpack, {"volumes": FILES, "folder": files.ROOT / "unpacked"}, words={"folder": "output folder"}
    ),
    "volume_folders": Entry(door.volume_folders, {"images": FOLDER / "images", "masks": FOLDER / "masks"}),
    "write_bands": Entry(written_bands, {"values": BANDS, "path": files.ROOT / "written.tif", "like": None}, nan=True),
    "write_volume": Entry(written, {"volume": VOLUME, "path": files.ROOT / "written.nii.gz"}),
}
