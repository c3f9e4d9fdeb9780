"""Images and masks in files; a raster is read when it is asked for, so that nothing else is held."""

import hashlib
import numbers
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from thesis_lib import checks
from thesis_lib.data import image_io
from thesis_lib.data.class_table import ClassTable


@dataclass(frozen=True)
class Rasters:
    """Images and their masks in files; `rasters[:5]` are the first five.

    Args:
        images: paths (N,).
        masks: for each annotator, paths (N,); the name "" is that of the plain mask folder.
        table: ClassTable of the files.
        numbers: uint8 (256,), the class to tell apart of each class in the files; None where they are the same.
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
        masks = {annotator: paths[part] for annotator, paths in self.masks.items()}
        return replace(self, images=self.images[part], masks=masks)

    def image(self, i):
        """Image i as uint8 (H, W, 3)."""
        return image_io.read_image(self.images[self._number(i)])

    def _number(self, i):
        return checks.integer("i", i, -len(self), len(self) - 1)

    def mask(self, i, annotator=""):
        """Class map of image i, uint8 (H, W), as one annotator drew it; IGNORE where there is no class."""
        path = self.masks[checks.one_of("annotator", annotator, self.masks)][self._number(i)]
        picture = image_io.read_image(path, "colours" if self.table.colours else "index")
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
        if isinstance(i, numbers.Integral) and i >= len(self):
            raise IndexError(i)  # which ends a loop over them
        return self.rasters.mask(i, self.annotator)


@dataclass(frozen=True)
class RasterSplits:
    """Disjoint training, validation and test rasters, and the classes that are told apart.

    `unlabelled` are images without a mask, to train on as well; None where they are not wanted.
    """

    train: Rasters
    validation: Rasters
    test: Rasters
    classes: ClassTable
    unlabelled: Rasters | None = None

    @property
    def parts(self):
        """{name: Rasters}, the images without a mask last, if they are wanted."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return parts if self.unlabelled is None else {**parts, "unlabelled": self.unlabelled}

    @property
    def num_classes(self):
        return len(self.classes.names)

    @cached_property
    def fingerprint(self):
        """A digest of the classes and of all files' names and contents, in hexadecimal: the same for the same data."""
        paths = []
        for part in self.parts.values():
            paths += part.images
            for masks in part.masks.values():
                paths += masks
        with ThreadPoolExecutor() as pool:
            contents = list(pool.map(digest_of_file, paths))
        files = [(path.parent.name, path.name, content) for path, content in zip(paths, contents)]
        return hashlib.sha256(repr((self.classes.names, self.classes.colours, files)).encode()).hexdigest()


def digest_of_file(path):
    """A digest of a file's content, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
