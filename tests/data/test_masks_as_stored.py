"""Class numbers are what the file stores: every grey, palette, depth and compression is read exactly, or refused."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from thesis_lib.data import read_image

CLASSES = np.kron(np.random.default_rng(0).integers(0, 3, (8, 8)), np.ones((8, 8), int))
LOSSY = ("jpeg", "tiff_jpeg", "webp", "tiff_sgilog", "tiff_sgilog24")


def tiff(values, bits=8, photometric=1, sample_format=1, fill_order=1, order="<"):
    """An uncompressed TIFF of whole numbers (H, W).

    photometric 0: 0 is white, 1: 0 is black, 3: a palette; sample_format 1: unsigned, 2: signed, 3: floating-point;
    fill_order 2: the bits of each byte lie in reverse.
    """
    height, width = values.shape
    if bits > 8:
        data = values.astype(f"{order}{'uif'[sample_format - 1]}{bits // 8}").view(np.uint8).reshape(height, -1)
    else:
        ones = values[..., None] >> np.arange(bits)[::-1] & 1
        data = np.packbits(ones.reshape(height, -1).astype(np.uint8), axis=1)
    if fill_order == 2:
        data = np.packbits(np.unpackbits(data[..., None], axis=-1, bitorder="little"), axis=-1)
    short = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 266: fill_order, 277: 1, 278: height}
    short |= {339: sample_format}
    entries = {tag: struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in short.items()}
    for tag, value in {273: 8, 279: data.size}.items():
        entries[tag] = struct.pack(f"{order}HHII", tag, 4, 1, value)
    palette = b""
    if photometric == 3:
        palette = np.random.default_rng(1).integers(0, 65536, 3 * 2 ** min(bits, 8)).astype(f"{order}u2").tobytes()
        after = 8 + data.size + 2 + 12 * (len(entries) + 1) + 4
        entries[320] = struct.pack(f"{order}HHII", 320, 3, 3 * 2 ** min(bits, 8), after)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + data.size)
    table = struct.pack(f"{order}H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries))
    return head + data.tobytes() + table + struct.pack(f"{order}I", 0) + palette


READ = {  # bits, photometric, sample format
    *((bits, photometric, 1) for bits in (1, 2, 4, 8) for photometric in (0, 1, 3)),
    *((8, 1, 2), (16, 1, 1), (16, 1, 2), (32, 1, 2), (32, 1, 3), (32, 0, 3)),
}


FORMATS = [(bits, sample_format) for bits in (1, 2, 4, 8, 16, 32, 64) for sample_format in (1, 2)]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("fill_order", [1, 2])
@pytest.mark.parametrize("photometric", [0, 1, 3])
@pytest.mark.parametrize("bits, sample_format", [*FORMATS, (16, 3), (32, 3), (64, 3)])
def test_an_uncompressed_tiff(bits, photometric, sample_format, fill_order, order):
    stored = np.random.default_rng(0).integers(0, min(2**bits, 100), (9, 13))
    content = tiff(stored, bits, photometric, sample_format, fill_order, order)
    try:
        read = read_image(content, "index", "a")
    except ValueError as error:
        assert str(error).startswith("a cannot be read as an image: ") and "damaged" not in str(error)
        assert fill_order == 2 or (bits, photometric, sample_format) not in READ
    else:
        np.testing.assert_array_equal(read[..., 0], stored)


def test_a_negative_number_is_no_class():
    with pytest.raises(ValueError, match="a must hold class numbers from 0 to 255, .* got values from -1 to 0"):
        read_image(tiff(np.array([[255, 0]]), 8, 1, 2), "index", "a")


def picture(mode, numbers):
    """A Pillow image that stores class numbers, and what it stores."""
    if mode == "1":
        return Image.fromarray(numbers > 0), numbers > 0
    if mode == "P black and white":
        numbers = np.minimum(numbers, 1)
    dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}.get(mode, np.uint8)
    image = Image.fromarray(numbers.astype(dtype))
    if mode.startswith("P"):
        values = image.tobytes()
        image = Image.new("P", image.size)
        image.frombytes(values)
        palettes = {"P": [90, 0, 0, 0, 90, 0, 0, 0, 90], "P grey": np.arange(256).repeat(3).tolist()}
        image.putpalette(palettes.get(mode, [0, 0, 0, 255, 255, 255]))
    return image, numbers


def saved(image, kind, **options):
    """The content of a file of one kind, or None where Pillow writes no such file."""
    content = io.BytesIO()
    try:
        image.save(content, kind, **options)
    except Exception:  # of several kinds
        return None
    return content.getvalue()


MODES = ("1", "L", "P", "P grey", "P black and white", "I;16", "I", "F")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "compression",
    [
        *(None, "tiff_ccitt", "group3", "group4", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "tiff_raw_16"),
        *("packbits", "lzma", "zstd", *LOSSY),
    ],
)
def test_a_compressed_tiff(mode, compression):
    image, stored = picture(mode, CLASSES)
    content = saved(image, "TIFF", compression=compression)
    if content is None:
        assert mode != "1" or compression in LOSSY  # one or the other of these reads every other one
        return
    if compression in LOSSY:
        with pytest.raises(ValueError, match="a must hold class numbers .* got a TIFF compressed by jpeg"):
            read_image(content, "index", "a")
    else:
        np.testing.assert_array_equal(read_image(content, "index", "a")[..., 0], stored)


@pytest.mark.parametrize("compression", [None, "group3", "group4", "tiff_lzw", "packbits", "zstd"])
@pytest.mark.parametrize("mode", ["1", "L"])
def test_a_compressed_tiff_of_which_0_is_white(mode, compression):
    """Pillow inverts when it writes one, too, so that the picture looks the same."""
    image, shown = picture(mode, CLASSES)
    content = saved(image, "TIFF", compression=compression, tiffinfo={262: 0})
    if content is not None:
        stored = ~shown if mode == "1" else 255 - shown
        np.testing.assert_array_equal(read_image(content, "index", "a")[..., 0], stored)
        np.testing.assert_array_equal(read_image(content, "colours", "a"), np.asarray(image.convert("RGB")))


KINDS = [("PNG", {}), ("PNG", {"bits": 2}), ("PNG", {"bits": 4}), ("BMP", {}), ("GIF", {})]
OTHERS = [(kind, {}) for kind in ("JPEG", "JPEG2000", "WEBP", "AVIF", "PPM", "TGA", "PCX", "ICO", "SGI", "DDS")]
OTHERS += [("JPEG2000", {"irreversible": True}), ("WEBP", {"lossless": True})]


@pytest.mark.parametrize("kind, options", KINDS + OTHERS)
def test_other_kinds(kind, options):
    written = 0
    for mode in MODES:
        image, stored = picture(mode, CLASSES)
        content = saved(image, kind, **options)
        if content is None:
            continue
        written += 1
        if (kind, options) in OTHERS or (kind == "BMP" and mode == "P black and white"):
            with pytest.raises(ValueError, match="a must hold (class numbers .* without losses|an image of another)"):
                read_image(content, "index", "a")
        elif kind == "GIF" and mode == "P black and white":  # 0 and 1 that are shown as 0 and 255
            with pytest.raises(ValueError, match="got a GIF that stores 0; 1 and shows the greys 0; 255"):
                read_image(content, "index", "a")
        elif kind == "GIF" and mode == "1":  # stored as 0 and 255
            np.testing.assert_array_equal(read_image(content, "index", "a")[..., 0], 255 * stored)
        else:
            np.testing.assert_array_equal(read_image(content, "index", "a")[..., 0], stored)
    assert written


@pytest.mark.parametrize(
    "kind, options", [("JPEG", {}), ("WEBP", {}), ("JPEG2000", {}), ("TIFF", {"compression": "jpeg"})]
)
def test_colours_are_stored_without_losses_too(kind, options):
    image = Image.fromarray(np.stack([CLASSES] * 3, -1).astype(np.uint8))
    with pytest.raises(ValueError, match="a must hold colours of 8 bits a band, stored without losses"):
        read_image(saved(image, kind, **options), "colours", "a")


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB"])
def test_colours_are_not_converted(mode):
    with pytest.raises(ValueError, match="a must hold colours of 8 bits a band"):
        read_image(saved(Image.new(mode, (8, 8)), "TIFF"), "colours", "a")


@pytest.mark.parametrize("photometric, shown", [(0, 0), (1, 255)])
def test_the_colour_of_16_bits_is_the_one_that_is_shown(photometric, shown):
    assert (read_image(tiff(np.full((4, 4), 65535), 16, photometric), "colours", "a") == shown).all()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["index", "colours"])
def test_animations_are_refused_as_several_pages_are(kind, mode):
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (0, 1, 2)]
    content = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=f"a must hold one picture; got a {kind} of 3 (frames|pages)"):
        read_image(content, mode, "a")


def test_a_gif_of_greys_is_refused_where_they_are_not_what_it_stores():
    ones = np.ones((4, 5), np.uint8)  # which Pillow stores as number 0 of a palette that begins with the grey 1
    with pytest.raises(ValueError, match="got a GIF that stores 0 and shows the greys 1"):
        read_image(saved(Image.fromarray(ones), "GIF"), "index", "a")
