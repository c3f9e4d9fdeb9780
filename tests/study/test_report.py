"""`make report`: what it plans, that a kill loses nothing, what its page shows."""

import html
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml

from thesis_lib.paths import REPOSITORY
from thesis_lib.study import report
from thesis_lib.study.notebook_html import formulas_as_mathml, notebook_as_html, sanitised


def test_formulas_become_mathml_without_a_script():
    made, broken = formulas_as_mathml(r"so $\sigma^2$ and $$M_{jk} = \frac{L}{A}$$ end")
    assert made.count("<math") == 2 and 'display="block"' in made and "$" not in made and not broken


@pytest.mark.parametrize(
    "formula", [r"$\frac{1}$", r"$$\left( x$$", "$x^$", "$a_b_c$", r"$\begin{matrix} 1$", r"$\unknown{x}$"]
)
def test_a_formula_that_cannot_be_read_stays_as_it_is_written_and_is_named(formula):
    assert formulas_as_mathml(f"so {formula} end") == (f"so {formula} end", [formula])


@pytest.mark.parametrize("path", sorted((REPOSITORY / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_command_of_a_formula_is_left_on_the_page(path):
    texts = [
        "".join(cell["source"]) for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "markdown"
    ]
    made = [formulas_as_mathml(text) for text in texts]
    assert not [word for text, broken in made for word in [*broken, *re.findall(r"\\\w+|\$", text)]]


HOSTILE = {  # what a browser would run, fetch or send
    "script": "<script>document.title = 'run'</script>",
    "handler": "<img src=x onerror=run()>",
    "svg": "<svg onload=run()><script>run()</script></svg>",
    "comment in a style": "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img onload=x&gt;'>",
    "style in a formula": "<math><mtext><mglyph><style><img src onerror=run()></style></mglyph></mtext></math>",
    "noscript": "<noscript><p title='</noscript><img src onerror=run()>'>",
    "annotation": "<math><annotation-xml encoding='text/html'><img src onerror=run()></annotation-xml></math>",
    "frame": "<iframe srcdoc='<script>run()</script>'></iframe><object data=x></object><embed src=x>",
    "form": "<form action='https://foreign.example'><input autofocus onfocus=run()><button>go</button></form>",
    "link": "<a href='java&#9;script:run()'>a</a><a href=' da&#9;ta:text/html,x'>b</a>",
    "link of a formula": "<math href='javascript:run()'><maction xlink:href='javascript:run()'>x</maction></math>",
    "image from elsewhere": "<img src='https://foreign.example/a.png'><img src=//foreign.example/a.png>",
    "head": "<base href='https://foreign.example'><link rel=stylesheet href=a.css><meta http-equiv=refresh>",
}

FORBIDDEN = set(re.findall(r"\S+", "script svg iframe object embed form input button base link meta noscript maction"))


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


@pytest.fixture
def report_folder(tmp_path, monkeypatch):
    """The folder of a report of the experiment `tiny`, one run `a` and a comparison, in a repository of its own."""
    for name in ("experiments", "reports/tiny/runs/a"):
        (tmp_path / name).mkdir(parents=True)
    grid = "grid: [{method: {a: {method: supervised}}}]\nrun: 09_train_few_labels\ncomparison: 10_compare_few_labels\n"
    (tmp_path / "experiments" / "tiny.yaml").write_text(grid)
    monkeypatch.setattr(report, "REPOSITORY", tmp_path)
    folder = tmp_path / "reports" / "tiny"
    (folder / "runs" / "a" / "row.json").write_text('{"objective": "forward", "seed": 3}')
    write_notebook(folder / "runs" / "a" / "notebook.ipynb")
    write_notebook(folder / "10_compare_few_labels.ipynb")
    return folder


def write_notebook(path, *cells):
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)


def displayed(**data):
    """A code cell that displayed these data, by MIME type with an underscore for its slash."""
    data = {kind.replace("_", "/"): value for kind, value in data.items()}
    return nbformat.v4.new_code_cell("1 < 2", outputs=[nbformat.v4.new_output("display_data", data)])


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_notebook_can_neither_run_nor_fetch_nor_send_anything(tmp_path, kind):
    stream = nbformat.v4.new_output("stream", text=HOSTILE[kind])
    cells = [
        nbformat.v4.new_markdown_cell(HOSTILE[kind]),
        displayed(text_html=HOSTILE[kind]),
        displayed(text_markdown=HOSTILE[kind]),
        displayed(application_javascript="run()"),
        nbformat.v4.new_code_cell(HOSTILE[kind], outputs=[stream]),
    ]
    write_notebook(tmp_path / "a.ipynb", *cells)
    body, _ = notebook_as_html(tmp_path / "a.ipynb")
    elements = Elements(body)
    assert body.count("<details") == 4 and sanitised(body) == body
    tags = {tag for tag, _ in elements.all}
    assert not tags & FORBIDDEN
    assert not [name for _, attributes in elements.all for name in attributes if name.startswith("on")]
    assert not [url for url in elements.texts("src") if not url.startswith("data:image/")]
    assert not [url for url in elements.texts("href") if not re.match("https?://|mailto:|#", url)]
    assert html.escape(HOSTILE[kind], quote=False) in body or html.escape(HOSTILE[kind]) in html.unescape(body)


def test_tables_colours_images_formulas_and_highlighted_code_stay_on_the_page(tmp_path):
    table = pd.DataFrame({"score <0, 1>": [0.5, 0.25]}).style.background_gradient().set_caption("two").to_html()
    image = "iVBORw0KGgo="
    cells = [
        nbformat.v4.new_markdown_cell(
            "a $\\frac{1}{2}$\n\n```python\nfor i in 'a':\n    pass\n```\n\n[b](https://example.org)"
        ),
        displayed(text_html=table),
        displayed(image_png=image, text_plain="figure"),
        displayed(text_html='<pre style="white-space:pre"><span style="font-weight: bold">Model</span></pre>'),
    ]
    write_notebook(tmp_path / "a.ipynb", *cells)
    body, broken = notebook_as_html(tmp_path / "a.ipynb")
    assert not broken
    style = re.search(r"(?s)<style.*?>(.*?)</style>", table)[1]
    assert style in body and "background-color" in style
    ids = [attributes["id"] for tag, attributes in Elements(table).all if tag == "td"]
    assert len(ids) == 2 and set(ids) <= set(Elements(body).texts("id"))
    assert "<caption>two</caption>" in body and "score &lt;0, 1&gt;" in body
    assert Elements(body).texts("src") == [f"data:image/png;base64,{image}"]
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>" in body
    assert '<span class="k">for</span>' in body and '<span style="font-weight: bold">Model</span>' in body
    assert 'href="https://example.org"' in body


def test_no_value_of_a_row_a_benchmark_or_a_name_becomes_html(report_folder):
    hostile = "<script>run()</script>&<b>"
    row = dict.fromkeys(report.SHOWN, hostile) | {"network": {hostile: [hostile]}, "seed": "\ud800"}
    (report_folder / "runs" / "a" / "row.json").write_text(json.dumps(row))
    (report_folder / "runs" / "a" / "benchmark.tsv").write_text(f"s\tmax_rss\n{hostile}\t1\n")
    (report_folder / "runs" / hostile.replace("/", "")).mkdir()
    table, faults = report.runs_table(report_folder, ["a", hostile])
    assert "<script" not in table and "<b>" not in table
    assert table.count(html.escape(hostile)) == len(report.SHOWN) - 2 + 2
    assert (
        len(faults) == 2 and "runs/a/benchmark.tsv must be a table with numbers in the columns s, max_rss" in faults[0]
    )
    assert report.main("tiny") == 1
    page = (report_folder.parent / "index.html").read_text()
    assert "<script" not in page and html.escape(hostile) in page and "<td>?</td>" in page


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


def notebook_with(cell):
    return json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]})


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
    assert "<td>forward</td>" in page and "<td>3</td>" in page


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
    assert name == "row.json" or "<td>forward</td>" in page


