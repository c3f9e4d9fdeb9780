"""What the page of a report says, and that nothing in it runs or is lost."""

import html
import itertools
import json
import re
import time

import nbformat
import pandas as pd
import pytest
from report_cases import Elements, displayed, notebook_with, small_report, write_notebook

from thesis_lib.study import headline, report, report_page, report_runs, report_state


@pytest.fixture
def report_folder(tmp_path, monkeypatch):
    return small_report(tmp_path, monkeypatch)


def test_no_value_of_a_row_a_benchmark_or_a_name_becomes_html(report_folder):
    hostile = "<script>run()</script>&<b>"
    row = dict.fromkeys(report_runs.SHOWN, hostile) | {"network": {hostile: [hostile]}, "seed": "\ud800"}
    (report_folder / "runs" / "a" / "row.json").write_text(json.dumps(row))
    (report_folder / "runs" / "a" / "benchmark.tsv").write_text(f"s\tmax_rss\n{hostile}\t1\n")
    (report_folder / "runs" / hostile.replace("/", "")).mkdir()
    table, faults = report_runs.runs_table(report_folder, ["a", hostile])
    assert "<script" not in table and "<b>" not in table
    assert table.count(html.escape(hostile)) == len(report_runs.SHOWN) - 2 + 2
    assert (
        len(faults) == 2 and "runs/a/benchmark.tsv must be a table with numbers in the columns s, max_rss" in faults[0]
    )
    assert report.main("tiny") == 1
    page = (report_folder.parent / "index.html").read_text()
    assert "<script" not in page and html.escape(hostile) in page and "<td class=text>?</td>" in page


