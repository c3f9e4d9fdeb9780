"""Folders of volumes and masks for training: which cases train, validate and test, and what their classes are."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

from thesis_lib import checks
from thesis_lib.data import volume_parts
from thesis_lib.data.itk_files import KINDS
from thesis_lib.data.nnunet import cases_without_masks, load_nnunet
from thesis_lib.data.raster_parts import ENDINGS, UNLABELLED
from thesis_lib.data.rasters import digest_of_file
from thesis_lib.data.reading import in_words, same_form
from thesis_lib.data.volume_files import UnpackedVolumes, unpack, volume_folders, volumes_without_masks
from thesis_lib.data.volumes import volume_ending
from thesis_lib.labels import IGNORE


class Head(NamedTuple):
    """What is known of a volume without its voxels: spacing (mm), shape (D, H, W) and number of channels."""

    spacing: tuple
    shape: tuple
    channels: int


@dataclass(frozen=True)
class VolumeSplits:
    """Disjoint training, validation and test volumes, unpacked, and the names of their classes.

    Args:
        train, validation, test: UnpackedVolumes.
        files: dict from "train", "validation" and "test", and "unlabelled" where there are such, to the VolumeFiles
            that they were read from.
        class_names: the background's and the objects', in the order of the network's classes.
        rule: how the cases were split, in words.
        regions: {name: class numbers} of the structures that nnU-Net's dataset.json names, if they overlap.
        unlabelled: volumes without a mask, to train on as well; None where they are not wanted.
    """

    train: UnpackedVolumes
    validation: UnpackedVolumes
    test: UnpackedVolumes
    files: dict
    class_names: tuple
    rule: str
    regions: dict = field(default_factory=dict)
    unlabelled: UnpackedVolumes | None = None

    @property
    def num_classes(self):
        return len(self.class_names)

    @cached_property
    def heads(self):
        """Dict from the path of each volume, its first channel's, to its `Head`, the training volumes first."""
        found = {}
        for part, files in self.files.items():
            for i, paths in enumerate(files.images):
                image = getattr(self, part).image(i)
                found[str(paths[0])] = Head(image.spacing, image.shape, image.values.shape[3])
        return found

    @cached_property
    def fingerprint(self):
        """A digest of the classes and of all files' names and contents, in hexadecimal: the same for the same data."""
        paths = []
        for files in self.files.values():
            for several in (*files.images, *files.masks.values()):
                paths += volume_parts.single_files(several)
        with ThreadPoolExecutor() as pool:
            contents = list(pool.map(digest_of_file, paths))
        found = [(path.parent.name, path.name, content) for path, content in zip(paths, contents)]
        sizes = [len(files) for files in self.files.values()]
        return hashlib.sha256(repr((self.class_names, sizes, found)).encode()).hexdigest()


def holds_volumes(root):
    """Whether a folder holds volumes, not images: nnU-Net's dataset.json, or volumes in images/.

    Files that end with .tif are taken for images, unless dataset.json names them.
    """
    images = Path(root) / "images"
    if not images.is_dir():
        return (Path(root) / "dataset.json").is_file() and not (Path(root) / "train").is_dir()
    visible = [path for path in images.iterdir() if not path.name.startswith(".")]
    endings = {volume_ending(path) for path in visible}
    if endings & {*KINDS, ".dcm"}:
        return True
    return not endings & set(ENDINGS) and any(path.is_dir() for path in visible)


def load_volume_splits(root, into, overlapping=False, unlabelled=False):
    """Read a data set of nnU-Net's layout, or a folder with images/ and masks/ that hold volumes, and unpack it.

    Masks of further annotators lie in `masks_NAME/`; the plain ones may then be missing. They hold class numbers, and
    255 where the class is unknown. nnU-Net's test cases test where they have masks; 15% of the training cases, at
    random, then validate. Else the training cases are split 70 / 15 / 15% at random. The split is always the same.

    Scans of one patient stay in one part if a table `groups.csv` has a row for each volume: the columns file (its name)
    and group (its patient). The column split (train, validation, test) says the part. Copies of a volume, byte for
    byte, stay in one part, too; those of nnU-Net's test cases are left out.

    Args:
        root: the folder.
        into: folder of the unpacked arrays, see `unpack`.
        overlapping: whether structures of nnU-Net's dataset.json may overlap.
        unlabelled: whether the volumes of `unlabelled/` are wanted, which have no mask; in nnU-Net's layout each
            channel is a file there, too. Copies of validation and test volumes are left out, and volumes of their
            groups.

    Returns:
        VolumeSplits.

    Raises:
        FileNotFoundError, ValueError: naming the folder or the file, as `load_nnunet`, `volume_folders` and `unpack`;
            or if there are fewer than three volumes, two classes, or structures that overlap and must not;
            or naming groups.csv and what is wrong with it.
    """
    root = checks.path("root", root)
    overlapping, unlabelled = checks.boolean("overlapping", overlapping), checks.boolean("unlabelled", unlabelled)
    if (root / "images").is_dir():
        test, class_names, regions, others = None, None, {}, volumes_without_masks
        train = volume_folders(root / "images", _mask_folders(root), ignore=IGNORE)
    else:
        data = load_nnunet(root)
        if data.regions and not overlapping:
            raise ValueError(
                f"data must have classes that exclude each other; {root}/dataset.json has structures that overlap, "
                f"{in_words(list(data.regions))}: see `structures` of segmentation.Run, and VolumePatches(regions=...)"
            )
        train, class_names, regions = data.train, data.classes, data.regions
        others = partial(cases_without_masks, data=data)
        test = data.test if data.test.masks else None
    least = 3 if test is None else 2
    if len(train) < least:
        beside = "" if test is None else " beside nnU-Net's test cases"
        raise ValueError(
            f"data must hold {least} volumes or more{beside}, as some validate; {root} holds {in_words(train.names)}"
        )
    further = others(root / UNLABELLED) if unlabelled else None
    groups, parts = volume_parts.listed(root, train, test, further)
    files, rule = volume_parts.split(root, train, test, groups, parts)
    unpacked = {part: unpack(several, into) for part, several in files.items()}
    class_names = class_names or _numbers(root, unpacked)
    if further is not None:
        files["unlabelled"] = volume_parts.not_held(root, further, [files["validation"], files["test"]], groups)
        unpacked["unlabelled"] = unpack(files["unlabelled"], into)
    return VolumeSplits(**unpacked, files=files, class_names=class_names, rule=rule, regions=regions)


def _mask_folders(root):
    """{annotator: folder}, "" for the plain masks."""
    named = [path for path in sorted(root.glob("masks_?*")) if path.is_dir()]
    folders = {same_form(path.name.removeprefix("masks_")): path for path in named}
    return folders if folders and not (root / "masks").is_dir() else {"": root / "masks", **folders}


def _numbers(root, parts):
    """Names of the classes 0 to the highest number in any mask."""
    highest = 0
    for volumes in parts.values():
        for annotator in volumes.masks:
            for mask in volumes.drawn_by(annotator):
                highest = max(highest, *(int(plane[plane != IGNORE].max(initial=0)) for plane in mask))
    if not highest:
        raise ValueError(f"masks in {root} must hold the numbers of two classes or more, 0, 1, ...; got 0 alone")
    return tuple(map(str, range(highest + 1)))
