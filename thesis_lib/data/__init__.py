"""Arrays in: scenes, folders of rasters, images with a class each, and batches of them."""

from thesis_lib.data.batches import SceneBatches
from thesis_lib.data.class_table import ClassTable, read_class_table
from thesis_lib.data.classification import Images, ImageSplits, load_images
from thesis_lib.data.crops import Crops, RasterTiles
from thesis_lib.data.image_io import read_image, write_image
from thesis_lib.data.image_table import ImageTable, load_image_table
from thesis_lib.data.scenes import Scenes, load_npz
from thesis_lib.data.segmentation_folder import Rasters, RasterSplits, load_segmentation_folder
from thesis_lib.data.splits import SceneSplits, load_scenes

__all__ = [
    "ClassTable",
    "Crops",
    "ImageSplits",
    "ImageTable",
    "Images",
    "RasterSplits",
    "RasterTiles",
    "Rasters",
    "SceneBatches",
    "SceneSplits",
    "Scenes",
    "load_image_table",
    "load_images",
    "load_npz",
    "load_scenes",
    "load_segmentation_folder",
    "read_class_table",
    "read_image",
    "write_image",
]
