"""Volumes in files: what is written is read back, and whatever would be read wrongly is named."""

import gzip
import json
import re
import struct
import sys

import numpy as np
import pytest

sitk = pytest.importorskip("SimpleITK")

from thesis_lib.data.volumes import Volume, check_same_grid, read_volume, write_volume  # noqa: E402

TURN = np.deg2rad(20)
OBLIQUE = np.array([[0, 0, 1.0], [np.sin(TURN), np.cos(TURN), 0], [np.cos(TURN), -np.sin(TURN), 0]])


def volume(dtype=np.int16, shape=(4, 5, 6), **place):
    values = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    return Volume(values, **({"spacing": (3.0, 0.5, 0.75), "origin": (-10.0, 20.5, 7.0), "direction": OBLIQUE} | place))


def same(one, other):
    check_same_grid(one, other)
    np.testing.assert_allclose(other.spacing, one.spacing, rtol=1e-6)
    np.testing.assert_allclose(other.origin, one.origin, rtol=1e-6)
    np.testing.assert_allclose(other.direction, one.direction, atol=1e-6)
    assert other.values.dtype == one.values.dtype
    np.testing.assert_array_equal(other.values, one.values)


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "nrrd", "mha"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32])
def test_what_is_written_is_read_back(tmp_path, ending, dtype):
    for written in (volume(dtype), volume(dtype, (4, 5, 6, 3))):
        write_volume(written, tmp_path / f"a.{ending}")
        same(written, read_volume(tmp_path / f"a.{ending}"))
        assert [path.name for path in tmp_path.iterdir()] == [f"a.{ending}"]


@pytest.mark.parametrize("shape", [(4, 5, 6), (4, 5, 6, 3)])
def test_a_tiff_keeps_spacing_and_type(tmp_path, shape):
    written = Volume(volume(np.int32, shape).values, (3.0, 0.5, 0.75))
    write_volume(written, tmp_path / "a.tif")
    same(written, read_volume(tmp_path / "a.tif"))
    with pytest.raises(ValueError, match="a TIFF cannot hold the origin and direction of volume"):
        write_volume(volume(), tmp_path / "b.tif")


def test_voxels_lie_where_simple_itk_puts_them(tmp_path):
    written = volume()
    write_volume(written, tmp_path / "a.nrrd")
    image = sitk.ReadImage(tmp_path / "a.nrrd")
    place = np.asarray(written.origin) + written.direction @ (np.asarray(written.spacing) * (3, 1, 2))
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((2, 1, 3)), place)
    assert image.GetPixel((2, 1, 3)) == written.values[3, 1, 2]


def test_images_are_rescaled_and_class_numbers_must_not_be(tmp_path):
    path = tmp_path / "a.nii"
    write_volume(volume(), path)
    change(path, 112, "<ff", 0.5, -3.0)
    np.testing.assert_allclose(read_volume(path).values, volume().values * 0.5 - 3)
    with pytest.raises(ValueError, match=r"a\.nii must hold class numbers as stored; its header rescales them"):
        read_volume(path, labels=True)


def test_class_numbers_keep_value_and_type(tmp_path):
    for dtype in (np.uint8, np.int16, np.int64):
        write_volume(volume(dtype), tmp_path / "a.nii.gz")
        assert read_volume(tmp_path / "a.nii.gz", labels=True).values.dtype == dtype
    write_volume(volume(np.float64), tmp_path / "a.nii.gz")
    labels = read_volume(tmp_path / "a.nii.gz", labels=True).values
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, volume().values)


@pytest.mark.parametrize(
    "values, what",
    [
        (np.full((2, 3, 4), 0.5, np.float32), r"must hold class numbers, whole ones; got 0.5 in 24 voxels"),
        (np.full((2, 3, 4), np.nan), "whole ones; got nan in 24 voxels"),
        (np.full((2, 3, 4), -1, np.int16), "must hold class numbers of 0 or more; got values from -1 to -1"),
        (np.zeros((2, 3, 4, 3), np.uint8), "must hold one class number a voxel; got 3"),
    ],
)
def test_what_is_no_class_number_is_named(tmp_path, values, what):
    write_volume(Volume(values, (1, 1, 1)), tmp_path / "a.nrrd")
    with pytest.raises(ValueError, match=rf"a\.nrrd {what}"[:200] if what.startswith("must") else what):
        read_volume(tmp_path / "a.nrrd", labels=True)


