"""Batches from volumes: random patches (D, H, W) for training, of one spacing each."""

import itertools
from dataclasses import dataclass
from numbers import Integral

import keras
import numpy as np
from scipy import ndimage

from thesis_lib import checks
from thesis_lib.data.crops import annotators_of
from thesis_lib.data.structures import checked_regions, structures
from thesis_lib.data.volume_files import UnpackedVolumes
from thesis_lib.data.volumes import SPACING_TOLERANCE, checked_spacing
from thesis_lib.labels import IGNORE

POSITIONS = 10_000  # voxels of objects that are remembered of a volume


@dataclass(frozen=True)
class UnlabelledVolumes:
    """`UnpackedVolumes` whose masks are not read: every voxel's class is IGNORE."""

    volumes: UnpackedVolumes

    def __len__(self):
        return len(self.volumes)

    @property
    def masks(self):
        return ("",)

    def image(self, i):
        return self.volumes.image(i)

    def mask(self, i, annotator=""):
        image = self.volumes.image(i)
        return image.with_values(np.broadcast_to(np.uint8(IGNORE), image.shape))


class VolumePatches(keras.utils.PyDataset):
    """Batches (images, class maps) of random patches of volumes, mirrored, for training.

    An epoch takes `patches_per_volume` patches of every volume, in an order drawn anew. Each patch's place and
    mirroring depend on the seed, the epoch and its number, so workers change nothing. Patches of a batch have one
    spacing: with `spacing`, all are resampled to it (images linearly, masks to the nearest voxel); without, each
    batch comes from volumes of one spacing, see `spacing_of`. Where a patch reaches beyond its volume, the image
    repeats the volume's border and the mask is IGNORE.

    Args:
        volumes: `UnpackedVolumes`, or anything with their `image`, `mask`, `masks` and length. Masks may also be
            channels of structures, (D, H, W, S).
        size: (D, H, W) of the patches, voxels; a multiple of what the network needs.
        batch_size: 1 or more; the last batch of a spacing may be smaller.
        seed: of the order and of the patches.
        patches_per_volume: 1 or more.
        annotator: whose masks: a name; a list of names, of which one is drawn for each patch; or None for all.
        spacing: mm along depth, height and width, to resample to; None: each volume's own.
        scale: how values are scaled, see `scaling`.
        objects: share of the patches that are placed over a voxel of an object, if their volume has one, 0 to 1.
        background: the class that is no object.
        mirror: axes along which patches are mirrored at random, of 0, 1 and 2.
        regions: {name: class numbers} of structures that overlap, such as `NnUNet.regions`; the class maps are then
            `structures` of them, (N, D, H, W, S).
        options: of `keras.utils.PyDataset`.

    Example:
        >>> volumes = unpack(load_nnunet("nnUNet_raw/Dataset004_Hippocampus").train, "unpacked")
        >>> patches = VolumePatches(volumes, (40, 56, 40), 2, spacing=(1, 1, 1), scale="standard")
        >>> volume_model.fit(patches)
    """

    def __init__(
        self,
        volumes,
        size,
        batch_size,
        seed=0,
        patches_per_volume=4,
        annotator="",
        spacing=None,
        scale=None,
        objects=1 / 3,
        background=0,
        mirror=(0, 1, 2),
        regions=None,
        **options,
    ):
        super().__init__(**options)
        if not all(hasattr(volumes, name) for name in ("image", "mask", "masks", "__len__")):
            raise ValueError(f"volumes must be what data.unpack returns; got {checks.shown(volumes)}")
        self.volumes = volumes
        self.size = sides("size", size, 1)
        self.batch_size = checks.integer("batch_size", batch_size, 1)
        self.seed = checks.integer("seed", seed, 0)
        self.patches_per_volume = checks.integer("patches_per_volume", patches_per_volume, 1)
        if not len(volumes):
            raise ValueError("volumes must hold a volume or more; got none")
        self.annotators = annotators_of(volumes.masks, annotator)
        self.spacing = None if spacing is None else checked_spacing("spacing", spacing)
        self.scale = scale
        if scale is not None:
            checked_scale(scale)
        self.objects = checks.real("objects", objects, 0, 1)
        self.background = checks.integer("background", background, 0)
        if not isinstance(mirror, (list, tuple)):
            raise ValueError(f"mirror must be a list of axes, of 0, 1 and 2; got {checks.shown(mirror)}")
        self.mirror = [checks.integer("mirror", axis, 0, 2) for axis in mirror]
        self.regions = None if regions is None else checked_regions("regions", regions)
        self.scalings, self.places = {}, {}
        self.groups = self._groups()
        self.start(-1)

    def _groups(self):
        """Lists of the numbers of volumes whose patches have one spacing."""
        channels = {}
        groups = []
        for i in range(len(self.volumes)):
            image = self.volumes.image(i)
            channels.setdefault(image.values.shape[3], image.name)
            spacing = self.spacing or image.spacing
            for known, members in groups:
                if np.allclose(known, spacing, rtol=SPACING_TOLERANCE, atol=0):
                    members.append(i)
                    break
            else:
                groups.append((spacing, [i]))
        if len(channels) > 1:
            found = ", ".join(f"{count} in {name}" for count, name in channels.items())
            raise ValueError(f"volumes must have one number of channels; got {found}")
        return groups

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        patches = [self.patch(*numbered) for numbered in self.batches[index][1]]
        return tuple(np.stack(part) for part in zip(*patches))

    def spacing_of(self, index):
        """Spacing of the patches of a batch, mm along depth, height and width."""
        return self.batches[checks.integer("index", index, -len(self), len(self) - 1)][0]

    def patch(self, number, i):
        """Patch `number` of this epoch, of volume i: (float32 (D, H, W, C), class map (D, H, W) or structures)."""
        number = checks.integer("number", number, 0)
        i = checks.integer("i", i, 0, len(self.volumes) - 1)
        generator = np.random.default_rng([self.seed, self.draw, number])
        annotator = self.annotators[generator.integers(len(self.annotators))]
        image, mask = self.volumes.image(i), self.volumes.mask(i, annotator)
        step = np.divide(self.spacing or image.spacing, image.spacing)  # voxels of the volume a voxel of the patch
        extent = step * self.size
        room = np.maximum(np.asarray(image.shape) - extent, 0)
        start = generator.random(3) * room
        places = self._places(i, annotator, mask.values)
        if len(places) and generator.random() < self.objects:
            voxel = np.asarray(np.unravel_index(places[generator.integers(len(places))], image.shape))
            start = np.clip(voxel + 0.5 - generator.random(3) * extent, 0, room)
        values, classes = _cut(image.values, mask.values, start, step, self.size)
        if i not in self.scalings:
            self.scalings[i] = scaling(self.scale, image.values)
        values = self.scalings[i](values)
        for axis in self.mirror:
            if generator.integers(2):
                values, classes = np.flip(values, axis), np.flip(classes, axis)
        if self.regions is not None:
            classes = structures(classes, self.regions)
        return np.ascontiguousarray(values), np.ascontiguousarray(classes)

    def _places(self, i, annotator, mask):
        """Numbers of at most 10,000 voxels of objects."""
        if (i, annotator) not in self.places:
            objects = (mask != self.background) & (mask != IGNORE)
            found = np.flatnonzero(objects if mask.ndim == 3 else objects.any(-1))
            if len(found) > POSITIONS:
                found = np.random.default_rng([self.seed, i]).choice(found, POSITIONS, replace=False)
            self.places[i, annotator] = found
        return self.places[i, annotator]

    def on_epoch_end(self):
        """Draw the patches of the next epoch."""
        self.start(self.draw)

    def start(self, epoch):
        """Take the patches that `fit` shows in an epoch, counted from 0, whatever came before.

        Epoch -1 is the order that Keras looks at before the first.
        """
        self.draw = checks.integer("epoch", epoch, -1) + 1
        generator = np.random.default_rng([self.seed, self.draw])
        numbers, batches = itertools.count(), []
        for spacing, members in self.groups:
            order = generator.permutation(np.repeat(members, self.patches_per_volume)).tolist()
            patches = [(next(numbers), i) for i in order]
            batches += [
                (spacing, patches[first : first + self.batch_size]) for first in range(0, len(patches), self.batch_size)
            ]
        self.batches = [batches[i] for i in generator.permutation(len(batches))]


