"""Whether the files of a folder of images and masks can be used: sizes, damages, absent classes, near duplicates."""

import warnings
from functools import partial

import numpy as np

from thesis_lib import checks
from thesis_lib.data import image_io
from thesis_lib.data.groups import TABLE as GROUPS
from thesis_lib.data.near_duplicates import look, warn_of_near_duplicates
from thesis_lib.data.rasters import RasterSplits
from thesis_lib.data.reading import raise_all, read_all
from thesis_lib.labels import IGNORE

NO_OBJECT = (
    "masks must hold class numbers, as label_class_dict.csv gives no colours; these hold 0 and 255 alone. "
    "If 255 is an object, its colour belongs in the table, or there must be no table"
)


def check_heads(files, mode):
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


def occurring(values):
    """Whether each number occurs in an array, boolean (256,); `numpy.bincount` would need 8 bytes a pixel."""
    occurs = np.zeros(256, bool)
    occurs[np.unique(values)] = True
    return occurs


def is_binary(occurs):
    """Whether masks hold 255 and, besides it, 0 alone."""
    return occurs[IGNORE] and not occurs[1:IGNORE].any()


def warn_of_absent_classes(splits, annotators=("",), labelled=None):
    """Warn, once for all, of classes that no training mask of some annotators holds, and of images that look alike.

    Images in different parts look alike where one is the other, saved again or resized; they stay where they are.

    Every image and every mask is read once, on all cores, so that one error names all damaged files before training.

    Args:
        splits: RasterSplits.
        annotators: names; "" is that of the plain masks.
        labelled: how many of the training images' masks are learned from, the first ones; None: all.

    Raises:
        ValueError: naming the files, or if masks without colours hold 0 and 255 (to ignore) alone, or an argument is of
            another kind.
    """
    checks.instance("splits", splits, RasterSplits, "RasterSplits")
    checks.listed("annotators", annotators, str, "a list of names")
    if labelled is not None:
        checks.integer("labelled", labelled, 1)
    of_parts = splits.parts
    images = [(path, name) for name, part in of_parts.items() for path in part.images]
    jobs = [partial(_look, path) for path, _ in images]
    for part in of_parts.values():
        for annotator in part.masks:
            counted = len(part[:labelled]) if part is splits.train and annotator in annotators else 0
            jobs += [partial(_classes_in_mask, part, annotator, i, i < counted) for i in range(len(part))]
    read = read_all(lambda job: job(), jobs)
    classes = [classes for classes in read[len(images) :] if classes is not None]
    occurs = np.any(classes, axis=0) if classes else np.zeros(256, bool)  # in these training masks
    if splits.classes.colours is None and is_binary(occurs):
        raise ValueError(NO_OBJECT)
    absent = [name for k, name in enumerate(splits.classes.names) if not occurs[k]]
    if absent:
        warnings.warn(f"no training mask holds the class {', '.join(absent)}; its scores will be absent", stacklevel=2)
    names = [f"{path.parent.name}/{path.name}" for path, _ in images]
    warn_of_near_duplicates(names, read[: len(images)], [part for _, part in images], GROUPS)


def _look(path):
    return look(image_io.read_image(path))


def _classes_in_mask(rasters, annotator, i, is_counted):
    """Whether each class occurs in a mask, boolean (256,); None, unless it counts."""
    classes = rasters.mask(i, annotator)
    return occurring(classes) if is_counted else None
