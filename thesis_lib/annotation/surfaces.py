"""The surfaces of volumes: where they cross the grid, points spread evenly over them, distances to them.

A surface runs halfway between the centres of neighbouring voxels of different classes, as the triangles of marching
cubes do (Lorensen & Cline, SIGGRAPH 1987): it crosses the line between the two centres there. Between these places it
is taken to go through their mean in each cell of eight centres (surface nets, Gibson, MICCAI 1998). Where an object
touches the edge of the volume it has no surface: nobody drew one there.
"""

import itertools

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

NEIGHBOURS = np.ones((3, 3, 3))  # voxels that touch at a corner belong to one object


def crossings(field, level=0.5):
    """Where the surface of a field crosses the lines between the centres of neighbouring voxels.

    Args:
        field: boolean or float array (D, H, W); inside it is above `level`.
        level: its value at the surface.

    Returns:
        (points, axis, inner, outer): float array (n, 3) of places in voxels; the axis (n,) of each one's line; int
        arrays (n, 3), the voxels on the inside and on the outside. They are in the order of the voxels.
    """
    field = np.asarray(field, float)
    inside = field > level
    points, axes, inner, outer = [], [], [], []
    for axis in range(3):
        first = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        second = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        where = np.argwhere(inside[first] != inside[second])
        before, after = field[first][tuple(where.T)], field[second][tuple(where.T)]
        at = where.astype(float)
        at[:, axis] += (level - before) / (after - before)
        step = np.eye(3, dtype=int)[axis]
        swapped = (after > before)[:, None]
        points.append(at)
        axes.append(np.full(len(at), axis))
        inner.append(where + step * swapped)
        outer.append(where + step * ~swapped)
    found = [np.concatenate(one) for one in (points, axes, inner, outer)]
    order = np.lexsort(np.minimum(found[2], found[3]).T[::-1])
    return tuple(one[order] for one in found)


def spread(field, level, outward, lengths):
    """Points spread evenly over each connected surface of a field, one for each area of a voxel's largest face.

    A piece of surface of normal n crosses the lines along each axis once for each |n| of a face, so each crossing
    stands for an area that follows from its normal. Of these every so many are taken.

    Args:
        field, level: as for `crossings`.
        outward: function from places (n, 3), in voxels, to unit normals (n, 3).
        lengths: sides of a voxel (3,).

    Returns:
        list of (points, normals), one for each connected surface: float arrays (n, 3), places in voxels.
    """
    points, _, inner, outer = crossings(field, level)
    if not len(points):
        return []
    inside = np.asarray(field) > level
    parts = ndimage.label(inside, NEIGHBOURS)[0], ndimage.label(~inside)[0]
    sides = [part[tuple(voxel.T)] for part, voxel in zip(parts, (inner, outer))]
    _, surface = np.unique(np.stack(sides, axis=1), axis=0, return_inverse=True)
    normals = outward(points)
    faces = np.prod(lengths) / lengths
    largest = faces.max()
    shares = 1 / np.maximum((np.abs(normals) / faces).sum(1) * largest, 1.0)
    found = []
    for number in range(surface.max() + 1):
        own = np.flatnonzero(surface == number)
        passed = np.floor(np.cumsum(shares[own]) + 0.5)
        own = own[np.diff(passed, prepend=0.0) > 0]
        if len(own):
            found.append((points[own], normals[own]))
    return found


def _samples(points, axis, shape):
    """Points close together on the surface: its crossings (n, 3), its middle in every cell, and halfway between."""
    totals, counts = np.zeros((*shape, 3)), np.zeros(shape)
    cells = []
    for shift in itertools.product((0, 1), repeat=2):
        step = np.zeros((len(points), 3), int)
        for a in range(3):  # the four cells around a line
            others = [b for b in range(3) if b != a]
            step[axis == a] = np.eye(3, dtype=int)[others].T @ shift
        cell = np.floor(points).astype(int) - step
        within = (cell >= 0).all(1) & (cell < np.array(shape) - 1).all(1)
        cells.append((cell[within], within))
        np.add.at(totals, tuple(cell[within].T), points[within])
        np.add.at(counts, tuple(cell[within].T), 1)
    middle = totals / np.maximum(counts, 1)[..., None]
    halfway = [(points[within] + middle[tuple(cell.T)]) / 2 for cell, within in cells]
    return np.concatenate([points, middle[counts > 0], *halfway])


def nearest(mask, lengths):
    """The nearest place on the surface of a mask, for every voxel.

    Args:
        mask: boolean array (D, H, W).
        lengths: sides of a voxel (3,).

    Returns:
        (distance, place): float arrays (D, H, W) and (D, H, W, 3), in the unit of `lengths`, or None if there is no
        surface.
    """
    points, axis, inner, outer = crossings(mask)
    if not len(points):
        return None
    samples = _samples(points, axis, mask.shape) * lengths
    touching = np.zeros(mask.shape, bool)
    for voxels in (inner, outer):
        touching[tuple(voxels.T)] = True
    away, owner = ndimage.distance_transform_edt(~touching, sampling=lengths, return_indices=True)
    near = away <= 2 * lengths.max()
    centres = np.stack(np.indices(mask.shape), axis=-1) * lengths
    place = np.zeros((*mask.shape, 3))
    place[near] = samples[cKDTree(samples).query(centres[near])[1]]
    # Further away the place that is nearest to the nearest touching voxel is as near to within a few hundredths.
    place[~near] = place[tuple(owner[:, ~near])]
    return np.sqrt(((centres - place) ** 2).sum(-1)), place


def signed_distance(mask, lengths):
    """Distance (D, H, W) of every voxel's centre to the surface of a mask, positive inside; infinite without one."""
    found = nearest(mask, lengths)
    return np.where(mask, 1, -1) * (np.inf if found is None else found[0])
