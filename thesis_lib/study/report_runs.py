"""The part of a report on training runs: a table of them, and a page for each made of its executed notebook."""

import html
from urllib.parse import quote

import pandas as pd

from thesis_lib.files import whole
from thesis_lib.metrics.aggregation import METRICS
from thesis_lib.paths import REPOSITORY
from thesis_lib.semi_supervised.methods import METHODS
from thesis_lib.study.notebook_html import notebook_as_html
from thesis_lib.study.report_page import page, table_as_html
from thesis_lib.study.report_state import DONE, FAILED, state_of_run
from thesis_lib.study.rows import read_row
from thesis_lib.targets.objectives import OBJECTIVES

SCORES = ("miou_foreground", "surface_distance", "surface_dice", "log_loss", "ece")
SHOWN = {  # entries of a row that the table shows, and their titles
    "objective": "target",
    "method": "method",
    "network": "network",
    "labels": "labels",
    "seed": "seed",
    **{name: METRICS[name].label for name in SCORES},
    "error_percent": "test error, %",
    "f1": "F1",
}
TITLES = {name: kind.title for name, kind in (OBJECTIVES | METHODS).items()}
COSTS = {"s": "time, s", "max_rss": "memory, MB"}  # columns of Snakemake's benchmark files, and their titles


def runs_table(folder, expected, is_running=False, shown=None):
    """The table of runs as HTML, with links to their pages, time and memory, and what of them is missing.

    Args:
        folder: of the report; the runs are in its folder `runs`.
        expected: names of the runs.
        is_running: whether runs that are not done may still be.
        shown: function from the path of a notebook and that of its page to HTML, or None, and sentences of what cannot
            be shown; None: `notebook_as_html`.

    Returns:
        HTML, and a list of sentences, each with a file's name: runs without a result, and files that cannot be read.
    """
    rows, links, missing = [], [], []
    for name in expected:
        run = folder / "runs" / name
        state = state_of_run(run)
        if state.kind != DONE:
            if state.kind == FAILED or not is_running:
                missing.append(f"{in_repository(run / 'papermill.log')} says why there is no result")
            continue
        try:
            row = read_row(run / "row.json")
        except ValueError as error:
            missing.append(in_repository(error))
            continue
        cost, of_cost = _cost(run / "benchmark.tsv")
        link, faults = _page_of(run, row, shown or _shown)
        missing += faults + of_cost
        links.append(link)
        rows.append({"run": name, **{title: _value(row[key]) for key, title in SHOWN.items() if key in row}, **cost})
    return (table_as_html(pd.DataFrame(rows), links) if rows else "<p>No run has a result yet.</p>"), missing


def in_repository(text):
    """A path or a sentence with one, in which paths start at the repository."""
    return str(text).replace(f"{REPOSITORY}/", "")


def write_page(path, text):
    """Write HTML, whole or not at all; characters that UTF-8 does not have become question marks."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="replace")


def _value(value):
    """A value of a row for the table: a number, a title, or text."""
    if value is None or type(value) in (int, float):
        return value
    return TITLES.get(value, value) if isinstance(value, str) else str(value)


def _shown(path, _):
    try:
        return notebook_as_html(path)
    except ValueError as error:
        return None, [in_repository(error)]


def _page_of(run, row, shown):
    """The address of a page made of a run's executed notebook, or None if there is none, and what cannot be shown."""
    target = run / "notebook.html"
    if not (run / "notebook.ipynb").is_file():
        return None, []
    body, faults = shown(run / "notebook.ipynb", target)
    if body is None:
        return None, faults
    named = [str(_value(row[key])) for key in ("objective", "method") if row.get(key)]
    title = ", ".join([*named, f"seed {row['seed']}"] if named and "seed" in row else [f"run {run.name}"])
    try:
        back = ("../../../index.html#runs", "All runs")
        write_page(target, page(title, f"<h1>{html.escape(title)}</h1>{body}", back=back))
    except OSError as error:
        return None, [*faults, f"{in_repository(target)} cannot be written: {error.strerror}"]
    return quote(target.relative_to(run.parents[2]).as_posix()), faults


def _cost(path):
    """Seconds and memory from Snakemake's benchmark file, if it is here, and what of it cannot be read."""
    if not path.is_file():
        return {}, []
    try:
        first = pd.read_csv(path, sep="\t", na_values="-").iloc[0]
        return {title: float(first[column]) for column, title in COSTS.items()}, []
    except (OSError, ValueError, TypeError, LookupError) as error:
        accepted = f"a table with numbers in the columns {', '.join(COSTS)}"
        return {}, [f"{in_repository(path)} must be {accepted}; {type(error).__name__}: {error}"]
