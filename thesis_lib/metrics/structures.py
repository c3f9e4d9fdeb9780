"""Scores of structures that overlap, each one judged as a problem of two classes."""

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.annotation import voxels
from thesis_lib.labels import IGNORE
from thesis_lib.metrics import surface
from thesis_lib.metrics.summary import TOLERANCE, evaluate

OVERLAP = {"mean_dice_foreground": "dice", "miou_foreground": "iou"}  # of the one class that is not background
SCORES = [*OVERLAP.values(), "log_loss", "brier", "ece", *surface.SCORES, "boundary_bias", "volume_ratio"]


def of_structures(labels, probabilities, names, spacing=None, tolerance=TOLERANCE):
    """Scores of each structure: those of `evaluate`, of a structure and what is outside it.

    Args:
        labels: integers (N, H, W, S) or (N, D, H, W, S): 1 in the structure, 0 outside; pixels of 255 do not count.
        probabilities: float array of the same shape, in [0, 1], such as `keras.ops.sigmoid(logits)`.
        names: list of S texts.
        spacing: sides of a pixel or voxel, mm, the same for all scenes; 1 px if None. Distances are in its unit.
        tolerance: of the surface Dice.

    Returns:
        DataFrame with a row for each structure: dice, iou, log_loss, brier and ece of all pixels together;
        surface_distance, hausdorff95, surface_dice, boundary_bias and volume_ratio, the means over scenes. NaN where a
        structure is known nowhere, or there is nothing to measure.

    Raises:
        ValueError: if an argument is not of this kind.

    Example:
        >>> import keras
        >>> regions = {"whole": (1, 2), "core": 2}
        >>> probabilities = keras.ops.sigmoid(model.predict(images))  # of a network with two logits
        >>> table = of_structures(structures(class_maps, regions), probabilities, list(regions))  # thesis_lib.data
    """
    what = "finite, in [0, 1], shape (N, H, W, S) or (N, D, H, W, S)"
    probabilities = checks.number_array("probabilities", probabilities, what, low=0.0)
    if probabilities.ndim not in (4, 5) or not probabilities.size or probabilities.max() > 1:
        raise ValueError(f"probabilities must be {what}, not empty; got {checks.shown(probabilities)}")
    labels = checks.array("labels", labels)
    checks.same_shape("labels", labels, "probabilities", probabilities)
    count = labels.shape[-1]
    names = checks.listed("names", names, str, f"a list of {count} texts, one for each structure")
    if len(set(names)) != count or len(names) != count:
        raise ValueError(f"names must be a list of {count} texts, one for each structure; got {checks.shown(names)}")
    rows = []
    for s in range(count):
        true = voxels.label_maps("labels", labels[..., s], 2, IGNORE)
        inside = probabilities[..., s]
        row, _, _ = evaluate(true, np.stack([1 - inside, inside], -1), 0, spacing, tolerance=tolerance)
        rows.append({OVERLAP.get(name, name): value for name, value in row.items()})
    return pd.DataFrame(rows, index=pd.Index(names, name="structure"))[SCORES]
