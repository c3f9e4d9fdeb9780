"""Checks of what a user passes in: each raises a ValueError that names the argument, its value and what is accepted."""

import math
import numbers

import numpy as np


def _is_finite(value):
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number too large for a float
        return False


def real(name, value, low=-math.inf, high=math.inf, *, open_low=False, open_high=False):
    """`value` as a float, if it is a finite number from low to high; open_low, open_high: without the bound itself."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool) and _is_finite(value)
    too_low = is_number and (value < low or (open_low and value == low))
    too_high = is_number and (value > high or (open_high and value == high))
    if not is_number or too_low or too_high:
        left = "(" if open_low or low == -math.inf else "["
        right = ")" if open_high or high == math.inf else "]"
        raise ValueError(f"{name} must be a finite number in {left}{low:g}, {high:g}{right}; got {value!r}")
    return float(value)


def integer(name, value, low=None, high=None, of=None):
    """`value` as an int, if it is a whole number from low to high; `of` names the things that there are `high` of."""
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or (low is not None and value < low) or (high is not None and value > high):
        limits = "" if low is None else f" from {low}"
        limits += "" if high is None else f" to {high}"
        limits += "" if of is None else f", the number of {of}"
        raise ValueError(f"{name} must be a whole number{limits}; got {value!r}")
    return int(value)


def boolean(name, value):
    """`value` as a bool, if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def one_of(name, value, known):
    """`value`, if it is among the `known` names."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(sorted(known))}; got {value!r}")
    return value


def array(name, value):
    """`value` as a NumPy array, if it is a number or an array, or a sequence of sequences of one length."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be an array, its rows of one length; got {_short(value)}") from error


def class_count(name, value):
    """`value` as an int, if it is a number of classes that a label map in 16 bits can hold."""
    return integer(name, value, 1, 2**16)


def number_array(name, value, what="an array of finite numbers", low=-math.inf, finite=True):
    """`value` as a float array, in single precision at least, if it is an array of numbers, `low` or more.

    Args:
        name: of the argument, for the error.
        value: array or nested sequence.
        what: what is accepted, for the error.
        low: the least number.
        finite: whether infinity and NaN are refused.

    Returns:
        NumPy array.
    """
    found = array(name, value)
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be {what}; got {_short(value)}")
    # Sums in half precision soon overflow.
    found = found.astype(np.result_type(found.dtype, np.float32), copy=False)
    if (finite and not np.isfinite(found).all()) or (found < low).any():
        raise ValueError(f"{name} must be {what}; got {_short(value)}")
    return found


def _short(value):
    """What an error says of a value: itself, or the shape of a large array."""
    shape = getattr(value, "shape", ())
    text = f"shape {tuple(shape)}, dtype {value.dtype}" if math.prod(shape) > 20 else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def label_maps(name, value, num_classes=None, ignore=None):
    """`value` as an array, if it holds label maps: integers or booleans, shape (N, H, W) or (H, W).

    Args:
        name: of the argument, for the error.
        value: array or nested sequence.
        num_classes: classes must lie in 0..num_classes - 1; None accepts any class from 0.
        ignore: a further value that is accepted, such as 255, or None.

    Returns:
        NumPy array with the dtype of `value`.
    """
    maps = array(name, value)
    if maps.ndim not in (2, 3) or maps.dtype.kind not in "biu" or maps.size == 0:
        raise ValueError(
            f"{name} must be a non-empty array of integer classes or booleans, shape (H, W) or (N, H, W); "
            f"got shape {maps.shape}, dtype {maps.dtype}"
        )
    values = maps if ignore is None else maps[maps != ignore]
    if maps.dtype.kind != "b" and values.size:
        low, high = int(values.min()), int(values.max())
        if low < 0 or (num_classes is not None and high >= num_classes):
            accepted = "0 or more" if num_classes is None else f"in 0..{num_classes - 1}"
            raise ValueError(f"{name} must hold classes {accepted}; got values from {low} to {high}")
    return maps


def same_shape(first_name, first, second_name, second):
    """Raise unless the two arrays have the same shape."""
    if first.shape != second.shape:
        raise ValueError(
            f"{first_name} and {second_name} must have the same shape; got {first.shape} and {second.shape}"
        )
