"""How far each part of a report is, read from the files that papermill and Snakemake write."""

import json
from typing import NamedTuple

DONE, RUNNING, FAILED, WAITING = "done", "running", "failed", "waiting"


class State(NamedTuple):
    """How far a part is.

    Args:
        kind: DONE, RUNNING, FAILED or WAITING.
        detail: which cell runs, or "".
    """

    kind: str
    detail: str = ""

    def __str__(self):
        return f"{self.kind}, {self.detail}" if self.detail else self.kind


def state(result, notebook):
    """How far a part is.

    Args:
        result: path of the file that is there when the part is done.
        notebook: path of the notebook that papermill writes after each cell meanwhile.

    Returns:
        State. A part that was killed counts as running, since nobody wrote that it ended.

    Example:
        >>> state(Path("row.json"), Path("notebook.ipynb")).kind
        'waiting'
    """
    if result.is_file():
        return State(DONE)
    if not notebook.is_file():
        return State(WAITING)
    try:
        content = json.loads(notebook.read_text("utf-8"))
        whole, cells = content["metadata"]["papermill"], content["cells"]
        states = [cell["metadata"].get("papermill", {}).get("status") for cell in cells]
        finished = sum(status in ("completed", None) for status in states)  # papermill marks not every cell
        ended = whole["exception"] or whole["end_time"] is not None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return State(RUNNING)  # papermill is about to write it
    return State(FAILED) if ended else State(RUNNING, f"cell {min(finished + 1, len(cells))} of {len(cells)}")


def state_of_run(folder):
    """How far a run is whose results lie in a folder."""
    return state(folder / "row.json", folder / "notebook.ipynb")


def state_of_notebook(path):
    """How far a notebook is that is complete once it lies at a path."""
    return state(path, path.with_name(f"{path.name}.partial.ipynb"))
