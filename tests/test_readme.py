"""README.md and the guides: short enough to be read, their code runs as it stands, their links lead somewhere."""

import re

import pytest

from thesis_lib.paths import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
PAGES = [*REPOSITORY.glob("*.md"), *sorted((REPOSITORY / "docs").glob("*.md"))]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_readme_is_read_in_five_minutes():
    words = [word for word in README.split() if re.search(r"\w", word)]  # without the bars of tables
    assert len(words) <= 1000


def test_its_code_runs_as_it_stands(capsys):
    (code,) = blocks("python")
    names = {}
    exec(code, names)  # noqa: S102
    assert "Train with" in capsys.readouterr().out
    assert callable(names["loss"])


def test_every_make_target_that_it_names_is_there():
    targets = re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE)
    rules = re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert {"quick", "report", "test"} <= set(rules)
    assert targets and set(targets) <= set(rules)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing
