"""Batches from rasters: random crops for training, and tiles of whole rasters for validation."""

from dataclasses import dataclass

import keras
import numpy as np

from thesis_lib import checks
from thesis_lib.data import image_io
from thesis_lib.data.rasters import Rasters
from thesis_lib.labels import IGNORE

LARGEST = 2**15  # px, side of a crop or tile


@dataclass(frozen=True)
class SceneRasters:
    """Scenes in memory as `Crops` takes them; images: uint8 (N, H, W, C); masks: {annotator: class maps (N, H, W)}."""

    images: np.ndarray
    masks: dict

    def __len__(self):
        return len(self.images)

    def image(self, i):
        return self.images[i]

    def mask(self, i, annotator=""):
        return self.masks[annotator][i]


@dataclass(frozen=True)
class UnlabelledRasters:
    """`Rasters` or `SceneRasters` whose masks are not read: every pixel's class is IGNORE."""

    rasters: Rasters | SceneRasters

    def __len__(self):
        return len(self.rasters)

    @property
    def masks(self):
        return {"": None}

    def image(self, i):
        return self.rasters.image(i)

    def mask(self, i, annotator=""):
        image = self.rasters.images[i]
        shape = image.shape[:2] if isinstance(image, np.ndarray) else image_io.image_shape(image)
        return np.broadcast_to(np.uint8(IGNORE), shape)


def annotators_of(masks, annotator):
    """Names of the annotators whose masks are taken: one name, those of a list, or all for None.

    Args:
        masks: dict from an annotator's name to the masks.
        annotator: a name, a list of names or None.

    Raises:
        ValueError: if there is no mask of one of them, or the list is empty.
    """
    if annotator is None:
        annotator = sorted(masks)
    elif not isinstance(annotator, (list, tuple)):
        annotator = [annotator]
    if not annotator:
        names = ", ".join(map(repr, sorted(masks)))
        raise ValueError(f"annotator must name one whose masks there are, one of {names or 'none'}; got none")
    return [checks.one_of("annotator", name, masks) for name in annotator]


class Crops(keras.utils.PyDataset):
    """Batches (images, class maps) of random crops, mirrored and turned by quarter turns, for training.

    An epoch takes `crops_per_image` crops of every raster, in an order drawn anew, and reads a raster for each crop.
    Each crop's place, mirroring and turn depend on the seed, the epoch, its number and how many annotators there are,
    so workers change nothing. A raster smaller than the crop is padded: images by black, masks by IGNORE.

    Args:
        rasters: `Rasters`, `SceneRasters` or `UnlabelledRasters`.
        size: side of the crops, px.
        batch_size: 1 or more; the last batch may be smaller.
        seed: of the order and of the crops.
        crops_per_image: 1 or more.
        annotator: whose masks: a name; a list of names, of which one is drawn for each crop; or None for all.
        transform: called with the class map (H, W) of a crop, before it is mirrored and turned, and its annotator;
            returns another class map, for example without the annotator's bias, or channels (H, W, S) of structures.
        options: of `keras.utils.PyDataset`: workers=2, for example, read while the device trains.

    Raises:
        ValueError: naming an argument of another kind.
    """

    def __init__(self, rasters, size, batch_size, seed=0, crops_per_image=1, annotator="", transform=None, **options):
        super().__init__(**options)
        if transform is not None and not callable(transform):
            raise ValueError(f"transform must be a function of a class map, or None; got {checks.shown(transform)}")
        kinds = (Rasters, SceneRasters, UnlabelledRasters)
        self.rasters = checks.instance("rasters", rasters, kinds, "Rasters or SceneRasters")
        self.transform = transform
        self.size = checks.integer("size", size, 1, LARGEST)
        self.batch_size = checks.integer("batch_size", batch_size, 1)
        self.crops_per_image = checks.integer("crops_per_image", crops_per_image, 1)
        self.seed = checks.integer("seed", seed, 0)
        self.annotators = annotators_of(rasters.masks, annotator)
        self.start(-1)

    def __len__(self):
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, index):
        numbers = range(len(self.order))[index * self.batch_size : (index + 1) * self.batch_size]
        crops = [self.crop(number) for number in numbers]
        return tuple(np.stack(part) for part in zip(*crops))

    def crop(self, number):
        """Crop `number` of this epoch: (uint8 (size, size, C), uint8 (size, size))."""
        number = checks.integer("number", number, 0, len(self.order) - 1)
        generator = np.random.default_rng([self.seed, self.draw, number])
        i, annotator = self.order[number], self.annotators[generator.integers(len(self.annotators))]
        image, mask = self.rasters.image(i), self.rasters.mask(i, annotator)
        top, left = (int(generator.integers(max(n - self.size, 0) + 1)) for n in mask.shape)
        image, mask = _window(image, mask, top, left, self.size, mode="constant")
        if self.transform is not None:
            mask = self.transform(mask, annotator)
        turns, mirrored = generator.integers(4), generator.integers(2)
        if mirrored:
            image, mask = image[:, ::-1], mask[:, ::-1]
        return np.ascontiguousarray(np.rot90(image, turns)), np.ascontiguousarray(np.rot90(mask, turns))

    def on_epoch_end(self):
        """Draw the crops of the next epoch."""
        self.start(self.draw)

    def start(self, epoch):
        """Take the crops that `fit` shows in an epoch, counted from 0, whatever came before.

        Epoch -1 is the order that Keras looks at before the first.
        """
        self.draw = checks.integer("epoch", epoch, -1) + 1
        everything = np.repeat(np.arange(len(self.rasters)), self.crops_per_image)
        self.order = np.random.default_rng([self.seed, self.draw]).permutation(everything)


