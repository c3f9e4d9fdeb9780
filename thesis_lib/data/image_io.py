"""Image files as arrays: any format, mode and depth that Pillow reads."""

import io
import os
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

MODES = {"RGB": 3, "L": 1, "colours": 3, "index": 1}
Image.MAX_IMAGE_PIXELS = None  # rasters of 10,000 x 10,000 px are what this is for


def read_image(content, mode="RGB", name=None, size=None):
    """A picture as uint8 (H, W, C).

    Grey, palette and black-and-white pictures are converted; what is transparent becomes black; 16-bit values are scaled to 8 bits
    (65535 is white), floating-point ones from 0 to 1 or 0 to 255 likewise; a fourth band counts as transparency. A picture whose EXIF
    data says that it lies on its side is turned upright.

    Args:
        content: the file's bytes, or its path.
        mode: "RGB", "L" (grey), "colours" (RGB as stored, whatever is transparent; deep pictures must hold 8-bit values exactly), or "index": the
            numbers as they are stored, of grey and palette pictures.
        name: what errors call it; the path if None.
        size: (H, W) to resize to, px; as it is if None.

    Raises:
        ValueError: naming it, if it is no whole image file, or not of this mode.
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
    """A whole picture that does not hold what it should."""


def _is_deep(picture):
    """Whether bands of 16 bits are about to be cut to 8: Pillow knows such numbers in grey pictures alone."""
    stored = [tile.args if isinstance(tile.args, tuple) else (tile.args,) for tile in picture.tile]
    return not picture.mode.startswith("I") and any(
        isinstance(args[0], str) and ";16" in args[0] for args in stored if args
    )


def _single(picture):
    """Raise if a TIFF holds several pages; those of smaller size or marked as such are overviews of the first."""
    if picture.format == "TIFF" and picture.n_frames > 1:
        size = picture.size
        for page in range(1, picture.n_frames):
            picture.seek(page)
            if picture.size == size and not picture.tag_v2.get(254, 0):
                raise Unsupported(f"one picture; got a TIFF of {picture.n_frames} pages: store them one by one")
        picture.seek(0)


def _numbers(picture):
    wanted = "class numbers from 0 to 255, as a grey or palette image stored without losses, where label_class_dict.csv gives no colours"
    if picture.format == "JPEG":
        raise Unsupported(f"{wanted}; got a JPEG")
    if picture.mode == "1":
        return picture.convert("L").point(lambda value: value // 255)
    values = np.asarray(picture)
    if values.ndim != 2:
        raise Unsupported(
            f"{wanted}; got mode {picture.mode}. If it shows classes in colours, the table must list them"
        )
    if not ((values >= 0) & (values <= 255) & (values == np.rint(values))).all():
        raise Unsupported(f"{wanted}; got values from {values.min():g} to {values.max():g}")
    return Image.fromarray(values.astype(np.uint8))


def _as_mode(picture, mode):
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture, float)
        white = 65535 if picture.mode != "F" else 1 if values.max() <= 1 else 255
        if mode == "colours":  # exactly, or a class would be taken for another
            white = 255 if values.max() <= 255 else 65535
            if not (values * 255 / white == np.rint(values * 255 / white)).all():
                raise Unsupported("colours of 8 bits: whole numbers from 0 to 255, or 16-bit multiples of 257")
        if not (values >= 0).all() or not (values <= white).all():
            raise Unsupported(f"values from 0 to {white}; got {values.min():g} to {values.max():g}")
        picture = Image.fromarray(np.rint(values * 255 / white).astype(np.uint8))
    if mode != "colours" and (picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (0, 0, 0, 255)), picture)
    mode = "RGB" if mode == "colours" else mode
    return picture if picture.mode == mode else picture.convert(mode)  # a copy of a large raster costs its memory twice


def image_shape(path):
    """(H, W) of a picture as `decode` gives it, from the head of its file."""
    try:
        with Image.open(path) as picture:
            lies = (
                picture.format != "TIFF" and picture.getexif().get(ExifTags.Base.Orientation, 1) >= 5
            )  # Pillow turns TIFF itself
            return (picture.width, picture.height) if lies else (picture.height, picture.width)
    except Exception as error:
        raise ValueError(f"{path} is not a whole image file: {error}") from error


def write_image(array, path):
    """Write a picture, uint8 (H, W) or (H, W, 3), whole or not at all: a file of that name is either the old one or the new one.

    Raises:
        OSError: naming it, for example where no space is left; what was there before stays.
    """
    path = Path(path)
    if path.suffix.lower() not in Image.registered_extensions():
        raise ValueError(f"path must end like a picture's, such as .png; got {str(path)!r}")
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
