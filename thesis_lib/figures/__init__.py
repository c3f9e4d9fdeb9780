"""Every figure of the notebooks: from arrays or tables to a matplotlib Figure; a module for each part of the story."""

from thesis_lib.figures.annotation import (
    autocorrelation,
    belief_about_sigma,
    convergence,
    coverage,
    displacements,
    drawn_boundaries,
    measured_sigma,
)
from thesis_lib.figures.comparison import lines, magnitudes, paired_differences, rankings
from thesis_lib.figures.few_labels import (
    augmentations,
    embeddings,
    entropies,
    gallery,
    guesses,
    margins,
    mixup_weights,
    progress,
    ramps,
)
from thesis_lib.figures.style import DRAWN, METHOD_STYLE, OBJECTIVE_STYLE, PRIOR, TRUE, save, style
from thesis_lib.figures.targets import (
    assumed_sigma,
    class_average_ratio,
    edge_profile,
    forecasts,
    label_gallery,
    matrices,
)
from thesis_lib.figures.training import class_maps, history, reliability

__all__ = [
    "DRAWN",
    "METHOD_STYLE",
    "OBJECTIVE_STYLE",
    "PRIOR",
    "TRUE",
    "assumed_sigma",
    "augmentations",
    "autocorrelation",
    "belief_about_sigma",
    "class_average_ratio",
    "class_maps",
    "convergence",
    "coverage",
    "displacements",
    "drawn_boundaries",
    "edge_profile",
    "embeddings",
    "entropies",
    "forecasts",
    "gallery",
    "guesses",
    "history",
    "label_gallery",
    "lines",
    "magnitudes",
    "margins",
    "matrices",
    "measured_sigma",
    "mixup_weights",
    "paired_differences",
    "progress",
    "ramps",
    "rankings",
    "reliability",
    "save",
    "style",
]
