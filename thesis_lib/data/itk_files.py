"""NIfTI, NRRD and MetaImage files as arrays with a grid, and back, by SimpleITK; `volumes` is what a user calls."""

import gzip
import math
import re
import struct
import zlib
from contextlib import contextmanager

import numpy as np

from thesis_lib.extras import extra

KINDS = {  # the endings, and who reads them
    ".nii": "NiftiImageIO",
    ".nii.gz": "NiftiImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
}
DETACHED = {".nhdr": ".nrrd", ".mhd": ".mha"}  # headers whose voxels lie in another file; one file can hold both
HEAD = 2**16  # bytes that hold the header of an NRRD or MetaImage file
STEP = 2**22  # bytes that are decompressed at a time


def read(path, ending):
    """Values (D, H, W[, C]), spacing or None, origin, direction and whether the values were rescaled, as a dict.

    Raises:
        ValueError: naming the file, if it is damaged or holds no single volume.
    """
    sitk = simple_itk()
    with path.open("rb") as file:
        text = file.read(HEAD)
    if KINDS[ending] != "NiftiImageIO":
        _check_compressed(path, text)
    reader = sitk.ImageFileReader()
    reader.SetImageIO(KINDS[ending])
    reader.SetFileName(str(path))
    with reading(path):
        reader.ReadImageInformation()
        size = reader.GetSize()
    if len(size) != 3:
        raise ValueError(
            f"{path} must hold one volume; got an image of {len(size)} dimensions, {' x '.join(map(str, size))}: "
            + ("it is no volume" if len(size) < 3 else "write each volume into a file of its own")
        )
    if KINDS[ending] == "NiftiImageIO":
        _check_nifti(path, reader, ending, size)
    with reading(path):
        image = reader.Execute()
    slope, intercept = (
        float(reader.GetMetaData(key)) if reader.HasMetaDataKey(key) else 0.0 for key in ("scl_slope", "scl_inter")
    )
    return grid(image) | {
        "values": sitk.GetArrayFromImage(image),
        "spacing": grid(image)["spacing"] if _states_spacing(path, ending, text) else None,
        "rescaled": slope not in (0, 1) or (slope == 1 and intercept != 0),
    }


def grid(image):
    """Spacing, origin and direction of a SimpleITK image, in the order of the array."""
    return {
        "spacing": image.GetSpacing()[::-1],
        "origin": image.GetOrigin(),
        "direction": np.reshape(image.GetDirection(), (3, 3))[:, ::-1],
    }


def write(values, spacing, origin, direction, path):
    """Write a volume, its values compressed where the format can."""
    sitk = simple_itk()
    image = sitk.GetImageFromArray(values, isVector=values.ndim == 4)
    image.SetSpacing([float(one) for one in spacing[::-1]])
    image.SetOrigin([float(one) for one in origin])
    image.SetDirection(np.asarray(direction, float)[:, ::-1].ravel().tolist())
    try:
        sitk.WriteImage(image, str(path), useCompression=path.suffix != ".nii")
    except RuntimeError as error:
        raise OSError(f"{path} could not be written: {_reason(error)}") from error


def simple_itk():
    """SimpleITK, or an error that says which extra brings it."""
    with extra("medical"):
        import SimpleITK
    return SimpleITK


@contextmanager
def reading(path):
    """Errors of SimpleITK as one sentence with the file's name; its warnings are silent meanwhile."""
    process = simple_itk().ProcessObject
    shown = process.GetGlobalWarningDisplay()
    process.SetGlobalWarningDisplay(False)
    try:
        yield
    except RuntimeError as error:
        reason = _reason(error)
        if "orthonormal" in reason:
            reason = "its axes are not at right angles, as after a gantry tilt: resample it onto a grid whose axes are"
        raise ValueError(f"{path} cannot be read as a volume: {reason}") from None
    finally:
        process.SetGlobalWarningDisplay(shown)


def _reason(error):
    """The last line of an error of ITK, which says most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = re.sub(r"^.*(?:ERROR|Reason): *", "", lines[-1]) if lines else "damaged"
    return "the file is damaged, or of another kind than its name says" if "No such file" in reason else reason


def _check_nifti(path, reader, ending, size):
    """Raise where voxels are missing: ITK reads them as zeros, in silence."""
    bits = int(reader.GetMetaData("bitpix"))
    expected = int(float(reader.GetMetaData("vox_offset"))) + math.prod(size) * bits // 8
    length = path.stat().st_size
    if ending == ".nii.gz":
        length = 0
        try:
            with gzip.open(path) as file:
                while part := file.read(STEP):
                    length += len(part)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} cannot be read as a volume: the file is damaged, {error}") from None
    if length < expected:
        raise ValueError(f"{path} must hold {expected} bytes, as its header says; got {length}: the file is cut short")


def _check_compressed(path, text):
    """Raise where compressed voxels of an NRRD or MetaImage file are damaged: ITK reads them all the same."""
    end, is_compressed = (
        (b"\n\n", rb"(?m)^encoding: *(gz|gzip)\s*$")
        if text.startswith(b"NRRD")
        else (b"ElementDataFile = LOCAL\n", rb"(?m)^CompressedData\s*=\s*True")
    )
    head, found, _ = text.partition(end)
    if not found or not re.search(is_compressed, head) or re.search(rb"(?m)^data ?file:", head):
        return
    inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # of zlib's or gzip's own header
    with path.open("rb") as file:
        file.seek(len(head) + len(found))
        try:
            while not inflate.eof and (part := file.read(STEP)):
                inflate.decompress(part)
        except zlib.error as error:
            raise ValueError(f"{path} cannot be read as a volume: the file is damaged, {error}") from None
    if not inflate.eof:
        raise ValueError(f"{path} cannot be read as a volume: the file is cut short")


def _states_spacing(path, ending, text):
    """Whether a file says how far its voxels lie apart, in mm; where it does not, ITK takes 1 mm."""
    if KINDS[ending] == "NiftiImageIO":  # of which ITK's own copy of the header has 1 instead of 0
        with gzip.open(path) if ending == ".nii.gz" else path.open("rb") as file:
            head = file.read(172)
        order = "<" if head[:4] in (struct.pack("<i", 348), struct.pack("<i", 540)) else ">"
        is_second = head[:4] == struct.pack(f"{order}i", 540)  # NIfTI-2
        sides = struct.unpack_from(f"{order}3d" if is_second else f"{order}3f", head, 112 if is_second else 80)
        return all(math.isfinite(side) and side != 0 for side in sides)
    if KINDS[ending] == "MetaImageIO":
        return re.search(rb"(?m)^(ElementSpacing|ElementSize)\s*=", text) is not None
    head = text.partition(b"\n\n")[0].replace(b"\r", b"")
    units = re.search(rb"(?m)^space units:(.*)$", head)
    if units and set(re.findall(rb'"([^"]*)"', units[1])) - {b"mm", b"millimeter", b"millimeters", b""}:
        raise ValueError(f"{path} must give its spacing in mm; got units {units[1].decode(errors='replace').strip()}")
    stated = re.search(rb"(?m)^(?:spacings|space directions):(.*)$", head)
    return stated is not None and b"nan" not in stated[1].lower()
