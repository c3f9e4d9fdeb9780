"""How people draw: measured displacements, the prior on boundary error, agreement of annotators, simulations."""

from thesis_lib.annotation.advice import Advice, advice, measured_gains
from thesis_lib.annotation.agreement import Agreement, agreement, prior_table
from thesis_lib.annotation.autocorrelation import autocorrelation_time
from thesis_lib.annotation.consensus import shape_based_average
from thesis_lib.annotation.displacements import (
    ObjectDisplacements,
    boundary_displacements,
    displacement_series,
    displacements_by_pair,
    object_displacements,
)
from thesis_lib.annotation.geometry import contours, near_boundary, shift_boundaries, signed_distance
from thesis_lib.annotation.held_out import held_out
from thesis_lib.annotation.presence import missed_and_invented, presence_rates
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.simulated import (
    ANNOTATORS,
    DisplacementField,
    Identity,
    MarkovBoundary,
    Morphological,
    Population,
    annotator,
)
from thesis_lib.annotation.variation import Variation, variation
from thesis_lib.annotation.widths import error_over_width, object_widths, typical_error

__all__ = [
    "ANNOTATORS",
    "Advice",
    "Agreement",
    "BoundaryPrior",
    "DisplacementField",
    "Identity",
    "MarkovBoundary",
    "Morphological",
    "ObjectDisplacements",
    "Population",
    "Variation",
    "advice",
    "agreement",
    "annotator",
    "autocorrelation_time",
    "boundary_displacements",
    "contours",
    "displacement_series",
    "displacements_by_pair",
    "error_over_width",
    "held_out",
    "measured_gains",
    "missed_and_invented",
    "near_boundary",
    "object_displacements",
    "object_widths",
    "presence_rates",
    "prior_table",
    "shape_based_average",
    "shift_boundaries",
    "signed_distance",
    "typical_error",
    "variation",
]
