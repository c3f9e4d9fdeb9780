"""The page of a report in a real browser, where one is here: nothing is cut off, and axe-core finds no violation.

It needs Chromium and the Python packages playwright and axe-playwright-python, which holds axe-core.
"""

import shutil

import nbformat
import pandas as pd
import pytest
from report_cases import displayed, small_report, write_notebook

from thesis_lib.paths import REPOSITORY
from thesis_lib.study import report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
# Elements that reach beyond the window, other than tables and formulas, which scroll in a box of their own.
CUT_OFF = """() => [...document.querySelectorAll("body *")]
    .filter(one => one.offsetWidth && one.getBoundingClientRect().right > innerWidth + 1)
    .filter(one => !one.closest(".wide, math, .skip")).map(one => one.outerHTML.slice(0, 120))
    .concat(document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [])"""
CODE = '() => [...document.querySelectorAll("pre.code")].map(one => one.offsetHeight > 0)'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A report with what notebooks show: a committed notebook, wide tables, long words, formulas, and long output."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = small_report(tmp_path_factory.mktemp("report"), monkeypatch)
        wide = pd.DataFrame([[1.23456] * 30], columns=[f"a long name {i}" for i in range(30)]).rename_axis("target")
        coloured = '<pre style="white-space:pre"><span style="color:#00d7ff">' + "Model " * 50 + "</span></pre>"
        formula, word = "+".join(["x"] * 60), "word" * 60
        cells = [
            nbformat.v4.new_markdown_cell(f"# A title\n\n$$\\sigma = {formula}$$\n\n#### Deep\n\n{word}"),
            displayed(text_html=wide.to_html()),
            nbformat.v4.new_code_cell(
                "x = " + "'a' + " * 60, outputs=[nbformat.v4.new_output("stream", text="y" * 500)]
            ),
            displayed(text_html=coloured),
        ]
        write_notebook(folder / "runs" / "a" / "notebook.ipynb", *cells)
        shutil.copy(REPOSITORY / "notebooks" / "12_annotators.ipynb", folder / "10_compare_few_labels.ipynb")
        assert report.main("tiny") == 0
    return folder


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.mark.parametrize("where", ["../index.html", "runs/a/notebook.html"])
@pytest.mark.parametrize(("width", "scheme"), [(1300, "light"), (390, "light"), (390, "dark")])
def test_a_page_can_be_read_and_axe_finds_no_violation(browser, folder, where, width, scheme):
    # axe-core is a script, which the page's policy would not let run.
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "bypass_csp": True}
    with browser.new_context(**options) as context:
        page, asked = context.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / where).resolve().as_uri())
        assert page.evaluate(CUT_OFF) == [] and not any(page.evaluate(CODE))
        page.get_by_label("Show all code").check()
        assert page.evaluate(CUT_OFF) == [] and all(page.evaluate(CODE))
        violations = axe.Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in violations] == []
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_the_list_of_sections_stays_in_view_or_opens_and_closes(browser, folder):
    with browser.new_context(viewport={"width": 1300, "height": 900}) as context:
        page = context.new_page()
        page.goto((folder.parent / "index.html").as_uri())
        page.locator("#sections a").last.click()
        assert page.locator("#sections").bounding_box()["y"] >= 0 and page.evaluate("scrollY") > 500
        page.set_viewport_size({"width": 390, "height": 800})
        assert not page.locator("#sections").is_visible()
        page.get_by_role("link", name="Sections").click()
        assert page.locator("#sections").is_visible()
        page.locator("#sections a").last.click()
        assert not page.locator("#sections").is_visible() and page.url.endswith("#runs")
