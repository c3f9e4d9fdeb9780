"""Folders of images and masks for segmentation: which files belong together, and whether they can be used."""

import warnings
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from thesis_lib import checks
from thesis_lib.data import groups as grouping
from thesis_lib.data import image_io
from thesis_lib.data.class_table import ClassTable, numbered_classes, read_class_table
from thesis_lib.data.rasters import Rasters, RasterSplits
from thesis_lib.data.reading import raise_all, read_all, regular, same_form, table_bytes, within
from thesis_lib.data.splits import HELD, counts
from thesis_lib.labels import IGNORE

ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
PARTS = {"train": "train", "validation": "val", "test": "test"}
TABLE = "label_class_dict.csv"
BINARY = ClassTable(("background", "object"), ((0, 0, 0), (255, 255, 255)))
NO_OBJECT = (
    f"masks must hold class numbers, as {TABLE} gives no colours; these hold 0 and 255 alone. "
    "If 255 is an object, its colour belongs in the table, or there must be no table"
)


def load_segmentation_folder(root, classes=None, unknown="error", seed=0, folds=None, fold=0):
    """Read a folder of images and masks in one of two layouts.

    With parts: `train/`, `train_labels/`, `val/`, `val_labels/`, `test/`, `test_labels/`, as in the Massachusetts
    Buildings Dataset. Plain: `images/` and `masks/`, split 70 / 15 / 15% at random. An image and its mask have the same
    name, up to the ending. Masks that a further annotator drew, one for every image, lie in `train_labels_NAME/`, or
    `masks_NAME/`. The plain masks may be missing where there are such folders.

    `label_class_dict.csv` lists the classes, with the columns name, r, g, b: masks are images in these colours. Without
    r, g, b, or without the file, masks hold class numbers: they are grey or palette images, and 255 is no class. If
    there is no file and all masks hold 0 and 255 alone, 255 is an object. Masks are stored without losses, see
    `read_image`.

    Images that are copies of each other, byte for byte, stay in one part. With parts, copies are left out of training
    where validation or test images have them. A table `groups.csv` with a row for each image, and the columns file and
    group, says which images belong together, of one patient or place: they stay in one part, too. Its column split says
    which part an image of the plain layout belongs to.

    Images that EXIF data turn are read upright; where their masks are not turned, a warning says so.

    For cross-validation, `folds` disjoint test sets take up all images of the folder, whatever its layout. 15% of the
    images outside the test set validate. Training images are then in random order, so the first ones are a sample.

    Args:
        root: the folder.
        classes: names of the classes to tell apart; everything else, and the table's first class, is class 0. None
            tells all classes apart.
        unknown: what to do with colours of no class: "error", or "ignore": their pixels are not learned.
        seed: of the random split, and of the folds.
        folds: number of test sets, 2 or more; None for the split above.
        fold: which of them is the test set, from 0.

    Returns:
        RasterSplits.

    Raises:
        FileNotFoundError, ValueError: naming the folder or file: no such layout, an image without a mask or the
            reverse, two files of one name, a file or link that leads outside the folder; all files that are damaged or
            whose sizes differ; numbers that look like colours, without a file that lists them; folds that the images
            are too few for.

    Example:
        splits = load_segmentation_folder("my_images", classes=["building"])
        splits.train.image(0), splits.train.mask(0)  # uint8 (H, W, 3) and uint8 (H, W)
    """
    if not isinstance(root, (str, Path)) or not Path(root).is_dir():
        raise FileNotFoundError(f"data must be a folder of images and masks; got {str(root)!r}, which is none")
    root = Path(root)
    checks.integer("seed", seed, 0)
    has_table = (root / TABLE).exists() or (root / TABLE).is_symlink()
    table = read_class_table(within(root, root / TABLE)) if has_table else None
    if (root / "train").is_dir():
        files = _layout_with_parts(root)
        if folds is None:
            files = _as_parts_say(root, files)
        else:
            files = _folds(root, *_all_parts(root, files), seed, folds, fold)
    elif (root / "images").is_dir():
        images, masks = _pairs(root, "images", "masks")
        files = _random(root, images, masks, seed) if folds is None else _folds(root, images, masks, seed, folds, fold)
    else:
        raise FileNotFoundError(f"{root} must hold train/ and train_labels/ (and val, test), or images/ and masks/")
    _check_heads(files, "colours" if table and table.colours else "index")
    if table is None:
        table = _numbered_classes(root, files)
    told_apart, numbers = table.select(classes)
    parts = {part: Rasters(images, masks, table, numbers, unknown) for part, (images, masks) in files.items()}
    return RasterSplits(**parts, classes=told_apart)


