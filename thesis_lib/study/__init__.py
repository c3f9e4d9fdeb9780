"""Many runs: sweeps, their rows, comparisons with intervals, and the report."""

from thesis_lib.study import classification_runs, comparison, experiments, segmentation_runs, statistics

__all__ = ["classification_runs", "comparison", "experiments", "segmentation_runs", "statistics"]
