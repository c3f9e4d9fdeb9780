"""The page that shows a report: `python -m thesis_lib.study.report PROFILE` writes reports/index.html.

One self-contained HTML file: the executed notebooks with their figures and tables, and a table of all runs. It opens
from disk, needs no network (formulas are MathML) and reads on a phone. The runs' notebooks become pages beside it.
"""

import html
import sys
from urllib.parse import quote

import pandas as pd

from thesis_lib.files import whole
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import experiments
from thesis_lib.study.notebook_html import notebook_as_html
from thesis_lib.study.rows import read_row

SHOWN = (  # columns of the table of runs, where a row has them
    "objective",
    "method",
    "network",
    "labels",
    "seed",
    "miou_foreground",
    "surface_distance",
    "surface_dice",
    "log_loss",
    "ece",
    "error_percent",
    "f1",
)
COSTS = {"seconds": "s", "memory, MB": "max_rss"}  # columns of Snakemake's benchmark files
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 0 1rem; color: #1a1a1a; }
img { max-width: 100%; height: auto; } pre { overflow-x: auto; background: #f6f6f6; padding: .6rem; font-size: .8rem; }
table { border-collapse: collapse; font-size: .85rem; display: block; overflow-x: auto; }
td, th { padding: .15rem .6rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
summary { cursor: pointer; color: #555; } details.code > summary { font-size: .8rem; }
math[display=block] { overflow-x: auto; margin: 1rem 0; } h1 { margin-top: 3rem; line-height: 1.2; }
nav a { display: inline-block; margin-right: 1rem; } .failed { color: #b00020; font-weight: 600; }
"""


def page(title, body):
    """A whole HTML document, in which no script runs and nothing is fetched."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>{body}</body></html>\n"
    )


def runs_table(folder, expected):
    """The table of runs as HTML, with links to their pages, time and memory, and what of them is missing.

    Args:
        folder: of the report; the runs are in its folder `runs`.
        expected: names of the runs.

    Returns:
        HTML, and a list of sentences, each with a file's name: runs without a result, and files that cannot be read.
    """
    rows, missing = [], []
    for name in expected:
        run = folder / "runs" / name
        if not (run / "row.json").is_file():
            missing.append(f"{_shown(run / 'papermill.log')} says why there is no result")
            continue
        try:
            row = read_row(run / "row.json")
        except ValueError as error:
            missing.append(_shown(error))
            continue
        link, faults = _link(run)
        cost, of_cost = _cost(run / "benchmark.tsv")
        missing += faults + of_cost
        rows.append({"run": link, **{k: _cell(row[k]) for k in SHOWN if k in row}, **cost})
    table = pd.DataFrame(rows).to_html(
        escape=False, index=False, border=0, na_rep="", float_format=lambda v: f"{v:.3g}"
    )
    return (table if rows else "<p>No run has a result.</p>"), missing


def _cell(value):
    """A value of a row for the table: a number, or text with HTML's characters escaped."""
    return value if value is None or type(value) in (int, float) else html.escape(str(value))


def _shown(text):
    """A path or a sentence with one, in which paths start at the repository."""
    return str(text).replace(f"{REPOSITORY}/", "")


def _body(path):
    """A notebook as HTML, or None, and a list of sentences of what of it cannot be shown."""
    try:
        body, broken = notebook_as_html(path)
    except ValueError as error:
        return None, [_shown(error)]
    return body, [f"{_shown(path)} has a formula that cannot be read: {formula}" for formula in broken]


def _link(run):
    """The run's name, linked to a page made of its executed notebook if that is here, and what cannot be shown."""
    name, target = html.escape(run.name), run / "notebook.html"
    if not (run / "notebook.ipynb").is_file():
        return name, []
    body, faults = _body(run / "notebook.ipynb")
    if body is None:
        return name, faults
    try:
        _write(target, page(run.name, body))
    except OSError as error:
        return name, [*faults, f"{_shown(target)} cannot be written: {error.strerror}"]
    return f'<a href="{quote(target.relative_to(run.parents[2]).as_posix())}">{name}</a>', faults


def _cost(path):
    """Seconds and memory from Snakemake's benchmark file, if it is here, and what of it cannot be read."""
    if not path.is_file():
        return {}, []
    try:
        first = pd.read_csv(path, sep="\t", na_values="-").iloc[0]
        return {title: float(first[column]) for title, column in COSTS.items()}, []
    except (OSError, ValueError, TypeError, LookupError) as error:
        accepted = f"a table with numbers in the columns {', '.join(COSTS.values())}"
        return {}, [f"{_shown(path)} must be {accepted}; {type(error).__name__}: {error}"]


def _write(path, text):
    """Write HTML, whole or not at all; characters that UTF-8 does not have become question marks."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="replace")


def main(profile):
    """Write reports/index.html for a profile; returns the number of results that are missing or cannot be shown."""
    folder = REPOSITORY / "reports" / profile
    experiment = experiments.read(REPOSITORY / "experiments" / f"{profile}.yaml")
    table, missing = runs_table(folder, experiment.runs)
    bodies, links = [], []
    for name in sorted([*experiment.notebooks, experiment.comparison]):
        path, escaped = folder / f"{name}.ipynb", html.escape(name)
        links.append(f'<a href="#{escaped}">{escaped}</a>')
        if path.is_file():
            body, faults = _body(path)
            bodies.append(f'<section id="{escaped}">{body or ""}</section>')
            missing += faults
        else:
            missing.append(f"{_shown(folder / name)}.log says why there is no result")
    links.append(f'<a href="#runs">{html.escape(experiment.run)}, all runs</a>')
    head = (
        "<h1>Training image models when labels are imprecise or missing</h1>"
        f"<p>The profile <b>{html.escape(profile)}</b>, computed on this machine.</p><nav>{''.join(links)}</nav>"
    )
    if missing:
        items = "".join(f"<li class=failed>{html.escape(sentence)}</li>" for sentence in missing)
        head += f"<p class=failed>Missing, or not shown whole:</p><ul>{items}</ul>"
    runs = f'<section id="runs"><h1>Every training run</h1><p>Each links to its executed notebook.</p>{table}</section>'
    target = REPOSITORY / "reports" / "index.html"
    _write(target, page("Imprecise and missing labels", head + "".join(bodies) + runs))
    for sentence in missing:
        print(f"failed: {sentence}", file=sys.stderr)
    print(f"The report is in {target.relative_to(REPOSITORY)}")
    return len(missing)


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1] if len(sys.argv) > 1 else "sample") else 0)
