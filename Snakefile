"""Runs the notebooks by papermill: which ones, with which parameters, and what they yield.

`make report` calls it twice: first for the target `runs` (whatever fails is skipped), then for `index`, which shows
what there is. By hand: `snakemake runs --cores 2 --config profile=sample`. On a cluster add an executor plugin, such as
`--executor slurm`; every run is a job of its own.
"""

import hashlib
import json
import re
import shlex
import sys
from pathlib import Path

import yaml

from thesis_lib.study import experiments

PROFILE = config.get("profile", "sample")
REPORT = f"reports/{PROFILE}"
EXPERIMENT = experiments.read(f"experiments/{PROFILE}.yaml")
RUNS = EXPERIMENT.runs
THREADS = int(config.get("threads", 1))

# A run has its own cores, so that runs side by side do not slow each other down.
shell.prefix(
    f"PYTHON={shlex.quote(sys.executable)}; "
    f"export TF_NUM_INTRAOP_THREADS={THREADS} TF_NUM_INTEROP_THREADS={THREADS} OMP_NUM_THREADS={THREADS} "
    "TF_ENABLE_ONEDNN_OPTS=1 TF_CPP_MIN_LOG_LEVEL=2; "
)


LIBRARY = [path.read_text() for path in sorted(Path("thesis_lib").rglob("*.py"))]


def code(notebook, library=True):
    """A digest of a notebook's code and the library's: runs are redone when these change, not when outputs are."""
    cells = json.loads(open(f"notebooks/{notebook}.ipynb").read())["cells"]
    source = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    return hashlib.sha256(json.dumps(source + (LIBRARY if library else [])).encode()).hexdigest()


# Python's path is not part of it, so that a finished sweep that is moved is not done again.
PAPERMILL = '"$PYTHON" -m papermill --no-progress-bar --cwd notebooks --kernel python3'
EXISTING = [run for run in RUNS if Path(f"{REPORT}/runs/{run}/row.json").exists()]


def parameters(values):
    """Parameters as the YAML that papermill reads; JSON's 5e-05 would be text to it."""
    return yaml.safe_dump(values, default_flow_style=True, width=float("inf")).strip()


# The page shows what is finished while the rest is computed.
FOLLOWED = []


onstart:
    from thesis_lib.study.report import follow

    FOLLOWED.append(follow(PROFILE))


onsuccess:
    [page.set() for page in FOLLOWED]


onerror:
    [page.set() for page in FOLLOWED]


rule runs:
    input:
        expand(f"{REPORT}/runs/{{run}}/row.json", run=RUNS),
        expand(f"{REPORT}/{{notebook}}.ipynb", notebook=EXPERIMENT.notebooks),


rule index:
    input:
        f"{REPORT}/{EXPERIMENT.comparison}.ipynb",


# A rule for each part of the experiment, in their order, so that what is finished when time runs out is complete.
for number, part in enumerate(EXPERIMENT.parts):

    rule:
        name: f"train_{number}"
        priority: len(EXPERIMENT.parts) - number
        wildcard_constraints:
            run="|".join(map(re.escape, part)),
        input:
            notebook=ancient(f"notebooks/{EXPERIMENT.run}.ipynb"),
        output:
            row=f"{REPORT}/runs/{{run}}/row.json",
        log:
            f"{REPORT}/runs/{{run}}/papermill.log",
        benchmark:
            f"{REPORT}/runs/{{run}}/benchmark.tsv"
        threads: THREADS
        params:
            folder=f"{REPORT}/runs/{{run}}",
            # The sample's runs take seconds and are redone when the library changes. A long sweep's stay.
            code=code(EXPERIMENT.run, library=PROFILE == "sample"),
            values=lambda wildcards: parameters(
                experiments.for_notebook(
                    EXPERIMENT.run, {**RUNS[wildcards.run], "output": f"{REPORT}/runs/{wildcards.run}"}
                )
            ),
        shell:
            PAPERMILL + " {input.notebook} {params.folder}/notebook.ipynb -y {params.values:q} > {log} 2>&1"


rule notebook:
    wildcard_constraints:
        notebook="|".join(EXPERIMENT.notebooks) or "none",
    input:
        notebook=ancient("notebooks/{notebook}.ipynb"),
    output:
        f"{REPORT}/{{notebook}}.ipynb",
    log:
        f"{REPORT}/{{notebook}}.log",
    threads: THREADS
    params:
        code=lambda wildcards: code(wildcards.notebook),
        values=lambda wildcards: parameters(
            {"output": f"{REPORT}/figures", **EXPERIMENT.notebooks[wildcards.notebook]}
        ),
    shell:
        PAPERMILL + " {input.notebook} {output}.partial.ipynb -y {params.values:q} > {log} 2>&1"
        " && mv {output}.partial.ipynb {output}"


rule compare:
    input:
        notebook=ancient(f"notebooks/{EXPERIMENT.comparison}.ipynb"),
        rows=expand(f"{REPORT}/runs/{{run}}/row.json", run=EXISTING),
    output:
        f"{REPORT}/{EXPERIMENT.comparison}.ipynb",
    log:
        f"{REPORT}/{EXPERIMENT.comparison}.log",
    params:
        code=code(EXPERIMENT.comparison),
        runs=EXISTING,  # done again when there are others
        values=parameters({"output": f"{REPORT}/figures", "results": f"{REPORT}/runs", "experiment": f"experiments/{PROFILE}.yaml"}),
    shell:
        PAPERMILL + " {input.notebook} {output}.partial.ipynb -y {params.values:q} > {log} 2>&1"
        " && mv {output}.partial.ipynb {output}"
