"""Prediction of rasters of any size into files, and their scores, one raster at a time."""

import math
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.data.class_table import ClassTable
from thesis_lib.data.image_io import write_image
from thesis_lib.data.rasters import Rasters
from thesis_lib.files import writable_folder
from thesis_lib.labels import IGNORE
from thesis_lib.metrics import calibration, overlap, surface
from thesis_lib.segmentation import tiles
from thesis_lib.targets.blurring import blur

OF_PIXELS = ("log_loss", "brier", "ece")
TUNED = ("dice", "surface_distance", "boundary_bias", "volume_ratio")  # the scores at a chosen threshold
HALF = 128  # in 255ths: objects are where the probability of an object is at least one half


class Prediction(NamedTuple):
    """A raster, predicted.

    Args:
        name: of the raster's file, without its ending.
        mask: uint8 (H, W), its true classes, or the judge's.
        classes: uint8 (H, W), the most probable ones.
        foreground: uint8 (H, W), the probability of anything but the background in 255ths.
        labelled: number of labelled pixels.
        pixels: dict of log_loss (nats), brier and ece over the labelled pixels, NaN where there are none; with a prior
            also *_blurred, those of the probabilities of an annotation.
    """

    name: str
    mask: np.ndarray
    classes: np.ndarray
    foreground: np.ndarray
    labelled: int
    pixels: dict


def predict_rasters(model, rasters, classes, folder, background=0, judge="", prior=None, drawing=blur, **options):
    """Predict every raster tile by tile and write `NAME_classes.png` and `NAME_probability.png`, whole files or none.

    The first holds the classes in their colours (class numbers where there are none), the second the probability of
    anything but the background in 255ths. Where a file cannot be written, those before it stay.

    Args:
        model: keras.Model from images (N, tile, tile, 3) to logits (N, tile, tile, K).
        rasters: `data.Rasters`.
        classes: ClassTable of the model's classes.
        folder: made if missing.
        background: its class.
        judge: the annotator whose masks the predictions are compared with; "" is the plain masks.
        prior: BoundaryPrior to blur the probabilities by, see `Run.annotation_probabilities`; None for no blur.
        drawing: how annotators err: function from true maps (1, H, W, K) and the prior to drawn ones.
        options: of `bands`: tile, margin, blend, batch_size.

    Yields:
        Prediction.

    Raises:
        OSError: naming the file that could not be written.
        ValueError: naming the raster whose logits are not finite, or if the model has other classes.
    """
    checks.instance("rasters", rasters, Rasters, "Rasters")
    checks.instance("classes", classes, ClassTable, "a ClassTable")
    checks.integer("background", background, 0, len(classes.names) - 1)
    if prior is not None:
        checks.instance("prior", prior, BoundaryPrior, "a BoundaryPrior or None")
    folder = checks.path("folder", folder)
    inputs = {Path(path).resolve().parent for paths in (rasters.images, *rasters.masks.values()) for path in paths}
    if folder.resolve() in inputs:
        raise ValueError(
            f"folder must not be where images or masks lie, which predictions could overwrite; got {str(folder)!r}"
        )
    folder = writable_folder(folder)
    for i in range(len(rasters)):
        predicted = _predict(model, rasters, i, classes, background, judge, (prior, drawing), options)
        picture = classes.to_picture(predicted.classes) if classes.colours else predicted.classes
        write_image(picture, folder / f"{predicted.name}_classes.png")
        write_image(predicted.foreground, folder / f"{predicted.name}_probability.png")
        yield predicted


def _predict(model, rasters, i, classes, background, judge, error, options):
    """The Prediction of raster i."""
    image, mask = rasters.image(i), rasters.mask(i, judge)
    predicted, foreground = np.empty(mask.shape, np.uint8), np.empty(mask.shape, np.uint8)
    scores = {"": [], "_blurred": []}
    bands = _checked_bands(tiles.bands(model, image, name=rasters.images[i], **options), classes)
    for top, probabilities, blurred in _with_blur(bands, *error):
        rows = slice(top, top + len(probabilities))
        predicted[rows] = probabilities.argmax(-1)
        foreground[rows] = np.rint(255 * (1 - probabilities[..., background]))
        scores[""].append(calibration.scores(mask[None, rows], probabilities[None]))
        if blurred is not None:
            scores["_blurred"].append(calibration.scores(mask[None, rows], blurred[None]))
    pixels = {}
    for suffix, parts in scores.items():
        if parts:
            pixels |= {f"{name}{suffix}": value for name, value in together(parts).items()}
    labelled = int((mask != IGNORE).sum())
    return Prediction(Path(rasters.images[i]).stem, mask, predicted, foreground, labelled, pixels)