def sides(name, size, low):
    """Three whole numbers of voxels, `low` or more; one number counts for all axes."""
    three = [size] * 3 if isinstance(size, Integral) else size
    return checks.lengths(name, three, 3, "a number of voxels, or three along depth, height and width", low)


def scaling(scale, values):
    """The function that scales values (..., C) of a volume, or of a part of it, to float32.

    The networks of `thesis_lib.models` take values of 0-255.

    Args:
        scale: None, as they are; (low, high), what lies between to 0-255 and the rest to 0 or 255, such as
            (-1000, 1000) Hounsfield units; or "standard", the volume's mean to 127.5 and its standard deviation to a
            quarter of 255, channel by channel, for images without a unit such as MRI.
        values: of the whole volume, (D, H, W, C).
    """
    if scale is None:
        return lambda part: part.astype(np.float32)
    if checked_scale(scale) == "standard":
        mean = np.mean([plane.mean((0, 1), np.float64) for plane in values], 0)  # plane by plane, for memory
        deviation = np.sqrt(np.mean([((plane - mean) ** 2).mean((0, 1)) for plane in values], 0))
        factor = 255 / 4 / np.where(deviation > 0, deviation, 1)
        mean, factor = mean.astype(np.float32), factor.astype(np.float32)
        return lambda part: (part.astype(np.float32) - mean) * factor + np.float32(127.5)
    low, high = checked_scale(scale)
    return lambda part: (np.clip(part.astype(np.float32), low, high) - low) * np.float32(255 / (high - low))


