"""Which objects each annotator drew: objects that are missed, and objects that are invented."""

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.annotation import empirical_bayes, geometry, voxels
from thesis_lib.annotation.agreement import counted_images, image_counts
from thesis_lib.annotation.consensus import DRAWN_SHARE
from thesis_lib.labels import IGNORE, background_class, fill_ignored


def missed_and_invented(annotations, references=None, background=None):
    """How many objects each annotator missed, and how many they invented, image by image.

    An object is a connected region of a class. An annotator has drawn an object if they have its class on `DRAWN_SHARE`
    of its pixels. With references an object of the reference that the annotator has not drawn is missed, and an object
    of theirs that meets no object of the reference is invented.

    Without references each annotator is compared with the others. An object that more than half of the others drew
    should be there: the annotator has it or missed it. One of theirs that fewer than half of the others drew is
    invented. Where the others are divided equally nothing is counted. Of two annotators it cannot be told which is
    right, so an object of one alone counts as half an object, half missed by the other and half invented by the one.

    Args:
        annotations, references, background: as for `variation`.

    Returns:
        DataFrame with a row for each image and annotator: image, annotator, objects (that should be there), missed
        (objects among these), invented. The rates are the sums of missed and of invented over the sum of objects.

    Raises:
        ValueError: if annotators or images are missing, or maps differ in shape.
    """
    number, drawings = images(annotations, references)
    tables = []
    for i in range(number):
        maps = drawings(i)
        background = background_of(maps, background)
        table = drawn_objects(maps, None if references is None else references[i], background)
        tables.append(table.assign(image=i))
    return pd.concat(tables, ignore_index=True)[["image", "annotator", "objects", "missed", "invented"]]


def drawn_objects(maps, true, background):
    """The rows of `missed_and_invented` of one image."""
    names = list(maps)
    filled = [fill_ignored(one, one == IGNORE) for one in maps.values()]
    objects, missed, invented = np.zeros((3, len(names)))
    if true is not None:
        true = voxels.one_map("references", true)
        checks.same_shape("references[i]", true, "annotations[i]", filled[0])
        for k, window, mask in geometry.objects(true, background):
            objects += 1
            missed += ~_drew(filled, k, window, mask)
        for i, one in enumerate(filled):
            for k, window, mask in geometry.objects(one, background):
                invented[i] += not (true[window][mask] == k).any()
        return pd.DataFrame({"annotator": names, "objects": objects, "missed": missed, "invented": invented})
    unmatched = 0.5 if len(names) == 2 else 1.0
    for i, one in enumerate(filled):
        for k, window, mask in geometry.objects(one, background):
            drew = _drew(filled, k, window, mask)
            twice, others = 2 * (drew.sum() - 1), len(names) - 1
            objects[i] += twice > others
            invented[i] += unmatched * (twice < others)
            if 2 * drew.sum() > others:  # each of those who drew it counts the same miss
                objects[~drew] += unmatched / drew.sum()
                missed[~drew] += unmatched / drew.sum()
    return pd.DataFrame({"annotator": names, "objects": objects, "missed": missed, "invented": invented})


def _drew(maps, k, window, mask):
    """Which of the maps have class k on `DRAWN_SHARE` of the object or more."""
    return np.array([np.mean(one[window][mask] == k) >= DRAWN_SHARE for one in maps])


def presence_rates(counted, groups=None, level=0.95, repeats=200, seed=0):
    """Rates of missed and of invented objects for each one that should be there, with bootstrap intervals.

    Args:
        counted: DataFrame of `missed_and_invented`.
        groups: of each image, such as its scan, resampled whole; each image by itself if None.
        level: of the intervals, in (0, 1).
        repeats: number of resamples.
        seed: of the resamples.

    Returns:
        dict: missed, "missed low", "missed high", invented, "invented low", "invented high".
    """
    tail = (1 - checks.real("level", level, 0.0, 1.0)) / 2
    checks.table("counted", counted, ("image", "objects", "missed", "invented"))
    if groups is not None:
        number, what = counted["image"].max() + 1, "one for each image, texts or numbers"
        checks.instance("groups", groups, (list, tuple, np.ndarray, pd.Series), what)
        if len(checks.listed("groups", list(groups), (str, int, float, np.generic), what)) < number:
            raise ValueError(f"groups must be {what}, of which there are {number}; got {len(groups)}")
    group = counted["image"] if groups is None else counted["image"].map(dict(enumerate(groups)))
    sums = counted.groupby(group)[["objects", "missed", "invented"]].sum()
    weights = empirical_bayes.bootstrap_weights(np.arange(len(sums)), repeats, seed)
    draws, found = pd.DataFrame([rates(sums, one) for one in weights]), {}
    for name, value in rates(sums).items():
        low, high = draws[name].quantile([tail, 1 - tail])
        found |= {name: value, f"{name} low": low, f"{name} high": high}
    return found


def rates(drawn, weights=None):
    """dict of missed and invented for each object that should be there; missing if there is none."""
    weights = np.ones(len(drawn)) if weights is None else weights
    objects, missed, invented = (float(weights @ drawn[name]) for name in ("objects", "missed", "invented"))
    return {"missed": missed / objects if objects else np.nan, "invented": invented / objects if objects else np.nan}


def images(annotations, references):
    """(number of images, function from an image's number to a dict from annotator to label map)."""
    if isinstance(annotations, dict):
        number = next(iter(image_counts(annotations, references).values()))
        return number, lambda i: _maps(i, {name: maps[i] for name, maps in annotations.items()})
    is_sequence = isinstance(annotations, (list, tuple, np.ndarray)) and len(annotations)
    if not is_sequence or not all(isinstance(one, (list, tuple, np.ndarray)) for one in annotations):
        raise ValueError(
            f"annotations must be a dict of annotators, or label maps of each image; got {checks.shown(annotations)}"
        )
    fewest = 2 if references is None else 1
    if references is not None and counted_images("references", references) != len(annotations):
        raise ValueError(f"references must be one for each of {len(annotations)} images; got {len(references)}")

    def drawings(i):
        if len(annotations[i]) < fewest:
            raise ValueError(
                f"annotations[{i}] must be of two annotators or more, or of one with references; "
                f"got {len(annotations[i])}"
            )
        return _maps(i, dict(enumerate(annotations[i], 1)))

    return len(annotations), drawings


def _maps(i, maps):
    """Label maps of one image, checked."""
    maps = {name: np.asarray(one) for name, one in maps.items()}
    first = next(iter(maps.values()))
    for one in maps.values():
        voxels.one_map(f"annotations of image {i}", one)
        checks.same_shape("annotations[0]", first, "annotations[i]", one)
    return maps


def background_of(maps, background):
    return background_class(next(iter(maps.values())), background)
