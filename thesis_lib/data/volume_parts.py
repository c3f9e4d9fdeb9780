"""Which volumes of a folder train, validate and test: at random, or by a table; copies and patients stay together."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from thesis_lib.data import groups as grouping
from thesis_lib.data import raster_parts
from thesis_lib.data.rasters import digest_of_file
from thesis_lib.data.reading import same_form
from thesis_lib.data.splits import HELD, counts

SEED = 0  # of the random split, the same for every training, so that all are tested on the same volumes


def listed(root, train, test, further):
    """({path of a volume's first channel: group}, [part of each training volume]) by groups.csv; None likewise.

    Only training volumes need a row. Test cases of nnU-Net, and volumes without a mask, may have one.
    """
    volumes = [one for one in (train, test, further) if one is not None]
    items = [
        (same_form(name), tuple(map(Path, paths))) for one in volumes for name, paths in zip(one.names, one.images)
    ]
    groups, parts = grouping.of_folder(root, lambda: items, len(train))
    if parts is not None and test is not None:
        raise ValueError(f"{root / grouping.TABLE} must have no column split beside nnU-Net's test cases")
    return groups and dict(zip([paths[0] for _, paths in items], groups)), parts and parts[: len(train)]


def split(root, train, test, groups, parts):
    """Which volumes train, validate and test.

    Args:
        root: the folder, for errors.
        train: VolumeFiles of all cases, or of nnU-Net's training cases.
        test: VolumeFiles of nnU-Net's test cases, or None.
        groups, parts: of `listed`.

    Returns:
        ({part: VolumeFiles}, the rule in words).
    """
    of = lambda volumes: None if groups is None else [groups[Path(paths[0])] or "" for paths in volumes.images]
    table = root / grouping.TABLE
    if parts is not None:
        numbers = grouping.declared(parts, of(train), _digests(train), train.names)
        return {part: _chosen(train, sorted(numbers[part])) for part in raster_parts.PARTS}, f"by {table.name}"
    if test is not None:
        shared = sorted({*(of(train) or ())} & {*(of(test) or ())} - {""})
        if shared:
            raise ValueError(f"{table}: group {shared[0]!r} must lie in one part; got train and test")
        train = _no_copies(root, train, test)
    order, held = np.random.default_rng(SEED).permutation(len(train)), max(round(len(train) * HELD), 1)
    sizes = counts(len(train)) if test is None else (len(train) - held, held)
    together = grouping.together(_digests(train), train.names, of(train), len(sizes))
    chosen = [_chosen(train, sorted(part)) for part in grouping.fill(order, together, sizes)]
    rule = (
        f"70 / 15 / 15% at random, seed {SEED}"
        if test is None
        else f"nnU-Net's test cases; 15% validate at random, seed {SEED}"
    )
    rule += "" if groups is None else f", volumes of a group in {table.name} together"
    return dict(zip(raster_parts.PARTS, chosen if test is None else [*chosen, test])), rule


def not_held(root, others, held, groups):
    """Volumes without a mask that are no copies of validation or test volumes, nor of their groups.

    Args:
        root: the folder, for the warning.
        others: VolumeFiles without masks.
        held: list of VolumeFiles.
        groups: of `listed`.
    """
    free = _apart(others, held, groups)
    if len(free) < len(others):
        warnings.warn(
            f"{len(others) - len(free)} volumes in {root / raster_parts.UNLABELLED} are left out: validation or test "
            "has them, or volumes of their group",
            stacklevel=3,
        )
    return _chosen(others, free)


def _no_copies(root, train, test):
    """The training volumes that are no copies of nnU-Net's test cases."""
    free = _apart(train, [test])
    if len(free) < 2:
        raise ValueError(
            f"data must hold 2 training volumes or more that are no copies of test volumes; {root} holds {len(free)}"
        )
    if len(free) < len(train):
        warnings.warn(
            f"{len(train) - len(free)} training volumes in {root} are left out: they are copies of test volumes",
            stacklevel=4,
        )
    return _chosen(train, free)


def _apart(others, held, groups=None):
    """Numbers of the volumes that are no copies, byte for byte, of those of the VolumeFiles `held`, nor of a group."""
    images = [paths for volumes in held for paths in volumes.images]
    digests = _digests(*held, others)
    copied = {*digests[: len(images)]} - {None}
    group_of = lambda paths: groups and groups[Path(paths[0])]
    taken = {group_of(paths) for paths in images} - {None, ""}
    own = zip(digests[len(images) :], others.images)
    return [i for i, (digest, paths) in enumerate(own) if digest not in copied and group_of(paths) not in taken]


def _digests(*several):
    """A digest of each volume of several VolumeFiles that has a copy, byte for byte; None for the others."""
    images = [paths for volumes in several for paths in volumes.images]
    sizes = [sum(path.stat().st_size for path in single_files(paths)) for paths in images]
    content = lambda i: sorted(map(digest_of_file, single_files(images[i])))
    return grouping.digests_of_copies(sizes, lambda i: repr(content(i)).encode())


def _chosen(volumes, numbers):
    """The volumes of these numbers."""

    def of(paths):
        return tuple(paths[number] for number in numbers)

    masks = {annotator: of(paths) for annotator, paths in volumes.masks.items()}
    return replace(volumes, names=of(volumes.names), images=of(volumes.images), masks=masks)


def single_files(paths):
    """The files of volumes, with those in the folders of DICOM series."""
    several = (sorted(path.iterdir()) if path.is_dir() else [path] for path in map(Path, paths))
    return [path for some in several for path in some]
