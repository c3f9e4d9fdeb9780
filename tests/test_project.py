"""The repository as a whole: its files agree."""

import re
import tomllib

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement

from thesis_lib import figures
from thesis_lib.paths import REPOSITORY
from thesis_lib.semi_supervised import methods as few_labels
from thesis_lib.targets import objectives

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("[0-9]*.ipynb"))


PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
PROJECT, VERSION = PYPROJECT["project"], PYPROJECT["tool"]["setuptools_scm"]["fallback_version"]


def requirements(*extras):
    """The core's requirements and those of these extras, with the extras that they name in turn."""
    lines = set(PROJECT["dependencies"])
    for extra in extras:
        for line in PROJECT["optional-dependencies"][extra]:
            requirement = Requirement(line)
            lines |= requirements(*requirement.extras) if requirement.name == PROJECT["name"] else {line}
    return lines


def test_the_conda_environment_is_what_pyproject_says():
    python, pip = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    low, high = re.fullmatch(r"python>=(\d\.\d+),<(\d\.\d+)", python).groups()
    assert PROJECT["requires-python"] == f">={low},<{high}"
    assert sorted(pip["pip"]) == sorted([*requirements("export", "gpu", "notebooks", "slurm"), "-e ."])


def test_the_lock_pins_every_dependency_and_names_no_source():
    text = (REPOSITORY / "requirements.lock").read_text()
    pins = [Requirement(line) for line in text.splitlines() if "==" in line]
    locked = {pin.name: next(iter(pin.specifier)).version for pin in pins}
    wanted = [Requirement(line) for line in requirements("test")]
    missing = [str(w) for w in wanted if not w.specifier.contains(locked.get(w.name, "0"))]
    assert not missing
    assert "://" not in text


def test_the_citation_and_the_changes_are_of_this_version():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    versions = re.findall(r"^## (\S+)$", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert citation["version"] == versions[0] == VERSION
    assert f"version = {{{VERSION}}}" in (REPOSITORY / "docs/development.md").read_text()


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