@pytest.mark.parametrize(
    "other, what",
    [
        ({"shape": (4, 5, 7)}, r"got size \(4, 5, 6\) and \(4, 5, 7\):"),
        ({"spacing": (3.0, 0.5, 0.76)}, r"got spacing \(mm\) \(3, 0.5, 0.75\) and \(3, 0.5, 0.76\):"),
        ({"origin": (-10.0, 20.5, 7.1)}, r"got origin \(mm\) \(-10, 20.5, 7\) and \(-10, 20.5, 7.1\):"),
        ({"direction": np.eye(3)}, r"got direction \(0, 0, 1, 0.34202, 0.939693.* and \(1, 0, 0, 0, 1"),
    ],
)
def test_a_mask_on_another_grid_is_named_with_both_values(tmp_path, other, what):
    write_volume(volume(), tmp_path / "image.nii.gz")
    write_volume(volume(np.uint8, **other), tmp_path / "mask.nii.gz")
    image = read_volume(tmp_path / "image.nii.gz")
    with pytest.raises(ValueError, match=rf"image\.nii\.gz and .*mask\.nii\.gz must lie on one grid .*{what}"):
        read_volume(tmp_path / "mask.nii.gz", labels=True, like=image)


def test_the_last_digits_of_single_precision_are_no_other_grid(tmp_path):
    write_volume(volume(), tmp_path / "image.mha")
    write_volume(volume(), tmp_path / "mask.nii")
    read_volume(tmp_path / "mask.nii", labels=True, like=read_volume(tmp_path / "image.mha"))


def change(path, offset, layout, *values):
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, offset, *values)
    path.write_bytes(content)


def test_unknown_spacing_is_named_and_can_be_given(tmp_path):
    nifti, nrrd, meta = tmp_path / "a.nii", tmp_path / "a.nrrd", tmp_path / "a.mha"
    for path in (nifti, nrrd, meta):
        write_volume(volume(direction=np.eye(3)[:, ::-1]), path)
    change(nifti, 88, "<f", 0.0)  # pixdim[3]
    nrrd.write_bytes(
        b"NRRD0004\ntype: short\ndimension: 3\nsizes: 4 3 2\nendian: little\nencoding: raw\n\n" + bytes(48)
    )
    meta.write_bytes(re.sub(rb"ElementSpacing = .*\n", b"", meta.read_bytes()))
    for path in (nifti, nrrd, meta):
        with pytest.raises(ValueError, match=rf"{path.name} must state its spacing, mm; it does not: pass spacing="):
            read_volume(path)
        assert read_volume(path, spacing=(4, 2, 1)).spacing == (4, 2, 1)
    write_volume(volume(), nrrd)
    with pytest.raises(ValueError, match=r"must be what .*a\.nrrd states, \(3, 0.5, 0.75\) mm; got \(4, 2, 1\)"):
        read_volume(nrrd, spacing=(4, 2, 1))
    nrrd.write_bytes(nrrd.read_bytes().replace(b"\nkinds", b'\nspace units: "um" "um" "um"\nkinds'))
    with pytest.raises(ValueError, match=r"a\.nrrd must give its spacing in mm; got units"):
        read_volume(nrrd)


