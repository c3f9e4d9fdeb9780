"""Arrays in: scenes, folders of images and masks, images with a class each, and batches of them.

| you have | call | and get |
| --- | --- | --- |
| small images of one size, with a label map each (.npz, M2NIST) | `load_scenes` | `SceneSplits` of `Scenes` |
| a folder of images of any size, with a mask each | `load_segmentation_folder` | `RasterSplits` of `Rasters` |
| images with a class each (a folder or zip file with a table) | `load_images` | `ImageSplits` of `Images` |
| one image file | `read_image` | an array |
| outlines of lung nodules by up to four radiologists (LIDC-IDRI) | `lidc_slices` | a list of `Slice` |
| microscopic images with a number for each nucleus (BBBC038) | `load_nuclei` | `Nuclei` |
"""

from thesis_lib import backend  # noqa: F401, says how to get one
from thesis_lib.data.batches import SceneBatches
from thesis_lib.data.class_table import ClassTable, read_class_table
from thesis_lib.data.classification import Images, ImageSplits, load_images
from thesis_lib.data.crops import Crops, RasterTiles
from thesis_lib.data.image_io import read_image, write_image
from thesis_lib.data.image_table import ImageTable, load_image_table
from thesis_lib.data.lidc import Slice, lidc_database, lidc_slices
from thesis_lib.data.nuclei import Nuclei, load_nuclei
from thesis_lib.data.raster_checks import warn_of_absent_classes
from thesis_lib.data.rasters import Rasters, RasterSplits
from thesis_lib.data.scenes import Scenes, load_npz
from thesis_lib.data.segmentation_folder import load_segmentation_folder
from thesis_lib.data.splits import SceneSplits, load_scenes

__all__ = [
    "ClassTable",
    "Crops",
    "ImageSplits",
    "ImageTable",
    "Images",
    "Nuclei",
    "RasterSplits",
    "RasterTiles",
    "Rasters",
    "SceneBatches",
    "SceneSplits",
    "Scenes",
    "Slice",
    "lidc_database",
    "lidc_slices",
    "load_image_table",
    "load_images",
    "load_npz",
    "load_nuclei",
    "load_scenes",
    "load_segmentation_folder",
    "read_class_table",
    "read_image",
    "warn_of_absent_classes",
    "write_image",
]
