"""Prediction of rasters of any size into files, and their scores, one raster at a time."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.data.image_io import write_image
from thesis_lib.files import writable_folder
from thesis_lib.labels import IGNORE
from thesis_lib.metrics import calibration, overlap, surface
from thesis_lib.segmentation import tiles


class Prediction(NamedTuple):
    """A raster, predicted.

    Args:
        name: of the raster's file, without its ending.
        mask: uint8 (H, W), its true classes.
        classes: uint8 (H, W), the most probable ones.
        foreground: uint8 (H, W), the probability of anything but the background in 255ths.
        log_loss, brier: sums over the labelled pixels.
        labelled: number of these pixels.
    """

    name: str
    mask: np.ndarray
    classes: np.ndarray
    foreground: np.ndarray
    log_loss: float
    brier: float
    labelled: int


def predict_rasters(model, rasters, classes, folder, background=0, **options):
    """Predict every raster tile by tile and write `NAME_classes.png` and `NAME_probability.png`, whole files or none.

    The first holds the classes in their colours (class numbers where there are none), the second the probability of
    anything but the background in 255ths. Where a file cannot be written, those before it stay.

    Args:
        model: keras.Model from images (N, tile, tile, 3) to logits (N, tile, tile, K).
        rasters: `data.Rasters`.
        classes: ClassTable of the model's classes.
        folder: made if missing.
        background: its class.
        options: of `bands`: tile, margin, blend, batch_size.

    Yields:
        Prediction.

    Raises:
        OSError: naming the file that could not be written.
        ValueError: naming the raster whose logits are not finite, or if the model has other classes.
    """
    checks.integer("background", background, 0, len(classes.names) - 1)
    inputs = {Path(path).resolve().parent for paths in (rasters.images, *rasters.masks.values()) for path in paths}
    if Path(folder).resolve() in inputs:
        raise ValueError(
            f"folder must not be where images or masks lie, which predictions could overwrite; got {str(folder)!r}"
        )
    folder = writable_folder(folder)
    for i in range(len(rasters)):
        predicted = _predict(model, rasters, i, classes, background, options)
        picture = classes.to_picture(predicted.classes) if classes.colours else predicted.classes
        write_image(picture, folder / f"{predicted.name}_classes.png")
        write_image(predicted.foreground, folder / f"{predicted.name}_probability.png")
        yield predicted


def _predict(model, rasters, i, classes, background, options):
    """The Prediction of raster i."""
    image, mask = rasters.image(i), rasters.mask(i)
    predicted, foreground = np.empty(mask.shape, np.uint8), np.empty(mask.shape, np.uint8)
    log_loss = brier = labelled = 0
    for top, probabilities in tiles.bands(model, image, name=rasters.images[i], **options):
        if probabilities.shape[-1] != len(classes.names):
            raise ValueError(
                f"model must have the {len(classes.names)} classes of the table, {', '.join(classes.names)}; "
                f"it has {probabilities.shape[-1]}"
            )
        rows = slice(top, top + len(probabilities))
        predicted[rows] = probabilities.argmax(-1)
        foreground[rows] = np.rint(255 * (1 - probabilities[..., background]))
        log_losses, briers = calibration.per_pixel(mask[None, rows], probabilities[None])
        log_loss += np.nansum(log_losses)
        brier += np.nansum(briers)
        labelled += int((mask[rows] != IGNORE).sum())
    return Prediction(Path(rasters.images[i]).stem, mask, predicted, foreground, log_loss, brier, labelled)


def score_rasters(model, rasters, classes, folder, background=0, tolerance=3.0, **options):
    """Predict every raster as `predict_rasters` does, and compare it with its mask.

    Args:
        model, rasters, classes, folder, background, options: of `predict_rasters`.
        tolerance: of the surface Dice, px.

    Returns:
        (DataFrame, DataFrame). The first has a row a raster: iou, dice, log_loss, brier, surface_distance,
        hausdorff95 and surface_dice. Its overlap and surfaces are those of everything but the background, where its
        probability is at least one half, whatever the most probable class is. Without an object or a
        labelled pixel they are NaN.
        The second has a row a class: iou, dice and accuracy over all rasters (NaN for a class that is absent).
    """
    checks.real("tolerance", tolerance, 0.0)
    rows, total = {}, 0
    for one in predict_rasters(model, rasters, classes, folder, background, **options):
        total = total + overlap.confusion(one.mask[None], one.classes[None], len(classes.names))
        true = np.where(one.mask == IGNORE, IGNORE, one.mask != background).astype(np.uint8)
        predicted = (one.foreground >= 128).astype(np.uint8)
        objects = overlap.from_confusion(overlap.confusion(true[None], predicted[None], 2))
        surfaces = surface.scores(true, predicted, tolerance=tolerance, background=0)
        rows[one.name] = {
            "iou": objects["class_iou"][1],
            "dice": objects["class_dice"][1],
            "log_loss": one.log_loss / one.labelled if one.labelled else np.nan,
            "brier": one.brier / one.labelled if one.labelled else np.nan,
            **{name: surfaces[name] for name in ("surface_distance", "hausdorff95", "surface_dice")},
        }
    of_classes = overlap.from_confusion(total)
    columns = {name: of_classes[f"class_{name}"] for name in ("iou", "dice", "accuracy")}
    images = pd.DataFrame(rows).T.rename_axis("raster")
    return images, pd.DataFrame(columns, index=pd.Index(classes.names, name="class"))
