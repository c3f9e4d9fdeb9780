"""Small notebooks and reports, and the elements of a page."""

import json
from html.parser import HTMLParser

import nbformat

from thesis_lib.study import report, report_runs


class Elements(HTMLParser):
    """All elements of an HTML text: (tag, attributes)."""

    def __init__(self, text):
        super().__init__()
        self.all = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.all.append((tag, dict(attrs)))

    def texts(self, attribute):
        return [attributes[attribute] for _, attributes in self.all if attribute in attributes]


def write_notebook(path, *cells):
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)


def displayed(**data):
    """A code cell that displayed these data, by MIME type with an underscore for its slash."""
    data = {kind.replace("_", "/"): value for kind, value in data.items()}
    return nbformat.v4.new_code_cell("1 < 2", outputs=[nbformat.v4.new_output("display_data", data)])


def notebook_with(cell):
    """The JSON text of a notebook with one cell."""
    return json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]})


def small_report(folder, monkeypatch):
    """The folder of a report of the experiment `tiny`, one run `a` and a comparison, in a repository of its own."""
    for name in ("experiments", "reports/tiny/runs/a"):
        (folder / name).mkdir(parents=True)
    grid = "grid: [{method: {a: {method: supervised}}}]\nrun: 09_train_few_labels\ncomparison: 10_compare_few_labels\n"
    (folder / "experiments" / "tiny.yaml").write_text(grid)
    for module in (report, report_runs):
        monkeypatch.setattr(module, "REPOSITORY", folder)
    of_report = folder / "reports" / "tiny"
    (of_report / "runs" / "a" / "row.json").write_text('{"objective": "forward", "seed": 3}')
    write_notebook(of_report / "runs" / "a" / "notebook.ipynb")
    write_notebook(of_report / "10_compare_few_labels.ipynb")
    return of_report
