"""Which objective to train with, from the annotators' error, the objects' widths, and measured gains."""

from dataclasses import dataclass
from importlib import resources

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.annotation.widths import object_widths, of_typical_pixel, typical_error, with_errors

USUAL = "one_hot_dice"  # what most people train with; all gains are over it
NEAR = 0.1  # of the logarithm of the ratio: so far beyond those that were measured the nearest one stands for it
SMALL = 0.5  # px; a smaller bias is below what a mask shows
TABLE = "gains.csv"  # beside this file; `python -m thesis_lib.study.results` writes it


@dataclass(frozen=True)
class Advice:
    """What `advice` found.

    Args:
        error: typical error of the annotators, see `typical_error`.
        width: of the object that the median pixel is of.
        error_over_width: the same of the error over the width.
        objective: to train with, a key of `thesis_lib.targets.OBJECTIVES`.
        gain: expected in Dice over one-hot + Dice, 0 where that is the advice.
        low, high: 95% interval of the gain.
        beyond: whether the ratio lies outside those that were measured.
        bias: of the annotators, positive outside; 0 where it is not known.
        unit: of error, width and bias.
        between: the two measured ratios from which the gain is interpolated; None at a measured one, and beyond.
    """

    error: float
    width: float
    error_over_width: float
    objective: str
    gain: float
    low: float
    high: float
    beyond: bool
    bias: float = 0.0
    unit: str = "px"
    between: tuple[float, float] | None = None

    def __str__(self):
        found = (
            f"The typical error is {self.error:.2f} {self.unit} and the typical object {self.width:.1f} {self.unit} "
            f"wide: a ratio of {self.error_over_width:.2f}."
        )
        far = " No data with such a ratio were measured." if self.beyond else ""
        if abs(self.bias) >= SMALL:
            side = "outside" if self.bias > 0 else "inside"
            by = f"{abs(self.bias):.1f} {self.unit}"
            far += f" Boundaries are drawn {by} too far {side}: take this out of the labels first."
        if self.objective == USUAL:
            measured = " At such ratios, and without a shared bias, no other objective was measurably better in Dice."
            why = "" if self.beyond else measured
            return f"{found} Train with {USUAL}.{why}{far}"
        basis = ""
        if self.between is not None:
            basis = "; interpolated between the ratios {:.2f} and {:.2f} that were measured".format(*self.between)
        return (
            f"{found} Train with {self.objective}: expect {100 * self.gain:+.1f} points of Dice over {USUAL} "
            f"(95% interval {100 * self.low:+.1f} to {100 * self.high:+.1f}{basis}) against the true boundaries. Masks "
            f"that such annotators drew may not show it.{far}"
        )


def measured_gains() -> pd.DataFrame:
    """The gains in Dice over one-hot + Dice that experiments found.

    Returns:
        DataFrame: data, case, error_over_width, target, gain, low, high, seeds, verdict.
    """
    with resources.files("thesis_lib.annotation").joinpath(TABLE).open() as file:
        return pd.read_csv(file, keep_default_na=False)


def advice(
    prior, labels, background: int | None = None, objects=None, gains: pd.DataFrame | None = None, spacing=None
) -> Advice:
    """Which objective to train with on images like these.

    The error over the width of the objects places the data on the curve of gains that were measured (notebook 13).
    Between two ratios at which an objective was measured its gains are interpolated. An objective is recommended where
    the interval of its gain excludes zero; of several, the one with the largest gain. Where the ratio is smaller than
    those at which an objective was measured, it is not recommended. A bias that the prior knows is to be taken out of
    the labels, whatever the objective: that gained most.

    Args:
        prior: BoundaryPrior of the annotators, such as `BoundaryPrior().fit_pair(first, second, population=True)`.
        labels: label maps (N, H, W) of a few images, or volumes (N, D, H, W), as drawn.
        background, objects, spacing: as for `object_widths`. With a spacing the prior is in mm, and so is the advice.
        gains: DataFrame of gains of one's own, as `measured_gains`; None takes those.

    Returns:
        Advice; print it.

    Raises:
        ValueError: if the labels hold no object, or an argument is of another kind.

    Example:
        >>> prior = BoundaryPrior().fit_pair(first, second, background=0, population=True)
        >>> print(advice(prior, first, background=0))
    """
    of_objects = with_errors(object_widths(labels, background, objects, spacing), prior)
    width, ratio = (of_typical_pixel(of_objects, name) for name in ("width", "error_over_width"))
    gains = measured_gains() if gains is None else gains
    checks.table("gains", gains, ("target", "error_over_width", "gain", "low", "high"))
    at = np.log(max(ratio, 1e-6))
    measured = np.log(gains["error_over_width"].to_numpy(float))
    below, beyond = at < measured.min() - NEAR, at > measured.max() + NEAR
    best: tuple[str, float, float, float] = (USUAL, 0.0, 0.0, 0.0)
    between = None
    for target, part in gains.groupby("target"):
        part = part.sort_values("error_over_width")
        where = np.log(part["error_over_width"].to_numpy(float))
        gain, low, high = (float(np.interp(at, where, part[name])) for name in ("gain", "low", "high"))
        is_measured = where.min() - NEAR <= at <= where.max() + NEAR or at > measured.max()
        if is_measured and low > 0 and gain > best[1]:
            best, between = (target, gain, low, high), _neighbours(where, at)
    return Advice(
        typical_error(prior), width, ratio, *best, bool(below or beyond), float(prior.mean), prior.unit, between
    )


def _neighbours(where, at):
    """The measured ratios on both sides of one; None if it is near one of them, or not between two."""
    if np.abs(where - at).min() <= NEAR or not where[0] < at < where[-1]:
        return None
    right = int(np.searchsorted(where, at))
    return float(np.exp(where[right - 1])), float(np.exp(where[right]))
