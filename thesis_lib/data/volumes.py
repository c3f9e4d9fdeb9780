"""Volumes: arrays of voxels with their place in space, read from and written to medical files.

| file | read | written |
| --- | --- | --- |
| NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd) | yes | yes (.nhdr and .mhd as one file) |
| TIFF of several pages (.tif, .tiff; spacing from OME, ImageJ or a JSON file beside it) | yes | yes, as OME-TIFF |
| a folder that holds a DICOM series, a DICOM file of several frames | yes | no |
| DICOM-SEG (.dcm) | yes, as labels | by `dicom.write_dicom_seg` |

Space is DICOM's: x grows to the patient's left, y to the back, z to the head, all in mm.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from thesis_lib import checks
from thesis_lib.data import dicom, itk_files, tiff_stacks
from thesis_lib.data.reading import regular
from thesis_lib.files import whole

# Two grids are the same where, together, these move no voxel of a volume of 512 voxels a side by more than one voxel.
SPACING_TOLERANCE = 1e-3  # of the spacing
ORIGIN_TOLERANCE = 0.1  # of the spacing
DIRECTION_TOLERANCE = 1e-3  # of each cosine
AXIAL = np.eye(3)[:, ::-1]  # depth to the head, rows to the back, columns to the left


@dataclass(frozen=True, eq=False)
class Volume:
    """An array of voxels and its place in space.

    Voxel [d, h, w] lies at `origin + direction @ (spacing * [d, h, w])`.

    Args:
        values: (D, H, W), or (D, H, W, C) with several channels.
        spacing: mm from voxel to voxel along D, H and W, each more than 0.
        origin: x, y and z of the centre of voxel [0, 0, 0], mm.
        direction: (3, 3); column j is the unit vector along axis j of the array, at right angles to the others.
        name: what errors call it.
    """

    values: np.ndarray
    spacing: tuple
    origin: tuple = (0.0, 0.0, 0.0)
    direction: np.ndarray = field(default_factory=AXIAL.copy, repr=False)
    name: str = "volume"

    def __post_init__(self):
        values = checks.array(f"values of {self.name}", self.values)
        if values.ndim not in (3, 4) or values.dtype.kind not in "biuf" or not values.size:
            raise ValueError(
                f"values of {self.name} must be numbers of shape (D, H, W) or (D, H, W, C); "
                f"got shape {values.shape}, {values.dtype}"
            )
        direction = checks.number_array(f"direction of {self.name}", self.direction, "(3, 3) numbers").astype(float)
        spacing = checked_spacing(f"spacing of {self.name}", self.spacing)
        is_square = direction.shape == (3, 3) and np.abs(direction.T @ direction - np.eye(3)).max() < 1e-2
        if not is_square:
            raise ValueError(
                f"direction of {self.name} must have columns of length 1 at right angles, unlike after a gantry tilt; "
                f"got {direction.round(4).tolist()}: resample the volume onto a grid whose axes are at right angles"
            )
        origin = checks.number_array(f"origin of {self.name}", self.origin, "three numbers, mm").astype(float)
        if origin.shape != (3,) or not np.isfinite(origin).all():
            raise ValueError(f"origin of {self.name} must be three numbers, mm; got {self.origin!r}")
        for name, value in (
            ("values", values),
            ("spacing", spacing),
            ("origin", tuple(origin.tolist())),
            ("direction", direction),
        ):
            object.__setattr__(self, name, value)

    @property
    def shape(self):
        """(D, H, W)."""
        return self.values.shape[:3]

    def with_values(self, values):
        """Other values of as many voxels, such as a prediction, in the same place."""
        values = checks.array("values", values)
        if values.shape[:3] != self.shape:
            raise ValueError(f"values must have as many voxels as {self.name}, {self.shape}; got {values.shape}")
        return replace(self, values=values)


def checked_spacing(name, spacing):
    """Three distances as floats, if they are finite and more than 0 mm."""
    sides = checks.array(name, spacing)
    if sides.shape != (3,) or sides.dtype.kind not in "iuf" or not (np.isfinite(sides).all() and (sides > 0).all()):
        raise ValueError(f"{name} must be three numbers above 0, mm along depth, height and width; got {spacing!r}")
    return tuple(float(side) for side in sides)


def read_volume(path, labels=False, like=None, spacing=None, series=None):
    """Read a volume, its spacing, origin and direction.

    Images are rescaled as their file says (to Hounsfield units, for example). Class numbers keep their value and their
    integer type; whole numbers that are stored as floats become the smallest integers that hold them.

    Args:
        path: of a file, or of a folder that holds a DICOM series.
        labels: whether it holds class numbers.
        like: Volume that it must lie on: an image for its mask. What a file does not state is taken from there: the
            place of a TIFF, and the slices that a DICOM-SEG omits, which are 0. Spacings may differ by 0.1%, origins
            by a tenth of a voxel, cosines of directions by 0.001.
        spacing: mm along depth, height and width, for a file that states none.
        series: SeriesInstanceUID, where a folder holds several.

    Returns:
        Volume.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file: if it is damaged, not of a supported kind, holds several volumes, states no
            spacing, lacks slices, or lies elsewhere than `like`; or if labels are not whole numbers.
        ModuleNotFoundError: without the extra `medical`.

    Example:
        >>> image = read_volume("imagesTr/case_0000.nii.gz")
        >>> mask = read_volume("labelsTr/case.nii.gz", labels=True, like=image)
    """
    path, labels = checks.path("path", path), checks.boolean("labels", labels)
    if like is not None:
        checks.instance("like", like, Volume, "a Volume or None")
    if series is not None:
        checks.instance("series", series, str, "a SeriesInstanceUID or None")
    if spacing is not None:
        spacing = checked_spacing("spacing", spacing)
    stored = _read(path, labels, like, series)
    if labels and stored.get("rescaled"):
        raise ValueError(f"{path} must hold class numbers as stored; its header rescales them (slope and intercept)")
    values = _class_numbers(path, stored["values"]) if labels else stored["values"]
    if spacing is not None and stored["spacing"] is None:
        stored["spacing"] = spacing
    if like is not None:
        for key in ("spacing", "origin", "direction"):
            stored[key] = getattr(like, key) if stored[key] is None else stored[key]
    if stored["spacing"] is None:
        raise ValueError(f"{path} must state its spacing, mm; it does not: pass spacing=(depth, height, width)")
    placed = {key: stored[key] for key in ("origin", "direction") if stored[key] is not None}
    volume = Volume(values, stored["spacing"], **placed, name=str(path))
    if spacing is not None and not np.allclose(volume.spacing, spacing, rtol=SPACING_TOLERANCE, atol=0):
        raise ValueError(f"spacing must be what {path} states, {_numbers(volume.spacing)} mm; got {_numbers(spacing)}")
    if like is not None:
        check_same_grid(like, volume)
    return volume


def _read(path, labels, like, series):
    """What a file says: values, and spacing, origin and direction or None."""
    if path.is_dir():
        return dicom.read_series(path, series)
    regular(path)
    ending = volume_ending(path)
    if ending in tiff_stacks.ENDINGS:
        return tiff_stacks.read(path)
    if ending in itk_files.KINDS:
        return itk_files.read(path, ending)
    if dicom.is_dicom(path):
        return dicom.read_file(path, labels, like)
    endings = ", ".join([*itk_files.KINDS, *tiff_stacks.ENDINGS])
    raise ValueError(f"{path} must be a volume's file, {endings}, DICOM, or a folder of a DICOM series")


def volume_ending(path):
    """The ending that names a file's format, in lower case; .nii.gz is one."""
    name = Path(path).name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def _class_numbers(path, values):
    """Class numbers (D, H, W) in an integer type, the one that they are stored in where it is one."""
    if values.ndim != 3:
        raise ValueError(f"{path} must hold one class number a voxel; got {values.shape[-1]}")
    if values.dtype.kind == "f":
        whole_numbers = np.rint(values)
        wrong = values[~(whole_numbers == values)]
        if wrong.size:
            raise ValueError(f"{path} must hold class numbers, whole ones; got {wrong[0]:g} in {wrong.size} voxels")
        low, high = values.min(), values.max()
        if low >= 0 and high < 2**32:
            values = whole_numbers.astype(np.min_scalar_type(int(high)))
    if values.dtype.kind == "f" or values.min() < 0:
        raise ValueError(
            f"{path} must hold class numbers of 0 or more; got values from {values.min()} to {values.max()}"
        )
    return values


