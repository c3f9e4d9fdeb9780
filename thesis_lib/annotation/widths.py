"""How wide objects are, and how large annotators' errors are beside them."""

import numpy as np
import pandas as pd
from scipy import ndimage, stats

from thesis_lib.annotation import geometry, voxels
from thesis_lib.annotation.displacements import diameter
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.labels import background_class

WITHIN = stats.norm.cdf(1)  # a Normal displacement is below its mean plus sigma with this probability

PLACE = ("width", "diameter", "error", "error_over_width")  # of annotators and objects on the curve of gains


def object_widths(labels, background: int | None = None, objects=None, spacing=None) -> pd.DataFrame:
    """The width of every object: twice the distance from its middle line to its boundary.

    A pixel's width is that of the nearest place where the distance to the boundary is largest (the middle line). An
    object's width is the median over its pixels. Where the image cuts an object off, it is taken to go on.

    Args:
        labels: integer or boolean label maps (N, H, W) or (H, W), or volumes (N, D, H, W), or a list of maps (H, W) or
            (D, H, W) of several sizes.
        background: its class; the most frequent one if None.
        objects: integers of the labels' shape, 0 or the number of the object; connected regions if None.
        spacing: sides of a pixel or voxel, mm, the same for all images, or, of a list, one for each; 1 px if None.

    Returns:
        DataFrame with a row an object: image, class, width (px or mm), diameter (the same, of a disc of its area or a
        ball of its volume). Its attrs say the unit.

    Raises:
        ValueError: if an argument is not of this kind.

    Example:
        >>> stroke = np.zeros((9, 20), np.uint8)
        >>> stroke[3:6] = 1  # 3 px wide
        >>> object_widths(stroke, background=0)["width"].tolist()
        [3.0]
    """
    several_spacings = spacing is not None and np.ndim(spacing) == 2 and len(spacing) > 1
    if isinstance(labels, list) and (several_spacings or len({np.shape(one) for one in labels}) > 1):
        return _one_by_one(labels, background, objects, spacing)
    labels = voxels.label_maps("labels", labels)
    lengths = voxels.lengths(spacing, voxels.axes(labels))
    background = background_class(labels, background)
    rows = []
    for image, (one, own) in enumerate(zip(voxels.each(labels), voxels.object_numbers(objects, labels))):
        for k, _, mask in geometry.objects(one, background, 1, own):
            if not mask.all():
                rows.append((image, k, _width(mask, lengths), diameter(mask, lengths)))
    return _table(rows, spacing)


def _table(rows, spacing):
    table = pd.DataFrame(rows, columns=["image", "class", "width", "diameter"])
    table.attrs["unit"] = voxels.unit(spacing)
    return table


def _one_by_one(maps, background, objects, spacing):
    """`object_widths` of a list of maps of several sizes or spacings."""
    if background is None:
        raise ValueError("background must be given where maps are of several sizes or spacings; got None")
    numbers = [None] * len(maps) if objects is None else objects
    rows = []
    for i, (one, own, sides) in enumerate(zip(maps, numbers, voxels.lengths_of_images(spacing, len(maps)))):
        one = voxels.one_map(f"labels[{i}]", one)
        found = object_widths(one[None], background, None if own is None else np.asarray(own)[None], sides)
        rows += found.assign(image=i).itertuples(index=False, name=None)
    return _table(rows, spacing)


def _width(mask, lengths):
    """Median width of an object's pixels."""
    distance, outside = ndimage.distance_transform_edt(mask, sampling=lengths, return_indices=True)
    middle = mask & (distance == ndimage.maximum_filter(distance, 3))
    nearest = ndimage.distance_transform_edt(~middle, sampling=lengths, return_distances=False, return_indices=True)
    nearest = tuple(nearest[:, mask])
    # Distances are to the centres of pixels outside, on either side half a pixel's length more than to the boundary.
    steps = np.sqrt(((outside - np.indices(mask.shape)) ** 2).sum(0))[nearest]
    return float(np.median(2 * distance[nearest] - distance[nearest] / steps))


def typical_error(prior) -> float:
    """Half the length of the interval that holds 68% of all displacements; sigma where they are Normal.

    Args:
        prior: BoundaryPrior.
    """
    if not isinstance(prior, BoundaryPrior):
        raise ValueError(f"prior must be a BoundaryPrior; got {prior!r}")
    return float(prior.predictive().ppf(WITHIN) - prior.mean)


def with_errors(widths, annotator):
    """A table of `object_widths` with the typical error of each object and that over its width.

    Args:
        widths: DataFrame of `object_widths`.
        annotator: BoundaryPrior, or a `Population`, whose errors grow with the object.

    Returns:
        DataFrame with the columns error and error_over_width added.

    Raises:
        ValueError: if it has no row, or annotator is of another kind or in another unit.
    """
    if widths.empty:
        raise ValueError("labels must hold an object; got none")
    prior, sizes = getattr(annotator, "prior", annotator), 1.0
    error, unit = typical_error(prior), widths.attrs.get("unit", "px")
    if prior.unit != unit:
        raise ValueError(f"annotator must err in {unit} as the widths are; got a prior in {prior.unit}")
    if prior is not annotator:
        sizes = annotator.factor * (widths["diameter"] / annotator.diameter) ** annotator.growth
    return widths.assign(error=error * sizes, error_over_width=error * sizes / widths["width"])


def of_typical_pixel(widths, column):
    """Median of a column of `object_widths` or `with_errors` over the pixels of all objects.

    Large objects count for more, as they do in Dice, and fragments of a few pixels for next to nothing. Of volumes the
    square of the diameter stands for the surface.
    """
    return float(np.quantile(widths[column], 0.5, weights=widths["diameter"] ** 2, method="inverted_cdf"))


def error_over_width(annotator, labels, background: int | None = None, objects=None, spacing=None) -> float:
    """How large errors are beside the objects: the typical error over the width, the median over their pixels.

    Args:
        annotator: as for `with_errors`.
        labels, background, objects, spacing: as for `object_widths`. With a spacing the annotator errs in mm.

    Returns:
        float.

    Raises:
        ValueError: if the labels hold no object, or an argument is of another kind.
    """
    widths = object_widths(labels, background, objects, spacing)
    return of_typical_pixel(with_errors(widths, annotator), "error_over_width")
