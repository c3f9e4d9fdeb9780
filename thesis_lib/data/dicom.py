"""DICOM: series of slices as one volume, and DICOM-SEG as class numbers, and back.

Headers are read by pydicom, slices by SimpleITK (GDCM decodes what scanners compress), DICOM-SEG by highdicom.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np

from thesis_lib import checks
from thesis_lib.data import itk_files
from thesis_lib.data.reading import in_words, regular
from thesis_lib.extras import extra
from thesis_lib.files import whole

SLICE_TOLERANCE = 0.1  # of the distance of slices: how far one may lie from where equal distances put it
TILT_TOLERANCE = 0.5  # px: how far a slice may lie beside the line through the first at right angles
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # DICOM-SEG, with label maps as well
DIRECTORY = "1.2.840.10008.1.3.10"  # the table of contents of a disc
PLACE = ("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing")
TAGS = [*PLACE, "SeriesInstanceUID", "SOPClassUID", "Rows", "Columns", "NumberOfFrames", "SliceThickness"]


def is_dicom(path):
    """Whether a file has DICOM's mark after its first 128 bytes."""
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_file(path, labels, like):
    """What `itk_files.read` gives, of a DICOM-SEG (if `labels`) or a file of several frames.

    Args:
        like: Volume whose slices a DICOM-SEG gets, or None for those that it holds.
    """
    with extra("medical"):
        import highdicom
    head = _head(path)
    is_segmentation = head.SOPClassUID in SEGMENTATIONS
    if is_segmentation != labels:
        wrong = (
            "an image; got a DICOM-SEG: read it with labels=True" if is_segmentation else "a DICOM-SEG; got an image"
        )
        raise ValueError(f"{path} must be {wrong}")
    if not is_segmentation and int(head.get("NumberOfFrames") or 1) == 1:
        raise ValueError(f"{path} must hold a volume; got one slice: give the folder that holds all of its series")
    try:
        if is_segmentation:
            found = highdicom.seg.segread(path).get_volume(combine_segments=True)
            found = found if like is None else found.match_geometry(_geometry(like, np.zeros(like.shape, np.uint8)))
        else:
            found = highdicom.imread(path).get_volume(apply_voi_transform=False, apply_presentation_lut=False)
        depth, height, width = found.direction.T
        if like is None and depth @ np.cross(width, height) < 0:  # a series of slices goes the other way
            found = found.flip_spatial(0)
    except Exception as error:  # highdicom raises many kinds
        raise ValueError(f"{path} cannot be read as one volume: {error}") from error
    return {
        "values": found.array,
        "spacing": found.spacing,
        "origin": found.position,
        "direction": found.direction,
    }


def read_series(folder, series=None):
    """What `itk_files.read` gives, of the slices of a DICOM series in a folder, from first to last along their normal.

    Args:
        folder: other files than DICOM's in it are left out.
        series: SeriesInstanceUID, where the folder holds several.

    Raises:
        ValueError: naming the folder, if it holds no or several series; or if slices are missing, lie at one place, are
            tilted (beyond half a pixel) or differ in size, pixel spacing or orientation.
    """
    paths, heads = _slices(folder, series)
    first = heads[0]
    for name in ("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient"):
        for path, head in zip(paths, heads):
            one, other = (np.asarray(part.get(name, np.nan), float) for part in (first, head))
            if one.shape != other.shape or not np.allclose(one, other, rtol=1e-3, atol=1e-3):
                raise ValueError(
                    f"{folder} must hold slices of one {name}; got {one.tolist()} in {paths[0].name} "
                    f"and {other.tolist()} in {path.name}"
                )
    across = np.reshape(np.asarray(first.ImageOrientationPatient, float), (2, 3))
    normal = np.cross(*across)
    positions = np.array([head.ImagePositionPatient for head in heads], float)
    order = np.argsort(positions @ normal, kind="stable")
    paths, positions = [paths[i] for i in order], positions[order]
    side = np.asarray(first.PixelSpacing, float)
    if len(paths) > 1:
        distance = _checked_distance(folder, paths, positions, normal, side)
    else:
        distance = float(first.get("SliceThickness") or np.nan)
    sitk = itk_files.simple_itk()
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in paths])
    with itk_files.reading(folder):
        image = reader.Execute()
    values = sitk.GetArrayFromImage(image)
    return {
        "values": values.reshape(len(paths), *values.shape[-2:])
        if image.GetNumberOfComponentsPerPixel() == 1
        else values,
        "spacing": (distance, *side) if np.isfinite([distance, *side]).all() else None,
        "origin": positions[0],
        "direction": np.stack([normal, across[1], across[0]], 1),
    }


def _slices(folder, series):
    """The files of a series and their heads."""
    by_series = defaultdict(list)
    for path in sorted(Path(folder).iterdir()):
        if path.is_file() and is_dicom(path):
            head = _head(path)
            if head.file_meta.get("MediaStorageSOPClassUID") in (DIRECTORY, *SEGMENTATIONS):
                continue
            if "SeriesInstanceUID" not in head:
                raise ValueError(f"{path} must name its series; it does not: is the file cut short?")
            by_series[str(head.SeriesInstanceUID)].append((path, head))
    by_series = {
        uid: slices
        for uid, slices in by_series.items()
        if any("Rows" in head for _, head in slices)  # not reports
    }
    if not by_series:
        raise ValueError(f"{folder} must hold a DICOM series; got a folder without one")
    if series is None and len(by_series) > 1:
        found = in_words([f"{uid} ({len(slices)} files)" for uid, slices in by_series.items()])
        raise ValueError(f"{folder} must hold one DICOM series, or `series` must name one; got {found}")
    series = next(iter(by_series)) if series is None else checks.one_of("series", series, by_series)
    paths, heads = zip(*by_series[series])
    for path, head in zip(paths, heads):
        lacking = [name for name in (*PLACE, "Rows", "Columns") if not head.get(name)]
        if int(head.get("NumberOfFrames") or 1) > 1:
            raise ValueError(f"{path} must hold one slice; got {head.NumberOfFrames} frames: read the file itself")
        if lacking:
            raise ValueError(f"{path} must say where its slice lies; it lacks {', '.join(lacking)}")
    return paths, heads


