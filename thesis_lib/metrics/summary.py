"""All scores of one model: a flat row for tables, and arrays with a value per scene for paired comparisons."""

import numpy as np

from thesis_lib import checks
from thesis_lib.labels import IGNORE
from thesis_lib.metrics import calibration, overlap, surface

BAND = 3.0  # px on either side of a true boundary
TOLERANCE = 1.0  # px, of the surface Dice


def evaluate(labels, probabilities, background, spacing=(1.0, 1.0), tolerance=TOLERANCE):
    """Scores of predicted probabilities against true labels.

    Args:
        labels: integer label maps (N, H, W); pixels of 255 do not count.
        probabilities: float (N, H, W, K), rows sum to one.
        background: the background's class. Surfaces are those of everything else together, where its probability
            is at least one half, so that they judge the boundary whichever class the object is taken for.
        spacing, tolerance: see `surface.measure`.

    Returns:
        (row, scenes, reliability): row, a dict of floats, the means over pixels or scenes; scenes, a dict of arrays
        (N, ...): log_loss, brier, surface_distance, hausdorff95, surface_dice (NaN where a scene has no object),
        intersection and union (N, K); reliability, the curves `all` and `band` of `calibration.scores`.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 4 or not len(probabilities):
        raise ValueError(
            f"probabilities must be of one scene or more, shape (N, H, W, K); got shape {probabilities.shape}"
        )
    num_classes = probabilities.shape[-1]
    background = checks.integer("background", background, 0, num_classes - 1)
    predictions = probabilities.argmax(-1).astype(np.int16)
    everywhere = calibration.scores(labels, probabilities)
    near = calibration.scores(labels, probabilities, band=BAND)
    regions = overlap.scores(labels, predictions, num_classes, background)
    known = labels != IGNORE
    true = np.where(known, labels != background, IGNORE).astype(np.uint8)
    found = (probabilities[..., background] <= 0.5).astype(np.uint8)

    with np.errstate(invalid="ignore"):  # a scene without a known pixel has NaN
        scenes = {
            name: np.nansum(v, (1, 2)) / known.sum((1, 2))
            for name, v in zip(("log_loss", "brier"), calibration.per_pixel(labels, probabilities))
        }
    objects = surface.measure(true, found, spacing, tolerance, 0).set_index("image").reindex(range(len(labels)))
    scenes |= {name: objects[name].to_numpy(float) for name in ("surface_distance", "hausdorff95", "surface_dice")}
    counts = [overlap.confusion(t, p, num_classes) for t, p in zip(labels, predictions)]
    scenes["intersection"] = np.stack([np.diag(c) for c in counts])
    scenes["union"] = np.stack([c.sum(0) + c.sum(1) - np.diag(c) for c in counts])

    row = {k: v for k, v in regions.items() if np.isscalar(v)}
    row |= {k: everywhere[k] for k in ("log_loss", "brier", "ece")}
    row |= {f"{k}_band": near[k] for k in ("log_loss", "brier", "ece")}
    row |= {k: float(objects[k].mean()) for k in ("surface_distance", "hausdorff95", "surface_dice")}
    return row, scenes, {"all": everywhere["reliability"], "band": near["reliability"]}