def _layout_with_parts(root):
    """{part: (images, {annotator: masks})}, paths."""
    files = {}
    for part, folder in PARTS.items():
        if not (root / folder).is_dir():
            raise FileNotFoundError(f"{root} must hold the folder {folder}/ beside train/")
        files[part] = _pairs(root, folder, f"{folder}_labels")
    return files


def _random(root, images, masks, seed):
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


def _as_parts_say(root, files):
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


def _groups(root, images):
    """(groups, parts) that groups.csv gives the images, lists of text; None without such a column, or the file."""
    path = root / grouping.TABLE
    if not path.exists() and not path.is_symlink():
        return None, None
    known = []
    for image in images:
        below = PurePosixPath(same_form(image.relative_to(root).as_posix()))
        known.append([str(below), str(below.with_suffix("")), below.name, below.stem])
    return grouping.read_groups(path, table_bytes(within(root, path)), known)


def _digests(images):
    """A digest of each image that has a copy, byte for byte; None for the others."""
    return grouping.digests_of_copies(
        [path.stat().st_size for path in images], lambda i: regular(images[i]).read_bytes()
    )


def _some(images, masks, numbers):
    """(images, {annotator: masks}) of some of the images, by their numbers."""
    masks_of = {annotator: tuple(paths[i] for i in numbers) for annotator, paths in masks.items()}
    return tuple(images[i] for i in numbers), masks_of


def _all_parts(root, files):
    """(images, {annotator: masks}) of all parts together, with the annotators who drew every image."""
    images = [path for part, _ in files.values() for path in part]
    names = [path.stem for path in images]
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


def _folds(root, images, masks, seed, folds, fold):
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


def _pairs(root, images, masks):
    """(images, {annotator: masks}) of two folders: paths in the order of their names."""
    image_paths = _image_files(root, images)
    folders = {"": masks}
    for path in sorted(root.glob(f"{masks}_?*")):
        if path.is_dir():
            folders[same_form(path.name.removeprefix(f"{masks}_"))] = path.name
    if len(folders) > 1 and not (root / masks).is_dir():
        del folders[""]
    mask_paths = {}
    for annotator, folder in folders.items():
        drawn = _image_files(root, folder)
        unpaired = sorted(set(image_paths) ^ set(drawn))
        if unpaired:
            here, there = (images, folder) if unpaired[0] in image_paths else (folder, images)
            raise ValueError(f"{root}: {here}/{unpaired[0]} has no partner in {there}/ ({len(unpaired)} such files)")
        mask_paths[annotator] = tuple(drawn[name] for name in image_paths)
    return tuple(image_paths.values()), mask_paths


