"""Sweeps: a YAML file with a grid becomes named runs of a notebook, which another notebook compares."""

import difflib
import itertools
import re
from dataclasses import dataclass, fields

from thesis_lib import checks, segmentation, semi_supervised
from thesis_lib.extras import extra
from thesis_lib.paths import REPOSITORY

with extra("notebooks"):
    import yaml

KEYS = ("parameters", "grid", "run", "comparison", "notebooks")
RUN = "03_train_segmentation"
COMPARISON = "04_compare_targets"
FIELDS_OF = {
    RUN: segmentation.Run,
    "09_train_few_labels": semi_supervised.Run,
    "14_train_on_drawings": segmentation.Run,
}


@dataclass(frozen=True)
class Experiment:
    """A sweep, read from its file.

    Args:
        parts: the parts of the grid, in the order in which they run; each a dict from a run's name to its parameters.
        run: the notebook of one run.
        comparison: the notebook that compares all rows.
        notebooks: other notebooks that the report shows, a dict from name to parameters.
    """

    parts: list
    run: str
    comparison: str
    notebooks: dict

    @property
    def runs(self):
        """All runs, a dict from name to parameters."""
        return {name: run for part in self.parts for name, run in part.items()}


def read(path):
    """Read an experiment file.

    The file holds `parameters`, common to all runs, and `grid`, a list of axes' crossings: a mapping from a
    parameter to its list of values, or from a title to {name: {parameter: value, ...}} for values that set several
    parameters. Where two set one parameter, a later axis overrides an earlier one, and both override `parameters`.
    Each value of a crossing's first axis is a part of its own: with the seed first, all targets run with one seed
    before any runs with the next. A run is named by its values, in the order of the axes, joined by hyphens; its folder
    has this name. Further keys are `run` (03_train_segmentation if it is absent), `comparison` (04_compare_targets) and
    `notebooks`, a mapping from other notebooks to their parameters (none).

    The parameters of a run are those of its notebook's parameters cell, but for `output`, which the report chooses, and
    the other fields of its `Run`.

    Args:
        path: of the YAML file.

    Returns:
        Experiment.

    Raises:
        ValueError: naming the file and the key, if the file cannot be read, a key is misspelt, given twice or of
            another kind, a parameter is none of its notebook, a run's name is another's too or could not be a folder's,
            or a notebook does not exist.
    """
    path = checks.path("path", path)
    try:
        return _experiment(_content(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def runs(path):
    """All runs of an experiment file, a dict from name to parameters; see `read`."""
    return read(path).runs


def for_notebook(name, values):
    """Values as parameters of a notebook: those that its parameters cell does not have go into `settings`.

    Args:
        name: of a notebook in notebooks/, without its ending.
        values: dict.

    Raises:
        ValueError: if there is no such notebook, or values is no mapping.
    """
    own = _parameters_of(_notebook("name", name))
    _mapping("values", values)
    parameters = {key: value for key, value in values.items() if key in own}
    settings = {key: value for key, value in values.items() if key not in own}
    return {**parameters, "settings": settings} if settings else parameters


class _Loader(yaml.SafeLoader):
    """YAML in which no mapping holds a key twice; the usual loader takes the last one silently."""

    def compose_mapping_node(self, anchor):
        node = super().compose_mapping_node(anchor)
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise ValueError(f"keys must be given once in a mapping; got {key!r} twice in that of line {line}")
        return node


def _content(path):
    try:
        return yaml.load(path.read_text("utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"the file must be readable YAML; {type(error).__name__}: {error}") from error


def _experiment(content):
    content = _mapping("the file", content)
    for key in content:
        _known("its keys", key, KEYS)
    common = _mapping("parameters", content.get("parameters", {}))
    run, comparison = _notebook("run", content.get("run", RUN)), content.get("comparison", COMPARISON)
    others = _mapping("notebooks", content.get("notebooks") or {})
    others = {name: _mapping(name, {} if given is None else given) for name, given in others.items()}
    _notebook("comparison", comparison)
    for name, given in others.items():
        _notebook("notebooks", name)
        for key in given:
            _known(f"parameters of {name}", key, _parameters_of(name))
    grid = content.get("grid")
    if not isinstance(grid, list):
        raise ValueError(f"grid must be a list of crossings, mappings from axes to values; got {grid!r}")
    parts = [part for crossing in grid for part in _crossing(_mapping("each crossing of grid", crossing), common)]
    own = _parameters_of(run)
    if "settings" in own and run in FIELDS_OF:
        own += [one.name for one in fields(FIELDS_OF[run])]
    names = set()
    for part in parts:
        for name, parameters in part.items():
            if name in names:
                raise ValueError(f"every run must have a name of its own; got {name!r} twice")
            names.add(name)
            for key in parameters:
                _known(f"parameters of {run}", key, [one for one in own if one not in ("settings", "output")])
    return Experiment(parts, run, comparison, others)


def _parameters_of(notebook):
    """Names in the parameters cell of a notebook."""
    with extra("notebooks"):  # here, as its import takes over a second, and every package of figures imports this file
        import papermill
    return list(papermill.inspect_notebook(REPOSITORY / "notebooks" / f"{notebook}.ipynb"))


def _mapping(name, value):
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{name} must be a mapping whose keys are text; got {value!r}")
    return value


def _known(name, key, known):
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        accepted = f"such as {near[0]}" if near else f"one of {', '.join(known)}"
        raise ValueError(f"{name} must be known ones, {accepted}; got {key!r}")


def _notebook(key, name):
    is_name = isinstance(name, str) and re.fullmatch(r"\w[\w.-]*", name)
    if not is_name or not (REPOSITORY / "notebooks" / f"{name}.ipynb").is_file():
        raise ValueError(f"{key} must name notebooks that are in notebooks/; got {name!r}")
    return name


def _crossing(crossing, common):
    """The runs of each value of the first axis."""
    if not crossing:
        raise ValueError("each crossing of grid must have an axis or more; got none")
    first, *others = [_options(axis, values) for axis, values in crossing.items()]
    return [_named(itertools.product([option], *others), common) for option in first]


def _named(choices, common):
    found = {}
    for chosen in choices:
        name = "-".join(label for label, _ in chosen)
        if name in found or not re.fullmatch(r"\w[\w.+-]*", name):
            raise ValueError(f"every run must have a name of its own, of letters, digits and _.+-; got {name!r}")
        found[name] = {key: value for _, parameters in ((None, common), *chosen) for key, value in parameters.items()}
    return found


def _options(axis, values):
    """(label, parameters) of each value of an axis."""
    if isinstance(values, dict) and values:
        for name, parameters in values.items():
            if isinstance(name, bool) or not isinstance(name, (str, int, float)):
                raise ValueError(
                    f"{axis} must have names that are text or numbers; got {name!r}, perhaps without quotes"
                )
            _mapping(f"{name} of {axis}", parameters)
        return [(str(name), parameters) for name, parameters in values.items()]
    if not isinstance(values, list) or not values:
        raise ValueError(f"{axis} must be a list of values or a mapping of named ones, not empty; got {values!r}")
    return [(f"{axis}{value}" if not isinstance(value, str) else value, {axis: value}) for value in values]
