"""Every loader, given small files of odd kinds, reads what they store or refuses them by name: see test_fuzz.py.

Hypothesis draws image files of all modes, formats and compressions, damaged bytes, file names, tables with odd cells
and arrays of odd kinds. A loader either returns the numbers, names and labels that were written, or raises an error in
the library's own words that names the file. THESIS_FUZZ multiplies the examples.
"""

import csv
import io
import shutil
import unicodedata

import numpy as np
import pytest
from fuzz import files
from fuzz.entry import Entry, judge
from fuzz.stored import arrays as odd_arrays
from fuzz.stored import as_mode, damaged, encoded, names, numbers, tables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_fuzz import TIMES

from thesis_lib import data as loaders

ROWS = [("ground", "0", "0", "0"), ("roof", "255", "255", "255"), ("road", "200", "10", "30")]


def run(examples):
    return settings(
        max_examples=round(examples * TIMES),
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def read(call, *words, **given):
    """What a loader returns; None where it refuses files in its own words, which name one of these."""
    found = []

    def keep(**arguments):
        found.append(call(**arguments))

    judge(Entry(keep, given, words=dict.fromkeys(given, words)), given, tuple(given))
    return found[0] if found else None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with one image to train on; a test replaces its mask."""
    root = tmp_path_factory.mktemp("fuzz") / "data"
    for part in ("train", "val", "test"):
        files.save(root / part / "a.png", files.random_image(seed=len(part)))
        files.save(root / f"{part}_labels" / "a.png", files.CLASSES)
    return root


def replace_mask(root, content, ending):
    for path in (root / "train_labels").iterdir():
        path.unlink()
    (root / "train_labels" / f"a.{ending}").write_bytes(content)


@run(300)
@given(data=st.data())
def test_a_mask_holds_the_numbers_that_its_file_stores(folder, data):
    classes = data.draw(numbers())
    mode, content, ending = data.draw(encoded(classes))
    replace_mask(folder, content, ending)
    found = read(load_masks, "train_labels", str(folder), root=folder)
    if found is not None:
        white = 255 if content.startswith(b"GIF") else 1
        written = white * (classes > 0) if mode == "1" else classes
        assert np.array_equal(found, written), mode


def load_masks(root):
    return loaders.load_segmentation_folder(root).train.mask(0)


@run(150)
@given(content=st.data())
def test_a_damaged_mask_is_refused_or_as_large_as_it_was(folder, content):
    kind = content.draw(st.sampled_from(["PNG", "TIFF", "BMP", "GIF"]))
    buffer = io.BytesIO()
    as_mode(files.CLASSES, content.draw(st.sampled_from(["L", "P"])), 0).save(buffer, kind)
    replace_mask(folder, content.draw(damaged(buffer.getvalue())), "png")
    found = read(load_masks, "train_labels", str(folder), root=folder)
    assert found is None or found.shape == files.CLASSES.shape


@run(150)
@given(content=tables(("name", "r", "g", "b"), ROWS))
def test_a_table_of_classes_holds_its_cells(content):
    path = files.ROOT / "classes.csv"
    path.write_bytes(content)
    found = read(loaders.read_class_table, "classes.csv", path=path)
    if found is not None:
        names = [row["name"] for row in rows_of(content)]
        assert found.names == tuple(names)


def rows_of(content):
    """The rows of a CSV file as dicts, by Python's own reader; cells without spaces, in one Unicode form."""
    text = unicodedata.normalize("NFC", content.decode("utf-8-sig"))
    table = [
        [cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=None), skipinitialspace=True)
    ]
    head, *rows = [row for row in table if any(row)]
    return [dict(zip([name.lower() for name in head], row)) for row in rows]


@run(150)
@given(content=tables(("file", "label"), [(f"{i}.png", "ab"[i % 2]) for i in range(8)]))
def test_a_table_of_images_gives_each_its_label(content):
    root = files.table_folder("odd")
    (root / "labels.csv").write_bytes(content)
    found = read(loaders.load_image_table, "labels.csv", root=root)
    if found is not None:
        labels = ["" if k < 0 else found.class_names[k] for k in found.labels]
        assert list(zip(found.files, labels)) == [(row["file"], row.get("label", "")) for row in rows_of(content)]


@run(80)
@given(drawn=st.lists(names, min_size=1, max_size=3, unique=True), ending=st.sampled_from([".png", ".PNG", ".tif", ""]))
def test_files_of_odd_names_are_paired_or_named(drawn, ending):
    root = files.ROOT / "names"
    shutil.rmtree(root, ignore_errors=True)
    for i, name in enumerate(drawn):
        for part, array in (("images", files.random_image(seed=i)), ("masks", np.roll(files.CLASSES, i, 0))):
            path = files.save(root / part / f"{i}.png", array)
            path.rename(path.with_name(name + ending))
    for i in range(3):
        files.save(root / "images" / f"z{i}.png", files.random_image(seed=9 + i))
        files.save(root / "masks" / f"z{i}.png", files.CLASSES)
    found = read(loaders.load_segmentation_folder, str(root), root=root)
    if found is not None:
        for part in (found.train, found.validation, found.test):
            for i, path in enumerate(part.images):
                assert path.stem == part.masks[""][i].stem
                part.mask(i)


@run(200)
@given(content=odd_arrays())
def test_scenes_hold_the_labels_that_their_file_stores(content):
    images, labels = content
    path = files.ROOT / "odd.npz"
    np.savez(path, images=images, labels=labels)
    found = read(loaders.load_npz, "odd.npz", path=path)
    if found is not None:
        assert np.array_equal(found.labels, labels)
        assert np.abs(found.images.reshape(images.shape) - images.astype(float)).max() <= 0.5


@run(100)
@given(data=st.data())
def test_a_damaged_file_of_scenes_is_refused_or_as_large_as_it_was(data):
    path = files.ROOT / "damaged.npz"
    path.write_bytes(data.draw(damaged(files.scenes_file().read_bytes())))
    found = read(loaders.load_npz, "damaged.npz", path=path)
    assert found is None or found.labels.shape == (5, *files.CLASSES.shape)


@run(40)
@given(data=st.data())
def test_a_damaged_image_is_refused_or_as_large_as_it_was(data):
    path = files.ROOT / "damaged.png"
    path.write_bytes(data.draw(damaged(files.IMAGE.read_bytes())))
    mode = data.draw(st.sampled_from(["RGB", "L", "colours", "index", "objects"]))
    found = read(loaders.read_image, "damaged.png", content=path, mode=mode)
    assert found is None or found.shape[:2] == files.random_image().shape[:2]