def _check_heads(files, mode):
    """Raise if files are damaged or masks are not as large as their images; warn of masks that are not turned.

    Args:
        files: {part: (images, {annotator: masks})}, paths.
        mode: of `read_image`, for masks.
    """
    images = [path for part, _ in files.values() for path in part]
    masks = [path for _, of_part in files.values() for drawn in of_part.values() for path in drawn]
    try:
        heads = dict(zip(images + masks, read_all(image_io.image_head, images + masks)))
    except (ValueError, OSError):  # one error should name the files whose heads are whole, but the rest is not, too
        read_all(lambda job: _decode(*job), [(path, "RGB") for path in images] + [(path, mode) for path in masks])
        raise
    errors, unturned = [], []
    for part, of_part in files.values():
        for image, mask in [pair for drawn in of_part.values() for pair in zip(part, drawn)]:
            (shape, orientation), (mask_shape, mask_orientation) = heads[image], heads[mask]
            if shape != mask_shape:
                is_turned = orientation >= 5 and shape == mask_shape[::-1]
                hint = "; EXIF data turn the image, but not the mask" if is_turned else ""
                errors.append(
                    ValueError(f"{mask} must be as large as its image {image.name}, {shape} px; got {mask_shape}{hint}")
                )
            elif orientation not in (1, mask_orientation):
                unturned.append(image)
    raise_all(errors)
    if unturned:
        warnings.warn(
            f"EXIF data turn {len(unturned)} images, but not their masks, which must show the turned images; "
            f"{unturned[0]} is one",
            stacklevel=3,
        )


def _decode(path, mode):
    """Raise if a file cannot be read."""
    image_io.read_image(path, mode)


def _image_files(root, folder):
    """Image files of a folder by their names without endings, in the order of these."""
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


def _numbered_classes(root, files):
    """ClassTable of 0..K - 1, by the numbers that occur in the masks of any part and annotator; BINARY of 0 and 255."""
    paths = [path for _, masks in files.values() for drawn in masks.values() for path in drawn]
    occurs = np.any(read_all(_numbers_in_mask, paths), axis=0)
    if _is_binary(occurs):
        return BINARY
    classes = numbered_classes(f"masks in {root}", np.flatnonzero(occurs[:IGNORE]), f"{TABLE} (name,r,g,b)")
    if occurs[IGNORE]:
        warnings.warn(
            f"masks in {root} hold {IGNORE} beside class numbers: it stands for no class, and is not learned",
            stacklevel=3,
        )
    return classes


def _numbers_in_mask(path):
    """Whether each number occurs in a mask, boolean (256,)."""
    return _occurring(image_io.read_image(path, "index"))


def _occurring(values):
    """Whether each number occurs in an array, boolean (256,); `numpy.bincount` would need 8 bytes a pixel."""
    occurs = np.zeros(256, bool)
    occurs[np.unique(values)] = True
    return occurs


def _is_binary(occurs):
    """Whether masks hold 255 and, besides it, 0 alone."""
    return occurs[IGNORE] and not occurs[1:IGNORE].any()


def warn_of_absent_classes(splits, annotators=("",)):
    """Warn, once for all, of the classes that no training mask of some annotators holds.

    Every image and every mask is read once, on all cores, so that one error names all damaged files before training.

    Args:
        splits: RasterSplits.
        annotators: names; "" is that of the plain masks.

    Raises:
        ValueError: naming the files, or if masks without colours hold 0 and 255 (to ignore) alone.
    """
    jobs = []
    for part in (splits.train, splits.validation, splits.test):
        jobs += [partial(_decode, path, "RGB") for path in part.images]
        for annotator in part.masks:
            is_counted = part is splits.train and annotator in annotators
            jobs += [partial(_classes_in_mask, part, annotator, i, is_counted) for i in range(len(part))]
    classes = [classes for classes in read_all(lambda job: job(), jobs) if classes is not None]
    occurs = np.any(classes, axis=0) if classes else np.zeros(256, bool)  # in these training masks
    if splits.classes.colours is None and _is_binary(occurs):
        raise ValueError(NO_OBJECT)
    absent = [name for k, name in enumerate(splits.classes.names) if not occurs[k]]
    if absent:
        warnings.warn(f"no training mask holds the class {', '.join(absent)}; its scores will be absent", stacklevel=2)


def _classes_in_mask(rasters, annotator, i, is_counted):
    """Whether each class occurs in a mask, boolean (256,); None, unless it counts."""
    classes = rasters.mask(i, annotator)
    return _occurring(classes) if is_counted else None
