"""Image files as arrays, and back: any format, mode and depth that Pillow reads."""

import io
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from thesis_lib import checks
from thesis_lib.data import masks_as_stored
from thesis_lib.data.masks_as_stored import HIGHEST, STORED, Unsupported
from thesis_lib.data.reading import regular
from thesis_lib.files import whole

MODES = {"RGB": 3, "L": 1, "colours": 3, "index": 1, "objects": 1}  # bands
Image.MAX_IMAGE_PIXELS = None  # rasters of 10,000 x 10,000 px are what this is for


def read_image(content, mode: str = "RGB", name=None, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read an image file of any format that Pillow reads.

    Grey, palette and black-and-white images are converted. Transparent pixels become black; a fourth band counts as
    transparency. 16-bit values are scaled to 8 bits (65535 is white), and so are floating-point values, which must lie
    in 0-1 or 0-255. An image whose EXIF data says that it lies on its side is turned upright. Of an animation, the
    first picture is read.

    A mask must be stored without losses: as PNG, BMP, GIF or TIFF, the latter not compressed by JPEG or WebP. JPEG
    2000 and WebP are refused, as Pillow does not say whether they lost anything, and so are animations.

    Args:
        content: the file's path, or its bytes.
        mode: what to read: "RGB" or "L" (grey); "colours" (of a mask: RGB as shown, whatever is transparent; 16-bit
            images must hold 8-bit values exactly); or "index" or "objects" (of a mask: the numbers that a grey or
            palette image stores, whatever they are shown as, of at most 8 or 16 bits).
        name: what errors call it; the path if None.
        size: (H, W) to resize to, px; as it is if None.

    Returns:
        uint8 (H, W, 3), or (H, W, 1) for "L" and "index"; uint16 (H, W, 1) for "objects".

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it cannot be read as an image, or not in this mode.

    Example:
        >>> image = read_image("photograph.png")
    """
    checks.one_of("mode", mode, MODES)
    if size is not None:
        size = checks.lengths("size", size, 2, "(H, W)")
    if not isinstance(content, bytes):
        content = checks.path("content" if name is None else name, content, "the path of an image, or its bytes")
    name = content if name is None else name
    with _opened(content, name) as picture:
        _single(picture)
        masks_as_stored.check_grey_bmp(picture)
        raw_modes = masks_as_stored.raw_modes(picture)
        if mode in STORED:
            masks_as_stored.check(picture, mode, raw_modes)
        picture.load()
        is_signed, is_inverted = masks_as_stored.is_signed(picture), masks_as_stored.is_inverted(picture)
        ImageOps.exif_transpose(picture, in_place=True)
        if mode in HIGHEST:
            picture = masks_as_stored.numbers(picture, mode, raw_modes, is_signed)
        else:
            picture = _as_mode(picture, mode, is_inverted, any(raw.startswith("RGBa") for raw in raw_modes))
        if size is not None:
            picture = picture.resize(size[::-1], Image.Resampling.BILINEAR)
        return np.asarray(picture).reshape(picture.height, picture.width, MODES[mode])


@contextmanager
def _opened(content, name):
    """The open Pillow image of a path or of bytes; every error within names the file."""
    with io.BytesIO(content) if isinstance(content, bytes) else open(regular(content), "rb") as file:
        try:
            with Image.open(file) as picture:
                yield picture
        except Unsupported as error:
            raise ValueError(f"{name} must hold {error}") from None
        except Image.UnidentifiedImageError:
            raise ValueError(f"{name} cannot be read as an image: {_why_unidentified(file)}") from None
        except Exception as error:  # Pillow raises many kinds for damaged files
            raise ValueError(f"{name} cannot be read as an image: {error}") from error


def _why_unidentified(file):
    """Why Pillow does not open a file: it tells a kind that it does not read from a damaged one only when asked."""
    file.seek(0)
    head = file.read(16)
    if not head:
        return "the file is empty"
    for kind, (factory, accept) in Image.OPEN.items():
        if accept is not None and _accepts(accept, head):
            file.seek(0)
            try:
                factory(file, "")
            except Exception as error:
                unsupported = re.search("unknown|unsupported|not supported", str(error), re.IGNORECASE)
                return f"{kind} {'of an unsupported sort' if unsupported else 'damaged at its start'}: {error}"
    return "not of a supported kind, such as PNG, TIFF, JPEG or BMP, or damaged at its start"


def _accepts(accept, head):
    """Whether one of Pillow's tests takes the first bytes of a file for its kind; few bytes make some of them raise."""
    try:
        return accept(head) is True
    except Exception:
        return False


def _single(picture):
    """Raise if a TIFF holds several pages; pages of another size, or marked as such, are overviews of the first."""
    if picture.format == "TIFF" and picture.n_frames > 1:
        size = picture.size
        for page in range(1, picture.n_frames):
            picture.seek(page)
            if picture.size == size and not picture.tag_v2.get(254, 0):
                raise Unsupported(f"one picture; got a TIFF of {picture.n_frames} pages: store them one by one")
        picture.seek(0)


def _as_mode(picture, mode, is_inverted, is_premultiplied):
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
        values = white - values if is_inverted else values  # which Pillow does for 8 bits alone
        picture = Image.fromarray(np.rint(values * 255 / white).astype(np.uint8))
    if mode == "colours" and is_premultiplied and picture.getextrema()[3][0] < 255:
        raise Unsupported(f"{STORED['colours']}; got colours multiplied by a transparency")
    if mode != "colours" and (picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (0, 0, 0, 255)), picture)
    mode = "RGB" if mode == "colours" else mode
    return picture if picture.mode == mode else picture.convert(mode)  # a copy of a large raster costs its memory twice


def image_head(path):
    """What the head of an image file says.

    Returns:
        ((H, W), orientation): the size of the image as `read_image` returns it, px, and the EXIF orientation, 1-8; 1 is
        stored upright.

    Raises:
        FileNotFoundError, ValueError: naming the file.
    """
    with _opened(path, path) as picture:
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
        is_turned = picture.format != "TIFF" and orientation >= 5  # Pillow turns the size of a TIFF itself
        shape = (picture.width, picture.height) if is_turned else (picture.height, picture.width)
        return shape, orientation if orientation in range(1, 9) else 1


def image_shape(path: str | Path) -> tuple[int, int]:
    """(H, W) of an image as `read_image` returns it, px, from the head of its file."""
    return image_head(path)[0]


def write_image(array: np.ndarray, path: str | Path) -> None:
    """Write an image file whole or not at all: afterwards, the path holds either the old file or the new one.

    Args:
        array: uint8 (H, W) or (H, W, 3).
        path: its ending names the format, for example .png.

    Raises:
        ValueError: if the path has no image format's ending, or the array is another one.
        OSError: naming the path, for example where no space is left.
    """
    path = checks.path("path", path)
    array = checks.array("array", array)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)) or not array.size:
        raise ValueError(f"array must be uint8 (H, W) or (H, W, 3); got shape {array.shape}, {array.dtype}")
    if path.suffix.lower() not in Image.registered_extensions():
        raise ValueError(f"path must end like an image's, such as .png; got {str(path)!r}")
    try:
        with whole(path) as partial:
            Image.fromarray(array).save(partial)
    except OSError as error:
        raise OSError(error.errno, f"{path} could not be written: {error.strerror or error}") from error
