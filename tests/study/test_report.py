"""`make report`: what it plans, that a kill loses nothing, what its page shows."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from thesis_lib.paths import REPOSITORY


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


def command(workspace, *words, log=None, **variables):
    """Start a command in the workspace, in a process group of its own; its output goes to the file `log`, or a pipe."""
    environment = {**os.environ, "PYTHONPATH": str(workspace), **variables}
    options = {"stdout": log or subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(words, cwd=workspace, env=environment, start_new_session=True, **options)


def planned(workspace, *options):
    """The runs that Snakemake would train now, and what it says of it. JAX is imported faster than TensorFlow."""
    snakemake = (sys.executable, "-m", "snakemake", "runs", "--dry-run", "--printshellcmds")
    options = (*options, "--rerun-incomplete", "--rerun-triggers", "mtime", "params", "code")
    run = command(workspace, *snakemake, *options, "--config", "profile=tiny", KERAS_BACKEND="jax")
    out, _ = run.communicate()
    assert run.returncode == 0, out
    return set(re.findall(r"output: reports/tiny/runs/(\S+)/row.json", out)), out


def test_the_slurm_settings_plan_a_job_for_each_run(workspace):
    runs, out = planned(workspace, "--profile", "experiments/slurm")
    assert runs == {"one_hot-seed0", "forward-seed0", "nonsense-seed0"} and re.search(r"notebook\s+1", out)
    # Python's path would have a sweep that is moved done again; papermill takes 5e-05 for a text.
    assert "-m papermill" in out and sys.executable not in out and "learning_rate: 5.0e-05" in out
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
    with log.open("w") as file:
        first = command(workspace, *make, log=file)
        deadline = time.time() + 400
        while first.poll() is None and time.time() < deadline:
            if re.search(r"Finished jobid.*train", log.read_text()):
                break
            time.sleep(0.2)
        time.sleep(np.random.default_rng().uniform(0, 5))  # another moment each time: none may lose anything
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    unfinished, _ = planned(workspace, "--cores", "2")
    finished = {p: p.stat().st_mtime_ns for p in runs.glob("*/row.json") if p.parent.name not in unfinished}
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
    assert "nonsense-seed0" in page and page.count("<figcaption>") > 8 and "<math" in page
    assert not re.search(r"""(src|href)=["']https?://""", page)
    row = json.loads((runs / "forward-seed0" / "row.json").read_text())
    assert math.isfinite(row["log_loss"]) and row["objective"] == "forward" and row["epochs_run"] == 1
