"""What the light core computes when nothing else is installed: run by test_install.py, which names a backend or none.

Packages that neither the core nor that backend requires are hidden from `import`, whatever this environment holds.
"""

import importlib
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

BACKENDS = ("tensorflow", "jax", "torch")


def required(names):
    """The distributions that installing these brings, themselves included, without any extra."""
    brought, waiting = set(), [canonicalize_name(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in brought:
            continue
        brought.add(name)
        requirements = [Requirement(line) for line in metadata.requires(name) or ()]
        waiting += [
            canonicalize_name(requirement.name)
            for requirement in requirements
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ]
    return brought


class Hidden:
    """A finder that says of some modules that they are not installed."""

    def __init__(self, modules):
        self.modules = frozenset(modules)

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.modules:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def hide_all_but(names):
    """Hides the modules of all that these do not require, save this library; returns their names."""
    visible = required(names) | {"thesis-lib"}
    owners = metadata.packages_distributions()
    hidden = {
        module
        for module, distributions in owners.items()
        if visible.isdisjoint(canonicalize_name(distribution) for distribution in distributions)
    }
    hidden.update(set(BACKENDS) - set(names))
    sys.meta_path.insert(0, Hidden(hidden))
    return hidden


def message(module):
    """What a user reads who imports a module without the packages it needs."""
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        return str(error)
    return f"{module} was imported"


if __name__ == "__main__":
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    hidden = hide_all_but([*sys.argv[1:], *(Requirement(line).name for line in project["dependencies"])])
    assert {"matplotlib", "seaborn", "yaml", "snakemake", "nbformat", "keras_hub", "skimage", "hypothesis"} <= hidden

    from thesis_lib.annotation import BoundaryPrior
    from thesis_lib.metrics import surface

    assert surface.__name__ == "thesis_lib.metrics.surface"
    if not sys.argv[1:]:
        print(message("thesis_lib.targets"))
        sys.exit()

    import numpy as np

    for package in ("data", "models", "training", "segmentation", "semi_supervised"):
        importlib.import_module(f"thesis_lib.{package}")
    from thesis_lib.targets import ForwardLikelihood

    labels = np.zeros((1, 16, 16), "int32")
    labels[:, :, 8:] = 1
    loss = ForwardLikelihood(BoundaryPrior.known(2.0))
    print(float(loss(labels, np.zeros((1, 16, 16, 2), "float32"))))
    print(message("thesis_lib.figures"))
