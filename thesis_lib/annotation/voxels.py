"""Arrays of images and of volumes, and the size of their pixels or voxels.

An array with two axes is an image (H, W), with three a set of images (N, H, W), with four a set of volumes (N, D, H,
W). One volume is `volume[None]`. Without a spacing lengths are in px, and a voxel is a cube of side 1 px. With one they
are in its unit, mm, and all images of an array share it. Images of several spacings are therefore passed one by one.
"""

import numpy as np

from thesis_lib import checks

KINDS = {
    2: "two lengths, of rows and columns, more than 0",
    3: "three lengths, of planes, rows and columns, more than 0",
}


def label_maps(name, value, num_classes=None, ignore=None):
    """`checks.label_maps` for volumes (N, D, H, W) as well."""
    maps = checks.array(name, value)
    if maps.ndim != 4 or not maps.size:
        return checks.label_maps(name, maps, num_classes, ignore)
    return checks.label_maps(name, maps.reshape((-1,) + maps.shape[2:]), num_classes, ignore).reshape(maps.shape)


def axes(labels):
    """2 for images, 3 for volumes."""
    return 3 if labels.ndim == 4 else 2


def each(labels):
    """The same labels with an axis over images or volumes in front, be it of one."""
    return labels.reshape((-1,) + labels.shape[-axes(labels) :])


def one_map(name, value):
    """`value` as an array, if it is one label map (H, W) or the map of one volume (D, H, W)."""
    found = checks.array(name, value)
    if found.ndim not in (2, 3):
        raise ValueError(f"{name} must be label maps (H, W) or (D, H, W), one for each image; got shape {found.shape}")
    return label_maps(name, found[None])[0]


def object_numbers(objects, labels):
    """The numbers of the objects of each image or volume, checked: a sequence; None of each where they are not given.

    Args:
        objects: integers of the labels' shape, 0 or the number of the object, or None.
        labels: label maps.
    """
    if objects is None:
        return [None] * len(each(labels))
    found = checks.array("objects", objects)
    if found.dtype.kind not in "iub":
        raise ValueError(f"objects must be whole numbers of the labels' shape; got dtype {found.dtype}")
    checks.same_shape("labels", labels, "objects", found)
    return each(found.astype(np.int64, copy=False))


def lengths(spacing, count, name="spacing"):
    """The sides of a pixel or voxel.

    Args:
        spacing: a length for each axis, mm, or None: all are then 1 px.
        count: of the axes, 2 for images or 3 for volumes.
        name: of the argument, for the error.

    Returns:
        float array (count,).

    Raises:
        ValueError: if there are not as many lengths as axes, or the lengths of several images.
    """
    if spacing is None:
        return np.ones(count)
    found = checks.number_array(name, spacing, KINDS[count]).astype(float)
    if found.ndim == 2 and len(found) > 1:
        raise ValueError(
            f"{name} must be {KINDS[count]}, the same for all images of an array (pass images of several spacings one "
            f"by one); got {spacing!r}"
        )
    if found.shape != (count,) or found.min() <= 0:
        raise ValueError(f"{name} must be {KINDS[count]}; got {spacing!r}")
    return found


def lengths_of_images(spacing, number, name="spacing"):
    """The spacing of each of several images: one for all, or a sequence with one for each.

    Args:
        spacing: a length for each axis, mm, a sequence of these for each image, or None.
        number: of images.
        name: of the argument, for the error.

    Returns:
        list with an entry for each image, to be checked by `lengths`; None where it is not known.
    """
    if spacing is None or not np.ndim(spacing[0]):
        return [spacing] * number
    if len(spacing) != number:
        raise ValueError(f"{name} must be one for all images or one for each of {number}; got {len(spacing)}")
    return list(spacing)


def unit(spacing):
    """The unit of lengths: mm where a spacing is given, px without one."""
    return "px" if spacing is None else "mm"