def test_a_tiff_takes_its_spacing_from_imagej_or_a_json_file(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    values = volume(np.uint8).values
    path = tmp_path / "a_0000.tif"
    tifffile.imwrite(path, values, photometric="minisblack")
    with pytest.raises(ValueError, match="a_0000.tif must state its spacing"):
        read_volume(path)
    (tmp_path / "a.json").write_text(json.dumps({"spacing": [3, 0.5, 0.75]}))
    assert read_volume(path).spacing == (3, 0.5, 0.75)
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(ValueError, match=r"a\.json must hold"):
        read_volume(path)
    imagej = tmp_path / "b.tif"
    tifffile.imwrite(
        imagej, values, imagej=True, resolution=(4, 2), metadata={"spacing": 3, "unit": "um", "axes": "ZYX"}
    )
    np.testing.assert_allclose(read_volume(imagej).spacing, (3e-3, 0.5e-3, 0.25e-3))
    np.testing.assert_array_equal(read_volume(imagej).values, values)


def test_several_volumes_in_a_file_are_named(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    stacked = sitk.GetImageFromArray(np.zeros((2, 3, 4, 5), np.uint8), isVector=False)
    for ending in ("nii.gz", "nrrd", "mha"):
        sitk.WriteImage(stacked, tmp_path / f"a.{ending}")
        with pytest.raises(ValueError, match=rf"a\.{ending} must hold one volume; got .* 4 dimensions, 5 x 4 x 3 x 2"):
            read_volume(tmp_path / f"a.{ending}")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 3, 5, 6), np.uint8), imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(ValueError, match=r"a\.tif must hold one volume; got 2 points in time"):
        read_volume(tmp_path / "a.tif")
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5), np.uint8)), tmp_path / "flat.nrrd")
    with pytest.raises(ValueError, match=r"flat\.nrrd must hold one volume; got .* 2 dimensions, 5 x 4: it is no"):
        read_volume(tmp_path / "flat.nrrd")
    tifffile.imwrite(tmp_path / "flat.tif", np.zeros((5, 6), np.uint8))
    with pytest.raises(ValueError, match=r"flat\.tif must hold the pages of one volume; got one page"):
        read_volume(tmp_path / "flat.tif")


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "nrrd", "mha", "tif"])
@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped"])
def test_damaged_files_are_named(tmp_path, ending, damage):
    """ITK reads a NIfTI file that is cut short as zeros, and a damaged MetaImage file as far as it goes."""
    path = tmp_path / f"case.{ending}"
    generator = np.random.default_rng(0)
    write_volume(Volume(generator.integers(0, 2000, (20, 30, 40)).astype(np.int16), (1, 1, 1)), path)
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        if ending == "nii":
            pytest.skip("neither compressed nor with a checksum")
        middle = len(content) // 2
        content[middle : middle + 64] = bytes(255 - byte for byte in content[middle : middle + 64])
    path.write_bytes({"empty": b"", "text": b"no image at all\n", "cut": content[:-900], "flipped": content}[damage])
    with pytest.raises(ValueError, match=rf"^\S*case\.{re.escape(ending)} (cannot be read as|must hold)") as error:
        read_volume(path)
    assert "\n" not in str(error.value)


def test_a_member_more_in_a_gzip_file_is_no_damage(tmp_path):
    path = tmp_path / "a.nii.gz"
    write_volume(volume(), path)
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[:400]) + gzip.compress(content[400:]))
    same(volume(), read_volume(path))


def test_sheared_axes_are_named(tmp_path):
    path = tmp_path / "a.nii"
    write_volume(volume(direction=np.eye(3)[:, ::-1]), path)
    change(path, 252, "<h", 0)  # no qform
    change(path, 288, "<f", 0.8)  # the third entry of the sform's first row
    with pytest.raises(ValueError, match=r"a\.nii cannot be read as a volume: its axes are not at right angles"):
        read_volume(path)
    head = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 4 3 2\nspace: left-posterior-superior\n"
    head += b"space directions: (1,0,0) (0,1,0) (0.5,0,1)\nendian: little\nencoding: raw\n\n"
    (tmp_path / "a.nrrd").write_bytes(head + bytes(48))
    with pytest.raises(ValueError, match=r"direction of .*a\.nrrd must have columns of length 1 at right angles"):
        read_volume(tmp_path / "a.nrrd")


def test_a_path_that_is_no_volume_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.nii"):
        read_volume(tmp_path / "none.nii")
    (tmp_path / "a.png").write_bytes(b"\x89PNG" + bytes(200))
    with pytest.raises(ValueError, match=r"a\.png must be a volume's file, \.nii, \.nii\.gz"):
        read_volume(tmp_path / "a.png")
    for name, what in (("a.mhd", r"\.mha, one file"), ("a.png", r"\.nii, \.nii\.gz")):
        with pytest.raises(ValueError, match=rf"path must end with {what}"):
            write_volume(volume(), tmp_path / name)


@pytest.mark.parametrize(
    "wrong, what",
    [
        ({"values": np.zeros((4, 5))}, r"values of volume must be numbers of shape \(D, H, W\)"),
        ({"spacing": (1, 1)}, r"spacing of volume must be three numbers above 0.*got \(1, 1\)"),
        ({"spacing": (1, 0, 1)}, "spacing of volume must be three numbers above 0"),
        ({"origin": (0, np.nan, 0)}, "origin of volume must be three numbers"),
        ({"direction": np.ones((3, 3))}, "direction of volume must have columns of length 1"),
    ],
)
def test_what_is_no_volume_is_named(wrong, what):
    with pytest.raises(ValueError, match=what):
        Volume(**({"values": np.zeros((2, 3, 4)), "spacing": (1, 1, 1)} | wrong))


def test_without_the_extra_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    write_volume(volume(), tmp_path / "a.nii")
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(ModuleNotFoundError, match=r"SimpleITK is not installed; `pip install '\.\[medical\]'`"):
        read_volume(tmp_path / "a.nii")