def _checked_bands(bands, classes):
    """The bands, if their probabilities are of the table's classes."""
    for top, probabilities in bands:
        if probabilities.shape[-1] != len(classes.names):
            raise ValueError(
                f"model must have the {len(classes.names)} classes of the table, {', '.join(classes.names)}; "
                f"it has {probabilities.shape[-1]}"
            )
        yield top, probabilities


def _with_blur(bands, prior, drawing):
    """Yield (top, probabilities, blurred probabilities) of each band, exactly as if the whole image were blurred.

    A band waits until the rows below it are there, as far as the blur reaches. Without a prior nothing is blurred.
    """
    if prior is None:
        for top, probabilities in bands:
            yield top, probabilities, None
        return
    reach = math.ceil(abs(prior.mean) + max(4 * sigma for _, sigma in prior.gaussians())) + 1
    rows, start, waiting = None, 0, []  # `rows` are the image's from `start`

    def finished(top, height):
        first, last = max(top - reach, start), min(top + height + reach, start + len(rows))
        part = keras.ops.convert_to_numpy(drawing(rows[None, first - start : last - start], prior))[0]
        return top, rows[top - start : top - start + height], part[top - first : top - first + height]

    for top, probabilities in bands:
        rows = probabilities if rows is None else np.concatenate([rows, probabilities])
        waiting.append((top, len(probabilities)))
        while waiting and sum(waiting[0]) + reach <= start + len(rows):
            yield finished(*waiting.pop(0))
            kept = max((waiting[0][0] if waiting else start + len(rows)) - reach, start)
            rows, start = rows[kept - start :], kept
    for band in waiting:
        yield finished(*band)


def pictures_of(inside):
    """Two uint8 pictures of a probability (H, W) in 255ths: white where it is at least one half, and itself."""
    return np.where(inside >= HALF, 255, 0).astype(np.uint8), inside


def together(parts):
    """log_loss, brier and ece of all pixels, from `calibration.scores` of the parts of an image or volume."""
    curves = [one["reliability"] for one in parts]
    counts = np.array([curve["count"] for curve in curves])  # (parts, bins)
    known = counts.sum(1) > 0
    if not known.any():
        return dict.fromkeys(OF_PIXELS, np.nan)
    means = {}
    for name in ("log_loss", "brier"):
        means[name] = np.average([one[name] for one in parts if np.isfinite(one[name])], weights=counts.sum(1)[known])
    gaps = np.nan_to_num([curve["confidence"] - curve["accuracy"] for curve in curves])
    return means | {"ece": np.abs((counts * gaps).sum(0)).sum() / counts.sum()}


def score_rasters(model, rasters, classes, folder, background=0, tolerance=3.0, judge="", threshold=None, **options):
    """Predict every raster as `predict_rasters` does, and compare it with its mask.

    Args:
        model, rasters, classes, folder, background, judge, options: of `predict_rasters`.
        tolerance: of the surface Dice, px.
        threshold: a further one, in 255ths, 1 to 255, see `choose_threshold`; None: no other.

    Returns:
        (DataFrame, DataFrame). The first has a row a raster: log_loss (nats), brier and ece over its pixels; with a
        prior *_blurred, those of the blurred probabilities; and the scores of `score_drawings`, of everything but the
        background where its probability is at least one half, whatever the most probable class is. With a threshold,
        *_tuned are those of everything whose probability reaches it.
        The second has a row a class: iou, dice and accuracy over all rasters (NaN for a class that is absent).
    """
    checks.real("tolerance", tolerance, 0.0)
    if threshold is not None:
        checks.integer("threshold", threshold, 1, 255)
    if not len(checks.instance("rasters", rasters, Rasters, "Rasters")):
        raise ValueError("rasters must hold an image or more; got none")
    rows, total = {}, 0
    for one in predict_rasters(model, rasters, classes, folder, background, judge, **options):
        total = total + overlap.confusion(one.mask[None], one.classes[None], len(classes.names))
        rows[one.name] = of_objects(one.mask, one.foreground >= HALF, background, tolerance) | one.pixels
        if threshold is not None:
            tuned = of_objects(one.mask, one.foreground >= threshold, background, tolerance)
            rows[one.name] |= {f"{name}_tuned": tuned[name] for name in TUNED}
    of_classes = overlap.from_confusion(total)
    columns = {name: of_classes[f"class_{name}"] for name in ("iou", "dice", "accuracy")}
    images = pd.DataFrame(rows).T.rename_axis("raster")
    return images, pd.DataFrame(columns, index=pd.Index(classes.names, name="class"))


