"""What `BoundaryPrior` is fitted to: displacements that are measured between drawings, or that the user has."""

import math
from dataclasses import replace

import numpy as np

from thesis_lib import checks
from thesis_lib.annotation import voxels
from thesis_lib.annotation.displacements import ObjectDisplacements, object_displacements, warn_of_small_radius
from thesis_lib.annotation.moments import checked_series
from thesis_lib.annotation.stretches import places, stretches

NOTHING_SHARED = "both label maps must share at least one object with a boundary; got none"


def same_unit(prior, spacing, name="prior"):
    """Raise unless lengths measured with this spacing have the unit of the prior."""
    unit = voxels.unit(spacing)
    if prior.unit != unit:
        given = "a spacing is" if unit == "mm" else "no spacing is"
        raise ValueError(f"{name} must be in {unit} where {given} given; got one in {prior.unit}")


def between(names, first, second, background, search_radius, spacing):
    """Displacements of one drawing against another; warns where `search_radius` is too small.

    Returns:
        (series, points): lists of arrays, one for each boundary; points is None in images.

    Raises:
        ValueError: if no object is in both.
    """
    first, second = (voxels.label_maps(name, maps) for name, maps in zip(names, (first, second)))
    checks.same_shape(names[0], first, names[1], second)
    found = stretches(first, second, background, search_radius, spacing)
    if not found:
        raise ValueError(NOTHING_SHARED)
    values = np.concatenate([one.values for one in found])
    warn_of_small_radius(search_radius, values.std(), values.mean(), voxels.unit(spacing), stacklevel=4)
    return [one.values for one in found], places(found)


def between_objects(names, first, second, background, search_radius, spacing):
    """`ObjectDisplacements` of the differences of two drawings over sqrt(2), both ways round: neither is the truth."""
    first, second = (voxels.label_maps(name, maps) for name, maps in zip(names, (first, second)))
    checks.same_shape(names[0], first, names[1], second)
    found = []
    for pair in ((first, second), (second, first)):
        found += object_displacements(*pair, background, search_radius, spacing=spacing)
    if not found:
        raise ValueError(NOTHING_SHARED)
    return [replace(one, values=one.values / math.sqrt(2)) for one in found]


def objects_of(series, unit):
    """What `fit_population` is given: (series, points, unit), from arrays or from `ObjectDisplacements`."""
    if isinstance(series, (list, tuple)) and series and all(isinstance(one, ObjectDisplacements) for one in series):
        units = sorted({one.unit for one in series})
        if len(units) > 1:
            raise ValueError(f"series must have displacements of one unit; got {' and '.join(units)}")
        unit = units[0]
        points, series = places(series), [one.values for one in series]
    else:
        points = None
    return checked_series(series), points, unit
