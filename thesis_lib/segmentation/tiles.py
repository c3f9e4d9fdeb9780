"""Prediction of images of any size, tile by tile with blended seams; memory does not grow with the image's height."""

import numpy as np
from keras import ops

from thesis_lib import checks
from thesis_lib.data.crops import LARGEST

ROUNDING = 0.01  # of a sum of probabilities in half precision


def bands(model, image, tile=512, margin=32, blend=32, batch_size=4, name="the image", overlapping=False):
    """Predicted probabilities of an image, from top to bottom, in bands of finished rows.

    Tiles overlap by 2 * margin + blend px. The outermost `margin` px of a tile lack context: they count only at
    the image's own border. Over the next `blend` px a tile's weight rises linearly. An image smaller than a tile is
    mirrored below and to the right. A network that averages over its whole input, like DeepLabV3+, averages over the
    tile instead of the image, so that its probabilities depend a little on the tiles.

    Args:
        model: keras.Model from images (N, tile, tile, C) to logits (N, tile, tile, K).
        image: (H, W, C), 0-255: an array, or anything that is sliced like one, such as a memory map.
        tile: side, px; a multiple of what the model needs (32 for DeepLabV3+).
        margin: px, 0 or more; with half of a convolutional model's receptive field the tiles leave no seam.
        blend: px, 1 or more.
        batch_size: the most tiles at a time.
        name: what errors call the image.
        overlapping: whether the logits are of K structures that may overlap, as trained by `targets.Overlapping`.

    Yields:
        (top, probabilities): the band's first row, and float32 (h, W, K) that sum to one over K; of structures that may
        overlap, the probability of each.

    Raises:
        ValueError: naming what does not fit, or the image whose logits are not finite.
    """
    if not hasattr(model, "predict_on_batch"):
        raise ValueError(f"model must be a keras.Model from images to logits (N, H, W, K); got {model!r}")
    height, width = _checked_size(model, image)
    check(tile, margin, blend)
    checks.integer("batch_size", batch_size, 1)
    checks.boolean("overlapping", overlapping)
    stride = tile - 2 * margin - blend
    tops, lefts = (starts(length, tile, stride) for length in (height, width))
    batch_size = -(-len(lefts) // -(-len(lefts) // batch_size))
    across = [weights_along(left, width, tile, margin, blend) for left in lefts]
    total = weights = None
    for top, following in zip(tops, [*tops[1:], height]):
        down = weights_along(top, height, tile, margin, blend)
        for first in range(0, len(lefts), batch_size):
            some = lefts[first : first + batch_size]
            parts = _probabilities(model, image, top, some, tile, batch_size, overlapping)
            for left, sideways, part in zip(some, across[first:], parts):
                if total is None:
                    total = np.zeros((tile, max(width, tile), part.shape[-1]), np.float32)
                    weights = np.zeros((tile, max(width, tile), 1), np.float32)
                weight = (down[:, None] * sideways)[..., None]
                total[:, left : left + tile] += weight * part
                weights[:, left : left + tile] += weight
        done = following - top
        finished = total[:done, :width] / weights[:done, :width]
        if not np.isfinite(finished).all():
            raise ValueError(f"model must give finite logits; it does not for {name}: did its training diverge?")
        yield top, finished
        for kept in (total, weights):
            kept[: tile - done] = kept[done:].copy()
            kept[tile - done :] = 0


def _checked_size(model, image):
    """Height and width of an image that the model takes."""
    shape, kind = getattr(image, "shape", None), np.dtype(getattr(image, "dtype", "O")).kind
    of_model = getattr(model, "input_shape", (None,))
    channels = of_model[-1] if isinstance(of_model, tuple) else None
    is_array = isinstance(shape, tuple) and not np.ma.is_masked(image)
    if not is_array or len(shape) != 3 or not min(shape) or channels not in (None, shape[-1]) or kind not in "buif":
        got = f"shape {shape}, {image.dtype}" if is_array else type(image).__name__
        raise ValueError(f"image must be an array of numbers (H, W, {channels or 'C'}); got {got}")
    return shape[:2]


def check(tile, margin, blend, name="tile"):
    """Raise ValueError unless an image can be covered by such tiles, see `bands`; `name` is what the side is called."""
    checks.integer(name, tile, 1, LARGEST)
    checks.integer("margin", margin, 0)
    checks.integer("blend", blend, 1)
    if tile <= 2 * (margin + blend):
        raise ValueError(f"{name} must be more than 2 * (margin + blend), {2 * (margin + blend)}; got {tile}")


def predict(model, image, overlapping=False, **options):
    """The most probable class of every pixel, uint8 (H, W), of a model of at most 256 classes; options of `bands`.

    Of structures that may overlap: (H, W, K), 1 where a structure has a probability of at least one half.
    """
    parts = bands(model, image, overlapping=overlapping, **options)
    return np.concatenate([decided(band, overlapping) for _, band in parts])


def decided(probabilities, overlapping=False):
    """The most probable class, uint8 (...), of probabilities (..., K); or 1 for each structure that is probable."""
    if overlapping:
        return (probabilities >= 0.5).astype(np.uint8)
    if probabilities.shape[-1] > 256:
        raise ValueError(f"model must have at most 256 classes; it has {probabilities.shape[-1]}")
    return probabilities.argmax(-1).astype(np.uint8)


def starts(length, tile, stride):
    """Where tiles start so that they cover a length; the last one ends where it ends."""
    last = max(length - tile, 0)
    return [*range(0, last, stride), last]


def weights_along(start, length, tile, margin, blend):
    """Weight of a tile's rows (or columns): 0, rising, 1, falling, 0; no fall towards the image's own border."""
    at = np.arange(tile, dtype=np.float32)
    rise = np.clip((at - margin + 1) / (blend + 1), 0, 1)
    low = np.ones(tile, np.float32) if start == 0 else rise
    high = np.ones(tile, np.float32) if start + tile >= length else rise[::-1]
    return np.minimum(low, high)


def _probabilities(model, image, top, lefts, tile, batch_size, overlapping):
    """Probabilities of the tiles that start at `top` and each of `lefts`: a whole batch, to compile once."""
    patches = np.zeros((batch_size, tile, tile, image.shape[2]), image.dtype)
    for patch, left in zip(patches, lefts):
        part = np.asarray(image[top : top + tile, left : left + tile])
        small = min(part.shape[:2]) < tile
        patch[:] = np.pad(part, [*((0, tile - n) for n in part.shape[:2]), (0, 0)], mode="symmetric") if small else part
    return probabilities(model, patches, overlapping)[: len(lefts)]


def probabilities(model, patches, overlapping=False):
    """softmax of the logits (N, ..., K) of patches (N, ..., C), float32; ValueError unless the model gives such.

    Outputs that are probabilities already, as of a network that ends in a softmax, are refused. Of structures that may
    overlap: the sigmoid of each logit.
    """
    logits = model.predict_on_batch(patches)
    shape = np.shape(logits) if hasattr(logits, "shape") else None
    if shape is None or shape[:-1] != patches.shape[:-1] or shape[-1] < (1 if overlapping else 2):
        what = "one structure" if overlapping else "two classes"
        raise ValueError(
            f"model must give logits of {what} or more for every pixel, {patches.shape[:-1]} + (K,); "
            f"got {type(logits).__name__ if shape is None else shape}"
        )
    logits = ops.convert_to_numpy(ops.cast(logits, "float32"))
    if overlapping:
        return ops.convert_to_numpy(ops.sigmoid(logits))
    inside = (logits > 0) & (logits < 1)
    if (
        inside.any()
        and (inside | (logits == 0) | (logits == 1)).all()
        and np.allclose(logits.sum(-1), 1, atol=ROUNDING)
    ):
        raise ValueError(
            "model must give logits, not probabilities; the outputs of every pixel lie between 0 and 1 and sum to one, "
            "as after a softmax: take the model up to its last activation"
        )
    return ops.convert_to_numpy(ops.softmax(logits, axis=-1))
