"""Segmentation: one training as an object (`Run`), methods for few labels, prediction of images of any size, export."""

from thesis_lib import backend  # noqa: F401, says how to get one
from thesis_lib.segmentation.averaged import AveragedSegmenter
from thesis_lib.segmentation.bayesian_teacher import BayesianTeacher
from thesis_lib.segmentation.export import export
from thesis_lib.segmentation.networks import NETWORKS
from thesis_lib.segmentation.prediction import predict_rasters, score_rasters
from thesis_lib.segmentation.repeats import score_tables, variants
from thesis_lib.segmentation.run import Run
from thesis_lib.segmentation.scores import Scores
from thesis_lib.segmentation.strong import CutMix, OtherColours
from thesis_lib.segmentation.teachers import CrossPseudo, SegmentingFixMatch, SegmentingMeanTeacher
from thesis_lib.segmentation.tiles import bands, predict
from thesis_lib.segmentation.volume_prediction import predict_volume, predict_volume_files, slabs

__all__ = [
    "NETWORKS",
    "AveragedSegmenter",
    "BayesianTeacher",
    "CrossPseudo",
    "CutMix",
    "OtherColours",
    "Run",
    "Scores",
    "SegmentingFixMatch",
    "SegmentingMeanTeacher",
    "bands",
    "export",
    "predict",
    "predict_rasters",
    "predict_volume",
    "predict_volume_files",
    "score_rasters",
    "score_tables",
    "slabs",
    "variants",
]
