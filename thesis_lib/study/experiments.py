"""Sweeps: a YAML file with a grid becomes named runs of a notebook, which another notebook compares."""

import itertools
import re
from pathlib import Path

import yaml

from thesis_lib.paths import REPOSITORY


def parts(path):
    """The parts of an experiment file, in the order in which they are run: a dict of runs for each.

    The file holds `parameters`, common to all runs, and `grid`, a list of axes' crossings: a mapping from a
    parameter to its list of values, or from a title to {name: {parameter: value, ...}} for values that set several
    parameters. Each value of a crossing's first axis is a part of its own: with the seed first, every target has run with
    one seed before any has with the next. A run is named by its values, in the order of the axes, joined by hyphens; that
    is also its folder's name.

    Returns:
        list of dicts from run name to its parameters.

    Raises:
        ValueError: naming the file, if it is no such file, an axis is neither a list nor a mapping, or a run's name
            is another's too or could not be a folder's.
    """
    try:
        content = yaml.safe_load(Path(path).read_text())
        common, grid = content.get("parameters") or {}, content["grid"]
        found = [part for crossing in grid for part in _crossing(crossing, common)]
        names = [name for part in found for name in part]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"every run needs a name of its own; got {twice[0]!r} twice")
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must be a YAML file with `parameters` and a list `grid`: {error!r}") from error
    return found


def notebooks(path):
    """Which notebooks an experiment file runs.

    Its keys are `run` (the notebook of one run; 03_train_segmentation if it is not there), `comparison` (of all rows;
    04_compare_targets) and `stories`, a mapping from other notebooks to their parameters (none).

    Returns:
        dict with these three keys.

    Raises:
        ValueError: naming a notebook that is not there.
    """
    content = yaml.safe_load(Path(path).read_text())
    usual = {"run": "03_train_segmentation", "comparison": "04_compare_targets", "stories": {}}
    found = {key: content.get(key) or value for key, value in usual.items()}
    missing = [
        n
        for n in (found["run"], found["comparison"], *found["stories"])
        if not (REPOSITORY / "notebooks" / f"{n}.ipynb").is_file()
    ]
    if missing:
        raise ValueError(f"{path} must name notebooks that are in notebooks/; got {missing[0]!r}")
    return found


def runs(path):
    """All runs of an experiment file, a dict from name to parameters; see `parts`."""
    return {name: run for part in parts(path) for name, run in part.items()}


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