class RasterTiles(keras.utils.PyDataset):
    """Whole rasters with their plain masks, cut into tiles side by side, for validation.

    Each tile is a batch (images, class maps) of its own, so that memory does not grow with the rasters. All tiles have
    one shape, as Keras and XLA want it: where a tile reaches beyond its raster, the image is mirrored and the mask is
    filled with IGNORE.

    Args:
        rasters: `Rasters`, or what has their images, image(i) and mask(i).
        size: side of a tile, px.

    Raises:
        ValueError: naming an argument of another kind.
    """

    def __init__(self, rasters, size):
        super().__init__()
        are_files = all(hasattr(rasters, name) for name in ("images", "image", "mask"))
        if not are_files or isinstance(rasters, SceneRasters):
            raise ValueError(f"rasters must be Rasters; got {checks.shown(rasters)}")
        self.rasters = rasters
        self.size = size = checks.integer("size", size, 1, LARGEST)
        self.corners = []
        for i, path in enumerate(rasters.images):
            height, width = image_io.image_shape(path)
            self.corners += [(i, top, left) for top in range(0, height, size) for left in range(0, width, size)]
        self.last = None, None

    def __len__(self):
        return len(self.corners)

    def __getitem__(self, index):
        i, top, left = self.corners[index]
        number, raster = self.last
        if number != i:  # the tiles of a raster follow each other, so that it is read once
            raster = self.rasters.image(i), self.rasters.mask(i)
            self.last = i, raster
        image, mask = _window(*raster, top, left, self.size, mode="symmetric")
        return image[None], mask[None]


def _window(image, mask, top, left, size, mode):
    """A square part of a raster, (size, size, C) and (size, size), or (size, size, S) of structures.

    What lies beyond the raster is padded: the image as `numpy.pad` does in a mode, the mask with IGNORE.
    """
    image, mask = (part[top : top + size, left : left + size] for part in (image, mask))
    missing = [(0, size - n) for n in mask.shape[:2]]
    of_mask = [*missing, *[(0, 0)] * (mask.ndim - 2)]
    return np.pad(image, [*missing, (0, 0)], mode=mode), np.pad(mask, of_mask, constant_values=IGNORE)
