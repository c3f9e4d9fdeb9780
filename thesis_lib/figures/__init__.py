"""Every figure of the notebooks: functions from arrays or tables to a matplotlib Figure."""

from thesis_lib.extras import extra

with extra("notebooks"):
    import seaborn  # noqa: F401

from thesis_lib.figures.annotation import (
    annotators,
    autocorrelation,
    convergence,
    coverage,
    displacements,
    drawn_boundaries,
    measured_sigma,
    sigma_posterior,
    where_drawings_differ,
)
from thesis_lib.figures.comparison import lines, magnitudes, paired_differences, rankings
from thesis_lib.figures.segmentation import class_maps, curves, errors, history, reliability
from thesis_lib.figures.semi_supervised import (
    augmentations,
    choices,
    embeddings,
    entropies,
    gallery,
    guesses,
    margins,
    mixup_weights,
    progress,
    ramps,
)
from thesis_lib.figures.style import DRAWN, METHOD_STYLE, OBJECTIVE_STYLE, PRIOR, TRUE, show, style
from thesis_lib.figures.targets import (
    assumed_sigma,
    class_average_ratio,
    edge_profile,
    forecasts,
    label_gallery,
    matrices,
)

__all__ = [
    "DRAWN",
    "METHOD_STYLE",
    "OBJECTIVE_STYLE",
    "PRIOR",
    "TRUE",
    "annotators",
    "assumed_sigma",
    "augmentations",
    "autocorrelation",
    "choices",
    "class_average_ratio",
    "class_maps",
    "convergence",
    "coverage",
    "curves",
    "displacements",
    "drawn_boundaries",
    "edge_profile",
    "embeddings",
    "entropies",
    "errors",
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
    "show",
    "sigma_posterior",
    "style",
    "where_drawings_differ",
]
