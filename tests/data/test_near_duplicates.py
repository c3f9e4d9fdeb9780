"""Images that look alike in different parts: found by a perceptual hash, said and not moved."""

import io
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from thesis_lib.data import load_images, load_segmentation_folder, warn_of_absent_classes
from thesis_lib.data.near_duplicates import look, pairs_that_look_alike
from thesis_lib.paths import REPOSITORY

FACES = sorted((REPOSITORY / "sample_data/faces/images").iterdir())
KEEP_THEM = "where both show the same, give them one value in the column group of"


def saved_again(picture):
    """A JPEG of quality 60, at 80% of the size, and 10% brighter."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=60)
    width, height = picture.size
    return [
        Image.open(file),
        picture.resize((round(0.8 * width), round(0.8 * height)), Image.Resampling.BILINEAR),
        picture.point(lambda value: min(255, 1.1 * value + 8)),
    ]


def look_of(picture):
    return look(np.asarray(picture.convert("L"))[..., None])


def test_a_photograph_saved_again_looks_alike_and_no_two_photographs_do():
    pictures = [Image.open(path).convert("L") for path in FACES]
    originals = [look_of(picture) for picture in pictures]
    assert not len(pairs_that_look_alike(originals, range(len(originals))))
    for i, picture in enumerate(pictures[:20]):
        looks = [originals[i], *map(look_of, saved_again(picture))]
        assert len(pairs_that_look_alike(looks, range(4))) == 6


def test_plain_and_noisy_images_do_not_look_alike():
    generator = np.random.default_rng(0)
    plain = [np.full((64, 64, 1), grey, np.uint8) for grey in range(50)]
    water = [np.clip(generator.normal(60, 1, (64, 64, 3)), 0, 255).astype(np.uint8) for _ in range(50)]
    y, x = np.indices((64, 64))
    discs = [255 * np.uint8(np.hypot(y - 31.5, x - 31.5) < radius)[..., None] for radius in np.linspace(9, 29, 50)]
    for images in (plain, water, discs):
        assert not len(pairs_that_look_alike(list(map(look, images)), range(50)))


def test_pairs_in_one_part_are_none_and_ten_thousand_images_take_seconds():
    looks = list(np.random.default_rng(0).random((10_000, 256)) < 0.5)
    looks[9_000] = looks[70] ^ (np.arange(256) < 16)
    looks[9_001] = looks[71] ^ (np.arange(256) < 17)
    looks[72] = looks[70]
    parts = ["train"] * 7000 + ["test"] * 3000
    assert pairs_that_look_alike(looks, parts).tolist() == [[70, 9000], [72, 9000]]


def tables(folder):
    """A table of faces, one of them a second time, resized, in another part."""
    rows = "file,label,split\n"
    for i, path in enumerate(FACES[:12]):
        (folder / path.name).write_bytes(path.read_bytes())
        rows += f"{path.name},{'ab'[i % 2]},{('train', 'validation', 'test')[i // 2 % 3]}\n"
    Image.open(FACES[0]).resize((40, 40), Image.Resampling.BILINEAR).save(folder / "again.png")
    (folder / "labels.csv").write_text(rows + "again.png,a,test\n")
    return folder


def test_near_duplicates_in_tables_are_named_and_stay(tmp_path):
    splits = load_images(tables(tmp_path))
    pair = f"1 pair of images looks alike, in different parts: {FACES[0].name} .train. and again.png .test."
    with pytest.warns(UserWarning, match=f"{pair}; {KEEP_THEM} labels.csv"):
        splits.check()
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [4, 4, 5]


def test_without_the_library_it_is_said_that_nothing_was_looked_for(tmp_path, monkeypatch):
    splits = load_images(tables(tmp_path))
    monkeypatch.setitem(sys.modules, "imagehash", None)
    with pytest.warns(UserWarning, match=r"were not looked for: imagehash is not installed; `pip install '.\[notebook"):
        splits.check()


def test_near_duplicates_in_folders_of_masks_are_named(tmp_path):
    for part, paths in {"train": FACES[:3], "val": FACES[3:5], "test": FACES[5:7]}.items():
        for folder in (part, f"{part}_labels"):
            (tmp_path / folder).mkdir()
        for path in paths:
            Image.open(path).save(tmp_path / part / path.with_suffix(".png").name)
            Image.fromarray(np.eye(50, dtype=np.uint8)).save(tmp_path / f"{part}_labels" / f"{path.stem}.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_absent_classes(load_segmentation_folder(tmp_path))
    Image.open(FACES[1]).point(lambda value: value * 0.9).save(tmp_path / "val" / f"{Path(FACES[3]).stem}.png")
    pair = f"train/{FACES[1].stem}.png .train. and val/{FACES[3].stem}.png .validation."
    with pytest.warns(UserWarning, match=f"{pair}; {KEEP_THEM} groups.csv"):
        warn_of_absent_classes(load_segmentation_folder(tmp_path))
