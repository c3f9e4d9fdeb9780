"""Names that the fuzzing test does not call."""

# They put into words what the library has computed from rows that it has read and checked.
OF_TABLES = (
    "study.classification_results",
    "study.classification_tables",
    "study.segmentation_results",
    "study.segmentation_tables",
)
# Results: the library makes them, and they hold what it gave them.
RECORDS = (
    "annotation.Advice",
    "annotation.Agreement",
    "annotation.ObjectDisplacements",
    "annotation.Variation",
    "data.Bands",
    "data.ImageSplits",
    "data.ImageTable",
    "data.Images",
    "data.NnUNet",
    "data.Nuclei",
    "data.RasterSplits",
    "data.Rasters",
    "data.SceneSplits",
    "data.Scenes",
    "data.Slice",
    "data.UnpackedVolumes",
    "data.VolumeFiles",
    "data.write_dicom_seg",  # which needs a DICOM series, as tests/data/test_dicom.py has it
    "segmentation.Scores",
    "segmentation.Run.row",
    "semi_supervised.Run.row",
    "study.experiments.Experiment",
    "study.statistics.Difference",
    "study.statistics.Resampled",
)
