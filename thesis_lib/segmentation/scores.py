"""What is known of a trained network."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Scores:
    """Scores of one network on test images.

    Args:
        row: dict of the scores over all of them.
        images: DataFrame, a row an image.
        classes: DataFrame, a row a class; None for scenes, whose row holds the means over the classes.
        probabilities: of scenes, float (N, H, W, K); None for rasters, which are written to files one by one.
        reliability: of scenes, the curves `all` and `band` of `metrics.evaluate`.
    """

    row: dict
    images: pd.DataFrame
    classes: pd.DataFrame | None = None
    probabilities: np.ndarray | None = None
    reliability: dict | None = None
