"""Volumes and their masks in files: paired by name, checked when they are read, unpacked once for training."""

import hashlib
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from thesis_lib import checks
from thesis_lib.data.itk_files import KINDS
from thesis_lib.data.reading import in_words
from thesis_lib.data.tiff_stacks import ENDINGS
from thesis_lib.data.volumes import Volume, check_same_grid, read_volume, volume_ending
from thesis_lib.files import whole, writable_folder
from thesis_lib.labels import IGNORE


@dataclass(frozen=True)
class VolumeFiles:
    """Volumes and their masks in files, read when they are asked for; `volumes[:5]` are the first five.

    Args:
        names: (N,), of the volumes.
        images: (N,), for each volume the paths of its channels, or one path.
        masks: for each annotator, paths (N,); the name "" is that of the plain masks.
        numbers: the class numbers in the masks, in the order of the network's classes; None where they are 0, 1, 2, ...
        ignore: the number in the masks that stands for an unknown class; None where there is none.
        spacing: mm along depth, height and width, for files that state none.
    """

    names: tuple
    images: tuple
    masks: dict
    numbers: tuple | None = None
    ignore: int | None = None
    spacing: tuple | None = field(default=None, repr=False)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, part):
        masks = {annotator: paths[part] for annotator, paths in self.masks.items()}
        return replace(self, names=self.names[part], images=self.images[part], masks=masks)

    def image(self, i):
        """Volume i, its values (D, H, W, C); all its channels lie on one grid."""
        i = checks.integer("i", i, -len(self), len(self) - 1)
        channels = [read_volume(path, spacing=self.spacing) for path in self.images[i]]
        for other in channels[1:]:
            check_same_grid(channels[0], other)
        values = [one.values if one.values.ndim == 4 else one.values[..., None] for one in channels]
        return channels[0].with_values(values[0] if len(values) == 1 else np.concatenate(values, -1))

    def mask(self, i, annotator="", like=None):
        """Class map of volume i as a Volume (D, H, W), IGNORE where the class is unknown, on the grid of its image.

        Args:
            i: number of the volume.
            annotator: who drew it.
            like: the image, if it was read already.
        """
        i = checks.integer("i", i, -len(self), len(self) - 1)
        path = self.masks[checks.one_of("annotator", annotator, self.masks)][i]
        mask = read_volume(path, labels=True, like=self.image(i) if like is None else like, spacing=self.spacing)
        return mask.with_values(self._classes(path, mask.values))

    def _classes(self, path, stored):
        """The network's classes of stored numbers, in their type if it holds IGNORE."""
        if stored.max() >= 2**16:
            raise ValueError(f"{path} must hold class numbers below 65536; got {stored.max()}")
        counts = sum(np.bincount(plane.ravel(), minlength=2**16) for plane in stored)
        present = np.flatnonzero(counts).tolist()
        numbers = self.numbers if self.numbers is not None else range(IGNORE)
        unknown = [number for number in present if number not in numbers and number != self.ignore]
        if unknown:
            accepted = _range(numbers) + ("" if self.ignore is None else f" and {self.ignore} to ignore")
            got = in_words([str(number) for number in unknown])
            raise ValueError(f"{path} must hold the class numbers {accepted}; got {got}")
        if self.numbers in (None, tuple(range(len(self.numbers or ())))) and self.ignore in (None, IGNORE):
            return stored.astype(np.uint8) if stored.dtype == np.int8 else stored
        classes = np.full(max(present) + 1, IGNORE, np.uint8 if len(numbers) < IGNORE else np.int32)
        for new, number in enumerate(numbers):
            if number <= max(present) and number != self.ignore:
                classes[number] = new
        return classes[stored]


def _range(numbers):
    return f"0 to {numbers[-1]}" if isinstance(numbers, range) else ", ".join(map(str, numbers))


def volume_folders(images, masks, **options):
    """Volumes in one folder with their masks in others, paired by the name without its ending.

    Args:
        images: folder of volumes: files, or a folder for each DICOM series.
        masks: a folder, or a folder for each annotator's name.
        options: of `VolumeFiles`: numbers, ignore, spacing.

    Returns:
        VolumeFiles, in alphabetical order.

    Raises:
        ValueError: naming volumes without a mask, and masks without a volume.

    Example:
        >>> volumes = volume_folders("scans", "masks_of_scans", numbers=(0, 1))
    """
    images = checks.path("images", images)
    if isinstance(masks, dict) and (not masks or not all(isinstance(annotator, str) for annotator in masks)):
        raise ValueError(f"masks must be a folder, or a dict from annotators to folders; got {checks.shown(masks)}")
    found = by_name(images)
    of_annotators = {}
    for annotator, folder in (masks if isinstance(masks, dict) else {"": masks}).items():
        drawn = by_name(checks.path("masks", folder))
        if set(drawn) != set(found):
            lone = [f"{images}/{name}" for name in sorted(set(found) - set(drawn))]
            lone += [f"{folder}/{name}" for name in sorted(set(drawn) - set(found))]
            raise ValueError(f"each volume must have a mask of its name, and the reverse; got alone: {in_words(lone)}")
        of_annotators[annotator] = tuple(drawn[name] for name in sorted(found))
    names = tuple(sorted(found))
    return VolumeFiles(names, tuple((found[name],) for name in names), of_annotators, **options)


