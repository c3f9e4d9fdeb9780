"""Checks of what a user passes in: each raises a ValueError that names the argument, its value and what is accepted."""

import difflib
import math
import numbers
import os
from pathlib import Path

import numpy as np
import pandas as pd

MOST_CLASSES = 2**16  # of label maps: numbers that 16 bits hold
MOST_PAIRED_CLASSES = 2**12  # of a matrix (K, K)


def _is_finite(value):
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number too large for a float
        return False


def shown(value):
    """What an error says of a value: itself, or the shape of a large array."""
    shape = getattr(value, "shape", ())
    if isinstance(shape, tuple) and all(isinstance(n, int) for n in shape) and math.prod(shape) > 20:
        kind = f", dtype {value.dtype}" if hasattr(value, "dtype") else f" of a {type(value).__name__}"
        return f"shape {shape}{kind}"
    try:
        text = repr(value)
    except Exception:  # a whole number of thousands of digits, or a class whose repr fails
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= 200 else f"{text[:200]}..."


def real(name, value, low=-math.inf, high=math.inf, *, open_low=False, open_high=False):
    """`value` as a float, if it is a finite number from low to high; open_low, open_high: without the bound itself."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool) and _is_finite(value)
    found = float(value) if is_number else 0.0  # bounds may be too large for a number in half precision
    too_low = found < low or (open_low and found == low)
    too_high = found > high or (open_high and found == high)
    if not is_number or too_low or too_high:
        left = "(" if open_low or low == -math.inf else "["
        right = ")" if open_high or high == math.inf else "]"
        raise ValueError(f"{name} must be a finite number in {left}{low:g}, {high:g}{right}; got {shown(value)}")
    return found


def integer(name, value, low=None, high=None, of=None):
    """`value` as an int, if it is a whole number from low to high; `of` names the things that there are `high` of."""
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or (low is not None and value < low) or (high is not None and value > high):
        limits = "" if low is None else f" from {low}"
        limits += "" if high is None else f" to {high}"
        limits += "" if of is None else f", the number of {of}"
        raise ValueError(f"{name} must be a whole number{limits}; got {shown(value)}")
    return int(value)


def boolean(name, value):
    """`value` as a bool, if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False; got {shown(value)}")
    return bool(value)


def nearest(value, known):
    """What to add to an error about an unknown name: which of the `known` ones may be meant; "" if none is like it."""
    near = difflib.get_close_matches(value, known, 1) if isinstance(value, str) else []
    return f"; did you mean {near[0]!r}?" if near else ""


def one_of(name, value, known):
    """`value`, if it is among the `known` names."""
    if not isinstance(value, str) or value not in known:
        text = f"{name} must be one of {', '.join(sorted(known))}; got {shown(value)}"
        raise ValueError(text + nearest(value, known))
    return value


def instance(name, value, kinds, what):
    """`value`, if it is of one of the `kinds`, a class or a tuple of classes; `what` is accepted, for the error."""
    if not isinstance(value, kinds):
        raise ValueError(f"{name} must be {what}; got {shown(value)}")
    return value


def path(name, value, what="a path"):
    """`value` as a Path, if it is the name of a file or folder; `what` is accepted, for the error."""
    try:
        text = os.fspath(value)
        is_name = isinstance(text, str) and text != "" and b"\0" not in os.fsencode(text)
    except (TypeError, UnicodeEncodeError):
        is_name = False
    if not is_name:
        raise ValueError(f"{name} must be {what}; got {shown(value)}")
    return Path(text)


def table(name, value, columns=(), what="a DataFrame"):
    """`value`, if it is a DataFrame with these columns; `what` is accepted, for the error."""
    instance(name, value, pd.DataFrame, what)
    lacking = [column for column in columns if column not in value]
    if lacking:
        raise ValueError(f"{name} must have the columns {', '.join(columns)}; it lacks {', '.join(lacking)}")
    return value


def listed(name, value, kinds, what):
    """`value` as a list, if it is a list or tuple of one item or more, each of one of the `kinds`."""
    if not isinstance(value, (list, tuple)) or not value or not all(isinstance(one, kinds) for one in value):
        raise ValueError(f"{name} must be {what}; got {shown(value)}")
    return list(value)


def lengths(name, value, count, what, low=1, high=2**15):
    """`value` as a tuple of `count` whole numbers from low to high, such as the shape of an image."""
    is_list = isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim == 1)
    found = list(value) if is_list else []
    are_whole = all(
        isinstance(one, numbers.Integral) and not isinstance(one, bool) and low <= one <= high for one in found
    )
    if len(found) != count or not are_whole:
        raise ValueError(f"{name} must be {what}, {count} whole numbers from {low} to {high}; got {shown(value)}")
    return tuple(int(one) for one in found)


def array(name, value):
    """`value` as a NumPy array, if it is a number or an array, or a sequence of sequences of one length.

    An array of numpy.ma with masked values is refused: what they hide would count.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} must be an array without masked values; got {value.mask.sum()} that are masked")
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} must be an array, its rows of one length; got {shown(value)}") from error


def class_count(name, value):
    """`value` as an int, if it is a number of classes that a label map in 16 bits can hold."""
    return integer(name, value, 1, MOST_CLASSES)


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
    if not found.size:
        found = found.astype(np.float32)  # an empty column of a table has no type
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be {what}; got {shown(value)}")
    # Sums in half precision soon overflow.
    found = found.astype(np.result_type(found.dtype, np.float32), copy=False)
    if (finite and not np.isfinite(found).all()) or (found < low).any():
        raise ValueError(f"{name} must be {what}; got {shown(value)}")
    return found


def label_maps(name, value, num_classes=None, ignore=None):
    """`value` as an array, if it holds label maps: integers or booleans, shape (N, H, W) or (H, W).

    Args:
        name: of the argument, for the error.
        value: array or nested sequence.
        num_classes: classes must lie in 0..num_classes - 1; None accepts those that 16 bits hold.
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
        most = MOST_CLASSES if num_classes is None else num_classes
        if low < 0 or high >= most:
            raise ValueError(f"{name} must hold classes in 0..{most - 1}; got values from {low} to {high}")
    return maps


def same_shape(first_name, first, second_name, second):
    """Raise unless the two arrays have the same shape."""
    if first.shape != second.shape:
        raise ValueError(
            f"{first_name} and {second_name} must have the same shape; got {first.shape} and {second.shape}"
        )


def paired_class_count(name, value):
    """`value` as an int, if it is a number of classes whose pairs memory holds: 128 MiB for the largest."""
    return integer(name, value, 1, MOST_PAIRED_CLASSES)
