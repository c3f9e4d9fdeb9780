"""Checks of what a user passes in: each raises one error naming the argument, the value and what is accepted."""

import math
import numbers

import numpy as np


def _finite(value):
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number too large for a float
        return False


def real(name, value, low=-math.inf, high=math.inf, *, open_low=False, open_high=False):
    """`value` as a float, if it is a finite number with low <= value <= high (low < value when `open_low`, value < high when `open_high`)."""
    ok = isinstance(value, numbers.Real) and not isinstance(value, bool) and _finite(value)
    if not ok or value > high or value < low or (open_low and value == low) or (open_high and value == high):
        left = "(" if open_low or low == -math.inf else "["
        right = ")" if open_high or high == math.inf else "]"
        raise ValueError(f"{name} must be a finite number in {left}{low:g}, {high:g}{right}; got {value!r}")
    return float(value)


def integer(name, value, low=None, high=None, of=None):
    """`value` as an int, if it is a whole number with low <= value <= high; `of` says what there are `high` of."""
    ok = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not ok or (low is not None and value < low) or (high is not None and value > high):
        limits = f"{'' if low is None else f' from {low}'}{'' if high is None else f' to {high}'}{'' if of is None else f', the number of {of}'}"
        raise ValueError(f"{name} must be a whole number{limits}; got {value!r}")
    return int(value)


def boolean(name, value):
    """`value`, if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def one_of(name, value, known):
    """`value`, if it is among the `known` names."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(sorted(known))}; got {value!r}")
    return value


def label_maps(name, value, num_classes=None, ignore=None):
    """`value` as an integer or boolean array of shape (N, H, W) or (H, W), its classes in [0, num_classes), or `ignore`."""
    array = np.asarray(value)
    if array.ndim not in (2, 3) or array.dtype.kind not in "biu" or array.size == 0:
        raise ValueError(
            f"{name} must be a non-empty array of integer classes or booleans, shape (H, W) or (N, H, W); "
            f"got shape {array.shape}, dtype {array.dtype}"
        )
    values = array if ignore is None else array[array != ignore]
    if array.dtype.kind != "b" and values.size:
        low, high = int(values.min()), int(values.max())
        if low < 0 or (num_classes is not None and high >= num_classes):
            accepted = "0 or more" if num_classes is None else f"in 0..{num_classes - 1}"
            raise ValueError(f"{name} must hold classes {accepted}; got values from {low} to {high}")
    return array


def same_shape(first_name, first, second_name, second):
    """Raise unless the two arrays have one shape."""
    if first.shape != second.shape:
        raise ValueError(
            f"{first_name} and {second_name} must have the same shape; got {first.shape} and {second.shape}"
        )
