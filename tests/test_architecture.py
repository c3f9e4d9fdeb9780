"""The order in which the packages may import each other, derived from the code's own imports."""

import ast
from pathlib import Path

import pytest

import thesis_lib
from thesis_lib.paths import REPOSITORY

ORDER = (  # a package may import itself and what stands before it
    "extras",
    "startup",
    "backend",
    "checks",
    "paths",
    "polling",
    "labels",
    "files",
    "parameters",
    "provenance",
    "data",
    "annotation",
    "targets",
    "models",
    "metrics",
    "training",
    "semi_supervised",
    "segmentation",
    "study",
    "figures",
    "study.report",
    "command_line",
    "study.quick",
)
LIBRARY = Path(thesis_lib.__file__).parent


def module(path):
    return ".".join(path.relative_to(LIBRARY).with_suffix("").parts).removesuffix(".__init__")


def place(name):
    """The position of a module in ORDER: that of the longest entry that is it or holds it."""
    entries = [entry for entry in ORDER if name == entry or name.startswith(f"{entry}.")]
    return ORDER.index(max(entries, key=len))


def imported(path):
    """Names, below thesis_lib, of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "thesis_lib":
            for alias in node.names:
                name = f"{node.module}.{alias.name}".removeprefix("thesis_lib.")
                is_module = (LIBRARY / name.replace(".", "/")).is_dir() or module_file(name).exists()
                yield name if is_module else name.rpartition(".")[0]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("thesis_lib.")]
            yield from (name.removeprefix("thesis_lib.") for name in names)


def module_file(name):
    return LIBRARY / f"{name.replace('.', '/')}.py"


MODULES = sorted(path for path in LIBRARY.rglob("*.py") if path != LIBRARY / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=module)
def test_imports_run_one_way(path):
    upward = [name for name in imported(path) if place(name) > place(module(path))]
    assert not upward


def test_no_two_modules_import_each_other():
    edges = {module(path): set(imported(path)) for path in MODULES}
    visited, open_modules = set(), []

    def visit(name):
        assert name not in open_modules, " -> ".join([*open_modules[open_modules.index(name) :], name])
        if name in visited or name not in edges:
            return
        open_modules.append(name)
        for other in edges[name]:
            visit(other)
        open_modules.pop()
        visited.add(name)

    for name in edges:
        visit(name)


def test_only_the_report_imports_the_notebook_format_at_its_start():
    """Its import takes over a second, which every notebook and every run of a sweep would pay."""
    slow = {"papermill", "nbformat", "nbconvert"}
    at_the_start = {
        module(path)
        for path in MODULES
        for node in outside_functions(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom) and names_in(node) & slow
    }
    assert at_the_start == {"study.notebook_html"}
    users = {module(path) for path in MODULES if "study.notebook_html" in imported(path)}
    assert users == {"study.report", "study.report_runs"}


def outside_functions(node):
    """The statements that run when a module is imported."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from outside_functions(child)


def names_in(node):
    """The top packages that an import statement names."""
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    return {name.split(".")[0] for name in names}


def test_no_module_of_the_library_goes_through_its_own_package_door():
    through = [(module(p), name) for p in MODULES for name in imported(p) if module(p).startswith(f"{name}.")]
    assert not through


@pytest.mark.parametrize(
    "package", [path.parent for path in MODULES if path.name == "__init__.py"], ids=lambda p: p.name
)
def test_a_package_lists_what_a_user_may_import(package):
    found = __import__(f"thesis_lib.{package.name}", fromlist=["__all__"])
    assert found.__doc__ and found.__all__ and all(hasattr(found, name) for name in found.__all__)


def test_each_public_name_has_one_door():
    doors = {}
    for package in (path.parent.name for path in MODULES if path.name == "__init__.py"):
        for name in __import__(f"thesis_lib.{package}", fromlist=["__all__"]).__all__:
            doors.setdefault(name, []).append(package)
    allowed = {"Run"}  # one for segmentation, one for classification
    assert {name: several for name, several in doors.items() if len(several) > 1 and name not in allowed} == {}


def test_the_tests_lie_in_the_same_folders_as_the_library():
    ours = {path.name for path in (REPOSITORY / "tests").iterdir() if path.is_dir() and path.name[0] not in "._"}
    assert ours - {"fuzz"} <= {path.name for path in LIBRARY.iterdir() if path.is_dir()}
