"""Batches from rasters: random crops, mirrored and turned by quarter turns, to train on; tiles of whole rasters to validate on."""

import keras
import numpy as np

from thesis_lib import checks
from thesis_lib.data import image_io
from thesis_lib.labels import IGNORE


class Crops(keras.utils.PyDataset):
    """Batches (images, class maps) of crops, each from a raster that is read for it alone.

    An epoch takes `crops_per_image` crops of every raster, in an order drawn anew; each crop's place, mirroring and turn depend on the seed, the
    epoch, its number and how many annotators there are, so workers change nothing. A raster smaller than the crop is padded: images by black, masks by IGNORE.

    Args:
        rasters: `segmentation_folder.Rasters`.
        size: side of the crops, px.
        batch_size: 1 or more; the last batch may be smaller.
        seed: of the order and of the crops.
        crops_per_image: 1 or more.
        annotator: whose masks: a name, a list of names of which one is drawn for each crop, or None: all.
        transform: called with a class map (H, W) of a whole crop and its annotator, returns another; for example to take out a bias.
        options: of `keras.utils.PyDataset`: workers=2, for example, read while the device trains.
    """

    def __init__(self, rasters, size, batch_size, seed=0, crops_per_image=1, annotator="", transform=None, **options):
        super().__init__(**options)
        self.rasters, self.transform = rasters, transform
        self.size = checks.integer("size", size, 1)
        self.batch_size = checks.integer("batch_size", batch_size, 1)
        self.crops_per_image = checks.integer("crops_per_image", crops_per_image, 1)
        self.seed = checks.integer("seed", seed, 0)
        names = (
            sorted(rasters.masks)
            if annotator is None
            else [annotator]
            if isinstance(annotator, str)
            else list(annotator)
        )
        self.annotators = [checks.one_of("annotator", name, rasters.masks) for name in names]
        if not self.annotators:
            raise ValueError(
                f"annotator must name a mask folder, one of {', '.join(map(repr, sorted(rasters.masks)))}; got none"
            )
        self.start(-1)

    def __len__(self):
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, index):
        pairs = [
            self.crop(n) for n in range(index * self.batch_size, min((index + 1) * self.batch_size, len(self.order)))
        ]
        return tuple(np.stack(part) for part in zip(*pairs))

    def crop(self, number):
        """Crop `number` of this epoch: (uint8 (size, size, 3), uint8 (size, size))."""
        generator = np.random.default_rng([self.seed, self.draw, number])
        i, annotator = self.order[number], self.annotators[generator.integers(len(self.annotators))]
        image, mask = self.rasters.image(i), self.rasters.mask(i, annotator)
        top, left = (int(generator.integers(max(n - self.size, 0) + 1)) for n in mask.shape)
        window = (slice(top, top + self.size), slice(left, left + self.size))
        image, mask = image[window], mask[window]
        missing = [(0, self.size - n) for n in mask.shape]
        image, mask = np.pad(image, [*missing, (0, 0)]), np.pad(mask, missing, constant_values=IGNORE)
        if self.transform is not None:
            mask = self.transform(mask, annotator)
        turns, mirrored = generator.integers(4), generator.integers(2)
        turned = (np.rot90(part[:, ::-1] if mirrored else part, turns) for part in (image, mask))
        return tuple(np.ascontiguousarray(part) for part in turned)

    def on_epoch_end(self):
        self.start(self.draw)

    def start(self, epoch):
        """Take the crops that `fit` shows in an epoch, counted from 0, whatever came before; -1: what Keras looks at before the first."""
        self.draw = epoch + 1
        everything = np.repeat(np.arange(len(self.rasters)), self.crops_per_image)
        self.order = np.random.default_rng([self.seed, self.draw]).permutation(everything)


class RasterTiles(keras.utils.PyDataset):
    """Whole rasters, cut into tiles side by side, each a batch of its own: (images, class maps). A tile that reaches beyond its raster
    is mirrored there, its masks filled up by IGNORE: memory does not grow with rasters, and Keras and XLA want one shape.

    Args:
        rasters: `segmentation_folder.Rasters`.
        size: side of a tile, px.
        annotator: whose masks.
        options: of `keras.utils.PyDataset`.
    """

    def __init__(self, rasters, size, annotator="", **options):
        super().__init__(**options)
        self.rasters, self.annotator = rasters, checks.one_of("annotator", annotator, rasters.masks)
        self.size = checks.integer("size", size, 1)
        self.corners = []
        for i, path in enumerate(rasters.images):
            height, width = image_io.image_shape(path)
            self.corners += [(i, top, left) for top in range(0, height, size) for left in range(0, width, size)]
        self.last = None, None

    def __len__(self):
        return len(self.corners)

    def __getitem__(self, index):
        i, top, left = self.corners[index]
        number, pair = self.last
        if number != i:  # the tiles of a raster follow each other, so that it is read once
            pair = self.rasters.image(i), self.rasters.mask(i, self.annotator)
            self.last = i, pair
        image, mask = (part[top : top + self.size, left : left + self.size] for part in pair)
        missing = [(0, self.size - n) for n in mask.shape]
        return np.pad(image, [*missing, (0, 0)], mode="symmetric")[None], np.pad(mask, missing, constant_values=IGNORE)[
            None
        ]
