"""Hostile values for an argument, made from a valid one: each has a name, under which a fault can be told."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np

_empty = tempfile.TemporaryDirectory()
ANY = {  # whatever the argument is
    "None": None,
    "True": True,
    "NaN": float("nan"),
    "inf": float("inf"),
    "1e200": 1e200,
    "minus one": -1,
    "zero": 0,
    "a half": 0.5,
    "256": 256,
    "2**31": 2**31,
    "2**63": 2**63,
    "10**400": 10**400,
    "complex": 1 + 2j,
    "half precision": np.float16(1),
    "no text": "",
    "text": "abc",
    "superscript": "²",
    "surrogate": "\ud800",
    "a NUL": "a\0b",
    "bytes": b"x",
    "no list": [],
    "list": [3.5],
    "list of None": [None],
    "ragged list": [[1], [1, 2]],
    "texts": ["a", "b"],
    "no dict": {},
    "dict": {0: 1},
    "set": {1, 2},
    "function": len,
    "class": int,
    "object": object(),
    "no file": Path("no") / "such" / "file.png",
    "a folder": Path(_empty.name),
    "no array": np.zeros(0),
    "no rows": np.zeros((0, 4, 4)),
    "array of text": np.array(["a", "b"]),
    "array of objects": np.array([object(), None]),
    "a date": np.datetime64("2020-01-01"),
    "five axes": np.zeros((2, 2, 2, 2, 2)),
    "masked": np.ma.masked_array([1, 2], [True, False]),
}
LARGE = ("2**31", "2**63", "10**400")
DTYPES = "?bBhHiIqQefdFO"  # NumPy's letters of the number types, and O for objects


def hostile(value):
    """{name: hostile value} for an argument that is `value` where it is valid."""
    if isinstance(value, np.ndarray):
        return {**ANY, **_arrays(value)}
    if isinstance(value, (list, tuple)) and value:
        return {**ANY, **_sequences(value)}
    return ANY


def same(value):
    """{name: a value of the same meaning}: accepted, it must give the same result as `value`."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.ndim:
        kept = {np.dtype(letter).name: value.astype(letter) for letter in DTYPES if _holds(value, letter)}
        return {
            **kept,
            "big-endian": value.astype(value.dtype.newbyteorder(">")),
            "in columns": np.asfortranarray(value),
            "reversed twice": np.ascontiguousarray(value[::-1])[::-1],
            "nested lists": value.tolist(),
            "no mask": np.ma.masked_array(value),
            "read only": _read_only(value),
        }
    if isinstance(value, bool):
        return {"NumPy's bool": np.bool_(value)}
    if isinstance(value, int):
        return {"float": float(value), "int64": np.int64(value), "array ()": np.array(value)}
    if isinstance(value, float):
        return {"float64": np.float64(value), "array ()": np.array(value)}
    if isinstance(value, list):
        return {"tuple": tuple(value)}
    return {}


def _holds(value, letter):
    """Whether a dtype holds these numbers exactly, beside objects and complex numbers, which no check needs to know."""
    with np.errstate(all="ignore"):
        kept = value.astype(letter)
        return letter not in "FO" and bool((kept == value).all() and (kept.astype(value.dtype) == value).all())


def _read_only(value):
    value = value.copy()
    value.flags.writeable = False
    return value


def _arrays(value):
    found = {
        "first item": value[:1],
        "no item": value[:0],
        "one axis more": value[None],
        "one axis less": value[0] if value.ndim else value,
        "last axis less": value[..., 0] if value.ndim else value,
        "last length less": value[..., :-1],
        "in objects": value.astype(object),
    }
    if value.dtype.kind in "biuf" and value.size:
        negative, large, missing = value.astype(float), value.astype(float), value.astype(float)
        negative.flat[0], large.flat[0], missing.flat[0] = -1, 1e30, np.nan
        found |= {"negative": negative, "large": large, "with NaN": missing, "in complex": value.astype(complex)}
        found["with mask"] = np.ma.masked_array(value, np.arange(value.size).reshape(value.shape) % 2)
    if value.dtype.kind in "iu" and value.size:
        for name, number in {"-1 in it": -1, "99 in it": 99, "255 in it": 255, "300 in it": 300}.items():
            found[name] = value.astype(np.int64)
            found[name].flat[0] = number
        found["2**63 in it"] = value.astype(np.uint64)
        found["2**63 in it"].flat[0] = 2**63
        found["in floats"] = value.astype(float) + 0.5
    return found


def _sequences(value):
    first = value[0]
    return {
        "one item": value[:1],
        "one item more": [*value, first],
        "None in it": [*value[:-1], None],
        "NaN in it": [*value[:-1], float("nan")],
        "text in it": [*value[:-1], "abc"],
        "negative in it": [*value[:-1], -1],
        "large in it": [*value[:-1], 10**400],
        "nested": [list(value)],
    }


def fields(instance):
    """A dataclass instance as the keyword arguments that make it."""
    return {one.name: getattr(instance, one.name) for one in dataclasses.fields(instance)}
