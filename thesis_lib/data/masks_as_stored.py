"""Masks as they are stored: which files hold classes and colours exactly, so that Pillow hands over what is stored.

Everything else is refused, with what it holds instead: `image_io.read_image` asks.
"""

import re

import numpy as np
from PIL import Image

from thesis_lib.data.reading import in_words

HIGHEST = {"index": 255, "objects": 65535}

# How masks may be stored, so that Pillow hands over what is stored; the tests try a file of each kind.
KINDS = ("PNG", "TIFF", "BMP", "GIF")
COMPRESSIONS = (  # of TIFF; that of WebP may be lossy, and nothing in Pillow tells
    "raw",
    "tiff_ccitt",
    "group3",
    "group4",
    "tiff_lzw",
    "tiff_adobe_deflate",
    "tiff_deflate",
    "tiff_raw_16",
    "packbits",
    "lzma",
    "zstd",
)
GREY = re.compile(r"(1|L|LX)(?:;([24]?)(I?)R?)?")  # Pillow's raw modes; "L;4I": grey, of 4 bits, 0 is white
OTHER_NUMBERS = re.compile(r"P(;[124])?R?|P;R|PX|I;.*|F;32.*")
COLOUR_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "F")  # and those that start with I
PHOTOMETRIC, WHITE_IS_ZERO, PALETTE = 262, 0, 3  # of TIFF: what numbers stand for; RGB is 2
SAMPLE_FORMAT, SIGNED = 339, 2

STORED = {  # what a mask must hold
    "colours": "colours of 8 bits a band, stored without losses",
    "index": "class numbers from 0 to 255, as a grey or palette image stored without losses, "
    "where label_class_dict.csv gives no colours",
    "objects": "numbers of objects from 0 to 65535, as a grey or palette image stored without losses",
}


class Unsupported(ValueError):
    """What an image file should hold, and what it holds instead."""


def raw_modes(picture):
    """Pillow's names of how pixels are stored, before it decodes them."""
    stored = [tile.args if isinstance(tile.args, tuple) else (tile.args,) for tile in picture.tile]
    return {args[0] for args in stored if args and isinstance(args[0], str)}


def is_signed(picture):
    """Whether a TIFF stores signed numbers."""
    return picture.format == "TIFF" and picture.tag_v2.get(SAMPLE_FORMAT, ())[:1] == (SIGNED,)


def is_inverted(picture):
    """Whether 0 is white in a TIFF."""
    return picture.format == "TIFF" and picture.tag_v2.get(PHOTOMETRIC, 0) == WHITE_IS_ZERO


def check(picture, mode, raw_modes):
    """Raise unless a mask is stored exactly, and Pillow reads what is stored."""
    kind, accepted = picture.format, STORED[mode]
    if kind not in KINDS:
        raise Unsupported(f"{accepted}, as {', '.join(KINDS)}; got a {kind} file")
    if kind == "TIFF" and picture.info.get("compression") not in COMPRESSIONS:
        raise Unsupported(f"{accepted}; got a TIFF compressed by {picture.info.get('compression')}")
    if kind == "TIFF" and picture.tag_v2.get(PHOTOMETRIC, 0) > PALETTE:
        raise Unsupported(
            f"{accepted}; got a TIFF of other colours than RGB, photometric {picture.tag_v2[PHOTOMETRIC]}"
        )
    if kind != "TIFF" and getattr(picture, "n_frames", 1) > 1:
        raise Unsupported(f"one picture; got a {kind} of {picture.n_frames} frames: store them one by one")
    if mode == "colours":
        _check_colours(picture, raw_modes)


def _check_colours(picture, raw_modes):
    """Raise if colours would be converted from other values, or cut from 16 bits to 8, as Pillow does but for grey."""
    if picture.mode not in COLOUR_MODES and not picture.mode.startswith("I"):
        raise Unsupported(f"{STORED['colours']}; got mode {picture.mode}")
    if not picture.mode.startswith("I") and any(";16" in raw and raw != "BGR;16" for raw in raw_modes):
        raise Unsupported("colours of 8 bits a band; got 16, of which the lower eight could not be read")


def check_grey_bmp(picture):
    """Raise where Pillow takes the pixels of a BMP with a grey palette for ones of 1 or 8 bits, which they are not."""
    if picture.format != "BMP" or picture.mode not in ("1", "L"):
        return
    picture.fp.seek(14)
    header = picture.fp.read(16)
    bits = int.from_bytes(header[10:12] if header[0] == 12 else header[14:16], "little")
    is_run_length = any(tile.codec_name == "bmp_rle" for tile in picture.tile)
    if bits != {"1": 1, "L": 8}[picture.mode] or (picture.mode == "1" and is_run_length):
        raise Unsupported(f"an image of another kind, such as PNG; got a BMP of {bits} bits with a grey palette")


def numbers(picture, mode, raw_modes, is_signed):
    """The numbers that a grey or palette image stores; Pillow inverts and scales some as they are shown."""
    values = np.asarray(picture)
    if values.ndim != 2:
        raise Unsupported(
            f"{STORED[mode]}; got mode {picture.mode}. If it shows classes in colours, a table of classes must list "
            "them (label_class_dict.csv: name,r,g,b)"
        )
    for raw in raw_modes:  # one, or none of a GIF
        grey = GREY.fullmatch(raw)
        if grey:
            highest = 2 ** int(grey[2] or (1 if grey[1] == "1" else 8)) - 1
            if values.dtype == bool:  # of 1 bit
                values = values.astype(np.uint8)
            elif highest < 255:
                values = values // (255 // highest)
            values = highest - values if grey[3] else values
        elif not OTHER_NUMBERS.fullmatch(raw):
            raise Unsupported(f"{STORED[mode]}; got pixels stored as {raw}")
    _check_grey_gif(picture, values)
    if is_signed and picture.mode == "L":  # Pillow takes -1 for 255
        values = values.astype(np.uint8).view(np.int8)
    is_whole = values.dtype.kind != "f" or (values == np.rint(values)).all()
    if not is_whole or values.min() < 0 or values.max() > HIGHEST[mode]:
        raise Unsupported(f"{STORED[mode]}; got values from {values.min():g} to {values.max():g}")
    return Image.fromarray(values.astype(np.uint16 if mode == "objects" else np.uint8, copy=False))


def _check_grey_gif(picture, values):
    """Raise where a GIF shows other greys than the numbers that it stores: it has no greys but those of a palette.

    A program that saves an image of grey values numbers those that occur anew: what is meant cannot be told.
    """
    if picture.format != "GIF" or picture.mode != "P":
        return
    palette = np.zeros((256, 3), int)
    colours = np.reshape(picture.getpalette("RGB"), (-1, 3))
    palette[: len(colours)] = colours
    used = np.unique(values)
    shown = palette[used]
    is_grey = (shown == shown[:, :1]).all()
    if is_grey and (shown[:, 0] != used).any():
        raise Unsupported(
            f"class numbers as PNG, for example; got a GIF that stores {in_words(list(map(str, used)))} "
            f"and shows the greys {in_words(list(map(str, shown[:, 0])))}"
        )
