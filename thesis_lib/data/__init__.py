"""Arrays in: scenes, folders of images and masks, images with a class each, and batches of them.

| you have | call | and get |
| --- | --- | --- |
| small images of one size, with a label map each (.npz, M2NIST) | `load_scenes` | `SceneSplits` of `Scenes` |
| a folder of images of any size, with a mask each | `load_segmentation_folder` | `RasterSplits` of `Rasters` |
| images with a class each (a folder or zip file with a table) | `load_images` | `ImageSplits` of `Images` |
| one image file | `read_image` | an array |
| a volume: NIfTI, NRRD, MetaImage, DICOM, TIFF of several pages | `read_volume` | a `Volume`, with its place in mm |
| a folder of volumes, with a mask each | `volume_folders`, then `unpack` | `VolumeFiles`; quick to cut patches from |
| a data set in nnU-Net's layout | `load_nnunet` | `NnUNet`, with the `VolumeFiles` to train and test on |
| a class map, for structures that overlap | `structures` | a channel for each |
| an image of more bands than three, such as GeoTIFF | `read_bands` | `Bands`, with the georeference |
| outlines of lung nodules by up to four radiologists (LIDC-IDRI) | `lidc_slices` | a list of `Slice` |
| microscopic images with a number for each nucleus (BBBC038) | `load_nuclei` | `Nuclei` |
"""

from thesis_lib import backend  # noqa: F401, says how to get one
from thesis_lib.data.bands import Bands, read_bands, write_bands
from thesis_lib.data.batches import SceneBatches
from thesis_lib.data.class_table import ClassTable, read_class_table
from thesis_lib.data.classification import Images, ImageSplits, load_images
from thesis_lib.data.crops import Crops, RasterTiles
from thesis_lib.data.dicom import write_dicom_seg
from thesis_lib.data.image_io import read_image, write_image
from thesis_lib.data.image_table import ImageTable, load_image_table
from thesis_lib.data.lidc import Slice, lidc_database, lidc_slices
from thesis_lib.data.nnunet import NnUNet, load_nnunet
from thesis_lib.data.nuclei import Nuclei, load_nuclei
from thesis_lib.data.partly_labelled import PartlyLabelledBatches
from thesis_lib.data.patches import VolumePatches
from thesis_lib.data.raster_checks import warn_of_absent_classes
from thesis_lib.data.rasters import Rasters, RasterSplits
from thesis_lib.data.scenes import Scenes, load_npz
from thesis_lib.data.segmentation_folder import load_segmentation_folder
from thesis_lib.data.splits import SceneSplits, load_scenes
from thesis_lib.data.structures import structures
from thesis_lib.data.volume_files import UnpackedVolumes, VolumeFiles, unpack, volume_folders
from thesis_lib.data.volumes import Volume, check_same_grid, read_volume, write_volume

__all__ = [
    "Bands",
    "ClassTable",
    "Crops",
    "ImageSplits",
    "ImageTable",
    "Images",
    "NnUNet",
    "Nuclei",
    "PartlyLabelledBatches",
    "RasterSplits",
    "RasterTiles",
    "Rasters",
    "SceneBatches",
    "SceneSplits",
    "Scenes",
    "Slice",
    "UnpackedVolumes",
    "Volume",
    "VolumeFiles",
    "VolumePatches",
    "check_same_grid",
    "lidc_database",
    "lidc_slices",
    "load_image_table",
    "load_images",
    "load_nnunet",
    "load_npz",
    "load_nuclei",
    "load_scenes",
    "load_segmentation_folder",
    "read_bands",
    "read_class_table",
    "read_image",
    "read_volume",
    "structures",
    "unpack",
    "volume_folders",
    "warn_of_absent_classes",
    "write_bands",
    "write_dicom_seg",
    "write_image",
    "write_volume",
]
