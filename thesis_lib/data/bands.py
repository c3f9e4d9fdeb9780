"""Images of more bands than three, such as GeoTIFF, as arrays with their georeference, and back, by tifffile."""

from dataclasses import dataclass, field

import numpy as np

from thesis_lib import checks
from thesis_lib.data import tiff_stacks
from thesis_lib.data.reading import regular
from thesis_lib.extras import extra
from thesis_lib.files import whole

GEOREFERENCE = (33550, 33922, 34264, 34735, 34736, 34737)  # GeoTIFF's scale, tie points, transformation and keys


@dataclass(frozen=True, eq=False)
class Bands:
    """An image of any number of bands.

    Args:
        values: (H, W, C), as stored.
        georeference: the GeoTIFF tags that say where it lies, as tifffile writes them; empty where there are none.
        name: the file.
    """

    values: np.ndarray
    georeference: tuple = field(default=(), repr=False)
    name: str = "image"


def read_bands(path):
    """Read a TIFF of one page with any number of bands, such as a GeoTIFF of a satellite.

    Args:
        path: of the file. Values are as stored: nothing is scaled to 8 bits, unlike `read_image`.

    Returns:
        Bands.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it is damaged or holds several images.

    Example:
        >>> image = read_bands("sentinel.tif")
        >>> write_bands(predict(model, image.values), "classes.tif", like=image)
    """
    path = checks.path("path", path)
    regular(path)
    with tiff_stacks.opened(path) as file:
        series = file.series[0]  # smaller ones after it are overviews
        several = [one for one in file.series[1:] if one.shape == series.shape and not one.keyframe.is_reduced]
        if several or sorted(series.axes) not in (["X", "Y"], ["S", "X", "Y"]):
            raise ValueError(
                f"{path} must hold one image (H, W, bands); got {1 + len(several)} with axes {series.axes} of "
                f"{' x '.join(map(str, series.shape))}"
            )
        values = series.asarray()
        values = np.moveaxis(values, 0, -1) if series.axes[0] == "S" else values
        tags = file.pages[0].tags
        place = tuple(
            (code, tags[code].dtype, tags[code].count, tags[code].value, True) for code in GEOREFERENCE if code in tags
        )
    return Bands(values if values.ndim == 3 else values[..., None], place, str(path))


def write_bands(values, path, like=None):
    """Write an array as a TIFF, whole or not at all.

    Args:
        values: (H, W) or (H, W, C).
        path: ends with .tif or .tiff.
        like: Bands whose georeference it gets; as many rows and columns.

    Raises:
        ValueError: if the path ends otherwise, or `like` has another size.
        OSError: naming the path, if it cannot be written.
    """
    path = checks.path("path", path)
    values = checks.array("values", values)
    if values.ndim not in (2, 3) or values.dtype.kind not in "biuf" or not values.size:
        raise ValueError(f"values must be numbers (H, W) or (H, W, C); got shape {values.shape}, {values.dtype}")
    if like is not None:
        checks.instance("like", like, Bands, "Bands or None")
    if path.suffix.lower() not in tiff_stacks.ENDINGS:
        raise ValueError(f"path must end with .tif or .tiff; got {str(path)!r}")
    if like is not None and like.values.shape[:2] != values.shape[:2]:
        raise ValueError(f"values must have the size of {like.name}, {like.values.shape[:2]}; got {values.shape[:2]}")
    with extra("medical"):
        import tifffile
    with whole(path) as partial:
        tifffile.imwrite(
            partial,
            values,
            photometric="minisblack",
            planarconfig="contig" if values.ndim == 3 else None,
            compression="zlib",
            extratags=[] if like is None else like.georeference,
            metadata=None,
        )