def _checked_distance(folder, paths, positions, normal, side):
    """The distance of slices, mm, if they lie one behind the other at equal distances."""
    along = positions @ normal
    gaps = np.diff(along)
    usual = float(np.median(gaps))
    together = np.flatnonzero(gaps < max(0.01 * usual, 1e-4))
    if together.size:
        i = together[0]
        raise ValueError(
            f"{folder} must hold one volume; got {paths[i].name} and {paths[i + 1].name} at one place: write each "
            f"volume (phase, echo or repetition) into a folder of its own"
        )
    beside = positions - positions[0] - np.outer(along - along[0], normal)
    if np.abs(beside).max() > TILT_TOLERANCE * side.min():
        shift = positions[-1] - positions[0]
        angle = np.degrees(np.arccos(np.clip(shift @ normal / np.linalg.norm(shift), -1, 1)))
        raise ValueError(
            f"{folder} must hold slices one behind the other at right angles, within {TILT_TOLERANCE} px; got a gantry "
            f"tilt of {angle:.3g} degrees: resample the series onto a grid whose axes are at right angles"
        )
    distance = float(gaps.mean())
    off = np.abs(along - along[0] - distance * np.arange(len(along)))
    if off.max() > SLICE_TOLERANCE * distance:
        widest = int(gaps.argmax())
        raise ValueError(
            f"{folder} must hold slices at equal distances, within a tenth of them; got {gaps[widest]:.4g} mm between "
            f"{paths[widest].name} and {paths[widest + 1].name} where {usual:.4g} mm is usual: are slices missing?"
        )
    return distance


def _head(path):
    """The tags of a DICOM file that say what and where it is."""
    with extra("medical"):
        import pydicom
    try:
        return pydicom.dcmread(regular(path), stop_before_pixels=True, specific_tags=TAGS)
    except FileNotFoundError:
        raise
    except Exception as error:  # pydicom raises many kinds for damaged files
        raise ValueError(f"{path} cannot be read as DICOM: {error}") from error


def _geometry(volume, values, frame=None):
    """highdicom's Volume of some values at the place of a Volume."""
    import highdicom

    return highdicom.Volume.from_components(
        values,
        spacing=volume.spacing,
        position=volume.origin,
        direction=volume.direction,
        coordinate_system="PATIENT",
        frame_of_reference_uid=frame,
    )


def write_dicom_seg(mask, path, folder, names, kinds=None, series=None, maker="thesis_lib"):
    """Write class numbers as a DICOM-SEG that refers to the series that was segmented, whole or not at all.

    Args:
        mask: Volume of class numbers on the series's grid; 0 is the background.
        path: ends with .dcm.
        folder: that holds the series.
        names: of the classes, the background's first, for viewers.
        kinds: a pair (category, type) of pydicom codes for each class but the background, for example
            (codes.SCT.Organ, codes.SCT.Liver); None: anatomical structure, tissue.
        series: SeriesInstanceUID, where the folder holds several.
        maker: manufacturer that the file states.

    Raises:
        ValueError: if the mask holds other classes, or `read_series` refuses the folder.
        OSError: naming the path, if it cannot be written.
    """
    with extra("medical"):
        import highdicom
        import pydicom
        from pydicom.sr.codedict import codes
    path = Path(path)
    if path.suffix.lower() != ".dcm":
        raise ValueError(f"path must end with .dcm; got {str(path)!r}")
    checks.integer("the highest class of the mask", int(mask.values.max()), 0, len(names) - 1)
    kinds = kinds or [(codes.SCT.AnatomicalStructure, codes.SCT.Tissue)] * (len(names) - 1)
    if len(kinds) != len(names) - 1:
        raise ValueError(f"kinds must be {len(names) - 1} pairs of codes, one for each class but 0; got {len(kinds)}")
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=maker, version="1", family=codes.cid7162.ArtificialIntelligence
    )
    segments = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=category,
            segmented_property_type=kind,
            algorithm_type="AUTOMATIC",
            algorithm_identification=algorithm,
        )
        for number, (name, (category, kind)) in enumerate(zip(names[1:], kinds), 1)
    ]
    paths, _ = _slices(folder, series)
    source = [pydicom.dcmread(one, stop_before_pixels=True) for one in paths]
    written = highdicom.seg.Segmentation(
        source_images=source,
        pixel_array=_geometry(mask, mask.values, source[0].FrameOfReferenceUID),
        segmentation_type="BINARY",
        segment_descriptions=segments,
        series_instance_uid=highdicom.UID(),
        series_number=int(source[0].get("SeriesNumber") or 0) + 100,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=maker,
        manufacturer_model_name=maker,
        software_versions="1",
        device_serial_number="1",
    )
    try:
        with whole(path) as partial:
            written.save_as(partial)
    except OSError as error:
        raise OSError(f"{path} could not be written: {error}") from error
