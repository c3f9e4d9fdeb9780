"""Small files that the fuzzing test's calls read, in a folder that goes with the process."""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from raster_cases import COLOURS, write_table

_held = tempfile.TemporaryDirectory()
ROOT = Path(_held.name)


def random_image(side=9, seed=0, bands=3):
    return np.random.default_rng(seed).integers(0, 256, (side, side + 1, bands), dtype=np.uint8)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


IMAGE = save(ROOT / "image.png", random_image())
CLASSES = np.arange(90, dtype=np.uint8).reshape(9, 10) % 3


def raster_folder(name="rasters"):
    """A folder with two images and masks in colours to train on, and one each to validate and test."""
    folder = ROOT / name
    for part, count in (("train", 2), ("val", 1), ("test", 1)):
        for i in range(count):
            save(folder / part / f"{i}.png", random_image(seed=len(part) + i))
            save(folder / f"{part}_labels" / f"{i}.png", COLOURS.to_picture(np.roll(CLASSES, i, 0)))
    write_table(folder)
    return folder


def table_folder(name="table"):
    """A folder with six images and labels.csv."""
    folder = ROOT / name
    lines = ["file,label"]
    for i in range(8):
        save(folder / f"{i}.png", random_image(seed=20 + i))
        lines.append(f"{i}.png,{'ab'[i % 2]}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


def scenes_file(name="scenes.npz"):
    images = np.stack([random_image(seed=40 + i) for i in range(5)])
    np.savez(ROOT / name, images=images, labels=np.stack([CLASSES] * 5))
    return ROOT / name
