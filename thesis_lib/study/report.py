"""The page that shows a report: `python -m thesis_lib.study.report PROFILE` writes reports/index.html.

One self-contained HTML file: what the project found, the executed notebooks with their figures and tables, and a table
of all runs. It opens from disk, needs no network (formulas are MathML) and reads on a phone. The runs' notebooks become
pages beside it. While `make report` runs, `follow` writes it anew whenever a part is finished.
"""

import base64
import html
import io
import os
import sys
import threading
import traceback
from functools import cache, lru_cache
from urllib.parse import unquote, urlsplit

import matplotlib.pyplot as plt

from thesis_lib import figures
from thesis_lib.annotation.advice import USUAL, measured_gains
from thesis_lib.figures.captions import CAPTIONS
from thesis_lib.figures.style import described
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import experiments, headline
from thesis_lib.study.notebook_html import notebook_as_html, title_of
from thesis_lib.study.report_page import REFRESH, Section, page, table_as_html
from thesis_lib.study.report_parts import figure
from thesis_lib.study.report_runs import in_repository, runs_table, write_page
from thesis_lib.study.report_state import DONE, FAILED, RUNNING, WAITING, state_of_notebook, state_of_run

TITLE = "Training image models when labels are imprecise or missing"
SECONDS = 5  # between two looks at what is finished
OF_GAINS = (
    "Each marker is a training target on one data set: its gain in Dice over one-hot + soft Dice with a 95% interval. "
    "Filled markers are significant. To the right annotators' errors are larger beside the objects."
)


def main(profile, is_running=False):
    """Write reports/index.html for a profile.

    Args:
        profile: name of a file in experiments/, without its ending.
        is_running: whether parts are still computed. The page then says which, and browsers read it again by
            themselves.

    Returns:
        int, the number of results that are missing or cannot be shown.
    """
    folder = REPOSITORY / "reports" / profile
    target = REPOSITORY / "reports" / "index.html"
    experiment = experiments.read(REPOSITORY / "experiments" / f"{profile}.yaml")
    names = sorted([*experiment.notebooks, experiment.comparison])
    states = _states(folder, experiment)
    on_page = frozenset(name for name in names if states[name].kind == DONE)
    sections, missing = [Section("summary", "What the project found", _summary())], []
    for name in names:
        path, title = folder / f"{name}.ipynb", title_of(_source(folder, name))
        body, word = None, ""
        if name in on_page:
            body, faults = _body(path, target, on_page, name)
            missing += faults
        else:
            word = _word(states[name], is_running)
            if states[name].kind == FAILED or not is_running:
                missing.append(f"{in_repository(folder / name)}.log says why there is no result")
        body = body or f"<h2>{html.escape(title)}</h2><p>Not shown: {html.escape(word or 'it cannot be read')}.</p>"
        sections.append(Section(name, title, body, word))
    table, faults = runs_table(folder, experiment.runs, is_running, lambda run, at: _body(run, at, on_page))
    missing += faults
    done = sum(states[run].kind == DONE for run in experiment.runs)
    runs = f"<h2>Every training run</h2><p>Each links to its executed notebook.</p>{table}"
    sections.append(Section("runs", "Every training run", runs, f"{done} of {len(experiment.runs)}"))
    head = f"<h1>{TITLE}</h1>{_progress(profile, states, missing, is_running)}"
    write_page(target, page(TITLE, head, sections, is_running=is_running))
    if not is_running:
        for sentence in missing:
            print(f"failed: {sentence}", file=sys.stderr)
        print(f"The report is in {target.relative_to(REPOSITORY)}")
    return len(missing)


def follow(profile, seconds=SECONDS):
    """Write the page anew whenever a part starts or is finished, in a thread, until the event that it returns is set.

    Args:
        profile: name of a file in experiments/, without its ending.
        seconds: between two looks.

    Returns:
        threading.Event.

    Example:
        >>> stop = follow("sample")
        >>> stop.set()
    """
    stop = threading.Event()
    experiment = experiments.read(REPOSITORY / "experiments" / f"{profile}.yaml")

    def watch():
        before = None
        while not stop.is_set():
            now = _states(REPOSITORY / "reports" / profile, experiment)
            if now != before:
                try:
                    main(profile, is_running=True)
                except Exception:  # a page that cannot be written stops no training
                    traceback.print_exc()
            before = now
            stop.wait(seconds)

    threading.Thread(target=watch, daemon=True).start()
    return stop


