"""Runs the notebooks by papermill: which ones, with which parameters, and what they yield.

`make report` calls it twice: first for the target `runs` (whatever fails is skipped), then for `index`, which shows
what there is. By hand: `snakemake --cores 2 --config profile=sample runs`. On a cluster add an executor plugin, such as
`--executor slurm`; every run is a job of its own.
"""

import hashlib
import json
import re
import sys

from thesis_lib.experiments import parts

PROFILE = config.get("profile", "sample")
REPORT = f"reports/{PROFILE}"
PARTS = parts(f"experiments/{PROFILE}.yaml")
RUNS = {name: run for part in PARTS for name, run in part.items()}
THREADS = int(config.get("threads", 1))
DATA = next(iter(RUNS.values())).get("data", "sample")

# A run has its own cores, so that runs side by side do not slow each other down.
shell.prefix(
    f"export TF_NUM_INTRAOP_THREADS={THREADS} TF_NUM_INTEROP_THREADS={THREADS} OMP_NUM_THREADS={THREADS} "
    "TF_CPP_MIN_LOG_LEVEL=2; "
)


def code(notebook):
    """A digest of a notebook's code: a run is redone when the code changes, not when outputs are saved."""
    cells = json.loads(open(f"notebooks/{notebook}.ipynb").read())["cells"]
    source = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    return hashlib.sha256(json.dumps(source).encode()).hexdigest()


PAPERMILL = f"{sys.executable} -m papermill --no-progress-bar --cwd notebooks --kernel python3"


rule runs:
    input:
        expand(f"{REPORT}/runs/{{run}}/row.json", run=RUNS),
        expand(f"{REPORT}/{{notebook}}.ipynb", notebook=["01_boundary_prior", "02_soft_labels"]),


rule index:
    input:
        f"{REPORT}/04_compare_targets.ipynb",


# A rule for each part of the experiment, in their order, so that what is finished when time runs out is complete.
for number, part in enumerate(PARTS):

    rule:
        name: f"train_{number}"
        priority: len(PARTS) - number
        wildcard_constraints:
            run="|".join(map(re.escape, part)),
        input:
            notebook=ancient("notebooks/03_train_segmentation.ipynb"),
        output:
            row=f"{REPORT}/runs/{{run}}/row.json",
        log:
            f"{REPORT}/runs/{{run}}/papermill.log",
        benchmark:
            f"{REPORT}/runs/{{run}}/benchmark.tsv"
        threads: THREADS
        params:
            folder=f"{REPORT}/runs/{{run}}",
            code=code("03_train_segmentation"),
            values=lambda wildcards: json.dumps({**RUNS[wildcards.run], "output": f"{REPORT}/runs/{wildcards.run}"}),
        shell:
            PAPERMILL + " {input.notebook} {params.folder}/notebook.ipynb -y {params.values:q} > {log} 2>&1"


rule story:
    input:
        notebook=ancient("notebooks/{notebook}.ipynb"),
    output:
        f"{REPORT}/{{notebook,0[12]_.*}}.ipynb",
    log:
        f"{REPORT}/{{notebook}}.log",
    threads: THREADS
    params:
        code=lambda wildcards: code(wildcards.notebook),
        values=json.dumps({"output": f"{REPORT}/figures", "data": DATA}),
    shell:
        PAPERMILL + " {input.notebook} {output}.partial.ipynb -y {params.values:q} > {log} 2>&1"
        " && mv {output}.partial.ipynb {output}"


rule compare:
    input:
        notebook=ancient("notebooks/04_compare_targets.ipynb"),
        rows=[row for row in expand(f"{REPORT}/runs/{{run}}/row.json", run=RUNS) if os.path.exists(row)],
    output:
        f"{REPORT}/04_compare_targets.ipynb",
    log:
        f"{REPORT}/04_compare_targets.log",
    params:
        code=code("04_compare_targets"),
        values=json.dumps({"output": f"{REPORT}/figures", "results": f"{REPORT}/runs"}),
    shell:
        PAPERMILL + " {input.notebook} {output}.partial.ipynb -y {params.values:q} > {log} 2>&1"
        " && mv {output}.partial.ipynb {output}"
