"""The consensus of several annotations of one image: their shape-based average.

(Rohlfing & Maurer, "Shape-based averaging", IEEE Transactions on Image Processing, 2007.)
"""

import math

import numpy as np
from scipy import ndimage

from thesis_lib import checks
from thesis_lib.annotation import voxels
from thesis_lib.annotation.geometry import signed_distance
from thesis_lib.labels import IGNORE, background_class, fill_ignored

DRAWN_SHARE = 0.25  # of an object's pixels that an annotator must have in its class to count as having drawn it


def shape_based_average(annotations, background: int | None = None, spacing=None) -> tuple[np.ndarray, dict]:
    """The average of several annotations: every pixel takes the class whose mean signed distance is largest.

    (Rohlfing & Maurer, 2007.) An object that at most half of the annotators drew is not in it. Where the majority drew
    an object, annotators who did not draw it have no vote.

    Args:
        annotations: label maps (H, W) of one image, or (D, H, W) of one volume, one for each annotator, two or more.
        background: taken where classes tie; the most frequent class if None.
        spacing: sides of a pixel or voxel, mm; 1 px if None.

    Returns:
        (labels, distances): labels, the average, 255 where any annotator has 255; distances, a dict from each object's
        class to a float array of the same shape, px or mm, positive inside. Their zeros are the boundaries, which need
        not lie between pixels.

    Raises:
        ValueError: if there are fewer than two annotations, or one is of another kind or shape.
    """
    checks.instance("annotations", annotations, (list, tuple, np.ndarray), "label maps of two annotators or more")
    maps = [voxels.one_map("annotations", one) for one in annotations]
    if len(maps) < 2:
        raise ValueError(f"annotations must be of two annotators or more; got {len(maps)}")
    for one in maps[1:]:
        checks.same_shape("annotations[0]", maps[0], "annotations[i]", one)
    maps = np.stack(maps)
    lengths = voxels.lengths(spacing, maps.ndim - 1)
    background = background_class(maps, background)
    classes = np.unique(maps)
    classes = np.array([background, *classes[(classes != background) & (classes != IGNORE)]], maps.dtype)
    filled = np.stack([fill_ignored(one, one == IGNORE) for one in maps])
    kept, voters = _majority_objects(filled, background, lengths)
    if len(classes) == 2:  # what is inside the object is outside of the background
        inside = _mean_distance(kept == classes[1], voters, lengths)
        mean = np.stack([-inside, inside])
    else:
        mean = np.stack([_mean_distance(kept == k, voters, lengths) for k in classes])
    distances = {}
    for i, k in enumerate(classes[1:], 1):
        distances[int(k)] = mean[i] - np.delete(mean, i, 0).max(0)
    average = classes[np.argmax(mean, axis=0)]
    return np.where((maps == IGNORE).any(0), np.array(IGNORE).astype(maps.dtype), average), distances


def _mean_distance(masks, voters, lengths):
    """Mean signed distance (H, W) to masks (M, H, W) over the annotators who have a vote there."""
    # Stands for the distance to a class that an annotator did not draw.
    diagonal = math.hypot(*(lengths * masks.shape[1:]))
    total = 0
    for mask, votes in zip(masks, voters):
        total = total + votes * np.clip(signed_distance(mask, lengths), -diagonal, diagonal)
    return total / voters.sum(0)


def _majority_objects(maps, background, lengths):
    """Maps (M, H, W) without the objects that at most half of M annotators drew, and where each has a vote (M, H, W).

    An annotator counts as having drawn a connected object if they have its class on `DRAWN_SHARE` of its pixels.
    """
    kept = maps.copy()
    missed = np.zeros(maps.shape, bool)
    for own, kept_map in zip(maps, kept):
        for k in np.setdiff1d(np.unique(own), [background, IGNORE]):
            objects, count = ndimage.label(own == k)
            sizes = np.bincount(objects.ravel(), minlength=count + 1)
            overlaps = np.array([np.bincount(objects[one == k], minlength=count + 1) for one in maps])
            drew = overlaps >= DRAWN_SHARE * sizes
            drew[:, 0] = True  # not an object
            majority = 2 * drew.sum(0) > len(maps)
            kept_map[~majority[objects]] = background
            missed |= (majority & ~drew)[:, objects]
    voters = np.ones(maps.shape, bool)
    for kept_map, missed_here, votes in zip(kept, missed, voters):
        if missed_here.any():  # an annotator votes where the nearest object is one that they drew
            drawn = kept_map != background
            to_drawn, to_missed = (
                ndimage.distance_transform_edt(~mask, sampling=lengths) for mask in (drawn, missed_here)
            )
            votes[:] = drawn.any() and to_drawn <= to_missed
    return kept, voters | ~voters.any(0)