def test_a_run_that_is_missing_and_a_page_that_cannot_be_written_are_named(report_folder):
    (report_folder / "runs" / "a" / "notebook.html").mkdir()
    (report_folder / "10_compare_few_labels.ipynb").unlink()
    _, faults = report.runs_table(report_folder, ["a", "b"])
    assert faults == [
        "reports/tiny/runs/a/notebook.html cannot be written: Is a directory",
        "reports/tiny/runs/b/papermill.log says why there is no result",
    ]
    assert report.main("tiny") == 2
    page = (report_folder.parent / "index.html").read_text()
    assert "reports/tiny/10_compare_few_labels.log says why there is no result" in page


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A copy of the repository with a sweep of two small runs and one that must fail."""
    folder = tmp_path_factory.mktemp("a copy")  # with a space in its path
    for name in ("Snakefile", "Makefile", "notebooks", "thesis_lib", "sample_data"):
        source = REPOSITORY / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    shutil.copytree(REPOSITORY / "experiments" / "slurm", folder / "experiments" / "slurm")
    parameters = {
        "train_scenes": 16,
        "epochs": 1,
        "width": 2,
        "depth": 2,
        "prior": "fitted",
        "augment": True,
        "learning_rate": 0.00005,
    }
    grid = [{"objective": ["one_hot", "forward", "nonsense"], "seed": [0]}]
    notebooks = {"02_soft_labels": {"scenes": 10, "map_size": 200}}
    (folder / "experiments" / "tiny.yaml").write_text(
        yaml.safe_dump({"notebooks": notebooks, "parameters": parameters, "grid": grid})
    )
    return folder


def command(workspace, *words, log=None):
    """Start a command in the workspace, in a process group of its own; its output goes to the file `log`, or a pipe."""
    environment = {**os.environ, "PYTHONPATH": str(workspace)}
    options = {"stdout": log or subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(words, cwd=workspace, env=environment, start_new_session=True, **options)


def planned(workspace):
    """The runs that Snakemake would train now, and what it says of it."""
    words = (
        sys.executable,
        "-m",
        "snakemake",
        "runs",
        "--dry-run",
        "--printshellcmds",
        "--cores",
        "2",
        "--config",
        "profile=tiny",
    )
    run = command(workspace, *words, "--rerun-incomplete", "--rerun-triggers", "mtime", "params", "code")
    out, _ = run.communicate()
    assert run.returncode == 0, out
    return set(re.findall(r"output: reports/tiny/runs/(\S+)/row.json", out)), out


def test_a_dry_run_plans_every_run(workspace):
    runs, out = planned(workspace)
    assert runs == {"one_hot-seed0", "forward-seed0", "nonsense-seed0"} and re.search(r"notebook\s+1", out)
    # Python's path would have a sweep that is moved done again; papermill takes 5e-05 for a text.
    assert "-m papermill" in out and sys.executable not in out and "learning_rate: 5.0e-05" in out


def test_the_slurm_settings_plan_a_job_for_each_run(workspace):
    words = ("runs", "--dry-run", "--profile", "experiments/slurm", "--config", "profile=tiny")
    run = command(workspace, sys.executable, "-m", "snakemake", *words)
    out, _ = run.communicate()
    assert run.returncode == 0, out
    assert out.count("slurm_partition=gpu") >= 3 and "runtime=240" in out and "gpu=1" in out


@pytest.mark.parametrize("profile", ["", "reference/", "typo"])
def test_a_profile_that_is_none_is_named_and_nothing_is_removed(workspace, profile):
    (workspace / "reports" / "mine").mkdir(parents=True, exist_ok=True)
    for target in ("clean", "report", "resume", "reference"):
        run = command(workspace, "make", target, f"PROFILE={profile}", "BIN=/bin", "-o", "setup")
        out, _ = run.communicate()
        assert run.returncode == 2 and "PROFILE must be one of: " in out, out
    assert (workspace / "reports" / "mine").is_dir()


@pytest.mark.parametrize("given", ["JOBS=zero", "JOBS=0", "THREADS=-1", "THREADS="])
def test_a_number_of_cores_that_is_none_is_named(workspace, given):
    for target in ("report", "test"):
        run = command(workspace, "make", target, given, "BIN=/bin", "-o", "setup")
        out, _ = run.communicate()
        assert (
            run.returncode == 2
            and f"{given.split('=')[0]} must be a whole number, 1 or more; got {given.split('=')[1]}\n" in out
        ), out


def test_a_report_that_is_killed_loses_no_finished_run_and_names_the_failed_one(workspace):
    make = ("make", "report", "PROFILE=tiny", "JOBS=2", f"BIN={Path(sys.executable).parent}", "-o", "setup")
    runs, log = workspace / "reports" / "tiny" / "runs", workspace / "make.log"
    generator = np.random.default_rng()  # other moments each time: none may lose anything
    finished = {}
    for kill in range(2):
        with log.open("w") as file:
            first = command(workspace, *make, log=file)
            deadline = time.time() + (generator.uniform(2, 20) if kill else 400)
            while first.poll() is None and time.time() < deadline:
                if kill == 0 and re.search(r"Finished jobid.*train", log.read_text()):
                    break  # the first kill is just after a run has finished
                time.sleep(0.2)
            os.killpg(first.pid, signal.SIGKILL)
            first.wait()
        unfinished, _ = planned(workspace)
        assert unfinished.isdisjoint(path.parent.name for path in finished)
        finished |= {p: p.stat().st_mtime_ns for p in runs.glob("*/row.json") if p.parent.name not in unfinished}
        assert finished, log.read_text()
        for path in runs.glob("*/row.json"):
            assert json.loads(path.read_text())["objective"] in path.parent.name

    second = command(workspace, *make)
    out, _ = second.communicate()
    assert second.returncode != 0 and "failed: reports/tiny/runs/nonsense-seed0/papermill.log" in out, out
    assert "The report is in reports/index.html" in out and out.count("failed:") == 1, out
    assert {path.parent.name for path in runs.glob("*/row.json")} == {"one_hot-seed0", "forward-seed0"}
    for path, written in finished.items():
        assert path.stat().st_mtime_ns == written
    page = (workspace / "reports" / "index.html").read_text()
    assert "nonsense-seed0" in page and page.count("data:image/png;base64") > 8 and "<math" in page
    assert not re.search(r"""(src|href)=["']https?://""", page)
    row = json.loads((runs / "forward-seed0" / "row.json").read_text())
    assert math.isfinite(row["log_loss"]) and row["objective"] == "forward" and row["epochs_run"] == 1
