"""Sweeps: a YAML file with a grid becomes named runs of a notebook."""

import itertools
from pathlib import Path

import yaml


def runs(path):
    """The runs of an experiment file.

    The file holds `parameters`, common to all runs, and `grid`, a list of axes' crossings: each a mapping from a
    parameter to its list of values, or from a title to {name: {parameter: value, ...}} for values that set several
    parameters. A run is named by its values, in the order of the axes, joined by hyphens.

    Returns:
        dict from run name to its parameters.
    """
    try:
        content = yaml.safe_load(Path(path).read_text())
        common, grid = content.get("parameters") or {}, content["grid"]
        found = {}
        for crossing in grid:
            for chosen in itertools.product(*[_options(axis, values) for axis, values in crossing.items()]):
                name = "-".join(label for label, _ in chosen)
                found[name] = dict(common)
                for _, parameters in chosen:
                    found[name].update(parameters)
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} must be a YAML file with `parameters` and a list `grid`: {error!r}") from error
    return found


def _options(axis, values):
    if isinstance(values, dict):
        return [(str(name), parameters) for name, parameters in values.items()]
    return [(f"{axis}{value}" if not isinstance(value, str) else value, {axis: value}) for value in values]
