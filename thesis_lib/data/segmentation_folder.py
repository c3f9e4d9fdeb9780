"""Folders of images and masks for segmentation: which files belong together, and whether they can be used."""

import warnings

import numpy as np

from thesis_lib import checks
from thesis_lib.data import image_io
from thesis_lib.data.class_table import ClassTable, numbered_classes, read_class_table
from thesis_lib.data.raster_checks import check_heads, is_binary, occurring
from thesis_lib.data.raster_parts import all_parts, at_random, image_files, in_folds, unlabelled_images, without_copies
from thesis_lib.data.rasters import Rasters, RasterSplits
from thesis_lib.data.reading import existing_folder, read_all, same_form, within
from thesis_lib.labels import IGNORE

PARTS = {"train": "train", "validation": "val", "test": "test"}
TABLE = "label_class_dict.csv"
BINARY = ClassTable(("background", "object"), ((0, 0, 0), (255, 255, 255)))


def load_segmentation_folder(root, classes=None, unknown="error", seed=0, folds=None, fold=0, unlabelled=False):
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
    which part an image of the plain layout belongs to. The columns have no other names: the table is for this alone.

    Images that EXIF data turn are read upright; where their masks are not turned, a warning says so.

    Images without a mask lie in `unlabelled/`, whatever the layout. Copies of validation or test images, and images of
    their groups, are left out. In `groups.csv` they may have rows.

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
        unlabelled: whether the images of `unlabelled/` are wanted, if there are any.

    Returns:
        RasterSplits.

    Raises:
        FileNotFoundError, ValueError: naming the folder or file: no such layout, an image without a mask or the
            reverse, two files of one name, a file or link that leads outside the folder; all files that are damaged or
            whose sizes differ; numbers that look like colours, without a file that lists them; folds that the images
            are too few for.

    Example:
        >>> splits = load_segmentation_folder("my_images", classes=["building"])
        >>> splits.train.image(0), splits.train.mask(0)  # uint8 (H, W, 3) and uint8 (H, W)
    """
    root = existing_folder("root", root, "images and masks")
    checks.one_of("unknown", unknown, ("error", "ignore"))
    checks.integer("seed", seed, 0)
    unlabelled = checks.boolean("unlabelled", unlabelled)
    has_table = (root / TABLE).exists() or (root / TABLE).is_symlink()
    table = read_class_table(within(root, root / TABLE)) if has_table else None
    if (root / "train").is_dir():
        files = _layout_with_parts(root)
        if folds is None:
            files = without_copies(root, files)
        else:
            files = in_folds(root, *all_parts(root, files), seed, folds, fold)
    elif (root / "images").is_dir():
        images, masks = _pairs(root, "images", "masks")
        files = (
            at_random(root, images, masks, seed) if folds is None else in_folds(root, images, masks, seed, folds, fold)
        )
    else:
        raise FileNotFoundError(f"{root} must hold train/ and train_labels/ (and val, test), or images/ and masks/")
    if unlabelled:
        files["unlabelled"] = unlabelled_images(root, files), {}
    check_heads(files, "colours" if table and table.colours else "index")
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


def _pairs(root, images, masks):
    """(images, {annotator: masks}) of two folders: paths in the order of their names."""
    image_paths = image_files(root, images)
    folders = {"": masks}
    for path in sorted(root.glob(f"{masks}_?*")):
        if path.is_dir():
            folders[same_form(path.name.removeprefix(f"{masks}_"))] = path.name
    if len(folders) > 1 and not (root / masks).is_dir():
        del folders[""]
    mask_paths = {}
    for annotator, folder in folders.items():
        drawn = image_files(root, folder)
        unpaired = sorted(set(image_paths) ^ set(drawn))
        if unpaired:
            path, lacks = image_paths.get(unpaired[0]), f"mask in {folder}/"
            if path is None:
                path, lacks = drawn[unpaired[0]], f"image in {images}/"
            others = f"; {len(unpaired)} files have no partner" if len(unpaired) > 1 else ""
            raise ValueError(f"{root}: {path.parent.name}/{path.name} has no {lacks}{others}")
        mask_paths[annotator] = tuple(drawn[name] for name in image_paths)
    return tuple(image_paths.values()), mask_paths


def _numbered_classes(root, files):
    """ClassTable of 0..K - 1, by the numbers that occur in the masks of any part and annotator; BINARY of 0 and 255."""
    paths = [path for _, masks in files.values() for drawn in masks.values() for path in drawn]
    of_masks = np.stack(read_all(_numbers_in_mask, paths))
    occurs = of_masks.any(axis=0)
    if is_binary(occurs):
        return BINARY
    holder = lambda number: paths[of_masks[:, number].argmax()].relative_to(root)
    numbers = np.flatnonzero(occurs[:IGNORE])
    classes = numbered_classes(f"masks in {root}", numbers, f"{TABLE} (name,r,g,b)", holder)
    if occurs[IGNORE]:
        warnings.warn(
            f"masks in {root} hold {IGNORE} beside class numbers: it stands for no class, and is not learned",
            stacklevel=3,
        )
    return classes


def _numbers_in_mask(path):
    """Whether each number occurs in a mask, boolean (256,)."""
    return occurring(image_io.read_image(path, "index"))
