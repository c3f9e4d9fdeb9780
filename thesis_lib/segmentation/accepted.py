"""What single parameters of a segmentation training accept: checks for `parameters.other`, called with (name, value).

Each returns the value as plain Python, or raises ValueError.
"""

from pathlib import Path

import numpy as np

from thesis_lib import checks
from thesis_lib.data.patches import checked_scale
from thesis_lib.data.reading import as_name
from thesis_lib.data.volumes import checked_spacing
from thesis_lib.labels import IGNORE
from thesis_lib.models.deeplab import check as check_deeplab
from thesis_lib.training.optimization import use_xla

REGIONS = "regions"  # the structures that nnU-Net's dataset.json names
SHORTEST = 4  # voxels, of a side of the crops of volumes


def names(name, value):
    """A list of different names; a single name is a list of one."""
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    values = [as_name(name, one, "a list of names") for one in values]
    if not values or len(set(values)) < len(values):
        raise ValueError(f"{name} must be a list of different names; got {value!r}")
    return values


def mapping(name, value):
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a mapping; got {value!r}")
    return value


def data(name, value):
    """A name or a path, a Path as str; or a whole number."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be 'sample', a number of scenes, or a path; got {value!r}")
    return value


def mask_folder(name, value):
    return as_name(name, value, "the name of an annotator's mask folder")


def structures(name, value):
    """The word "regions", or a mapping from names that files can have to lists of class numbers or names."""
    if value == REGIONS:
        return value
    what = f"{REGIONS!r} or a mapping from names to lists of classes, such as {{'whole': [1, 2], 'core': [2]}}"
    found = {}
    for structure, several in (value if isinstance(value, dict) else {}).items():
        title = as_name(f"{name}, a name in it,", structure)
        if set(title) & set("/\\\0") or not title.strip(" ."):
            raise ValueError(f"{name} must have names that files can have; got {title!r}")
        plain = several.tolist() if isinstance(several, (np.ndarray, np.generic)) else several
        plain = plain if isinstance(plain, (list, tuple)) else [plain]
        found[title] = [int(one) if isinstance(one, np.integer) else one for one in plain]
        for one in found[title]:
            if isinstance(one, str) and one:
                continue
            if not isinstance(one, int) or isinstance(one, bool) or not 0 <= one < IGNORE:
                raise ValueError(f"{name} must be {what}; got {checks.shown(one)} as a class of {title!r}")
        if not found[title]:
            raise ValueError(f"{name} must be {what}; got no class of {title!r}")
        if f"{title}_probability" in value:  # as the picture of its probability is called
            raise ValueError(f"{name} must have names whose files differ; got {title!r} and '{title}_probability'")
    if not found:
        raise ValueError(f"{name} must be {what}; got {checks.shown(value)}")
    return found


def of_structures(low):
    """A check of a finite number, `low` or more, or of a mapping from names of structures to such numbers."""

    def check(name, value):
        if not isinstance(value, dict):
            return checks.real(name, value, low)
        return {
            as_name(f"{name}, a name in it,", structure): checks.real(f"{name}[{structure!r}]", number, low)
            for structure, number in value.items()
        }

    return check


def rates(name, value):
    """A list of dilation rates; a single one is a list of one."""
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    check_deeplab(values, 0.0)
    return values


def crop(name, value):
    """A side, or a list of three sides."""
    if isinstance(value, (list, tuple)):
        return list(checks.lengths(name, value, 3, "a number, or voxels along depth, height and width", SHORTEST))
    return checks.integer(name, value, 1)


def spacing(name, value):
    return list(checked_spacing(name, value))


def scale(name, value):
    """The word "standard", or a list of two values."""
    checked = checked_scale(value)
    return checked if isinstance(checked, str) else list(checked)


def xla(name, value):
    use_xla(value)
    return value
