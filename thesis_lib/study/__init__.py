"""Many runs: sweeps, their rows, comparisons with intervals, and the report."""

from thesis_lib.study import (
    classification_results,
    classification_runs,
    classification_tables,
    comparison,
    experiments,
    paired_rasters,
    segmentation_results,
    segmentation_runs,
    segmentation_tables,
    statistics,
)

__all__ = [
    "classification_results",
    "classification_runs",
    "classification_tables",
    "comparison",
    "experiments",
    "paired_rasters",
    "segmentation_results",
    "segmentation_runs",
    "segmentation_tables",
    "statistics",
]
