"""Folders of images and masks for segmentation; a raster is read when it is asked for, so that nothing else is held."""

import hashlib
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from thesis_lib import checks
from thesis_lib.data import image_io
from thesis_lib.data.class_table import ClassTable, read_class_table
from thesis_lib.data.splits import counts
from thesis_lib.labels import IGNORE

ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
PARTS = {"train": "train", "validation": "val", "test": "test"}
TABLE = "label_class_dict.csv"
NO_OBJECT = f"masks must hold class numbers, as {TABLE} gives no colours; these hold 0 and 255 alone. If 255 is an object, its colour belongs in the table"


@dataclass(frozen=True)
class Rasters:
    """Images and their masks in files.

    Args:
        images: paths (N,).
        masks: for each annotator, paths (N,); the name "" is that of the plain mask folder.
        table: ClassTable of the files.
        numbers: uint8 (256,), from the files' classes to those that are told apart; all as they are if None.
        unknown: what to do with a colour of no class: "error" or "ignore".
    """

    images: tuple
    masks: dict
    table: ClassTable
    numbers: np.ndarray | None = field(default=None, repr=False)
    unknown: str = "error"

    def __len__(self):
        return len(self.images)

    def __getitem__(self, part):
        return Rasters(
            self.images[part],
            {a: paths[part] for a, paths in self.masks.items()},
            self.table,
            self.numbers,
            self.unknown,
        )

    def image(self, i):
        """Image i as uint8 (H, W, 3)."""
        return image_io.read_image(self.images[i], "RGB", self.images[i])

    def mask(self, i, annotator=""):
        """Class map of image i, uint8 (H, W), as one annotator drew it; IGNORE where there is no class."""
        path = self.masks[checks.one_of("annotator", annotator, self.masks)][i]
        picture = image_io.read_image(path, "colours" if self.table.colours else "index", path)
        classes = self.table.to_classes(picture, path, self.unknown)
        return classes if self.numbers is None else self.numbers[classes]

    def drawn_by(self, annotator):
        """All masks of one annotator, as a sequence that reads each when it is asked for."""
        return _Masks(self, checks.one_of("annotator", annotator, self.masks))


@dataclass(frozen=True)
class _Masks:
    rasters: Rasters
    annotator: str

    def __len__(self):
        return len(self.rasters)

    def __getitem__(self, i):
        return self.rasters.mask(i, self.annotator)


@dataclass(frozen=True)
class RasterSplits:
    """Rasters to train on, to select by and to judge with, and the classes that are told apart."""

    train: Rasters
    validation: Rasters
    test: Rasters
    classes: ClassTable

    @property
    def num_classes(self):
        return len(self.classes.names)

    @cached_property
    def fingerprint(self):
        """A digest of the classes and of the names and contents of all files, in hexadecimal: the same for the same data."""
        parts = (self.train, self.validation, self.test)
        paths = [path for part in parts for of_kind in (part.images, *part.masks.values()) for path in of_kind]
        with ThreadPoolExecutor() as pool:
            contents = list(pool.map(_digest, paths))
        files = [(path.parent.name, path.name, content) for path, content in zip(paths, contents)]
        return hashlib.sha256(repr((self.classes.names, self.classes.colours, files)).encode()).hexdigest()


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_segmentation_folder(root, classes=None, unknown="error", seed=0):
    """Read a folder of images and masks in one of two layouts.

    With parts: `train/`, `train_labels/`, `val/`, `val_labels/`, `test/`, `test_labels/` (as the Massachusetts Buildings
    Dataset comes). Plain: `images/` and `masks/`, split 70 / 15 / 15% at random. What each annotator drew lies beside the masks to judge
    by, for every image, in `train_labels_NAME/`, or `masks_NAME/`. Image and mask have the same name, up to the ending. The classes stand
    in `label_class_dict.csv` (name, r, g, b): masks are pictures in these colours; without r, g, b, or
    without the file, masks hold class numbers (grey or palette images; 255 is no class).

    Args:
        root: the folder.
        classes: names of the classes to tell apart, everything else together with the table's first class as class 0; all if None.
        unknown: "error", or "ignore": colours that are of no class are not learned.
        seed: of the random split.

    Returns:
        RasterSplits.

    Raises:
        FileNotFoundError, ValueError: naming the folder or file: no such layout, an image without a mask or the
            reverse, two files of one name, sizes that differ, a file or link that leads outside the folder.
    """
    if not isinstance(root, (str, Path)) or not Path(root).is_dir():
        raise FileNotFoundError(f"data must be a folder of images and masks; got {str(root)!r}, which is none")
    root = Path(root)
    checks.integer("seed", seed, 0)
    table = read_class_table(_within(root, root / TABLE)) if (root / TABLE).is_file() else None
    if (root / "train").is_dir():
        found = {}
        for part, folder in PARTS.items():
            if not (root / folder).is_dir():
                raise FileNotFoundError(f"{root} must hold the folder {folder}/ beside train/")
            found[part] = _pairs(root, folder, f"{folder}_labels")
    elif (root / "images").is_dir():
        images, masks = _pairs(root, "images", "masks")
        if len(images) < 3:
            raise ValueError(
                f"{root}/images must hold at least 3 images, to train, validate and test; got {len(images)}"
            )
        order = np.random.default_rng(seed).permutation(len(images))
        train, validation, _ = counts(len(images))
        chosen = dict(zip(PARTS, np.split(order, [train, train + validation])))
        pick = lambda paths, numbers: tuple(paths[i] for i in sorted(numbers))
        found = {
            part: (pick(images, n), {a: pick(paths, n) for a, paths in masks.items()}) for part, n in chosen.items()
        }
    else:
        raise FileNotFoundError(f"{root} must hold train/ and train_labels/ (and val, test), or images/ and masks/")
    table = table or _numbered(found)
    kept, numbers = table.select(classes)
    return RasterSplits(
        **{part: Rasters(*files, table, numbers, unknown) for part, files in found.items()}, classes=kept
    )


