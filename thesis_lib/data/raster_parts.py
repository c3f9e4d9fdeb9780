"""Which images of a folder of images and masks train, validate and test: at random, by a table, or in folds.

Everywhere, `files` are {part: (images, {annotator: masks})}, paths in one order.
"""

import warnings

import numpy as np

from thesis_lib import checks
from thesis_lib.data import groups as grouping
from thesis_lib.data.reading import regular, same_form, within
from thesis_lib.data.splits import HELD, counts

PARTS = ("train", "validation", "test")
ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
UNLABELLED = "unlabelled"  # the folder of images without a mask


def image_files(root, folder):
    """{name without its ending: path} of the image files of a folder, in the order of the names."""
    if not (root / folder).is_dir():
        raise FileNotFoundError(f"{root} must hold the folder {folder}/")
    files = {}
    for path in sorted((root / folder).iterdir()):
        if path.suffix.lower() not in ENDINGS or path.name.startswith("."):
            continue
        within(root, path)
        name = same_form(path.stem)
        if name in files:
            raise ValueError(f"{root / folder} must hold each name once; got {files[name].name} and {path.name}")
        files[name] = path
    if not files:
        raise FileNotFoundError(f"{root / folder} must hold images ({', '.join(ENDINGS)})")
    return files


def at_random(root, images, masks, seed):
    """{part: (images, {annotator: masks})}, paths, of a random split."""
    if len(images) < 3:
        raise ValueError(f"{root}/images must hold at least 3 images, to train, validate and test; got {len(images)}")
    groups, parts = _groups(root, images)
    if parts is not None:
        numbers = grouping.declared(parts, groups, _digests(images), images)
    else:
        order = np.random.default_rng(seed).permutation(len(images))
        groups = grouping.together(_digests(images), images, groups)
        numbers = dict(zip(PARTS, grouping.fill(order, groups, counts(len(order)))))
    return {part: _some(images, masks, sorted(numbers[part])) for part in PARTS}


def without_copies(root, files):
    """{part: (images, {annotator: masks})} without the copies in training that validation or test images have."""
    images = [path for part, _ in files.values() for path in part]
    groups, parts = _groups(root, images)
    if parts is not None:
        raise ValueError(f"{root / grouping.TABLE} must have no column split beside the folder train/")
    parts = [part for part, (paths, _) in files.items() for _ in paths]
    numbers = grouping.declared(parts, groups, _digests(images), images)
    kept = {}
    for part, (paths, masks) in files.items():
        kept[part] = _some(paths, masks, [i - parts.index(part) for i in numbers[part]])
    return kept


def unlabelled_images(root, files):
    """Paths of the images in `unlabelled/` that are no copy of a validation or test image, nor of the group of one."""
    known = [path for part, _ in files.values() for path in part]
    held = [path for part in PARTS[1:] for path in files[part][0]]
    others = _without_masks(root)
    digests = dict(zip([*held, *others], _digests([*held, *others])))
    groups = dict(zip([*known, *others], _table(root, known)[0] or [None] * len([*known, *others])))
    taken = {of[path] for of in (digests, groups) for path in held} - {None, ""}
    free = tuple(path for path in others if not {digests[path], groups[path]} & taken)
    if len(free) < len(others):
        warnings.warn(
            f"{len(others) - len(free)} images in {root / UNLABELLED} are left out: validation or test has them, or "
            "images of their group",
            stacklevel=3,
        )
    return free


def _without_masks(root):
    """Paths of the images in `unlabelled/`, if there is such a folder."""
    return tuple(image_files(root, UNLABELLED).values()) if (root / UNLABELLED).is_dir() else ()


def _groups(root, images):
    """(groups, parts) that groups.csv gives the images, lists of text; None without such a column, or the file."""
    groups, parts = _table(root, images)
    return groups and groups[: len(images)], parts and parts[: len(images)]


def _table(root, images):
    """(groups, parts) that groups.csv gives images and those in `unlabelled/`, which need no rows; None likewise."""
    items = lambda: [(same_form(image.stem), (image,)) for image in [*images, *_without_masks(root)]]
    return grouping.of_folder(root, items, len(images))


def _digests(images):
    """A digest of each image that has a copy, byte for byte; None for the others."""
    return grouping.digests_of_copies(
        [path.stat().st_size for path in images], lambda i: regular(images[i]).read_bytes()
    )


def _some(images, masks, numbers):
    """(images, {annotator: masks}) of some of the images, by their numbers."""
    masks_of = {annotator: tuple(paths[i] for i in numbers) for annotator, paths in masks.items()}
    return tuple(images[i] for i in numbers), masks_of


def all_parts(root, files):
    """(images, {annotator: masks}) of all parts together, with the annotators who drew every image."""
    images = [path for part, _ in files.values() for path in part]
    names = [same_form(path.stem) for path in images]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"{root} must hold each image's name once, in whichever part, for folds; got {twice[0]!r} twice"
        )
    annotators = [set(masks) for _, masks in files.values()]
    every = set.intersection(*annotators)
    others = sorted(set.union(*annotators) - every)
    if not every:
        raise ValueError(f"{root} must hold an annotator's masks in every part, for folds; got {', '.join(others)}")
    if others:
        left_out = ", ".join(name or "plain" for name in others)
        warnings.warn(f"folds leave out the masks ({left_out}) that are not there for every image", stacklevel=3)
    masks = {name: tuple(path for _, drawn in files.values() for path in drawn[name]) for name in sorted(every)}
    return tuple(images), masks


def in_folds(root, images, masks, seed, folds, fold):
    """{part: (images, {annotator: masks})}, paths; of the disjoint test sets, `fold` is the test part."""
    checks.integer("folds", folds, 2, len(images), of="images")
    checks.integer("fold", fold, 0, folds - 1)
    order, (groups, _) = np.random.default_rng(seed).permutation(len(images)), _groups(root, images)
    groups = grouping.together(_digests(images), images, groups, folds)
    parts = grouping.fill(order, groups, [len(part) for part in np.array_split(order, folds)])
    others = np.concatenate(parts[fold + 1 :] + parts[:fold])
    if len(np.unique(groups[others])) < 2:
        raise ValueError(
            "folds must leave two images, to train and validate, which are no copies nor of one group; "
            f"{folds} of {len(images)} images leave {len(others)}"
        )
    held = max(round(HELD * len(others)), 1)
    validation, train = grouping.fill(others, groups, [held, len(others) - held])
    numbers = {"train": train, "validation": sorted(validation), "test": sorted(parts[fold])}
    return {part: _some(images, masks, numbers[part]) for part in PARTS}