def checked_scale(scale):
    """ "standard", or two numbers (low, high), the second larger."""
    if isinstance(scale, str):
        return checks.one_of("scale", scale, ("standard",))
    if not isinstance(scale, (list, tuple, np.ndarray)) or len(scale) != 2:
        raise ValueError(f"scale must be None, 'standard' or two numbers (low, high); got {checks.shown(scale)}")
    low, high = (checks.real("scale", bound) for bound in scale)
    checks.real("scale's higher bound", high, low, open_low=True)
    return low, high


def _cut(image, mask, start, step, size):
    """A patch of an image (D, H, W, C) and of a mask that starts at a place, in voxels, with a step.

    The mask is (D, H, W), or (D, H, W, S) of structures.
    """
    if np.allclose(step, 1, rtol=SPACING_TOLERANCE):
        first = np.ceil(start - 0.5).astype(int)
        part = tuple(slice(one, one + side) for one, side in zip(first, size))
        image, mask = image[part], mask[part]
        missing = [(0, side - length) for side, length in zip(size, mask.shape)]
        of_mask = [*missing, *[(0, 0)] * (mask.ndim - 3)]
        return np.pad(image, [*missing, (0, 0)], mode="edge"), np.pad(mask, of_mask, constant_values=IGNORE)
    # Voxel k of the patch has its centre at start + (k + 1/2) step - 1/2. Only what these reach is read.
    first = np.maximum(np.floor(start + step / 2 - 0.5).astype(int) - 1, 0)
    last = np.ceil(start + step * size).astype(int) + 2
    part = tuple(slice(*ends) for ends in zip(first, last))
    place = {"matrix": step, "offset": start + step / 2 - 0.5 - first, "output_shape": size}
    maps = [
        ndimage.affine_transform(one, order=0, mode="grid-constant", cval=IGNORE, **place)
        for one in ([mask[part]] if mask.ndim == 3 else np.moveaxis(mask[part], -1, 0))
    ]
    channels = [
        ndimage.affine_transform(image[part][..., channel].astype(np.float32), order=1, mode="nearest", **place)
        for channel in range(image.shape[-1])
    ]
    return np.stack(channels, -1), maps[0] if mask.ndim == 3 else np.stack(maps, -1)
