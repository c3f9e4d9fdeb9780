"""Nuclei under a fluorescence microscope, with careful masks of each: real images with many small objects.

Images of 256 x 256 px from the 2018 Data Science Bowl (BBBC038, CC0; J. C. Caicedo et al., "Nucleus segmentation across
imaging experiments: the 2018 Data Science Bowl", Nature Methods 16, 1247-1253, 2019). A folder holds
`images/NAME.png`, grey, and `objects/NAME.png`, 16 bits: 0 or the number of the nucleus.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thesis_lib import checks, paths
from thesis_lib.data.image_io import read_image

SAMPLE = paths.REPOSITORY / "sample_data" / "nuclei"


@dataclass(frozen=True, eq=False)
class Nuclei:
    """Images of nuclei and what their pixels show.

    Attributes:
        images: uint8 (N, H, W, 1), 0-255.
        labels: uint8 (N, H, W), 1 on a nucleus.
        objects: uint16 (N, H, W), 0 or the number of the nucleus; numbers start anew in each image.
    """

    images: np.ndarray
    labels: np.ndarray
    objects: np.ndarray

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        """The images of a slice or an index array, as Nuclei."""
        return Nuclei(self.images[index], self.labels[index], self.objects[index])


def load_nuclei(path: str | Path = "sample", shrink: int = 1) -> Nuclei:
    """Images of nuclei with a number for each nucleus, in order of their names.

    Args:
        path: folder with `images` and `objects`; "sample" is the dozen in sample_data/nuclei; None is the folder
            `nuclei` in the folder of full data sets (THESIS_DATA).
        shrink: 2, 3 or 4 makes one pixel of so many squared, so that nuclei are as small against an annotator's error
            as thin structures are. Its grey value is their mean; its nucleus is the most frequent one (or none) among
            them, and of equally frequent ones the first by row and column. What is left over at the bottom and on the
            right is cut off.

    Returns:
        Nuclei.

    Raises:
        FileNotFoundError: if there is no such folder, or an image has no file of objects.
        ValueError: naming the file, if it is no image of this kind or not as large as the first one.

    Example:
        >>> nuclei = load_nuclei("sample", shrink=2)
        >>> numbers = [len(np.unique(objects)) - 1 for objects in nuclei.objects]
    """
    shrink = checks.integer("shrink", shrink, 1, 4)
    folder = _folder(path)
    files = sorted((folder / "images").glob("*.png"))
    if not files:
        raise FileNotFoundError(f"{folder}/images must hold images of nuclei (.png); got none")
    images = [read_image(file, "L")[..., 0] for file in files]
    objects = [_read_objects(folder / "objects" / file.name) for file in files]
    for file, image, numbers in zip(files, images, objects):
        if image.shape != images[0].shape or numbers.shape != images[0].shape:
            raise ValueError(
                f"{file} and its file of objects must be as large as {files[0].name}, {images[0].shape}; "
                f"got {image.shape} and {numbers.shape}"
            )
    images = np.stack([np.rint(_blocks(image, shrink).mean(-1)).astype(np.uint8) for image in images])
    objects = np.stack([_most_frequent(_blocks(numbers, shrink)) for numbers in objects])
    return Nuclei(images[..., None], (objects > 0).astype(np.uint8), objects)


def _folder(path):
    if isinstance(path, str) and path == "sample":
        return SAMPLE
    folder = paths.data_folder() / "nuclei" if path is None else checks.path("path", path)
    if not (folder / "images").is_dir() or not (folder / "objects").is_dir():
        raise FileNotFoundError(
            f"nuclei must lie in {folder}, with the folders images and objects; got none. path='sample' needs nothing"
        )
    return folder


def _read_objects(file):
    if not file.is_file():
        raise FileNotFoundError(f"{file} must hold the numbers of nuclei; got no file")
    return read_image(file, "objects")[..., 0]


def _blocks(array, side):
    """(H, W) as (H // side, W // side, side**2): the pixels of each block, by row and column."""
    height, width = (length // side for length in array.shape)
    cut = array[: height * side, : width * side].reshape(height, side, width, side)
    return cut.transpose(0, 2, 1, 3).reshape(height, width, side**2)


def _most_frequent(blocks):
    """The most frequent number of each block (..., P); of equally frequent ones the first."""
    counts = (blocks[..., None] == blocks[..., None, :]).sum(-1)
    return np.take_along_axis(blocks, counts.argmax(-1)[..., None], -1)[..., 0]