def score_drawings(rasters, annotator, judge, background=0, tolerance=3.0):
    """The scores of an annotator's masks, as if a network had predicted them: what a person reaches.

    Args:
        rasters: `data.Rasters`.
        annotator, judge: names of the masks that are scored, and of those that they are compared with.
        background: its class.
        tolerance: of the surface Dice, px.

    Returns:
        DataFrame with a row a raster: iou and dice of everything but the background; surface_distance and hausdorff95
        (px) and surface_dice; boundary_bias, the mean displacement of its boundary, px, positive where it is drawn too
        large; volume_ratio, drawn over true area. Without an object they are NaN.
    """
    checks.integer("background", background, 0, IGNORE - 1)
    checks.real("tolerance", tolerance, 0.0)
    rows = {}
    for i in range(len(rasters)):
        drawn = rasters.mask(i, annotator)
        objects = (drawn != background) & (drawn != IGNORE)
        rows[Path(rasters.images[i]).stem] = of_objects(rasters.mask(i, judge), objects, background, tolerance)
    return pd.DataFrame(rows).T.rename_axis("raster")


def of_objects(mask, predicted, background, tolerance, spacing=None):
    """The scores of predicted objects, (H, W) or (D, H, W), that `score_drawings` lists; in mm with a spacing."""
    true = np.where(mask == IGNORE, IGNORE, mask != background).astype(np.uint8)
    predicted = predicted.astype(np.uint8)
    objects = overlap.from_confusion(overlap.confusion(true[None], predicted[None], 2))
    surfaces = surface.scores(true[None], predicted[None], spacing, tolerance, background=0)
    return {
        "iou": objects["class_iou"][1],
        "dice": objects["class_dice"][1],
        **{name: surfaces[name] for name in surface.SCORES},
        **surface.size(true, predicted, spacing),
    }


def choose_threshold(model, rasters, classes, judge, background=0, **options):
    """The threshold of the probability of an object with the highest Dice, averaged over rasters.

    Args:
        model, rasters, classes, judge, background, options: of `predict_rasters`; no file is written.

    Returns:
        int, in 255ths, 1 to 255; `HALF` where no mask holds an object.

    Raises:
        ValueError: if the background is no class of the table, or as `predict_rasters`.
    """
    checks.integer("background", background, 0, len(classes.names) - 1)
    each = (_predict(model, rasters, i, classes, background, judge, (None, blur), options) for i in range(len(rasters)))
    return best_threshold(((one.foreground, one.mask) for one in each), background)


def best_threshold(predicted, background=0, pooled=False):
    """The threshold of the probability of an object with the highest Dice.

    Args:
        predicted: pairs of the probability of an object, uint8 (H, W), in 255ths, and the mask (H, W) of an image.
        background: class of the masks.
        pooled: Dice of the pixels of all images together, instead of its mean over the images that hold an object.

    Returns:
        int, in 255ths, 1 to 255; `HALF` where no mask holds an object.
    """
    shared, all_pixels = [], []  # twice the intersection, and the sum of both areas
    for foreground, mask in predicted:
        known, objects = mask != IGNORE, (mask != background) & (mask != IGNORE)
        # Number of pixels whose probability reaches each threshold.
        reach, hit = (np.bincount(foreground[m], minlength=256)[::-1].cumsum()[::-1] for m in (known, objects))
        if objects.any() or pooled:
            shared.append(2 * hit)
            all_pixels.append(objects.sum() + reach)
    if not np.any(shared):
        return HALF
    dice = np.sum(shared, 0) / np.sum(all_pixels, 0) if pooled else np.mean(np.divide(shared, all_pixels), 0)
    return 1 + int(dice[1:].argmax())