def test_each_page_has_a_policy_that_lets_no_script_run_and_nothing_be_fetched(report_folder):
    assert report.main("tiny") == 0
    for path in (report_folder.parent / "index.html", report_folder / "runs" / "a" / "notebook.html"):
        page = path.read_text()
        (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules.pop("img-src") == "data:" and rules.pop("style-src") == "'unsafe-inline'"
        assert set(rules.values()) == {"'none'"} and {"default-src", "base-uri", "form-action"} == set(rules)
        assert page.index("Content-Security-Policy") < page.index("<style")  # a policy holds for what follows it
    assert 'href="tiny/runs/a/notebook.html"' in (report_folder.parent / "index.html").read_text()


UNREADABLE = {
    "empty": "",
    "torn": notebook_with({})[:40],
    "a list": "[]",
    "no cells": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    "a cell without a type": notebook_with({"source": "x"}),
    "a number as source": notebook_with({"cell_type": "markdown", "metadata": {}, "source": 5}),
    "a future format": '{"nbformat": 99, "nbformat_minor": 0, "metadata": {}, "cells": []}',
    "not UTF-8": b"\xff\xfe\x00",
    "half a character": notebook_with({"cell_type": "markdown", "metadata": {}, "source": "\ud800"}),
    "too deep": "[" * 100_000,
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_notebook_that_cannot_be_read_is_named_and_stops_no_report(report_folder, capsys, kind):
    content = UNREADABLE[kind]
    content = content if isinstance(content, bytes) else content.encode()
    paths = [report_folder / "runs" / "a" / "notebook.ipynb", report_folder / "10_compare_few_labels.ipynb"]
    for path in paths:
        path.write_bytes(content)
    assert report.main("tiny") == 2
    page, error = (report_folder.parent / "index.html").read_text(), capsys.readouterr().err
    for path in paths:
        sentence = f"{path.relative_to(report_folder.parents[1])} must be an executed notebook; it cannot be shown"
        assert sentence in page and f"failed: {sentence}" in error
    assert "<td class=text>forward likelihood</td>" in page and "<td>3</td>" in page


FAULTS = {
    "a benchmark without a column": ("benchmark.tsv", "s\tcpu\n1\t2\n", "max_rss"),
    "a benchmark of text": ("benchmark.tsv", "s\tmax_rss\nlong\t2\n", "long"),
    "an empty benchmark": ("benchmark.tsv", "", "must be a table with numbers in the columns s, max_rss"),
    "a benchmark without a row": ("benchmark.tsv", "s\tmax_rss\n", "must be a table"),
    "a torn row": ("row.json", '{"objective": "fo', "is no whole result row"),
    "a row that is a list": ("row.json", "[]", "does not hold a JSON object"),
    "a formula": (
        "notebook.ipynb",
        notebook_with({"cell_type": "markdown", "metadata": {}, "source": r"so $\frac{1}$ end"}),
        r"has a formula that cannot be read: $\frac{1}$",
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_file_of_a_run_that_cannot_be_read_is_named_and_stops_no_report(report_folder, kind):
    name, content, reason = FAULTS[kind]
    (report_folder / "runs" / "a" / name).write_text(content)
    assert report.main("tiny") == 1
    page = (report_folder.parent / "index.html").read_text()
    (named,) = re.findall("<li class=failed>(.*?)</li>", page)
    assert named.startswith(f"reports/tiny/runs/a/{name} ") and reason in html.unescape(named)
    assert name == "row.json" or "<td class=text>forward likelihood</td>" in page


def test_a_run_that_is_missing_and_a_page_that_cannot_be_written_are_named(report_folder):
    (report_folder / "runs" / "a" / "notebook.html").mkdir()
    (report_folder / "10_compare_few_labels.ipynb").unlink()
    _, faults = report_runs.runs_table(report_folder, ["a", "b"])
    assert faults == [
        "reports/tiny/runs/a/notebook.html cannot be written: Is a directory",
        "reports/tiny/runs/b/papermill.log says why there is no result",
    ]
    assert report.main("tiny") == 2
    page = (report_folder.parent / "index.html").read_text()
    assert "reports/tiny/10_compare_few_labels.log says why there is no result" in page


def test_headings_are_in_order_texts_stand_for_pictures_and_links_lead_somewhere(report_folder):
    texts = ["# Compared\n\n[here](#Found), [shown](10_compare_few_labels.ipynb), [not shown](01_boundary_prior.ipynb)"]
    texts.append("#### Found\n\n[file](../experiments/tiny.yaml), [none](../no.csv), [outside](../../..)")
    cells = [*map(nbformat.v4.new_markdown_cell, texts), displayed(image_png="iVBORw0KGgo=")]
    for path in (report_folder / "runs" / "a" / "notebook.ipynb", report_folder / "10_compare_few_labels.ipynb"):
        write_notebook(path, *cells)
    assert report.main("tiny") == 0
    index, run = report_folder.parent / "index.html", report_folder / "runs" / "a" / "notebook.html"
    for path in (index, run):
        elements = Elements(path.read_text())
        levels = [int(tag[1]) for tag, _ in elements.all if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
        assert all(len(text) > 20 for text in elements.texts("alt")) and elements.texts("alt")
        ids = elements.texts("id")
        assert len(set(ids)) == len(ids)
        for address in elements.texts("href"):
            file, _, at = address.partition("#")
            target = (path.parent / file) if file else path
            assert target.exists(), address
            assert not at or at in Elements(target.read_text()).texts("id"), address
    assert "../../../index.html#runs" in run.read_text()
    assert "<h1>forward likelihood, seed 3</h1>" in run.read_text()
    titles = re.findall("<li><a href=.*?>(.*?)</a></li>", index.read_text())
    assert titles[:2] == ["What the project found", "Compared"] and "tiny.yaml" in index.read_text()


def test_the_summary_states_what_the_committed_rows_say(monkeypatch, tmp_path):
    gains = pd.DataFrame({"data": list("abc"), "error_over_width": [0.2, 0.3, 0.4], "target": "shift", "seeds": 5})
    cases = ["radiologists' errors x 1, a", "radiologists' errors x 2, b", "radiologists' errors x 2, c"]
    gains = gains.assign(
        case=cases,
        gain=[0.01, 0.03, 0.05],
        low=[-0.01, 0.01, 0.03],
        high=[0.02, 0.05, 0.07],
        verdict=["", "better", "better"],
    )
    first, second, no_dice, more, bias, taught, people = headline.sentences(gains)
    assert "at most 0.20 of the objects' width, no training target" in first
    assert first.endswith("Radiologists' own errors on nuclei are 0.20 of the width.")
    assert second == (
        "The likelihood of shifted boundaries raised Dice significantly with radiologists' errors x 2: by +3.0 points "
        "(95% interval +1.0 to +5.0) at an error of 0.30 of the width, by +5.0 (+3.0 to +7.0) at 0.40."
    )
    assert re.search(r"without a Dice loss, gains \+\d\.\d points at 0\.\d\d", no_dice)
    assert re.search(r"expected labels, which keeps a Dice loss, gains \+\d\.\d at 0\.\d\d\. ", no_dice)
    added = r"has \+\d\.\d and \+\d\.\d more than one-hot \(not significant\)\. It lowers log loss .* at 0\.\d\d"
    assert re.search(added, no_dice)
    assert re.match(r"The gain of .* grows with the .* images: \S+ with 20 .*, \S+ with 60, \S+ with 200\.", more)
    by_target = (
        r"0\.\d+ by likelihood of shifted boundaries, 0\.\d+ by one-hot \(not significant\) and 0\.\d+ by one-hot"
    )
    assert re.match(rf"With 20 of 200 images labelled, a mean teacher has a Dice of {by_target}", taught)
    assert re.search(r"With all labelled, and no teacher, it is 0\.\d+, 0\.\d+ and 0\.\d+\.", taught)
    assert "1 px too far outside" in bias and re.search(r"by \+\d\.\d points \[\+\d\.\d, ", bias)
    assert people.startswith(
        "Where a second person judged (vessels), no training target had a significantly higher Dice"
    )
    moved = r"Taking the bias on them out of the labels changed Dice by [+-]\d\.\d points \[.*\] \(.*signific\w+\)\.$"
    assert re.search(moved, people)
    assert list(headline.short_table(gains).iloc[:, -1]) == [
        "+1.0 [-1.0, +2.0]",
        "**+3.0 [+1.0, +5.0]**",
        "**+5.0 [+3.0, +7.0]**",
    ]
    assert list(headline.table(gains)["verdict"]) == ["not significant", *["significantly better"] * 2]
    nothing, none, *_ = headline.sentences(gains.assign(verdict=""))
    monkeypatch.setattr(headline.real_images, "REFERENCE", tmp_path / "none")
    assert headline.sentences(gains) == [first, second]
    assert "at most 0.40" in nothing and none.startswith("No training target")


def executing(path, exception=None, ended=None):
    """A notebook of three cells that papermill executes: one that it does not mark, a finished one, and the next."""
    cells = [nbformat.v4.new_markdown_cell(metadata={"papermill": {"status": s}}) for s in ("completed", "running")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# a"), *cells])
    notebook.metadata["papermill"] = {"exception": exception, "end_time": ended}
    nbformat.write(notebook, path)


def test_the_page_says_what_is_done_what_runs_and_reads_itself_again_only_meanwhile(report_folder):
    run, compared = report_folder / "runs" / "a", report_folder / "10_compare_few_labels.ipynb"
    (run / "row.json").unlink()
    compared.unlink()
    executing(run / "notebook.ipynb")
    executing(compared.with_name(f"{compared.name}.partial.ipynb"), exception=True)
    assert report.main("tiny", is_running=True) == 1
    page = (report_folder.parent / "index.html").read_text()
    assert "0 of 2 parts are done." in page and "Running: a (cell 3 of 3). Waiting: 0." in page
    assert 'http-equiv="refresh" content="30"' in page and "(failed)" in page
    assert "10_compare_few_labels.log says why" in page and "papermill.log" not in page
    assert report.main("tiny") == 2
    page = (report_folder.parent / "index.html").read_text()
    assert 'http-equiv="refresh"' not in page and "papermill.log says why there is no result" in page


def test_the_page_is_written_anew_when_a_part_is_finished(report_folder):
    index, row = report_folder.parent / "index.html", report_folder / "runs" / "a" / "row.json"
    row.unlink()
    stop = report.follow("tiny", seconds=0.05)
    try:
        for expected in ("0 of 1)", "1 of 1)"):
            deadline = time.monotonic() + 30
            while not (index.is_file() and expected in index.read_text()) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert expected in index.read_text()
            row.write_text('{"objective": "forward", "seed": 3}')
    finally:
        stop.set()


def test_a_part_that_papermill_is_about_to_write_runs(tmp_path):
    path = tmp_path / "notebook.ipynb"
    assert str(report_state.state_of_run(tmp_path)) == "waiting"
    path.write_text('{"metadata": {}')
    assert str(report_state.state_of_run(tmp_path)) == "running"
    executing(path, ended="now")  # all cells ended, but there is no result
    assert str(report_state.state_of_run(tmp_path)) == "failed"
    (tmp_path / "row.json").touch()
    assert str(report_state.state_of_run(tmp_path)) == "done"


def test_numbers_have_three_digits_or_are_whole_and_missing_ones_leave_no_word():
    table = pd.DataFrame({"run": ["a", "b"], "loss": [0.12345, None], "memory": [1190.4, 20.0], "seed": [1, 2]})
    cells = re.findall("<td.*?>(.*?)</td>", report_page.table_as_html(table, ["a.html"]))
    assert cells == ["0.123", "1,190", "1", "", "20", "2"]
