"""Checks of the arguments that several networks share: each returns the value, as Keras takes it."""

import numbers

from thesis_lib import checks

MOST_FILTERS = 2**16  # channels of a convolution, or units of a dense layer
LONGEST = 2**15  # side of an image, px


def num_classes(value):
    """The number of logits: two classes or more, as the softmax of one logit is always one."""
    return checks.integer("num_classes", value, 2, checks.MOST_CLASSES)


def rate(name, value):
    """A rate of dropout, in [0, 1)."""
    return checks.real(name, value, 0.0, 1.0, open_high=True)


def image_shape(value, axes=(2,), free=False):
    """The shape of an image without its batch, as a tuple.

    Args:
        value: (H, W, C), or (D, H, W, C).
        axes: how many axes an image may have beside its channels: 2, or 3 for volumes.
        free: whether these axes may be None, for images of any size.
    """
    *sizes, channels = value if isinstance(value, (list, tuple)) and len(value) - 1 in axes else (0,)
    known = [size for size in sizes if size is not None or not free]
    if not all(_is_length(one) for one in (*known, channels)):
        what = " or ".join({2: "(H, W, C)", 3: "(D, H, W, C)"}[count] for count in axes)
        or_none = ", or None for all but C" if free else ""
        raise ValueError(
            f"image_shape must be {what}, whole numbers from 1 to {LONGEST}{or_none}; got {checks.shown(value)}"
        )
    return tuple(None if one is None else int(one) for one in value)


def _is_length(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and 1 <= value <= LONGEST