def _pairs(root, images, masks):
    """(images, {annotator: masks}) of two folders: paths in the order of their names."""
    pictures_of = _files(root, images)
    folders = {"": masks} | {
        f.name[len(masks) + 1 :]: f.name
        for f in sorted(root.glob(f"{masks}_*"))
        if f.is_dir() and f.name != f"{masks}_"
    }
    found = {}
    for annotator, folder in folders.items():
        drawn = _files(root, folder)
        lonely = sorted(set(pictures_of) ^ set(drawn))
        if lonely:
            which = (images, folder) if lonely[0] in pictures_of else (folder, images)
            raise ValueError(f"{root}: {which[0]}/{lonely[0]} has no partner in {which[1]}/ ({len(lonely)} such files)")
        for name, path in pictures_of.items():
            if image_io.image_shape(path) != image_io.image_shape(drawn[name]):
                raise ValueError(
                    f"{drawn[name]} must be as large as its image {path.name}, {image_io.image_shape(path)} px; got {image_io.image_shape(drawn[name])}"
                )
        found[annotator] = tuple(drawn[name] for name in pictures_of)
    return tuple(pictures_of.values()), found


def _within(root, path):
    """The path, unless it is a link that leads outside the folder, or nowhere."""
    try:
        inside = path.resolve(strict=True).is_relative_to(root.resolve())
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{path} is a link that leads nowhere") from error
    if not inside:
        raise ValueError(f"{path} is a link that leads outside {root}")
    return path


def _files(root, folder):
    """Image files of a folder by their stem, in the order of their names."""
    if not (root / folder).is_dir():
        raise FileNotFoundError(f"{root} must hold the folder {folder}/")
    found = {}
    for path in sorted((root / folder).iterdir()):
        if path.suffix.lower() not in ENDINGS or path.name.startswith("."):
            continue
        _within(root, path)
        if path.stem in found:
            raise ValueError(f"{root / folder} must hold each name once; got {found[path.stem].name} and {path.name}")
        found[path.stem] = path
    if not found:
        raise FileNotFoundError(f"{root / folder} must hold images ({', '.join(ENDINGS)})")
    return found


def _numbered(found):
    """Classes 0..K - 1 by the numbers that occur in the masks, whoever drew them."""
    seen = np.zeros(256, bool)
    for path in (path for _, masks in found.values() for paths in masks.values() for path in paths):
        seen[np.unique(image_io.read_image(path, "index", path))] = True
    if seen.sum() == 2 and seen[0] and seen[IGNORE]:
        raise ValueError(NO_OBJECT)
    highest = int(np.flatnonzero(seen[:IGNORE]).max(initial=0))
    return ClassTable(tuple(str(k) for k in range(max(highest + 1, 2))))


def warn_of_absent_classes(splits):
    """Warn, once for all, of classes that no plain mask to train on holds; returns their names.

    Every image and every mask is read once, on all cores, so that a file that cannot be used is named now and not after training.

    Raises:
        ValueError: naming the file, or if masks without colours hold 0 and 255 (to ignore) alone.
    """
    seen = np.zeros(256, bool)
    with ThreadPoolExecutor() as pool:
        for part in (splits.train, splits.validation, splits.test):
            all(pool.map(lambda i, part=part: part.image(i).size, range(len(part))))
            for annotator in part.masks:
                for there in pool.map(
                    lambda i, part=part, who=annotator: np.bincount(part.mask(i, who).ravel(), minlength=256) > 0,
                    range(len(part)),
                ):
                    if part is splits.train and annotator == "":
                        seen |= there
    if splits.classes.colours is None and not seen[1:IGNORE].any() and seen[IGNORE]:
        raise ValueError(NO_OBJECT)
    absent = [name for k, name in enumerate(splits.classes.names) if not seen[k]]
    if absent:
        warnings.warn(
            f"no mask to train on holds the class {', '.join(absent)}; its scores will be absent", stacklevel=2
        )
    return absent