def volumes_without_masks(folder):
    """VolumeFiles of the volumes in a folder, by `by_name`, of which there are no masks."""
    found = by_name(folder)
    return VolumeFiles(tuple(found), tuple((path,) for path in found.values()), {})


def by_name(folder):
    """The volumes in a folder, by their name without its ending: files, and folders for DICOM series."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} must be a folder of volumes; there is none")
    found = {}
    for path in sorted(folder.iterdir()):
        ending = volume_ending(path)
        if path.name.startswith(".") or not (path.is_dir() or ending in (*KINDS, *ENDINGS, ".dcm")):
            continue
        name = path.name if path.is_dir() else path.name[: -len(ending)]
        if name in found:
            raise ValueError(f"{folder} must hold one volume of a name; got {found[name].name} and {path.name}")
        found[name] = path
    if not found:
        raise ValueError(f"{folder} must hold volumes; got none")
    return found


@dataclass(frozen=True)
class UnpackedVolumes:
    """Volumes as `VolumeFiles`, unpacked: their arrays are mapped into memory, so that a patch reads what it needs.

    Args:
        folders: (N,), of the volumes.
        grids: (N,), spacing, origin and direction of each.
        masks: names of the annotators.
    """

    folders: tuple
    grids: tuple
    masks: tuple

    def __len__(self):
        return len(self.folders)

    def __getitem__(self, part):
        return replace(self, folders=self.folders[part], grids=self.grids[part])

    def drawn_by(self, annotator):
        """All class maps (D, H, W) of one annotator, as a sequence that maps each when it is asked for."""
        return _Drawn(self, checks.one_of("annotator", annotator, self.masks))

    def image(self, i):
        """Volume i, its values a map (D, H, W, C) of the file."""
        return self._volume(i, "image.npy")

    def mask(self, i, annotator=""):
        """Class map of volume i, a map (D, H, W) of the file."""
        return self._volume(i, f"mask_{checks.one_of('annotator', annotator, self.masks)}.npy")

    def _volume(self, i, name):
        i = checks.integer("i", i, -len(self), len(self) - 1)
        return Volume(np.load(self.folders[i] / name, mmap_mode="r"), *self.grids[i], str(self.folders[i]))


@dataclass(frozen=True)
class _Drawn:
    volumes: UnpackedVolumes
    annotator: str

    def __len__(self):
        return len(self.volumes)

    def __getitem__(self, i):
        if i >= len(self):
            raise IndexError(i)  # which ends a loop over them
        return self.volumes.mask(i, self.annotator).values


def unpack(volumes, folder):
    """Read each volume and its masks once, check them, and write their arrays where patches are read from quickly.

    What was unpacked before is not read again, unless a file's size or time has changed.

    Args:
        volumes: VolumeFiles.
        folder: made if missing; holds about the size of the arrays.

    Returns:
        UnpackedVolumes.

    Raises:
        ValueError: naming the file, as `read_volume`, or if a mask lies on another grid than its image.
        OSError: naming what could not be written.

    Example:
        >>> volumes = unpack(volume_folders("scans", "masks_of_scans"), "unpacked")
        >>> patches = VolumePatches(volumes, size=(32, 128, 128), batch_size=2)
    """
    checks.instance("volumes", volumes, VolumeFiles, "VolumeFiles")
    folder = writable_folder(folder)
    folders = []
    for i, name in enumerate(volumes.names):
        files = [*volumes.images[i], *(paths[i] for paths in volumes.masks.values())]
        contents = [(str(path), *_state(path)) for path in files]
        key = repr((contents, sorted(volumes.masks), volumes.numbers, volumes.ignore, volumes.spacing))
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        place = folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}_{digest}"
        folders.append(place)
        if (place / "grid.npz").is_file():  # which is written last
            continue
        place.mkdir(exist_ok=True)
        image = volumes.image(i)
        _save(place / "image.npy", image.values)
        for annotator in volumes.masks:
            mask = volumes.mask(i, annotator, image).values
            _save(place / f"mask_{annotator}.npy", mask.astype(np.uint8 if mask.max() <= 255 else np.int32))
        with whole(place / "grid.npz") as partial:
            np.savez(partial, spacing=image.spacing, origin=image.origin, direction=image.direction)
    grids = []
    for place in folders:
        with np.load(place / "grid.npz") as grid:
            grids.append((grid["spacing"], grid["origin"], grid["direction"]))
    return UnpackedVolumes(tuple(folders), tuple(grids), tuple(volumes.masks))


def _save(path, values):
    with whole(path) as partial:
        np.save(partial, values)


def _state(path):
    """Size and time of a file, or of all files of a folder."""
    path = Path(path)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
