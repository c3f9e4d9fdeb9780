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
from thesis_lib.figures.real_images import gains, outlines
from thesis_lib.figures.segmentation import class_maps, curves, errors, history, reliability
from thesis_lib.figures.semi_supervised import (
    augmentations,
    choices,
    differences_in_error,
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
from thesis_lib.figures.variation import (
    displacement_tails,
    drawings_of_people,
    error_growth,
    pairs_of_drawings,
    population_fit,
    presence,
    quantiles_against_normal,
    simulated_drawings,
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
    "differences_in_error",
    "curves",
    "displacement_tails",
    "displacements",
    "drawings_of_people",
    "drawn_boundaries",
    "edge_profile",
    "embeddings",
    "entropies",
    "error_growth",
    "errors",
    "forecasts",
    "gains",
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
    "outlines",
    "paired_differences",
    "pairs_of_drawings",
    "population_fit",
    "presence",
    "progress",
    "quantiles_against_normal",
    "ramps",
    "rankings",
    "reliability",
    "show",
    "sigma_posterior",
    "simulated_drawings",
    "style",
    "where_drawings_differ",
]
