"""Predictions of a trained network for image files, as pictures beside each other: what `thesis predict` writes."""

import numpy as np

from thesis_lib.data.image_io import read_image, write_image
from thesis_lib.labels import IGNORE
from thesis_lib.segmentation.prediction import pictures_of
from thesis_lib.segmentation.tiles import bands


def paths(image, folder, structures=None):
    """The files that `write` writes for an image file: NAME_classes.png, NAME_probability.png, or two a structure."""
    kinds = [f"{name}{end}" for name in structures for end in ("", "_probability")] if structures else None
    return [folder / f"{image.stem}_{kind}.png" for kind in kinds or ("classes", "probability")]


def write(network, image, folder, background=0, table=None, structures=None, tile=224):
    """Write what a network says of an image.

    Args:
        network: keras.Model from images to logits.
        image: path of the image.
        folder: path, which exists.
        background: its class.
        table: ClassTable whose colours the classes get; None: class numbers, or black and white where there are two.
        structures: names of the network's structures that may overlap; None: its classes exclude each other.
        tile: side of the tiles, px.

    Raises:
        ValueError, OSError: naming the image, or the option of `thesis predict` that does not fit the network.
    """
    options = {"tile": tile, "margin": 16, "blend": 16, "name": image, "overlapping": bool(structures)}
    probabilities = np.concatenate([part for _, part in bands(network, read_image(image), **options)])
    count = probabilities.shape[-1]
    if structures:
        if count != len(structures):
            raise ValueError(f"--structures must name the network's {count}; got {', '.join(structures)}")
        inside = np.rint(255 * probabilities).astype(np.uint8)
        pictures = [picture for one in np.moveaxis(inside, -1, 0) for picture in pictures_of(one)]
    else:
        if count > IGNORE:
            raise ValueError(f"MODEL must be a network of 2 to {IGNORE} classes, as 8-bit images hold; got {count}")
        if background >= count:
            raise ValueError(f"--background must be one of the network's {count} classes; got {background}")
        of_objects = np.rint(255 * (1 - probabilities[..., background]))
        pictures = [_coloured(probabilities.argmax(-1), table, count), of_objects]
    for picture, path in zip(pictures, paths(image, folder, structures)):
        write_image(picture.astype(np.uint8), path)


def _coloured(classes, table, count):
    if table is not None and table.colours:
        if len(table.names) != count:
            raise ValueError(f"--classes must list the network's {count} classes; got {len(table.names)}")
        return table.to_picture(classes)
    return 255 * classes if count == 2 else classes
