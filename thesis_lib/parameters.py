"""Parameters of a run, each declared once: default, what is accepted, unit, and the sentence that documents it.

A run is a frozen dataclass whose fields are made by the functions below and whose class is decorated by `documented`:

    @documented
    @dataclass(frozen=True)
    class Run:
        epochs: int = whole(20, "passes over the training images", 1)

        def __post_init__(self):
            check(self)

`Run?` then shows every field with its default, unit and range; `Run(epochs=0)` raises one error that names the field.
"""

import dataclasses
from dataclasses import dataclass, field, fields

from thesis_lib import checks


@dataclass(frozen=True)
class Parameter:
    """What is known of a field: its sentence, its unit, what it accepts in words, and the check of a value.

    `check` is called with (name, value) and returns the value as plain Python, or raises ValueError.
    """

    sentence: str
    accepted: str
    unit: str
    check: object
    optional: bool


def _field(default, sentence, accepted, unit, check, optional):
    parameter = Parameter(sentence, accepted, unit, check, optional)
    if isinstance(default, (list, dict)):
        return field(default_factory=lambda: type(default)(default), metadata={"parameter": parameter})
    return field(default=default, metadata={"parameter": parameter})


def whole(default, sentence, low=None, high=None, unit="", optional=False):
    """A whole number with low <= value <= high; `optional` also accepts None."""
    limits = f"{'' if low is None else f' from {low}'}{'' if high is None else f' to {high}'}"
    return _field(
        default,
        sentence,
        f"a whole number{limits}",
        unit,
        lambda name, value: checks.integer(name, value, low, high),
        optional,
    )


def real(default, sentence, low, high=float("inf"), unit="", optional=False, **open_bounds):
    """A finite number with low <= value <= high; open_low, open_high: without the bound itself."""
    left = "(" if open_bounds.get("open_low") or low == -float("inf") else "["
    right = ")" if open_bounds.get("open_high") or high == float("inf") else "]"
    return _field(
        default,
        sentence,
        f"a number in {left}{low:g}, {high:g}{right}",
        unit,
        lambda name, value: checks.real(name, value, low, high, **open_bounds),
        optional,
    )


def boolean(default, sentence):
    """True or False."""
    return _field(default, sentence, "True or False", "", checks.boolean, False)


def choice(default, sentence, names, optional=False):
    """One of the names, listed in the documentation."""
    names = tuple(names)
    return _field(
        default,
        sentence,
        f"one of {', '.join(names)}",
        "",
        lambda name, value: checks.one_of(name, value, names),
        optional,
    )


def other(default, sentence, accepted, check=lambda name, value: value, optional=False, unit=""):
    """Anything else: `accepted` says in words what, `check` raises ValueError for the rest."""
    return _field(default, sentence, accepted, unit, check, optional)


def check(run):
    """Check every field of a frozen dataclass made of these; NumPy's numbers become Python's."""
    for one in fields(run):
        parameter, value = one.metadata["parameter"], getattr(run, one.name)
        if value is None and parameter.optional:
            continue
        object.__setattr__(run, one.name, parameter.check(one.name, value))


def create(cls, *given):
    """A run from one or more mappings of its fields, such as a notebook's parameters and its `settings`.

    Raises:
        ValueError: naming what is no field, or is given twice.
    """
    values = {}
    known = [one.name for one in fields(cls)]
    for mapping in given:
        if not isinstance(mapping, dict):
            hint = "; papermill takes a mapping by -y, not -p: -y 'settings: {NAME: VALUE}'" * isinstance(mapping, str)
            text = f"settings must be a mapping from fields of {cls.__name__} to values; got {mapping!r}"
            raise ValueError(text + hint)
        for name, value in mapping.items():
            if name not in known:
                text = f"settings must be fields of {cls.__name__}, one of {', '.join(known)}; got {name!r}"
                raise ValueError(text + checks.nearest(name, known))
            if name in values:
                raise ValueError(f"{name} must be given once; it is a parameter and in settings")
            values[name] = value
    return cls(**values)


def default(one):
    """The default of a field of a dataclass."""
    return one.default if one.default_factory is dataclasses.MISSING else one.default_factory()


def refuse(run, names, where):
    """Raise ValueError for the first of these fields that is given although it has no meaning; `where` says when."""
    for one in fields(run):
        value = getattr(run, one.name)
        if one.name in names and value != default(one):
            raise ValueError(f"{one.name} must be left at {default(one)!r} {where}; got {value!r}")


def documented(cls):
    """Class decorator: add every field's sentence, unit, range and default to the docstring."""
    lines = ["", "", "    Args:"]
    for one in fields(cls):
        parameter = one.metadata["parameter"]
        required = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        usual = "" if required else f"; default {default(one)!r}"
        unit = f", {parameter.unit}" if parameter.unit else ""
        none = " or None" if parameter.optional else ""
        lines.append(f"        {one.name}: {parameter.sentence}: {parameter.accepted}{unit}{none}{usual}.")
    cls.__doc__ = (cls.__doc__ or "").rstrip() + "\n".join(lines)
    return cls
