"""Whether predicted probabilities are right: log loss, Brier score, expected calibration error, reliability curve.

Log loss and Brier score are proper scores (Gneiting & Raftery, JASA 2007). The expected calibration error is that of
Guo et al. (ICML 2017).
"""

import numpy as np

from thesis_lib import checks
from thesis_lib.annotation import geometry, voxels
from thesis_lib.labels import IGNORE

SMALLEST = 1e-7  # smaller probabilities count as this one in the log loss
BINS = 15  # of confidence, of equal width


def scores(labels: np.ndarray, probabilities, band: float | None = None, spacing=None) -> dict:
    """Proper scores and calibration over pixels.

    Args:
        labels: integer label maps (N, H, W), or volumes (N, D, H, W); pixels of 255 do not count.
        probabilities: float array with a last axis K more, 0 or more, sum to one over it.
        band: px, or mm where a spacing is given, at least half a pixel; only pixels within this distance of a true
            boundary count. All pixels count if None.
        spacing: sides of a pixel or voxel, mm; 1 px if None.

    Returns:
        dict: log_loss, nats; brier, the sum over classes of squared differences; ece, the expected calibration error of
        the most probable class; reliability, a dict of arrays (BINS,) with the mean confidence, the accuracy (both NaN
        in empty bins) and the count of pixels. The scores are NaN if no pixel counts.

    Raises:
        ValueError: if an argument is not of this kind.
    """
    probabilities = checked_probabilities(probabilities)
    labels = voxels.label_maps("labels", labels, probabilities.shape[-1], ignore=IGNORE)
    checks.same_shape("labels", labels, "probabilities[..., 0]", probabilities[..., 0])
    counted = labels != IGNORE
    if band is not None:
        band = checks.real("band", band, 0.5 * voxels.lengths(spacing, voxels.axes(labels)).min())
        counted &= geometry.near_boundary(labels, band, spacing)
    log_loss, brier = (values[counted] for values in per_pixel(labels, probabilities))
    confidence, correct = probabilities.max(-1)[counted], (probabilities.argmax(-1) == labels)[counted]
    curve = _reliability(confidence, correct)
    total = curve["count"].sum()
    gaps = np.nan_to_num(np.abs(curve["confidence"] - curve["accuracy"]))
    return {
        "log_loss": float(log_loss.mean()) if total else float("nan"),
        "brier": float(brier.mean()) if total else float("nan"),
        "ece": float((curve["count"] * gaps).sum() / total) if total else float("nan"),
        "reliability": curve,
    }


def checked_probabilities(probabilities):
    """A user's probabilities (N, H, W, K) or (N, D, H, W, K) as an array in single precision at least.

    Sums in half precision overflow.
    """
    what = "finite, 0 or more, shape (N, H, W, K) or (N, D, H, W, K)"
    found = checks.number_array("probabilities", probabilities, what, low=0.0)
    if found.ndim not in (4, 5) or not found.size:
        raise ValueError(f"probabilities must be {what}, and not empty; got shape {found.shape}")
    if not np.allclose(found.sum(-1), 1, atol=1e-3):
        raise ValueError("probabilities must sum to one over the last axis (take the softmax of the logits first)")
    return found


def per_pixel(labels, probabilities):
    """Log loss (nats) and Brier score of every pixel: two float arrays of the labels' shape, NaN where it is 255."""
    probabilities = checked_probabilities(probabilities)
    labels = voxels.label_maps("labels", labels, probabilities.shape[-1], ignore=IGNORE).astype(int)
    checks.same_shape("labels", labels, "probabilities[..., 0]", probabilities[..., 0])
    ignored = labels == IGNORE
    true = np.take_along_axis(probabilities, np.where(ignored, 0, labels)[..., None], -1)[..., 0]
    true = np.where(ignored, np.nan, true)
    brier = (probabilities**2).sum(-1) - 2 * true + 1
    return -np.log(np.maximum(true, SMALLEST)), brier


def _reliability(confidence, correct):
    """Mean confidence, accuracy and count of the pixels in each bin of confidence."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):  # an empty bin has NaN
        return {
            "confidence": np.bincount(bins, confidence, BINS) / count,
            "accuracy": np.bincount(bins, correct, BINS) / count,
            "count": count,
        }
