"""TIFF files of several pages as volumes, and back, by tifffile; `volumes` is what a user calls.

TIFF itself has no distance between pages. It is taken from OME or ImageJ metadata, or from a JSON file beside the TIFF
with `{"spacing": [depth, height, width]}` in mm, as nnU-Net has it (NAME.json, of an image NAME_0000.tif as well).
"""

import json
import math
import re
from contextlib import contextmanager
from xml.etree import ElementTree

import numpy as np

from thesis_lib import checks
from thesis_lib.extras import extra

ENDINGS = (".tif", ".tiff")
MILLIMETRES = {  # of a unit
    "mm": 1.0,
    "millimeter": 1.0,
    "cm": 10.0,
    "inch": 25.4,
    "m": 1000.0,
    "nm": 1e-6,
    "µm": 1e-3,
    "μm": 1e-3,  # the Greek letter, which is another character
    "um": 1e-3,
    "micron": 1e-3,
    "microns": 1e-3,
    "\\u00b5m": 1e-3,
}


def read(path):
    """Values (D, H, W[, C]) and spacing or None, as a dict; a TIFF has no origin and direction in space: None.

    Raises:
        ValueError: naming the file, if it is damaged or holds no single volume.
    """
    with opened(path) as file:
        if len(file.series) != 1:
            raise ValueError(f"{path} must hold one volume; got a TIFF of {len(file.series)} images of several sizes")
        series = file.series[0]
        axes, shape = series.axes, series.shape
        lengths = dict(zip(axes, shape))
        if lengths.get("T", 1) > 1:
            raise ValueError(f"{path} must hold one volume; got {lengths['T']} points in time: write them one by one")
        depths = [axis for axis in axes if axis not in "YXSCT"]
        if len(depths) != 1:
            what = "one page: it is no volume" if not depths else f"axes {axes} of {' x '.join(map(str, shape))}"
            raise ValueError(f"{path} must hold the pages of one volume; got {what}")
        values = series.asarray()
        order = [axes.index(axis) for axis in (depths[0], "Y", "X")]
        rest = [axis for axis in range(len(axes)) if axis not in order]
        values = np.transpose(values, order + rest).reshape(*(shape[axis] for axis in order), -1)
        values = values[..., 0] if values.shape[-1] == 1 else values
        spacing = _of_ome(file) or _of_imagej(file) or _of_json(path)
    return {"values": np.ascontiguousarray(values), "spacing": spacing, "origin": None, "direction": None}


def write(values, spacing, path):
    """Write a volume (D, H, W[, C]) as OME-TIFF, with its spacing."""
    with extra("medical"):
        import tifffile
    metadata = {"axes": "ZYX" if values.ndim == 3 else "ZYXC"}
    if values.ndim == 4:  # channels come before rows in OME-TIFF
        values, metadata["axes"] = np.moveaxis(values, -1, 1), "ZCYX"
    for axis, side in zip("ZYX", spacing):
        metadata |= {f"PhysicalSize{axis}": float(side), f"PhysicalSize{axis}Unit": "mm"}
    tifffile.imwrite(path, values, ome=True, photometric="minisblack", compression="zlib", metadata=metadata)


@contextmanager
def opened(path):
    """The open tifffile.TiffFile of a path; every error within names it."""
    with extra("medical"):
        import tifffile
    try:
        with tifffile.TiffFile(path) as file:
            yield file
    except ValueError as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path} cannot be read as a TIFF: {error}") from error
    except Exception as error:  # tifffile raises many kinds for damaged files
        raise ValueError(f"{path} cannot be read as a TIFF: {error}") from error


def _of_ome(file):
    """Spacing from OME's XML, or None."""
    if not file.is_ome:
        return None
    pixels = next((one for one in ElementTree.fromstring(file.ome_metadata).iter() if one.tag.endswith("}Pixels")), {})
    sides = []
    for axis in "ZYX":
        side, unit = pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")
        sides.append(float(side) * MILLIMETRES.get(unit, math.nan) if side else math.nan)
    return _if_known(sides)


def _of_imagej(file):
    """Spacing from ImageJ's description and the resolution of its pages, or None."""
    about = file.imagej_metadata or {}
    scale = MILLIMETRES.get(str(about.get("unit", "")).lower(), math.nan)
    sides = [float(about.get("spacing", math.nan)) * scale]
    for name in ("YResolution", "XResolution"):
        tag = file.pages[0].tags.get(name)
        dots, per = tag.value if tag else (0, 1)
        sides.append(scale * per / dots if dots else math.nan)
    return _if_known(sides)


def _of_json(path):
    """Spacing from the JSON file beside a TIFF, or None."""
    names = (path.with_suffix(".json"), path.with_name(re.sub(r"_\d{4}$", "", path.stem) + ".json"))
    beside = next((name for name in names if name.is_file()), None)
    if beside is None:
        return None
    try:
        return tuple(checks.number_array("spacing", json.loads(beside.read_text())["spacing"]).tolist())
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{beside} must hold {{"spacing": [depth, height, width]}}, mm; got {error}') from error


def _if_known(sides):
    return tuple(sides) if all(math.isfinite(side) and side > 0 for side in sides) else None
