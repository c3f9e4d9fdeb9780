"""How good predictions are: overlap, surface distances, calibration, and all of them together (`evaluate`)."""

from thesis_lib.metrics import calibration, overlap, surface
from thesis_lib.metrics.aggregation import METRICS
from thesis_lib.metrics.structures import of_structures
from thesis_lib.metrics.summary import evaluate

__all__ = ["METRICS", "calibration", "evaluate", "of_structures", "overlap", "surface"]