def check_same_grid(image, mask):
    """Raise unless two Volumes lie on one grid: size, spacing, origin and direction; tolerances of `read_volume`."""
    for name, volume in (("image", image), ("mask", mask)):
        checks.instance(name, volume, Volume, "a Volume")
    step = np.abs(np.asarray(mask.origin) - image.origin)
    differing = [
        ("size", image.shape != mask.shape, image.shape, mask.shape),
        (
            "spacing (mm)",
            not np.allclose(image.spacing, mask.spacing, rtol=SPACING_TOLERANCE, atol=0),
            image.spacing,
            mask.spacing,
        ),
        ("origin (mm)", (step > ORIGIN_TOLERANCE * min(image.spacing)).any(), image.origin, mask.origin),
        (
            "direction",
            (np.abs(image.direction - mask.direction) > DIRECTION_TOLERANCE).any(),
            image.direction.ravel(),
            mask.direction.ravel(),
        ),
    ]
    found = [f"{what} {_numbers(one)} and {_numbers(other)}" for what, differs, one, other in differing if differs]
    if found:
        raise ValueError(
            f"{image.name} and {mask.name} must lie on one grid (to 0.1% of the spacing, a tenth of a voxel at the "
            f"origin, 0.001 in the direction); got {'; '.join(found)}: resample one onto the other's grid"
        )


