"""What a label map is: integer classes 0..K - 1, the value for pixels to ignore (255), and the background class.

Every package takes these conventions from here.
"""

import numpy as np
from scipy import ndimage

from thesis_lib import checks

IGNORE = 255  # the label of a pixel whose class is unknown; the pixel counts in no loss and no score


def fill_ignored(labels, ignored):
    """Give every pixel to ignore the class of the nearest other pixel.

    The edge of a region to ignore is then no boundary: nobody drew one there.

    Args:
        labels: integer or boolean label map (H, W).
        ignored: boolean array (H, W), True at the pixels to ignore.

    Returns:
        label map (H, W); `labels` itself if no pixel or every pixel is to be ignored.
    """
    if not ignored.any() or ignored.all():
        return labels
    nearest = ndimage.distance_transform_edt(ignored, return_distances=False, return_indices=True)
    return labels[tuple(nearest)]


def background_class(labels, background=None):
    """The background's class: the given one; without one, False for masks and the most frequent class for label maps.

    Args:
        labels: integer or boolean array; pixels of 255 do not count.
        background: a class that the dtype of `labels` can hold, or None.

    Returns:
        int.

    Raises:
        ValueError: if `background` is not such a class.
    """
    if background is not None:
        largest = 1 if labels.dtype.kind == "b" else np.iinfo(labels.dtype).max
        return checks.integer("background", background, 0, largest)
    if labels.dtype.kind == "b":
        return 0
    return int(np.argmax(np.bincount(labels[labels != IGNORE].ravel(), minlength=1)))
