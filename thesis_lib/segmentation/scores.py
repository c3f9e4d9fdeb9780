"""What is known of a trained network."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Scores:
    """Scores of one network on test images.

    Names that end in *_blurred are scores of the probabilities of an annotation (`Run.annotation_probabilities`)
    instead of those of the true classes. Scores of scenes compare with the true labels, but for *_of_drawing, which
    compare with what the annotator draws there. Scores of a folder compare with its masks, which a person may have
    drawn.

    Args:
        row: dict of the scores over all of them; of a folder, means over its images.
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
