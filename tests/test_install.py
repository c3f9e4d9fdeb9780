"""What `pip install .` gives a user: the library and nothing else, usable without the packages of any extra."""

import math
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest
from packaging.requirements import Requirement

from thesis_lib.paths import REPOSITORY


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The path of a wheel built from a copy of the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder)
    for name in ("thesis_lib", "tests", "benchmarks"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "-w", "built", "."], cwd=folder, check=True)
    (path,) = (folder / "built").iterdir()
    return path


def test_a_wheel_holds_the_library_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    kinds = ("py", "csv", "css", "html")
    library = {
        path.relative_to(REPOSITORY).as_posix() for kind in kinds for path in REPOSITORY.glob(f"thesis_lib/**/*.{kind}")
    }
    assert files == library


def test_a_wheel_requires_the_core_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(path).decode().splitlines()
    requirements = [Requirement(line.removeprefix("Requires-Dist: ")) for line in lines if "Requires-Dist: " in line]
    core = {r.name for r in requirements if r.marker is None}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert core == {Requirement(line).name for line in project["dependencies"]}
    assert core.isdisjoint({"tensorflow", "jax", "torch", "keras-hub", "matplotlib", "jupyterlab", "snakemake"})


def test_relative_paths_of_an_installed_package_start_where_python_did(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "here").mkdir()
    code = "from thesis_lib.paths import REPOSITORY, data_folder; print(REPOSITORY, data_folder())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "THESIS_DATA": "mine"}
    options = {"cwd": tmp_path / "here", "env": environment, "capture_output": True, "text": True, "check": True}
    out = subprocess.run([sys.executable, "-c", code], **options).stdout
    assert out.split() == [str(tmp_path / "here"), str(tmp_path / "here" / "mine")]


def light_core(*backends):
    """The lines that light_core.py prints with this backend alone, or without any."""
    environment = {**os.environ, "KERAS_BACKEND": "".join(backends) or "jax", "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, REPOSITORY / "tests" / "light_core.py", *backends]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_the_core_computes_without_the_packages_of_any_extra(backend):
    """Logits of 0 give both classes a probability of 1/2, blurred or not: the negative log likelihood is log 2."""
    loss, message = light_core(backend)
    assert float(loss) == pytest.approx(math.log(2), rel=1e-5)
    assert message == "seaborn is not installed; `pip install '.[notebooks]'` in the repository installs it"


def test_without_a_backend_annotation_and_metrics_work_and_targets_say_what_is_missing():
    (message,) = light_core()
    assert "Keras needs a backend" in message and "got jax, and jax is not installed" in message