def _states(folder, experiment):
    """The state of each part: notebooks and runs, by name."""
    runs = {run: state_of_run(folder / "runs" / run) for run in experiment.runs}
    names = [*experiment.notebooks, experiment.comparison]
    return runs | {name: state_of_notebook(folder / f"{name}.ipynb") for name in names}


def _word(state, is_running):
    """A state in words; what runs while nobody computes was stopped."""
    return str(state) if is_running or state.kind in (DONE, FAILED) else "no result"


def _source(folder, name):
    """The executed notebook, or that which is to be executed."""
    executed = folder / f"{name}.ipynb"
    return executed if executed.is_file() else REPOSITORY / "notebooks" / f"{name}.ipynb"


def _progress(profile, states, missing, is_running):
    """What is done, what runs, and what cannot be shown."""
    kinds = [state.kind for state in states.values()]
    sentences = [f"Profile <b>{html.escape(profile)}</b>: {kinds.count(DONE)} of {len(kinds)} parts are done."]
    if is_running:
        running = [
            f"{html.escape(name)} ({state.detail or 'starts'})"
            for name, state in states.items()
            if state.kind == RUNNING
        ]
        sentences.append(f"Running: {', '.join(running) or 'nothing'}. Waiting: {kinds.count(WAITING)}.")
        sentences.append(
            f"This page shows what is finished. It reads itself again every {REFRESH} seconds until all is."
        )
    if missing:
        items = "".join(f"<li class=failed>{html.escape(sentence)}</li>" for sentence in missing)
        sentences.append(f"<span class=failed>Missing, or not shown whole:</span></p><ul>{items}</ul><p>")
    return f'<div class="progress"><p>{"</p><p>".join(sentences)}</p></div>'.replace("<p></p>", "")


@cache
def _summary():
    """What the committed experiments of the project say."""
    plt.switch_backend("agg")
    gains = measured_gains()
    drawn = figures.gains(gains.assign(metric="dice"), {"dice": "Dice"}, USUAL)
    file = io.BytesIO()
    drawn.savefig(file, format="png", dpi=110, bbox_inches="tight")
    text = described(drawn)
    plt.close(drawn)
    encoded = base64.b64encode(file.getvalue()).decode("ascii")
    said = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in headline.sentences())
    return (
        f"<h2>What the project found</h2>{figure(encoded, OF_GAINS, text)}<ul class=sentences>{said}</ul>"
        f"<h3>All measured gains over one-hot + soft Dice</h3>{table_as_html(headline.table(gains))}"
        "<p>These are the committed results of long sweeps. What follows was computed on this machine.</p>"
    )


def _body(path, page_path, on_page, name=""):
    """A notebook as HTML, or None, and a list of sentences of what of it cannot be shown."""
    stamp = path.stat().st_mtime_ns
    try:
        body, faults = _read(path, stamp, page_path, on_page, name)
    except ValueError as error:
        return None, [in_repository(error)]
    return body, [f"{in_repository(path)} {fault}" for fault in faults]


@lru_cache(maxsize=1000)
def _read(path, stamp, page_path, on_page, name):
    """`notebook_as_html`, once as long as nothing changes; stamp: of the file's last change."""

    def link(address):
        """An address in a notebook as one on the page, or None where the page has nothing to link to."""
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or not parts.path:
            return address
        target = (REPOSITORY / "notebooks" / unquote(parts.path)).resolve()
        index = os.path.relpath(REPOSITORY / "reports" / "index.html", page_path.parent)
        if target.suffix == ".ipynb":
            where = "" if page_path.name == "index.html" else index
            return f"{where}#{target.stem}" if target.stem in on_page else None
        is_ours = target.is_relative_to(REPOSITORY) and target.exists()
        return os.path.relpath(target, page_path.parent) if is_ours else None

    return notebook_as_html(path, CAPTIONS, link, name)


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1] if len(sys.argv) > 1 else "sample") else 0)
