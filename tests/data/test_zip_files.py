"""Zip files of images: read like their folder, listed once, and damaged ones named."""

import shutil
import zipfile
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from thesis_lib.data import load_image_table


def test_a_zip_file_reads_like_its_folder(photos, tmp_path_factory):
    path = shutil.make_archive(tmp_path_factory.mktemp("zip") / "images", "zip", photos)
    assert np.array_equal(load_image_table(path)[:], load_image_table(photos)[:])


def test_what_is_in_a_zip_file_counts_not_how_it_is_called(photos, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    with zipfile.ZipFile(other / "PHOTOS.ZIP", "w") as archive:
        for file in photos.rglob("*.*"):
            archive.write(file, file.relative_to(photos))
    plain = load_image_table(photos)[:]
    shutil.copytree(photos, other / "unpacked.zip")
    for root in (other / "PHOTOS.ZIP", other / "unpacked.zip"):
        assert np.array_equal(load_image_table(root)[:], plain)
    content = bytearray((other / "PHOTOS.ZIP").read_bytes())
    with zipfile.ZipFile(other / "PHOTOS.ZIP") as archive:
        member = archive.getinfo("a.png")
    content[member.header_offset + 60] ^= 255
    (other / "PHOTOS.ZIP").write_bytes(content)
    with pytest.raises(ValueError, match="a.png cannot be read: "):
        load_image_table(other / "PHOTOS.ZIP").check()
    with pytest.warns(UserWarning, match="1 of 6 images were left out"):
        assert "a.png" not in load_image_table(other / "PHOTOS.ZIP", skip_damaged=True).files


@pytest.mark.parametrize(
    "damaged, message",
    [
        (b"PK\1\2", "damaged.zip must be a whole zip file; it is damaged"),  # the central directory
        (b"file", "labels.csv cannot be read: Bad CRC-32"),  # the table
    ],
)
def test_a_damaged_zip_file_is_named(photos, tmp_path, damaged, message):
    archive = tmp_path / "damaged.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(photos / "labels.csv", "labels.csv")
    content = bytearray(archive.read_bytes())
    content[content.index(damaged) + 1] ^= 1
    archive.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_image_table(archive)


def test_the_contents_of_a_zip_file_are_listed_once(photos, tmp_path_factory, monkeypatch):
    path = Path(shutil.make_archive(tmp_path_factory.mktemp("zip") / "images", "zip", photos))
    zip_file = Mock(wraps=zipfile.ZipFile)
    monkeypatch.setattr(zipfile, "ZipFile", zip_file)
    table = load_image_table(path)
    table.check()
    assert len(table[:]) == 6 and zip_file.call_count <= 2  # once to see what there is
    monkeypatch.undo()
    Image.new("L", (9, 12), 77).save(photos / "a.png")
    shutil.make_archive(path.with_suffix(""), "zip", photos)
    assert (table[[0]] == 77).all()  # another archive at the same place is read anew


def test_a_compressed_folder_reads_like_the_folder(photos, tmp_path_factory):
    path = tmp_path_factory.mktemp("zip") / "photographs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in photos.rglob("*.*"):
            archive.write(file, f"photographs/{file.relative_to(photos)}")
            archive.writestr(f"__MACOSX/photographs/._{file.name}", b"\0\5\x16\7")
    assert np.array_equal(load_image_table(path)[:], load_image_table(photos)[:])
