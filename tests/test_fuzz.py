"""Every public function, called with hostile values, gives a sane result or an error in the library's own words.

`fuzz/` holds an entry for each name: valid arguments, of which one or two are replaced by a hostile value or by one of
the same meaning (`fuzz.values`). Then the call either succeeds, and its result is finite and as documented, or
`thesis_lib` itself raises an error that names the argument (`fuzz.entry.judge`). Examples are drawn by hypothesis from
a fixed seed, which takes about 40 s, and 20 s in test_fuzz_files.py. The environment variable THESIS_FUZZ multiplies
them: `THESIS_FUZZ=20 pytest tests/test_fuzz.py tests/test_fuzz_files.py` tries others for a quarter of an hour.
"""

import importlib
import inspect
import os
import types

import keras
import numpy as np
import pytest
from fuzz import annotation, data, known, metrics, networks, study, targets, trainings, values, volumes
from fuzz.entry import Entry, Fault, compare, copied, judge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TIMES = float(os.environ.get("THESIS_FUZZ", "1"))
PACKAGES = (
    "annotation",
    "targets",
    "metrics",
    "data",
    "models",
    "training",
    "segmentation",
    "semi_supervised",
    "study",
)
ENTRIES = {
    **{f"annotation.{name}": entry for name, entry in annotation.ENTRIES.items()},
    **{f"targets.{name}": entry for name, entry in targets.ENTRIES.items()},
    **{f"metrics.{name}": entry for name, entry in metrics.ENTRIES.items()},
    **{f"data.{name}": entry for name, entry in data.ENTRIES.items()},
    **{f"data.{name}": entry for name, entry in volumes.ENTRIES.items()},
    **{f"segmentation.{name}": entry for name, entry in volumes.SEGMENTATION.items()},
    **networks.ENTRIES,
    **trainings.ENTRIES,
    **{f"study.{name}": entry for name, entry in study.ENTRIES.items()},
}
OF_KERAS = ("call", "compute_loss", "compute_metrics", "fit", "guess", "mix", "set_model", "unsupervised_loss")
IN_KERAS = (keras.layers.Layer, keras.losses.Loss, keras.callbacks.Callback)
OF_SAVING = ("from_config", "get_config")


def public(prefix, found):
    """Names of the functions and classes below a public name, with their methods; what Keras calls itself is none."""
    if isinstance(found, types.ModuleType):
        for name, one in vars(found).items():
            if not name.startswith("_") and getattr(one, "__module__", "") == found.__name__ and callable(one):
                yield from public(f"{prefix}.{name}", one)
    elif inspect.isclass(found):
        yield prefix
        hooks = OF_KERAS + OF_SAVING if issubclass(found, IN_KERAS) else OF_SAVING
        for name in vars(found):
            is_method = inspect.isfunction(getattr(found, name)) or inspect.ismethod(getattr(found, name))
            if is_method and name not in hooks and not name.startswith(("_", "on_")):
                yield f"{prefix}.{name}"
    elif callable(found):
        yield prefix


def public_names():
    for package in PACKAGES:
        door = importlib.import_module(f"thesis_lib.{package}")
        for name in door.__all__:
            yield from public(f"{package}.{name}", getattr(door, name))


def test_every_public_name_has_an_entry():
    names = set(public_names())
    assert set(known.RECORDS) <= names
    assert {name for name in names if not name.startswith(known.OF_TABLES)} - set(known.RECORDS) == set(ENTRIES)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """What a call writes to a relative path lies in a temporary folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ENTRIES)
def test_hostile_values_are_refused_by_name(name):
    entry = ENTRIES[name]
    run = settings(
        max_examples=max(round(entry.examples * TIMES), 1) if entry.hostile else 1,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    @run
    @given(st.data())
    def holds(data):
        attempt(entry, data)

    holds()


def attempt(entry, data):
    """One example: valid arguments, then some of them replaced."""
    arguments = entry.arguments(data.draw)
    if not entry.hostile:
        judge(entry, arguments)
        return
    replaced = data.draw(st.lists(st.sampled_from(entry.hostile), max_size=2, unique=True))
    if len(replaced) == 1:
        alike = values.same(arguments[replaced[0]])
        if alike and data.draw(st.booleans()):
            compare_alike(entry, arguments, replaced[0], alike[data.draw(st.sampled_from(sorted(alike)))])
            return
    for argument in replaced:
        kinds = entry.kinds(argument, arguments[argument])
        arguments[argument] = kinds[data.draw(st.sampled_from(sorted(kinds)))]
    judge(entry, arguments, replaced)


def compare_alike(entry, arguments, argument, value):
    """Raise unless a value of the same meaning gives the same result, or is refused."""
    expected = judge(entry, copied(arguments))
    found = judge(entry, {**arguments, argument: value}, (argument,))
    if found is not None:
        compare(expected, found)


def test_a_fault_is_found():
    """The test itself: Python's own error, a result of NaN, an error that names nothing, and labels that are cut."""

    def refuses(value):
        raise ValueError("wrong")

    for call in (lambda value: value.no_such, lambda value: float("nan"), refuses):
        with pytest.raises(Fault):
            judge(Entry(call, {"value": 1}), {"value": None}, ("value",))
    with pytest.raises(Fault, match="something of it is lost"):
        judge(Entry(lambda labels: 1, {"labels": 1}), {"labels": np.array([[0.5, 1.0]])}, ("labels",))
