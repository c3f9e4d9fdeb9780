"""Image files as arrays, and back: any format, mode and depth that Pillow reads."""

import io
import os
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

MODES = {"RGB": 3, "L": 1, "colours": 3, "index": 1}
Image.MAX_IMAGE_PIXELS = None  # rasters of 10,000 x 10,000 px are what this is for


def read_image(content, mode="RGB", name=None, size=None):
    """Read an image file of any format that Pillow reads.

    Grey, palette and black-and-white images are converted. Transparent pixels become black; a fourth band counts as
    transparency. 16-bit values are scaled to 8 bits (65535 is white), and so are floating-point values, which must lie
    in 0-1 or 0-255. An image whose EXIF data says that it lies on its side is turned upright.

    Args:
        content: the file's path, or its bytes.
        mode: what to read: "RGB" or "L" (grey); "colours" (of a mask: RGB as stored, whatever is transparent; 16-bit
            images must hold 8-bit values exactly); or "index" (of a mask: the numbers that a grey or palette image
            stores).
        name: what errors call it; the path if None.
        size: (H, W) to resize to, px; as it is if None.

    Returns:
        uint8 (H, W, 3), or (H, W, 1) for "L" and "index".

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it is no whole image file, or not of this mode.

    Example:
        image = read_image("photograph.jpg")
    """
    name = content if name is None else name
    try:
        with (
            io.BytesIO(content) if isinstance(content, bytes) else open(content, "rb") as file,
            Image.open(file) as picture,
        ):
            _single(picture)
            if mode == "colours" and _is_deep(picture):
                raise Unsupported("colours of 8 bits a band; got 16, of which the lower eight could not be read")
            picture.load()
            ImageOps.exif_transpose(picture, in_place=True)
            picture = _numbers(picture) if mode == "index" else _as_mode(picture, mode)
            if size is not None:
                picture = picture.resize(tuple(size)[::-1], Image.Resampling.BILINEAR)
    except FileNotFoundError:
        raise
    except Unsupported as error:
        raise ValueError(f"{name} must hold {error}") from None
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise ValueError(f"{name} is not a whole image file: {error}") from error
    return np.asarray(picture).reshape(picture.height, picture.width, MODES[mode])


class Unsupported(ValueError):
    """What a whole image file should hold, and what it holds instead."""


def _is_deep(picture):
    """Whether Pillow is about to cut bands of 16 bits to 8 bits, as it does but for grey images."""
    if picture.mode.startswith("I"):
        return False
    stored = [tile.args if isinstance(tile.args, tuple) else (tile.args,) for tile in picture.tile]
    modes = [args[0] for args in stored if args]
    return any(isinstance(mode, str) and ";16" in mode for mode in modes)


def _single(picture):
    """Raise if a TIFF holds several pages; pages of another size, or marked as such, are overviews of the first."""
    if picture.format == "TIFF" and picture.n_frames > 1:
        size = picture.size
        for page in range(1, picture.n_frames):
            picture.seek(page)
            if picture.size == size and not picture.tag_v2.get(254, 0):
                raise Unsupported(f"one picture; got a TIFF of {picture.n_frames} pages: store them one by one")
        picture.seek(0)


def _numbers(picture):
    accepted = (
        "class numbers from 0 to 255, as a grey or palette image stored without losses, "
        "where label_class_dict.csv gives no colours"
    )
    if picture.format == "JPEG":
        raise Unsupported(f"{accepted}; got a JPEG")
    values = np.asarray(picture)
    if values.ndim != 2:
        raise Unsupported(
            f"{accepted}; got mode {picture.mode}. If it shows classes in colours, the table must list them"
        )
    if not ((values >= 0) & (values <= 255) & (values == np.rint(values))).all():
        raise Unsupported(f"{accepted}; got values from {values.min():g} to {values.max():g}")
    return Image.fromarray(values.astype(np.uint8))


def _as_mode(picture, mode):
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture, float)
        if mode == "colours":  # exactly, or a class would be taken for another
            white = 255 if values.max() <= 255 else 65535
            if not (values * 255 / white == np.rint(values * 255 / white)).all():
                raise Unsupported("colours of 8 bits: whole numbers from 0 to 255, or 16-bit multiples of 257")
        elif picture.mode == "F":
            white = 1 if values.max() <= 1 else 255
        else:
            white = 65535
        if not (values >= 0).all() or not (values <= white).all():
            raise Unsupported(f"values from 0 to {white}; got {values.min():g} to {values.max():g}")
        picture = Image.fromarray(np.rint(values * 255 / white).astype(np.uint8))
    if mode != "colours" and (picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (0, 0, 0, 255)), picture)
    mode = "RGB" if mode == "colours" else mode
    return picture if picture.mode == mode else picture.convert(mode)  # a copy of a large raster costs its memory twice


def image_shape(path):
    """(H, W) of an image as `read_image` returns it, px, from the head of its file."""
    try:
        with Image.open(path) as picture:
            turned = False
            if picture.format != "TIFF":  # Pillow turns the size of a TIFF itself
                turned = picture.getexif().get(ExifTags.Base.Orientation, 1) >= 5
            return (picture.width, picture.height) if turned else (picture.height, picture.width)
    except Exception as error:
        raise ValueError(f"{path} is not a whole image file: {error}") from error


def write_image(array, path):
    """Write an image file whole or not at all: afterwards, the path holds either the old file or the new one.

    Args:
        array: uint8 (H, W) or (H, W, 3).
        path: its ending names the format, for example .png.

    Raises:
        ValueError: if the path has no image format's ending.
        OSError: naming the path, for example where no space is left.
    """
    path = Path(path)
    if path.suffix.lower() not in Image.registered_extensions():
        raise ValueError(f"path must end like an image's, such as .png; got {str(path)!r}")
    partial = path.with_name(f".{path.name}.partial")
    try:
        with open(partial, "wb") as file:
            Image.fromarray(array).save(file, format=Image.registered_extensions()[path.suffix.lower()])
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise OSError(error.errno, f"{path} could not be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
