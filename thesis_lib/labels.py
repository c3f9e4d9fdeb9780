"""What a label map is: integer classes 0..K - 1, the pixels to ignore (255), the background class.

Every package reads these conventions from here.
"""

import numpy as np
from scipy import ndimage

from thesis_lib import checks

IGNORE = 255  # in label maps: a pixel that belongs to no class; it counts in no loss and no score


def fill_ignored(labels, ignored):
    """A label map (H, W) whose pixels to ignore, a boolean array of its shape, have the class of the nearest other pixel: their edge is
    no boundary that anyone drew. As it is where all or nothing is to be ignored."""
    if not ignored.any() or ignored.all():
        return labels
    return labels[tuple(ndimage.distance_transform_edt(ignored, return_distances=False, return_indices=True))]


def background_class(labels, background=None):
    """The class that counts as background: the given one, else False for masks, else the most frequent class."""
    if background is not None:
        largest = 1 if labels.dtype.kind == "b" else np.iinfo(labels.dtype).max
        return checks.integer("background", background, 0, largest)
    if labels.dtype.kind == "b":
        return 0
    return int(np.argmax(np.bincount(labels[labels != IGNORE].ravel(), minlength=1)))
