"""How wide objects are, and how large annotators' errors are beside them."""

import math

import numpy as np
import pandas as pd
from scipy import ndimage, stats

from thesis_lib import checks
from thesis_lib.annotation import geometry
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.labels import background_class

WITHIN = stats.norm.cdf(1)  # a Normal displacement is below its mean plus sigma with this probability

PLACE = ("width", "diameter", "error", "error_over_width")  # of annotators and objects on the curve of gains


def object_widths(labels, background=None, objects=None):
    """The width of every object: twice the distance from its middle line to its boundary.

    A pixel's width is that of the nearest place where the distance to the boundary is largest (the middle line). An
    object's width is the median over its pixels. Where the image cuts an object off, it is taken to go on.

    Args:
        labels: integer or boolean label maps (N, H, W) or (H, W), or a list of maps (H, W) of several sizes.
        background: its class; the most frequent one if None.
        objects: integers of the labels' shape, 0 or the number of the object; connected regions if None.

    Returns:
        DataFrame with a row an object: image, class, width (px), diameter (px, of a disc of its area).

    Raises:
        ValueError: if an argument is not of this kind.

    Example:
        >>> stroke = np.zeros((9, 20), np.uint8)
        >>> stroke[3:6] = 1  # 3 px wide
        >>> object_widths(stroke, background=0)["width"].tolist()
        [3.0]
    """
    if isinstance(labels, list) and len({np.shape(one) for one in labels}) > 1:
        return _of_several_sizes(labels, background, objects)
    labels = checks.label_maps("labels", labels)
    background = background_class(labels, background)
    maps = labels.reshape((-1,) + labels.shape[-2:])
    numbers = [None] * len(maps) if objects is None else np.asarray(objects).reshape(maps.shape)
    rows = []
    for image, (one, own) in enumerate(zip(maps, numbers)):
        for k, _, mask in geometry.objects(one, background, 1, own):
            if not mask.all():
                rows.append((image, k, _width(mask), 2 * math.sqrt(mask.sum() / math.pi)))
    return pd.DataFrame(rows, columns=["image", "class", "width", "diameter"])


def _of_several_sizes(maps, background, objects):
    """`object_widths` of a list of maps, one after the other."""
    if background is None:
        raise ValueError("background must be given where maps are of several sizes; got None")
    numbers = [None] * len(maps) if objects is None else objects
    tables = [object_widths(one, background, own).assign(image=i) for i, (one, own) in enumerate(zip(maps, numbers))]
    return pd.concat(tables, ignore_index=True)


def _width(mask):
    """Median width of an object's pixels, px."""
    distance = ndimage.distance_transform_edt(mask)
    middle = mask & (distance == ndimage.maximum_filter(distance, 3))
    nearest = ndimage.distance_transform_edt(~middle, return_distances=False, return_indices=True)
    return float(np.median(2 * distance[tuple(nearest)][mask] - 1))


def typical_error(prior):
    """Half the length of the interval that holds 68% of all displacements, px; sigma where they are Normal.

    Args:
        prior: BoundaryPrior.
    """
    if not isinstance(prior, BoundaryPrior):
        raise ValueError(f"prior must be a BoundaryPrior; got {prior!r}")
    return float(prior.predictive().ppf(WITHIN) - prior.mean)


def with_errors(widths, annotator):
    """A table of `object_widths` with the typical error of each object, px, and that over its width.

    Args:
        widths: DataFrame of `object_widths`.
        annotator: BoundaryPrior, or a `Population`, whose errors grow with the object.

    Returns:
        DataFrame with the columns error and error_over_width added.

    Raises:
        ValueError: if it has no row, or annotator is of another kind.
    """
    if widths.empty:
        raise ValueError("labels must hold an object; got none")
    prior, sizes = getattr(annotator, "prior", annotator), 1.0
    if prior is not annotator:
        sizes = annotator.factor * (widths["diameter"] / annotator.diameter) ** annotator.growth
    error = typical_error(prior) * sizes
    return widths.assign(error=error, error_over_width=error / widths["width"])


def of_typical_pixel(widths, column):
    """Median of a column of `object_widths` or `with_errors` over the pixels of all objects.

    Large objects count for more, as they do in Dice, and fragments of a few pixels for next to nothing.
    """
    return float(np.quantile(widths[column], 0.5, weights=widths["diameter"] ** 2, method="inverted_cdf"))


def error_over_width(annotator, labels, background=None, objects=None):
    """How large errors are beside the objects: the typical error over the width, the median over their pixels.

    Args:
        annotator: as for `with_errors`.
        labels, background, objects: as for `object_widths`.

    Returns:
        float.

    Raises:
        ValueError: if the labels hold no object, or an argument is of another kind.
    """
    return of_typical_pixel(with_errors(object_widths(labels, background, objects), annotator), "error_over_width")
