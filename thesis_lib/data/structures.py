"""Structures that overlap, such as a whole tumour and its core, as a channel each, made from a class map."""

import numpy as np

from thesis_lib import checks
from thesis_lib.labels import IGNORE


def structures(labels, regions):
    """Labels of structures that overlap, as `thesis_lib.targets.Overlapping` takes them.

    Args:
        labels: integer class map (H, W) or (D, H, W), or several (N, H, W) or (N, D, H, W); 255 where nothing is known.
        regions: {name: class number, or numbers} of the S structures, in the order of their channels, such as
            `NnUNet.regions`.

    Returns:
        uint8 array with a last axis S more: 1 where the class is one of the structure's, 0 elsewhere, 255 in all
        channels where the class is 255.

    Raises:
        ValueError: if an argument is not of this kind.

    Example:
        >>> structures([[0, 1, 2, 255]], {"whole": (1, 2), "core": 2})[..., 1]
        array([[  0,   0,   1, 255]], dtype=uint8)
    """
    labels = checks.array("labels", labels)
    planes = np.concatenate(labels) if labels.ndim == 4 and labels.size else labels
    checks.label_maps("labels", planes, ignore=IGNORE)
    channels = [np.isin(labels, numbers) for numbers in checked_regions("regions", regions).values()]
    found = np.stack(channels, -1).astype(np.uint8)
    found[labels == IGNORE] = IGNORE
    return found


def checked_regions(name, regions):
    """A user's regions as {name: list of class numbers}; `name` is that of the argument, for the error."""
    what = f"a dict from names of structures to class numbers, such as {{'whole': (1, 2), 'core': 2}}, without {IGNORE}"
    checks.instance(name, regions, dict, what)
    found = {}
    for structure, several in regions.items():
        several = list(several) if isinstance(several, (list, tuple, np.ndarray)) else [several]
        if not isinstance(structure, str) or not several or any(_is_no_class(number) for number in several):
            raise ValueError(f"{name} must be {what}; got {checks.shown(regions)}")
        found[structure] = [int(number) for number in several]
    if not found:
        raise ValueError(f"{name} must be {what}; got an empty one")
    return found


def _is_no_class(number):
    is_whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    return not is_whole or number == IGNORE or not 0 <= number < checks.MOST_CLASSES
