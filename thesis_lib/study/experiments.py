"""Sweeps: a YAML file with a grid becomes named runs of a notebook, which another notebook compares."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from thesis_lib.extras import extra
from thesis_lib.paths import REPOSITORY

with extra("notebooks"):
    import papermill
    import yaml


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
    parameters. Each value of a crossing's first axis is a part of its own: with the seed first, all targets run with
    one seed before any runs with the next. A run is named by its values, in the order of the axes, joined by hyphens;
    its folder has this name. Further keys are `run` (03_train_segmentation if it is absent), `comparison`
    (04_compare_targets) and `notebooks`, a mapping from other notebooks to their parameters (none).

    Args:
        path: of the YAML file.

    Returns:
        Experiment.

    Raises:
        ValueError: naming the file, if it cannot be read, an axis is neither a list nor a mapping, a run's name is
            another's too or could not be a folder's, or a notebook does not exist.
    """
    try:
        content = yaml.safe_load(Path(path).read_text())
        common, grid = content.get("parameters") or {}, content["grid"]
        parts = [part for crossing in grid for part in _crossing(crossing, common)]
        names = [name for part in parts for name in part]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"every run needs a name of its own; got {twice[0]!r} twice")
        run = content.get("run") or "03_train_segmentation"
        comparison = content.get("comparison") or "04_compare_targets"
        others = {name: given or {} for name, given in (content.get("notebooks") or {}).items()}
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must be a YAML file with `parameters` and a list `grid`: {error!r}") from error
    for name in (run, comparison, *others):
        if not (REPOSITORY / "notebooks" / f"{name}.ipynb").is_file():
            raise ValueError(f"{path} must name notebooks that are in notebooks/; got {name!r}")
    return Experiment(parts, run, comparison, others)


def runs(path):
    """All runs of an experiment file, a dict from name to parameters; see `read`."""
    return read(path).runs


def for_notebook(name, values):
    """Values as parameters of a notebook: those that its parameters cell does not have go into `settings`.

    Args:
        name: of a notebook in notebooks/, without its ending.
        values: dict.
    """
    path = REPOSITORY / "notebooks" / f"{name}.ipynb"
    own = set(papermill.inspect_notebook(path))
    parameters = {key: value for key, value in values.items() if key in own}
    settings = {key: value for key, value in values.items() if key not in own}
    return {**parameters, "settings": settings} if settings else parameters


def _crossing(crossing, common):
    """The runs of each value of the first axis."""
    first, *others = [_options(axis, values) for axis, values in crossing.items()]
    return [_named(itertools.product([option], *others), common) for option in first]


def _named(choices, common):
    found = {}
    for chosen in choices:
        name = "-".join(label for label, _ in chosen)
        if name in found or not re.fullmatch(r"\w[\w.+-]*", name):
            raise ValueError(f"every run needs a name of its own, of letters, digits and _.+-; got {name!r}")
        found[name] = {k: v for _, parameters in ((None, common), *chosen) for k, v in parameters.items()}
    return found


def _options(axis, values):
    if isinstance(values, dict):
        return [(str(name), parameters) for name, parameters in values.items()]
    if not isinstance(values, list):
        raise ValueError(f"{axis} must be a list of values or a mapping of named ones; got {values!r}")
    return [(f"{axis}{value}" if not isinstance(value, str) else value, {axis: value}) for value in values]
