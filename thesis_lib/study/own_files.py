"""What is wrong with the files of one's own images: everything at once, each file named.

`data.load_segmentation_folder` refuses a folder at the first kind of fault. Here a person sees the whole list first.
"""

from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from thesis_lib import paths
from thesis_lib.data.class_table import read_class_table
from thesis_lib.data.image_io import read_image
from thesis_lib.data.raster_parts import ENDINGS
from thesis_lib.data.reading import attempt, same_form, within
from thesis_lib.data.segmentation_folder import PARTS, TABLE
from thesis_lib.data.volume_splits import holds_volumes

LAYOUT = "images/ and masks_NAME/ for each annotator, or masks/"


class Unusable(ValueError):
    """What is wrong with a person's folder, in one sentence; notebooks show it without a traceback."""

    def _render_traceback_(self):
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True)
class Part:
    """A folder of images and the folders of their masks.

    Args:
        images: folder.
        masks: dict from an annotator's name to their folder; "" is the plain one.
    """

    images: Path
    masks: dict


def own_folder(data):
    """The folder as a Path: one that exists as it is named, or else below the repository, or below THESIS_DATA.

    Raises:
        Unusable: if there is none.
    """
    if not isinstance(data, (str, Path)) or not str(data):
        raise Unusable(f"data must be the name of a folder; got {data!r}")
    for place in (paths.REPOSITORY, paths.data_folder()):
        if (place / data).is_dir():
            return place / data
    raise Unusable(f"data must be a folder of images and masks; got {str(data)!r}, and there is no such folder")


def parts(data):
    """The `Part`s of a folder: a single one, or those to train, validate and test.

    Raises:
        Unusable: if the folder is in neither layout.
    """
    root = own_folder(data)
    if holds_volumes(root):
        raise Unusable(f"{root} must hold images; got volumes, on which segmentation.Run trains: see docs/volumes.md")
    layout = (
        [(part, f"{part}_labels") for part in PARTS.values()] if (root / "train").is_dir() else [("images", "masks")]
    )
    found = []
    for images, masks in layout:
        if not (root / images).is_dir():
            raise Unusable(f"{root} must hold {LAYOUT}; got no folder {images}/")
        named = {
            path.name.removeprefix(f"{masks}_"): path for path in sorted(root.glob(f"{masks}_?*")) if path.is_dir()
        }
        plain = {"": root / masks} if (root / masks).is_dir() else {}
        if not plain and not named:
            raise Unusable(f"{root} must hold {LAYOUT}; got no folder {masks}/ or {masks}_NAME/")
        found.append(Part(root / images, {**plain, **named}))
    return found


def faults(data):
    """Everything that is wrong with the files of a folder.

    Args:
        data: folder of images and masks, see `data.load_segmentation_folder`.

    Returns:
        DataFrame with a row for each fault: file (below the folder), fault (in words), and stops, whether the folder
        cannot be used before it is mended. It has no row where all is well.

    Raises:
        Unusable: if there is no such folder, it is in neither layout, or not one image has a mask.
        ValueError: naming the table of classes, if it cannot be read or is a link that leads outside the folder.

    Example:
        >>> faults("sample_data/drawn_nuclei").empty
        True
    """
    root, rows, paired = own_folder(data), [], 0
    has_table = (root / TABLE).exists() or (root / TABLE).is_symlink()
    mode = "colours" if has_table and read_class_table(within(root, root / TABLE)).colours else "index"
    seen, drawn = {}, []
    for part in parts(data):
        images = _by_name(root, part.images, rows)
        read = {name: _read(path, "RGB", rows) for name, path in images.items()}
        for name, array in read.items():
            if array is not None:
                other = seen.setdefault(sha256(array.tobytes()).digest(), images[name])
                if other != images[name]:
                    rows.append((images[name], f"is the same picture as {other.name}: they stay together", False))
        for folder in part.masks.values():
            masks = _by_name(root, folder, rows)
            rows += [
                (images[name], f"has no mask in {folder.name}/", True) for name in sorted(set(images) - set(masks))
            ]
            rows += [
                (masks[name], f"has no image in {part.images.name}/", True) for name in sorted(set(masks) - set(images))
            ]
            both = sorted(set(images) & set(masks))
            paired += len(both)
            drawn += [_holds_object(masks[name], read[name], mode, rows) for name in both]
    if not paired:
        raise Unusable(f"{root} must hold an image and a mask of the same name; got no such pair")
    if not any(drawn) and not any(stops for *_, stops in rows):
        raise Unusable(f"masks in {root} must hold objects; all {paired} of them show background alone")
    table = pd.DataFrame(rows, columns=["file", "fault", "stops"])
    table["file"] = [path.relative_to(root).as_posix() for path in table["file"]]
    return table.sort_values("stops", ascending=False, kind="stable", ignore_index=True)


def refuse(table, most=3):
    """Raise Unusable if a table of `faults` holds one that stops, naming the first few and how many there are."""
    stopping = table[table["stops"]]
    if len(stopping):
        named = "; ".join(f"{row.file} {row.fault}" for row in stopping.head(most).itertuples())
        more = len(stopping) - most
        raise Unusable(f"{named}; and {more} more" if more > 0 else named)


def _by_name(root, folder, rows):
    """Image files of a folder by their names without endings; adds to `rows` those of one name, and links out."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in ENDINGS and not path.name.startswith("."):
            name = same_form(path.stem)
            if name in found:
                rows.append((path, f"has the name of {found[name].name}, up to the ending: rename one of them", True))
            found.setdefault(name, path)
            _, error = attempt(partial(within, root), path)
            if error is not None:
                rows.append((path, str(error).removeprefix(f"{path} "), True))
    return found


def _read(path, mode, rows):
    """The array of an image file, or None where it cannot be read, which is added to `rows`."""
    array, error = attempt(lambda file: read_image(file, mode), path)
    if error is not None:
        rows.append((path, str(error).removeprefix(f"{path} "), True))
    return array


def _holds_object(path, image, mode, rows):
    """Whether a mask holds another value than 0; adds to `rows` what is wrong with it."""
    mask = _read(path, mode, rows)
    if mask is None:
        return False
    if image is not None and mask.shape[:2] != image.shape[:2]:
        rows.append((path, f"is {_size(mask)} px (width x height), but its image {_size(image)}", True))
    holds = bool(np.any(mask))
    if not holds:
        rows.append((path, "shows no object", False))
    return holds


def _size(array):
    return f"{array.shape[1]} x {array.shape[0]}"
