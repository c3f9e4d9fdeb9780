"""Prediction of rasters of any size into files, and their scores, one raster at a time."""

from pathlib import Path

import numpy as np
import pandas as pd

from thesis_lib import checks, files
from thesis_lib.data import image_io
from thesis_lib.labels import IGNORE
from thesis_lib.metrics import calibration, overlap, surface
from thesis_lib.segmentation import tiles


def predict_rasters(model, rasters, classes, folder, background=0, **options):
    """Predict every raster tile by tile and write `NAME_classes.png` and `NAME_probability.png`, whole files or none.

    The first holds the classes in their colours (class numbers where there are none), the second the probability of anything but
    the background in 255ths. What is finished when a later one cannot be written stays.

    Args:
        model: keras.Model from images (N, tile, tile, 3) to logits (N, tile, tile, K).
        rasters: `segmentation_folder.Rasters`.
        classes: ClassTable of what is told apart.
        folder: made if missing.
        background: its class.
        options: of `tiles.bands`: tile, margin, blend, batch_size.

    Yields:
        (name, mask, classes, probability, sums): the raster's name, uint8 (H, W) three times, and over the pixels that have a label the sum of
        their log losses, that of their Brier scores, and their number.

    Raises:
        OSError: naming the file that could not be written.
        ValueError: naming the raster for which the model's answer is not finite, or if the model has other classes.
    """
    checks.integer("background", background, 0, len(classes.names) - 1)
    if Path(folder).resolve() in {
        Path(path).resolve().parent for paths in (rasters.images, *rasters.masks.values()) for path in paths
    }:
        raise ValueError(
            f"folder must not be where images or masks lie, which predictions could overwrite; got {str(folder)!r}"
        )
    folder = files.writable_folder(folder)
    for i in range(len(rasters)):
        name, image, mask = Path(rasters.images[i]).stem, rasters.image(i), rasters.mask(i)
        found, foreground = np.empty(mask.shape, np.uint8), np.empty(mask.shape, np.uint8)
        sums = np.zeros(3)
        for top, beliefs in tiles.bands(model, image, name=rasters.images[i], **options):
            if beliefs.shape[-1] != len(classes.names):
                raise ValueError(
                    f"model must tell the {len(classes.names)} classes of the table apart, {', '.join(classes.names)}; it has {beliefs.shape[-1]}"
                )
            rows = slice(top, top + len(beliefs))
            found[rows], foreground[rows] = beliefs.argmax(-1), np.rint(255 * (1 - beliefs[..., background]))
            losses = calibration.per_pixel(mask[None, rows], beliefs[None])
            sums += [*(np.nansum(values) for values in losses), (mask[rows] != IGNORE).sum()]
        del image
        image_io.write_image(classes.to_picture(found) if classes.colours else found, folder / f"{name}_classes.png")
        image_io.write_image(foreground, folder / f"{name}_probability.png")
        yield name, mask, found, foreground, sums


def score_rasters(model, rasters, classes, folder, background=0, tolerance=3.0, **options):
    """Predict every raster as `predict` does, and judge it by its mask.

    Args:
        tolerance: of the surface Dice, px.
        others: of `predict`.

    Returns:
        (DataFrame, DataFrame): for each raster iou, dice, log_loss, brier, surface_distance, hausdorff95 and surface_dice; and for each class, over
        all rasters, iou, dice and accuracy of the most probable class (NaN for a class that is absent). Overlap and surfaces of a raster are those of
        everything but the background, found where its probability is at least one half, whatever class it is taken for (NaN without an object). All
        of a raster without a labelled pixel is NaN.
    """
    checks.real("tolerance", tolerance, 0.0)
    rows, total = {}, 0
    for name, mask, found, foreground, (log_loss, brier, count) in predict_rasters(
        model, rasters, classes, folder, background, **options
    ):
        counts = overlap.confusion(mask[None], found[None], len(classes.names))
        total = total + counts
        drawn = np.where(mask == IGNORE, IGNORE, mask != background).astype(np.uint8)
        objects = overlap.from_confusion(overlap.confusion(drawn[None], (foreground >= 128)[None], 2))
        surfaces = surface.scores(drawn, (foreground >= 128).astype(np.uint8), tolerance=tolerance, background=0)
        rows[name] = {"iou": objects["class_iou"][1], "dice": objects["class_dice"][1], "log_loss": log_loss / count if count else np.nan, "brier": brier / count if count else np.nan,
                      **{k: surfaces[k] for k in ("surface_distance", "hausdorff95", "surface_dice")}}  # fmt: skip
    of_classes = overlap.from_confusion(total)
    columns = {name: of_classes[f"class_{name}"] for name in ("iou", "dice", "accuracy")}
    return pd.DataFrame(rows).T.rename_axis("raster"), pd.DataFrame(
        columns, index=pd.Index(classes.names, name="class")
    )
