"""Segmentation networks in use: prediction of images of any size, scores of rasters, export."""

from thesis_lib.segmentation.export import export
from thesis_lib.segmentation.prediction import predict_rasters, score_rasters
from thesis_lib.segmentation.tiles import bands, predict

__all__ = ["bands", "export", "predict", "predict_rasters", "score_rasters"]
