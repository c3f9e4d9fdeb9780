"""What the fuzzing test asks of a call: a sane result, or an error that the library itself words."""

import dataclasses
import dis
import re
import types
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from fuzz import values
from hypothesis import strategies as st

import thesis_lib

LIBRARY = str(Path(thesis_lib.__file__).parent)
COPIED = (np.ndarray, list, dict, pd.DataFrame)
LABELS = ("labels", "predictions", "annotation", "reference", "annotations", "references", "first", "second", "classes")
NUMBERS = (
    "image",
    "images",
    "logits",
    "maps",
    "mask",
    "picture",
    "predicted",
    "probabilities",
    "soft_labels",
    "values",
)
MOST = 3  # leaves of a wrong result that a message shows


@dataclass(frozen=True)
class Entry:
    """How one public name is called.

    Args:
        call: the function, or a class.
        given: valid keyword arguments: values, or hypothesis strategies of them.
        sane: function of the arguments and the result, raises AssertionError; after the check that numbers are finite.
        words: what an error may call an argument, where not by its name.
        fixed: arguments that no hostile value replaces.
        large: arguments for which a large whole number is right, but takes long or much memory.
        nan: whether NaN has a meaning in the result.
        unlabelled: whether labels of -1 have a meaning, an image without a label.
        examples: of hypothesis.
    """

    call: object
    given: dict
    sane: object = None
    words: dict = field(default_factory=dict)
    fixed: tuple = ()
    large: tuple = ()
    nan: bool = False
    unlabelled: bool = False
    examples: int = 40

    def arguments(self, draw):
        """Valid arguments, copied."""
        drawn = {}
        for name, value in self.given.items():
            if isinstance(value, st.SearchStrategy):
                value = draw(value)
            drawn[name] = value
        return copied(drawn)

    @property
    def hostile(self):
        return [name for name in self.given if name not in self.fixed]

    def kinds(self, name, value):
        """{name: hostile value} for an argument."""
        found = values.hostile(value)
        if name in self.large:
            found = {kind: one for kind, one in found.items() if kind not in values.LARGE}
        return found


def copied(value):
    """Arguments that a call may change without harm: arrays and tables are copied, other objects are not."""
    if isinstance(value, dict):
        return {key: copied(one) for key, one in value.items()}
    if isinstance(value, list):
        return [copied(one) for one in value]
    return value.copy() if isinstance(value, (np.ndarray, pd.DataFrame)) else value


class Fault(AssertionError):
    """A call with a wrong result or an error that names nothing."""


def judge(entry, given, replaced=()):
    """Call with these arguments, of which some may be hostile; the leaves of the result, or None if it was refused."""
    before = copied({name: value for name, value in given.items() if isinstance(value, COPIED)})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", category=RuntimeWarning, module="thesis_lib")
            result = entry.call(**given)
            if isinstance(result, types.GeneratorType):
                result = list(result)
    except Exception as error:
        if not replaced:
            raise Fault(f"valid arguments were refused: {type(error).__name__}: {error}") from error
        why = _unworded(error, [word for name in replaced for word in _words(entry, name, given[name])])
        if why:
            raise Fault(f"{why}: {type(error).__name__}: {str(error)[:200]}") from error
        return None
    for name in replaced:
        if _loses(name, given[name], -1 if entry.unlabelled else 0):
            raise Fault(f"{name} was taken although something of it is lost: {str(given[name])[:200]}")
    for name, value in before.items():
        if not _equal(leaves(value), leaves(given[name])):
            raise Fault(f"the argument {name} was changed")
    found = leaves(result)
    if not entry.nan:
        wrong = [leaf for leaf in found if isinstance(leaf, np.ndarray) and not _finite(leaf)]
        if wrong:
            raise Fault(f"the result is not finite: {wrong[:MOST]}")
    if entry.sane is not None:
        entry.sane(given, result)
    return found


def _loses(name, value, least):
    """Whether masks or imaginary parts of an array would be dropped, or fractions or signs of classes."""
    if name not in (*LABELS, *NUMBERS) or not isinstance(value, np.ndarray) or value.dtype.kind not in "biufc":
        return False
    are_classes = (value.real >= least).all() and (value.real % 1 == 0).all()
    return np.ma.is_masked(value) or value.dtype.kind == "c" or (name in LABELS and not are_classes)


def _words(entry, name, value):
    """What an error may call an argument: its name, another word for it, or the file that it names."""
    words = entry.words.get(name, ())
    of_file = [str(value)] if isinstance(value, (str, Path)) and str(value) else []
    return [name, *([words] if isinstance(words, str) else words), *of_file]


def _unworded(error, words):
    """Why an error is none of the library's own sentences; None if it is one."""
    if not isinstance(error, (ValueError, TypeError, OSError, RuntimeError)):
        return "an error of a kind that no caller expects"
    last = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    code = last.tb_frame.f_code
    if not code.co_filename.startswith(LIBRARY):
        return f"an error from {code.co_filename}, line {last.tb_lineno}"
    raised = next(one.opname for one in dis.get_instructions(code) if one.offset == last.tb_lasti)
    if raised != "RAISE_VARARGS":
        return f"an error that {Path(code.co_filename).name}, line {last.tb_lineno}, does not word"
    if not any(re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", str(error)) for word in words):
        return f"an error that does not name {', '.join(words)}"
    return None


def leaves(value):
    """What a result consists of, in one list: arrays of numbers, and texts."""
    if isinstance(value, keras.Model):
        return [np.asarray(len(value.layers))]
    if isinstance(value, (keras.Variable, keras.KerasTensor)) or keras.ops.is_tensor(value):
        return leaves(keras.ops.convert_to_numpy(value))
    if isinstance(value, pd.DataFrame):
        return [leaf for name in value for leaf in [str(name), *leaves(value[name].to_numpy())]]
    if isinstance(value, dict):
        return [leaf for key, one in value.items() for leaf in [str(key), *leaves(one)]]
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return [value]
    if isinstance(value, (list, tuple, np.ndarray, pd.Series)):
        return [leaf for one in value for leaf in leaves(one)]
    if isinstance(value, (bool, int, float, np.generic)) and not isinstance(value, np.str_):
        number = np.asarray(value)
        return [str(value) if number.dtype == object else number]  # a whole number of hundreds of digits
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return leaves(values.fields(value))
    return [value] if isinstance(value, (str, bytes, Path)) else []


def _finite(leaf):
    return leaf.dtype.kind not in "fc" or bool(np.isfinite(leaf).all())


def _equal(first, second):
    if len(first) != len(second):
        return False
    for one, other in zip(first, second):
        if isinstance(one, np.ndarray) != isinstance(other, np.ndarray):
            return False
        if not isinstance(one, np.ndarray):
            if one != other:
                return False
        elif one.shape != other.shape or not np.allclose(*_floats(one, other), rtol=1e-3, atol=1e-4, equal_nan=True):
            return False
    return True


def _floats(*arrays):
    return [np.asarray(array, float) if array.dtype.kind in "biuf" else array for array in arrays]


def compare(expected, found):
    """Raise unless arguments of the same meaning gave the same result."""
    if not _equal(expected, found):
        raise Fault(f"another result for arguments of the same meaning: {expected[:MOST]} and {found[:MOST]}")
