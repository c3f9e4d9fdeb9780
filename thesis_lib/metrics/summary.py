"""All scores of one model: a flat row for tables, and arrays with a value for each scene for paired comparisons."""

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.labels import IGNORE
from thesis_lib.metrics import calibration, overlap, surface

BAND = 3.0  # px on either side of a true boundary
TOLERANCE = 1.0  # px, of the surface Dice
OF_PIXELS = ("log_loss", "brier", "ece")


def evaluate(labels, probabilities, background, spacing=None, band=BAND, tolerance=TOLERANCE):
    """Scores of predicted probabilities against true labels.

    Surfaces are those of all objects together: of everything that is not background, predicted where the background
    has a probability of at most one half. They judge the boundary, whichever class the object is taken for.

    Args:
        labels: integer label maps (N, H, W), or volumes (N, D, H, W), one scene or more; pixels of 255 do not count.
        probabilities: float array with a last axis K more, 0 or more, sum to one over it.
        background: the background's class.
        spacing: sides of a pixel or voxel, mm, the same for all scenes; 1 px if None. Surface distances, `band` and
            `tolerance` are in its unit.
        band: distance on either side of a true boundary.
        tolerance: of the surface Dice.

    Returns:
        (row, scenes, curves): row, a dict of floats, means over pixels or over scenes, *_band those within `band` of a
        true boundary; scenes, a dict of arrays (N, ...): log_loss, brier, surface_distance, hausdorff95, surface_dice,
        boundary_bias, volume_ratio (NaN where a scene has no object), intersection and union (N, K); curves, the
        reliability curves "all" and "band", see `calibration.scores`. boundary_bias is the mean displacement of the
        predicted boundary, positive where objects are drawn too large; volume_ratio is predicted over true area, or
        volume.

    Raises:
        ValueError: if an argument is not of this kind.
    """
    probabilities = calibration.checked_probabilities(probabilities)
    labels = checks.array("labels", labels)
    num_classes = probabilities.shape[-1]
    background = checks.integer("background", background, 0, num_classes - 1)
    predictions = probabilities.argmax(-1).astype(np.int16)
    everywhere = calibration.scores(labels, probabilities)
    near = calibration.scores(labels, probabilities, band, spacing)

    scenes = _calibration_of_scenes(labels, probabilities)
    objects = _surfaces_of_scenes(labels, probabilities, background, spacing, tolerance)
    scenes |= {name: objects[name].to_numpy(float) for name in surface.SCORES}
    sizes = pd.DataFrame([surface.size(*maps, spacing) for maps in zip(*_objects(labels, probabilities, background))])
    scenes |= {name: sizes[name].to_numpy(float) for name in sizes}
    confusions = [overlap.confusion(*maps, num_classes) for maps in zip(labels, predictions)]
    scenes["intersection"] = np.stack([np.diag(one) for one in confusions])
    scenes["union"] = np.stack([one.sum(0) + one.sum(1) - np.diag(one) for one in confusions])

    regions = overlap.scores(labels, predictions, num_classes, background)
    row = {name: value for name, value in regions.items() if np.isscalar(value)}
    row |= {name: everywhere[name] for name in OF_PIXELS}
    row |= {f"{name}_band": near[name] for name in OF_PIXELS}
    row |= {name: float(objects[name].mean()) for name in surface.SCORES}
    row |= {name: float(sizes[name].mean()) for name in sizes}
    return row, scenes, {"all": everywhere["reliability"], "band": near["reliability"]}


def _calibration_of_scenes(labels, probabilities):
    """Log loss and Brier score of each scene, a dict of arrays (N,); NaN for a scene without a known pixel."""
    log_loss, brier = calibration.per_pixel(labels, probabilities)
    axes = tuple(range(1, labels.ndim))
    known = (labels != IGNORE).sum(axes)
    with np.errstate(invalid="ignore"):
        return {"log_loss": np.nansum(log_loss, axes) / known, "brier": np.nansum(brier, axes) / known}


def _objects(labels, probabilities, background):
    """(true, predicted) uint8 maps of everything that is not background, 255 where the label is."""
    true = np.where(labels != IGNORE, labels != background, IGNORE).astype(np.uint8)
    return true, (probabilities[..., background] <= 0.5).astype(np.uint8)


def _surfaces_of_scenes(labels, probabilities, background, spacing, tolerance):
    """`surface.measure` of all objects together, a row for each scene."""
    true, predicted = _objects(labels, probabilities, background)
    objects = surface.measure(true, predicted, spacing, tolerance, background=0)
    return objects.set_index("image").reindex(range(len(labels)))
