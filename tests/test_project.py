"""The repository as a whole: its files agree."""

import re
import tomllib

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement

from thesis_lib import figures
from thesis_lib.paths import REPOSITORY
from thesis_lib.semi_supervised import run as few_labels
from thesis_lib.targets import objectives

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("[0-9]*.ipynb"))


def test_the_conda_environment_is_what_pyproject_says():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    python, pip = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    low, high = re.fullmatch(r"python>=(\d\.\d+),<(\d\.\d+)", python).groups()
    assert project["requires-python"] == f">={low},<{high}"
    extras = project["optional-dependencies"]
    assert sorted(pip["pip"]) == sorted(
        [*project["dependencies"], *extras["export"], *extras["gpu"], *extras["slurm"], "-e ."]
    )


def test_the_lock_pins_every_dependency():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lines = (Requirement(line) for line in (REPOSITORY / "requirements.lock").read_text().splitlines() if "==" in line)
    locked = {line.name: next(iter(line.specifier)).version for line in lines}
    extras = project["optional-dependencies"]
    wanted = [
        Requirement(w)
        for w in (*project["dependencies"], *(w for name in ("test", "export", "jax", "slurm") for w in extras[name]))
    ]
    missing = [str(w) for w in wanted if w.name != "thesis-lib" and not w.specifier.contains(locked.get(w.name, "0"))]
    assert not missing


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_committed_as_run_from_top_to_bottom(path):
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    assert not re.search(r"/(home|root|tmp|work)/", path.read_text())
    assert path.stat().st_size < 1_500_000


def test_every_objective_and_method_has_a_style_of_its_own():
    assert set(figures.OBJECTIVE_STYLE) == set(objectives.OBJECTIVES)
    assert set(figures.METHOD_STYLE) == set(few_labels.METHODS)
    for styles in (figures.OBJECTIVE_STYLE, figures.METHOD_STYLE):
        looks = list(styles.values())
        assert len(set(looks)) == len(looks)
