"""Whether probabilities can be believed: log loss, Brier score, expected calibration error, reliability curve."""

import numpy as np

from thesis_lib import checks
from thesis_lib.annotation import geometry
from thesis_lib.labels import IGNORE

SMALLEST = 1e-7  # probabilities below it count as it in the log loss


def scores(labels, probabilities, band=None, bins=15):
    """Proper scores and calibration over pixels.

    Args:
        labels: integer label maps (N, H, W); pixels of 255 do not count.
        probabilities: float (N, H, W, K), rows sum to one.
        band: count only pixels within this many px of a true boundary; all if None.
        bins: number of equal bins of confidence.

    Returns:
        dict: log_loss (nats); brier (sum over classes of squared differences); ece, the expected calibration error of
        the most probable class (Guo et al., ICML 2017); reliability: dict of arrays (bins,) with the mean confidence,
        accuracy (both NaN in empty bins) and count of pixels. All NaN if no pixel counts.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 4 or not np.isfinite(probabilities).all() or probabilities.min() < 0:
        raise ValueError(
            f"probabilities must be finite, 0 or more, shape (N, H, W, K); got shape {probabilities.shape}"
        )
    if not np.allclose(probabilities.sum(-1), 1, atol=1e-3):
        raise ValueError("probabilities must sum to one over the last axis (softmax the logits first)")
    labels = checks.label_maps("labels", labels, probabilities.shape[-1], ignore=IGNORE)
    known = labels != IGNORE
    checks.same_shape("labels", labels, "probabilities[..., 0]", probabilities[..., 0])
    checks.integer("bins", bins, 1)
    log_loss, brier = per_pixel(labels, probabilities)
    confidence, correct = probabilities.max(-1), probabilities.argmax(-1) == labels
    counts = known if band is None else known & geometry.near_boundary(labels, band)
    log_loss, brier, confidence, correct = log_loss[counts], brier[counts], confidence[counts], correct[counts]
    curve = _reliability(confidence, correct, bins)
    total = curve["count"].sum()
    gaps = np.nan_to_num(np.abs(curve["confidence"] - curve["accuracy"]))
    return {
        "log_loss": float(log_loss.mean()) if total else float("nan"),
        "brier": float(brier.mean()) if total else float("nan"),
        "ece": float((curve["count"] * gaps).sum() / total) if total else float("nan"),
        "reliability": curve,
    }


def per_pixel(labels, probabilities):
    """Log loss (nats) and Brier score of every pixel, two float arrays (N, H, W), NaN where the label is 255."""
    labels = np.asarray(labels).astype(int)
    true = np.take_along_axis(probabilities, np.where(labels == IGNORE, 0, labels)[..., None], -1)[..., 0]
    true = np.where(labels == IGNORE, np.nan, true)
    brier = (probabilities**2).sum(-1) - 2 * true + 1
    return -np.log(np.maximum(true, SMALLEST)), brier


def _reliability(confidence, correct, bins):
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        return {
            "confidence": np.bincount(index, confidence, bins) / count,
            "accuracy": np.bincount(index, correct, bins) / count,
            "count": count,
        }