def _numbers(values):
    return "(" + ", ".join(f"{float(value):.6g}" for value in values) + ")"


def write_volume(volume, path):
    """Write a volume whole or not at all; the path's ending names the format.

    Args:
        volume: Volume; booleans are written as 0 and 1.
        path: ends with .nii, .nii.gz, .nrrd, .mha, .tif or .tiff.

    Raises:
        ValueError: if the ending names no such format, or the format cannot hold the volume.
        OSError: naming the path, if it cannot be written.
    """
    path = checks.path("path", path)
    checks.instance("volume", volume, Volume, "a Volume")
    ending = volume_ending(path)
    if ending in itk_files.DETACHED:
        raise ValueError(f"path must end with {itk_files.DETACHED[ending]}, one file of that format; got {str(path)!r}")
    values = volume.values.astype(np.uint8) if volume.values.dtype == bool else np.ascontiguousarray(volume.values)
    if values.dtype == np.float16:
        raise ValueError(f"values of {volume.name} must be integers, or floats of 32 or 64 bits; got float16")
    if ending in tiff_stacks.ENDINGS:
        if not (np.allclose(volume.direction, AXIAL) and np.allclose(volume.origin, 0)):
            raise ValueError(
                f"path must end with .nii.gz, .nrrd or .mha, as a TIFF cannot hold the origin and direction of "
                f"{volume.name}; got {str(path)!r}"
            )
        with whole(path) as partial:
            tiff_stacks.write(values, volume.spacing, partial)
    elif ending in itk_files.KINDS:
        with whole(path) as partial:
            itk_files.write(values, volume.spacing, volume.origin, volume.direction, partial)
    else:
        raise ValueError(f"path must end with .nii, .nii.gz, .nrrd, .mha, .tif or .tiff; got {str(path)!r}")
