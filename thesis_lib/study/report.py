"""The page that shows a report: `python -m thesis_lib.study.report PROFILE` writes reports/index.html.

One self-contained HTML file: the executed notebooks with their figures and tables, and a table of all runs. It opens
from disk, needs no network (formulas are MathML) and reads on a phone. The runs' notebooks become pages beside it.
"""

import html
import json
import re
import sys
from functools import partial

import pandas as pd

from thesis_lib.extras import extra
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import experiments

with extra("notebooks"):
    import nbformat
    from latex2mathml.converter import convert
    from nbconvert import HTMLExporter

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
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 0 1rem; color: #1a1a1a; }
img { max-width: 100%; height: auto; } pre { overflow-x: auto; background: #f6f6f6; padding: .6rem; font-size: .8rem; }
table { border-collapse: collapse; font-size: .85rem; display: block; overflow-x: auto; }
td, th { padding: .15rem .6rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
summary { cursor: pointer; color: #555; } details.code > summary { font-size: .8rem; }
math[display=block] { overflow-x: auto; margin: 1rem 0; } h1 { margin-top: 3rem; line-height: 1.2; }
nav a { display: inline-block; margin-right: 1rem; } .failed { color: #b00020; font-weight: 600; }
"""


def formulas_as_mathml(markdown):
    """Markdown with $...$ and $$...$$ replaced by MathML, which browsers show without a script."""
    markdown = re.sub(r"\$\$(.+?)\$\$", partial(_mathml, display="block"), markdown, flags=re.DOTALL)
    return re.sub(r"\$([^$\n]+?)\$", partial(_mathml, display="inline"), markdown)


def _mathml(formula, display):
    return convert(formula.group(1).strip(), display=display)


def notebook_as_html(path):
    """The body of an executed notebook as HTML, its code folded away and its figures embedded."""
    notebook = nbformat.read(path, as_version=4)
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = formulas_as_mathml(cell.source)
        one = nbformat.v4.new_notebook(cells=[cell], metadata=notebook.metadata)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            parts.append(f"<details class=code><summary>code</summary><pre>{html.escape(cell.source)}</pre></details>")
        exporter = HTMLExporter(
            template_name="basic",
            exclude_input=cell.cell_type == "code",
            exclude_input_prompt=True,
            exclude_output_prompt=True,
            exclude_anchor_links=True,
        )
        body, _ = exporter.from_notebook_node(one)
        parts.append(body)
    return "\n".join(parts)


def page(title, body):
    """A whole HTML document."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>{body}</body></html>\n"
    )


def runs_table(folder, expected):
    """The table of runs as HTML, with links to their pages, time and memory; and the list of those without a result."""
    rows, missing = [], []
    for name in expected:
        run = folder / "runs" / name
        try:
            row = dict(json.loads((run / "row.json").read_text()))
        except (OSError, ValueError, TypeError):
            missing.append(name)
            continue
        rows.append({"run": _link(run), **{k: row[k] for k in SHOWN if k in row}, **_cost(run / "benchmark.tsv")})
    table = pd.DataFrame(rows).to_html(
        escape=False, index=False, border=0, na_rep="", float_format=lambda v: f"{v:.3g}"
    )
    return (table if rows else "<p>No run has a result.</p>"), missing


def _link(run):
    """The run's name, linked to a page made of its executed notebook if that is here."""
    name = html.escape(run.name)
    try:
        body = notebook_as_html(run / "notebook.ipynb")
    except (OSError, nbformat.reader.NotJSONError):
        return name
    (run / "notebook.html").write_text(page(run.name, body))
    return f'<a href="{(run / "notebook.html").relative_to(REPOSITORY / "reports").as_posix()}">{name}</a>'


def _cost(path):
    """Seconds and memory from Snakemake's benchmark file, if it is here."""
    try:
        cost = pd.read_csv(path, sep="\t", na_values="-").iloc[0]
    except (OSError, ValueError, IndexError):
        return {"seconds": None, "memory, MB": None}
    return {"seconds": cost["s"], "memory, MB": cost["max_rss"]}


def main(profile):
    """Write reports/index.html for a profile; returns the number of runs and notebooks without a result."""
    folder = REPOSITORY / "reports" / profile
    experiment = experiments.read(REPOSITORY / "experiments" / f"{profile}.yaml")
    shown = sorted([*experiment.notebooks, experiment.comparison])
    table, missing = runs_table(folder, experiment.runs)
    logs = [folder / "runs" / name / "papermill.log" for name in missing]
    bodies = []
    for name in shown:
        path = folder / f"{name}.ipynb"
        if path.exists():
            bodies.append(f'<section id="{name}">{notebook_as_html(path)}</section>')
        else:
            logs.append(folder / f"{name}.log")
    failed = "".join(f"<li class=failed>{html.escape(log.relative_to(REPOSITORY).as_posix())}</li>" for log in logs)
    links = "".join(f'<a href="#{name}">{name}</a>' for name in shown)
    links += f'<a href="#runs">{experiment.run}, all runs</a>'
    head = (
        "<h1>Training image models when labels are imprecise or missing</h1>"
        f"<p>The profile <b>{html.escape(profile)}</b>, computed on this machine.</p><nav>{links}</nav>"
    )
    if failed:
        head += f"<p class=failed>Without a result; what went wrong stands in:</p><ul>{failed}</ul>"
    runs = f'<section id="runs"><h1>Every training run</h1><p>Each links to its executed notebook.</p>{table}</section>'
    target = REPOSITORY / "reports" / "index.html"
    target.write_text(page("Imprecise and missing labels", head + "".join(bodies) + runs))
    for log in logs:
        print(f"failed: {log.relative_to(REPOSITORY)}", file=sys.stderr)
    print(f"The report is in {target.relative_to(REPOSITORY)}")
    return len(logs)


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1] if len(sys.argv) > 1 else "sample") else 0)
