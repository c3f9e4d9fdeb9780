"""How the fuzzing test calls `thesis_lib.study`: what reads rows and experiments, and the statistics of them."""

import numpy as np
import pandas as pd
from fuzz.entry import Entry

from thesis_lib.paths import REPOSITORY
from thesis_lib.study import classification_runs, comparison, experiments, paired_rasters, segmentation_runs, statistics

SAMPLE = REPOSITORY / "reports" / "reference" / "sample"
ROWS = segmentation_runs.read(SAMPLE)
FEW_LABELS = REPOSITORY / "reports" / "reference" / "mnist_wider"
CLASSIFIED = classification_runs.read(FEW_LABELS)
COMPARED = comparison.Comparison(ROWS, resamples=20)
CASE, TARGETS = COMPARED.cases[0], list(COMPARED.targets.index[:2])
SCENES = {"intersection": np.ones((5, 2)), "union": np.full((5, 2), 2.0)}
EXPERIMENT = REPOSITORY / "experiments" / "sample.yaml"

ROWS_OF = {"folder": "results", "runs": "results"}
NO_FILE = {"path": "the file"}  # which its name precedes


def mean(scenes, weights):
    return (weights * scenes["intersection"][:, 0]).sum(1) / weights.sum(1)


RESAMPLED = statistics.resample(mean, [SCENES, SCENES], 20)
SCORED = pd.DataFrame(
    {"dice": np.arange(8.0)},
    pd.MultiIndex.from_product([["one_hot", "forward"], [0, 1], ["a", "b"]], names=["objective", "seed", "raster"]),
)


ENTRIES = {
    "statistics.mean_interval": Entry(statistics.mean_interval, {"values": [1.0, 2.0, 4.0], "level": 0.9}, nan=True),
    "statistics.verdict": Entry(statistics.verdict, {"low": -1.0, "high": 1.0}),
    "statistics.resample": Entry(
        statistics.resample,
        {"statistic": mean, "runs": [SCENES, SCENES], "resamples": 20, "seed": 0},
        fixed=("statistic",),
    ),
    "statistics.paired_difference": Entry(
        statistics.paired_difference, {"first": RESAMPLED, "second": RESAMPLED, "level": 0.9}, nan=True
    ),
    "statistics.ranks": Entry(
        statistics.ranks, {"methods": {"a": RESAMPLED, "b": RESAMPLED}, "better": "higher", "level": 0.9}
    ),
    "statistics.holm": Entry(statistics.holm, {"p_values": [0.01, 0.2, 0.04]}, nan=True),
    "experiments.read": Entry(experiments.read, {"path": EXPERIMENT}, words=NO_FILE, examples=15),
    "experiments.runs": Entry(experiments.runs, {"path": EXPERIMENT}, words=NO_FILE, examples=15),
    "experiments.for_notebook": Entry(
        experiments.for_notebook, {"name": "03_train_segmentation", "values": {"epochs": 3, "width": 4}}
    ),
    "segmentation_runs.read": Entry(
        segmentation_runs.read, {"folder": SAMPLE, "runs": None}, words=ROWS_OF, nan=True, examples=15
    ),
    "segmentation_runs.test_scenes": Entry(segmentation_runs.test_scenes, {"rows": ROWS}),
    "classification_runs.read": Entry(
        classification_runs.read,
        {"folder": FEW_LABELS, "runs": None, "vary": ()},
        words=ROWS_OF,
        nan=True,
        examples=15,
    ),
    "classification_runs.against_published": Entry(
        classification_runs.against_published, {"rows": CLASSIFIED, "level": 0.9}, nan=True
    ),
    "classification_runs.choose": Entry(
        classification_runs.choose, {"rows": CLASSIFIED, "vary": ["learning_rate"]}, nan=True
    ),
    "classification_runs.lowest": Entry(classification_runs.lowest, {"rows": CLASSIFIED}, nan=True),
    "classification_runs.paired_differences": Entry(
        classification_runs.paired_differences, {"rows": CLASSIFIED, "level": 0.9}, nan=True, examples=15
    ),
    "classification_runs.stem": Entry(classification_runs.stem, {"data": "mnist"}),
    "classification_runs.titled": Entry(
        classification_runs.titled, {"method": "mean_teacher", "network": "mlp_dropout"}
    ),
    "comparison.Comparison": Entry(
        comparison.Comparison,
        {"rows": ROWS, "baseline": "one_hot", "level": 0.9, "resamples": 20, "headline": ("log_loss",)},
        nan=True,
    ),
    "comparison.Comparison.against": Entry(COMPARED.against, {"x": "sigma"}, nan=True),
    "comparison.Comparison.of_usual": Entry(
        lambda target: COMPARED.of_usual(target), {"target": TARGETS[0]}, words={"target": "targets"}, nan=True
    ),
    "comparison.Comparison.paired": Entry(
        COMPARED.paired, {"rows": ROWS, "baselines": "one_hot", "metrics": ("log_loss",)}, nan=True, examples=15
    ),
    "comparison.Comparison.seed_differences": Entry(COMPARED.seed_differences, {"metrics": ("log_loss",)}, nan=True),
    "comparison.Comparison.reliability": Entry(COMPARED.reliability, {"targets": TARGETS, "where": "all"}, nan=True),
    "comparison.Comparison.predictions": Entry(
        COMPARED.predictions, {"folder": SAMPLE, "case": CASE, "targets": TARGETS}
    ),
    "comparison.Comparison.three_scenes": Entry(COMPARED.three_scenes, {"case": CASE, "targets": TARGETS}),
    "paired_rasters.differences": Entry(
        paired_rasters.differences,
        {"scores": SCORED, "baseline": "one_hot", "better": {"dice": "higher"}, "level": 0.9, "resamples": 20},
        nan=True,
    ),
    "comparison.Comparison.swept_magnitudes": Entry(
        COMPARED.swept_magnitudes, {"case": CASE, "references": TARGETS}, nan=True
    ),
}
