"""Images with a label map each, as uint8 arrays, and the one-file layout `.npz` for a user's own."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from thesis_lib import checks
from thesis_lib.data.class_table import numbered_classes
from thesis_lib.labels import IGNORE, background_class


@dataclass(frozen=True)
class Scenes:
    """Images and what their pixels show.

    Args:
        images: uint8 (N, H, W, C), 0-255.
        labels: uint8 (N, H, W), classes 0..num_classes - 1.
        num_classes: number of classes K.
        background: the background's class.
        class_names: K names.
        objects: integers (N, H, W), 0 or the number of the object that a pixel belongs to; None where connected regions
            are the objects.
    """

    images: np.ndarray
    labels: np.ndarray
    num_classes: int
    background: int
    class_names: tuple
    objects: np.ndarray | None = None

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        """The scenes of a slice or an index array, as Scenes."""
        objects = None if self.objects is None else self.objects[index]
        return replace(self, images=self.images[index], labels=self.labels[index], objects=objects)


def as_uint8_images(name, images):
    """Images of any dtype as uint8.

    Args:
        name: what errors call them.
        images: integers, floats or booleans, (N, H, W) or (N, H, W, C), 0-255. Floats are rounded; True is 255.

    Returns:
        uint8 (N, H, W, C).

    Raises:
        ValueError: for another shape, values that are not finite or outside 0-255, and floats that all lie in 0-1,
            which rounding would turn black.
    """
    if images.ndim not in (3, 4) or images.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must hold numbers of shape (N, H, W) or (N, H, W, C); got {images.shape}, {images.dtype}"
        )
    result = np.empty(images.shape, np.uint8)
    brightest = 0.0
    for start in range(0, len(images), 256):  # images may be a memory map
        part = images[start : start + 256]
        if part.dtype.kind == "f" and not np.isfinite(part).all():
            raise ValueError(f"{name} must be finite; got NaN or infinity in images {start} to {start + len(part) - 1}")
        if part.dtype.kind == "b":
            part = part * np.uint8(255)
        low, high = float(part.min()), float(part.max())
        if low < 0 or high > 255:
            raise ValueError(f"{name} must hold values in 0..255; got {low:g} to {high:g}")
        brightest = max(brightest, high)
        result[start : start + 256] = np.rint(part) if part.dtype.kind == "f" else part
    if images.dtype.kind == "f" and 0 < brightest <= 1:
        raise ValueError(
            f"{name} must hold values in 0..255; floats of at most {brightest:g} look like 0..1: multiply by 255"
        )
    return result if result.ndim == 4 else result[..., None]


def open_array(path, key=None, optional=False):
    """The NumPy array in a .npy file (memory-mapped), or under a key of an .npz file; pickles are refused.

    Args:
        path: the file.
        key: of an .npz file; None for a .npy file.
        optional: whether to return None, rather than raise, where an .npz file has no such key.

    Raises:
        FileNotFoundError, ValueError: naming the file.
    """
    path = checks.path("path", path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; expected a NumPy file")
    try:
        array = np.load(path, mmap_mode="r" if key is None else None, allow_pickle=False)
        return array if key is None else array[key]
    except KeyError:
        if optional:
            return None
        raise ValueError(f"{path} must hold the array {key!r}; it holds {', '.join(array.files)}") from None
    except Exception as error:  # NumPy raises many kinds for damaged files
        raise ValueError(f"{path} is not a readable NumPy file of numbers: {error}") from error


def load_npz(path: str | Path) -> Scenes:
    """Scenes of an `.npz` file with the arrays `images` and `labels`.

    Args:
        path: the file. images: (N, H, W) or (N, H, W, C), 0-255; labels: (N, H, W), classes 0..K - 1, K from 2 to 255.
            Optional: `background`, the background's class (default: the most frequent), and `class_names` (K strings).

    Returns:
        Scenes.

    Raises:
        FileNotFoundError, ValueError: naming the file and what is wrong with it.

    Example:
        >>> np.savez("my_scenes.npz", images=images, labels=labels, class_names=["ground", "roof"])
        >>> scenes = load_npz("my_scenes.npz")
    """
    images, labels = open_array(path, "images"), open_array(path, "labels")
    if images.ndim < 3 or labels.ndim != 3 or len(images) != len(labels) or images.shape[1:3] != labels.shape[1:]:
        raise ValueError(
            f"{path}: images (N, H, W[, C]) and labels (N, H, W) must match; "
            f"got shapes {images.shape} and {labels.shape}"
        )
    labels = checks.label_maps(f"{path}: labels", labels, 256).astype(np.uint8)
    if (labels == IGNORE).any():
        raise ValueError(
            f"{path}: labels must be classes 0..K - 1, at most 254; "
            f"{IGNORE} stands for 'no label', which is not one of them"
        )
    background, names = _background(path), _class_names(path)
    highest = int(labels.max())
    background = background_class(labels, background)
    if not names and background > highest + 1:
        raise ValueError(
            f"{path}: background must be a class of the labels, 0 to {highest}, or the next; got {background}"
        )
    num_classes = max(highest + 1, background + 1, len(names))
    if num_classes < 2:
        raise ValueError(f"{path}: labels must be of two classes or more; got {np.unique(labels).tolist()}")
    if names and len(names) != num_classes:
        raise ValueError(f"{path}: class_names must name all {num_classes} classes; got {len(names)} names")
    names = names or numbered_classes(f"{path}: labels", [*np.unique(labels), background], "class_names").names
    return Scenes(as_uint8_images(f"{path}: images", images), labels, num_classes, background, names)


def _background(path):
    background = open_array(path, "background", optional=True)
    if background is None:
        return None
    if background.shape or background.dtype.kind not in "iu" or not 0 <= background < IGNORE:
        raise ValueError(
            f"{path}: background must be a class, a whole number from 0 to {IGNORE - 1}; got {background!r}"
        )
    return int(background)


def _class_names(path):
    names = open_array(path, "class_names", optional=True)
    if names is None or (names.ndim == 1 and not names.size):
        return ()
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise ValueError(f"{path}: class_names must be a one-dimensional array of texts; got {names!r}")
    if len(set(names.tolist())) < len(names):
        raise ValueError(f"{path}: class_names must all be different; got {names.tolist()!r}")
    return tuple(str(name) for name in names)
