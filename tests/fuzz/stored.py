"""Small files of odd kinds, and what they store, for the fuzzing test of the loaders."""

import io

import numpy as np
from fuzz.files import random_image
from hypothesis import reject
from hypothesis import strategies as st
from PIL import Image

SIDE = (9, 10)  # of all images
MODES = ("L", "P", "1", "I;16", "I", "F", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "HSV", "LAB")
FORMATS = ("PNG", "TIFF", "BMP", "GIF", "JPEG", "WEBP", "JPEG2000", "PPM", "TGA", "ICO")
COMPRESSIONS = (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4", "webp")
ODD_CELLS = (
    "",
    " ",
    "0",
    "1",
    "-1",
    "255",
    "256",
    "1.5",
    "²",
    "٣",
    "a",
    "A",
    "ü",
    "u\u0308",
    '"',
    "a\nb",
    "a,b",
    "None",
)
ODD_CELLS += ("None", "nan", "\0", "=1+1")
ODD_NAMES = (
    "a",
    "A",
    "ü",
    "u\u0308",
    "a b",
    ".hidden",
    "a.b",
    "c\\d",
    "con",
    "é" * 60,
    "-",
    "1",
    "01",
    "#",
    "%41",
    "a'b",
)
ODD_NAMES += (
    "a'b",
    "\u202etxt",
)


@st.composite
def numbers(draw):
    """Class numbers (H, W), of a few values that masks may hold."""
    values = draw(st.lists(st.sampled_from([0, 1, 2, 3, 7, 100, 127, 128, 200, 254, 255]), min_size=1, max_size=4))
    return np.random.default_rng(draw(st.integers(0, 99))).choice(np.array(values, np.uint8), SIDE)


@st.composite
def encoded(draw, classes):
    """(mode, bytes of an image file, ending) that store these numbers, of a mode and format that go together."""
    mode, kind = draw(st.sampled_from(MODES)), draw(st.sampled_from(FORMATS))
    options = {}
    if kind == "TIFF":
        options["compression"] = draw(st.sampled_from(COMPRESSIONS))
    picture = as_mode(classes, mode, draw(st.integers(0, 2**31)))
    if (mode, kind) == ("P", "GIF"):  # for which Pillow numbers the classes anew
        reject()
    buffer = io.BytesIO()
    try:
        picture.save(buffer, kind, **options)
    except Exception:  # most modes do not go with most formats
        reject()
    return mode, buffer.getvalue(), {"TIFF": "tif", "JPEG": "jpg", "BMP": "bmp"}.get(kind, "png")


def as_mode(classes, mode, seed):
    """A Pillow image whose numbers are these classes."""
    if mode == "1":
        return Image.fromarray(classes > 0)
    if mode == "P":
        picture = Image.fromarray(classes, "L").convert("P")
        picture.putdata(classes.ravel().tolist())
        picture.putpalette(np.random.default_rng(seed).integers(0, 256, 768).astype(np.uint8).tobytes())
        return picture
    if mode in ("I;16", "I", "F"):
        return Image.fromarray(classes.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    return Image.fromarray(classes, "L") if mode == "L" else Image.fromarray(classes, "L").convert(mode)


@st.composite
def damaged(draw, content):
    """A file's bytes, cut off, or with some of them changed, left out or put in."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        how = draw(st.sampled_from(["cut", "change", "leave out", "put in"]))
        if how == "cut":
            del content[at:]
        elif how == "change" and content:
            content[at] = draw(st.integers(0, 255))
        elif how == "leave out":
            del content[at : at + draw(st.integers(1, 20))]
        else:
            content[at:at] = draw(st.binary(min_size=1, max_size=8))
    return bytes(content)


cells = st.sampled_from(ODD_CELLS)
names = st.sampled_from(ODD_NAMES)


@st.composite
def tables(draw, head, rows):
    """A CSV table: some of these rows, in which a cell or two are odd."""
    lines = [list(head), *[list(row) for row in rows]]
    for _ in range(draw(st.integers(0, 3))):
        line = draw(st.sampled_from(lines))
        where = draw(st.integers(0, len(line)))
        line[where : where + draw(st.integers(0, 1))] = [draw(cells)]
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from([[], ["", ""], lines[-1]])))
    ending = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = ending.join(",".join(line) for line in lines)
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"])), "replace")


@st.composite
def arrays(draw):
    """Arrays for an .npz file of scenes: (images, labels), of odd dtypes, shapes and values."""
    labels = np.stack([draw(numbers()) % draw(st.integers(1, 5)) for _ in range(3)])
    labels = labels.astype(draw(st.sampled_from("bBhHiIqQ?efdO")))
    if labels.dtype.kind in "if" and draw(st.booleans()):
        labels[0, 0, 0] = draw(st.sampled_from([-1, 3, 255 % 127]))
    images = np.stack([random_image(seed=i) for i in range(3)]).astype(draw(st.sampled_from("BHifdO")))
    if draw(st.booleans()):
        images = images / draw(st.sampled_from([255, 1, 1000])) if images.dtype != object else images
    cut = draw(st.sampled_from([slice(None), slice(0, 2), slice(0, 0), 0]))
    return images[cut] if draw(st.booleans()) else images, labels[cut] if draw(st.booleans()) else labels
