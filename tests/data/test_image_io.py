import resource
import struct
import zlib
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
from PIL import Image

from thesis_lib.data import ClassTable, read_image, write_image
from thesis_lib.data.image_io import image_shape


@contextmanager
def file_size_limit(size):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("size, fits", [(10**6, True), (2000, False)])
def test_a_picture_is_written_whole_or_not_at_all(tmp_path, size, fits):
    """In a process that may write only so many bytes to a file, as on a full disk."""
    path = tmp_path / "a.png"
    write_image(np.zeros((5, 5), np.uint8), path)
    failure = nullcontext() if fits else pytest.raises(OSError, match=f"{path} could not be written")
    with file_size_limit(size), failure:
        write_image(np.random.default_rng(0).integers(0, 256, (90, 90)).astype(np.uint8), path)
    assert image_shape(path) == ((90, 90) if fits else (5, 5))
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_transparency_changes_pictures_but_no_masks(tmp_path):
    pixels = np.full((4, 4, 4), 200, np.uint8)
    pixels[..., 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == 0).all()
    assert (read_image(tmp_path / "a.png", "colours") == 200).all()


@pytest.mark.parametrize(
    "values, expected", [(np.uint16(65535), 255), (np.uint16(200), 1), (np.float32(0.5), 128), (np.float32(200), 200)]
)
def test_the_brightness_of_deep_pictures_does_not_depend_on_the_others_of_the_sensor(tmp_path, values, expected):
    Image.fromarray(np.full((4, 4), values)).save(tmp_path / "a.tif")
    assert (read_image(tmp_path / "a.tif", "L", "a") == expected).all()


def test_a_value_that_no_picture_holds_is_named(tmp_path):
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match="a must hold values from 0 to 255; got nan to nan"):
        read_image(tmp_path / "a.tif", "RGB", "a")


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_an_uncompressed_grey_tiff_is_turned_upright(tmp_path, orientation):
    stored = np.arange(48, dtype=np.uint8).reshape(6, 8)
    turned = {5: stored.T, 6: np.rot90(stored, -1), 7: stored[::-1, ::-1].T, 8: np.rot90(stored)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.tif", exif=exif)
    assert image_shape(tmp_path / "a.tif") == (8, 6)
    assert np.array_equal(read_image(tmp_path / "a.tif", "L", "a")[..., 0], turned)


def test_a_tiff_of_several_pages_is_named_but_overviews_are_none(tmp_path):
    pages = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (10, 20, 30)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(ValueError, match="a must hold one picture; got a TIFF of 3 pages"):
        read_image(tmp_path / "stack.tif", "L", "a")
    pages[0].save(tmp_path / "overview.tif", save_all=True, append_images=[pages[1].resize((4, 4))])
    assert (read_image(tmp_path / "overview.tif", "L", "a") == 10).all()


def chunk(kind, data):
    """A part of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_colours_of_16_bits_a_band_are_named():
    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + struct.pack(">6H", *([200, 0, 0] * 2)) for _ in range(2))
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    with pytest.raises(ValueError, match="a must hold colours of 8 bits a band; got 16"):
        read_image(content, "colours", "a")
    assert read_image(content, "RGB", "a").shape == (2, 2, 3)


@pytest.mark.parametrize(
    "ending, options",
    [
        ("tif", {}),
        ("tif", {"compression": "tiff_adobe_deflate"}),
        ("tif", {"compression": "tiff_lzw"}),
        ("png", {}),
        ("bmp", {}),
    ],
)
def test_colours_of_8_bits_a_band_are_read_whatever_the_format(tmp_path, ending, options):
    """Large ones too, whose place in the file may be any number."""
    pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"a.{ending}", **options)
    assert np.array_equal(read_image(tmp_path / f"a.{ending}", "colours", "a"), pixels)


@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_a_picture_that_lies_on_its_side_is_turned_upright(tmp_path, ending):
    orientation = Image.Exif()
    orientation[0x0112] = 6  # the camera was turned: what is stored as the left column is the top row
    stored = np.zeros((16, 24, 3), np.uint8)
    stored[:, :8] = 255
    Image.fromarray(stored).save(tmp_path / f"a.{ending}", exif=orientation)
    upright = read_image(tmp_path / f"a.{ending}", "RGB", "a")
    assert image_shape(tmp_path / f"a.{ending}") == upright.shape[:2] == (24, 16)
    assert (upright[:8] > 200).all() and (upright[8:] < 50).all()


@pytest.mark.parametrize(
    "values, message",
    [
        (np.uint16([[0, 255]]), None),
        (np.uint16([[0, 65535]]), None),
        (np.uint16([[0, 1]]), r"got \(1, 1, 1\) at row 0, column 1"),
        (
            np.uint16([[0, 65000]]),
            "must hold colours of 8 bits: whole numbers from 0 to 255, or 16-bit multiples of 257",
        ),
        (np.float32([[0, 0.5]]), "must hold colours of 8 bits"),
        (np.float32([[0, 255]]), None),
    ],
)
def test_colours_of_deep_masks_are_exact_or_an_error(tmp_path, values, message):
    Image.fromarray(values).save(tmp_path / "a.tif")
    table = ClassTable(("ground", "roof"), ((0, 0, 0), (255, 255, 255)))
    if message is None:
        assert table.to_classes(read_image(tmp_path / "a.tif", "colours")).tolist() == [[0, 1]]
    else:
        with pytest.raises(ValueError, match=message):
            table.to_classes(read_image(tmp_path / "a.tif", "colours"))


def test_class_numbers_are_whole_and_stored_without_losses(tmp_path):
    for values in ([[0, 1.9]], [[0, np.nan]]):
        Image.fromarray(np.float32(values)).save(tmp_path / "a.tif")
        with pytest.raises(ValueError, match="a must hold class numbers from 0 to 255, .* got values from"):
            read_image(tmp_path / "a.tif", "index", "a")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="stored without losses, .* got a JPEG"):
        read_image(tmp_path / "a.jpg", "index", "a")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="got mode RGB. If it shows classes in colours, a table of classes must list"):
        read_image(tmp_path / "a.png", "index", "a")


def test_a_file_of_one_byte_is_named():
    with pytest.raises(ValueError, match="it cannot be read as an image: not of a supported kind"):
        read_image(b"\x89", name="it")
