"""The repository as a whole: its files agree, its commands work, its results survive a kill."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml

from thesis_lib import annotators, comparison, experiments, few_labels, figures, objectives, provenance, report, statistics

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("[0-9]*.ipynb"))


def test_the_conda_environment_is_what_pyproject_says():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    python, pip = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    low, high = re.fullmatch(r"python>=(\d\.\d+),<(\d\.\d+)", python).groups()
    assert project["requires-python"] == f">={low},<{high}"
    extras = project["optional-dependencies"]
    assert sorted(pip["pip"]) == sorted([*project["dependencies"], *extras["export"], *extras["gpu"], *extras["slurm"], "-e ."])


@pytest.fixture(scope="module")
def compared():
    """The rows of the comparison, and the README's text about them."""
    rows = comparison.read(REPOSITORY / "reports/reference/compare/runs")
    rows["case"] = rows["case"].str.removesuffix(", 400 scenes, 30 epochs")
    return rows, " ".join((REPOSITORY / "README.md").read_text().split())


BIASED, MORE_EPOCHS, FEWER_SCENES, OF_TEN = "sigma 1 px, bias +1 px", "sigma 1 px, 400 scenes, 90 epochs", "sigma 1 px, 100 scenes, 120 epochs", "forward, prior fitted on 10"
HEADLINE = ("log_loss", "surface_distance", "miou_foreground")


def test_the_numbers_of_the_readme_are_those_of_the_table(compared):
    rows, text = compared
    table = pd.read_csv(REPOSITORY / "reports/reference/compare_targets.csv")
    assert sorted(table["run"]) == sorted(rows.loc[rows["variant"] != "magnitude", "run"])
    of = comparison.on_shared_seeds(rows[rows["variant"].isin(comparison.PLAIN)]).groupby(["case", "target"])
    assert (of["seed"].nunique() == 5).all()
    of = of[["surface_distance_median", "miou_foreground"]].mean()
    cases = {
        "nothing": "no error", "0.5 px": "sigma 0.5 px", "1 px": "sigma 1 px", "1 px, and 1 px too far out": BIASED, "2 px": "sigma 2 px", "Markov boundary": "markov",
        "-1, 0 or 1 px, the same all over an image": "morphological", "1 px; 90 epochs": MORE_EPOCHS, "1 px; 100 scenes, 120 epochs": FEWER_SCENES,
    }  # fmt: skip
    for name, case in cases.items():
        said = [cell.strip() for cell in re.search(rf"\| {name} \|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|", text).groups()]
        for cell, target in zip(said, ("one_hot", "posterior", "forward", OF_TEN)):
            assert bool(cell) == ((case, target) in of.index)
            if cell:
                assert [f"{of.loc[(case, target)].iloc[0]:.3f}", f"{of.loc[(case, target)].iloc[1]:.2f}"] == cell.split(", ")
    rules = of.loc["sigma 2 px"]["miou_foreground"]
    said = re.search(r"mIoU is (\S+) with uniform smoothing, (\S+) spatially varying, and (\S+) with class-level", text).groups()
    assert [float(n) for n in said] == pytest.approx(list(rules[["uniform", "spatially_varying", "weighted_adjacent_prior"]]), abs=0.006)
    said = re.search(r"`forward_dice` reaches (\S+) px and an mIoU of (\S+), `one_hot_dice` (\S+) px and (\S+) ", text).groups()
    joined = of.loc["sigma 1 px"].loc[["forward_dice", "one_hot_dice"]]
    assert [float(n) for n in said] == pytest.approx(list(joined.to_numpy().ravel()), abs=0.006)
    clean = rows[rows["case"] == "no error"].groupby("target")
    for target, pattern in (("one_hot", "without any error reaches"), ("forward, sigma 1 px assumed", "the forward likelihood reaches")):
        found = clean.get_group(target)["miou_foreground"]
        said = re.search(pattern + r" (\S+) to (\S+) \(mean ([0-9.]+)\)", text).groups()
        assert [float(n) for n in said] == pytest.approx([found.min(), found.max(), found.mean()], abs=0.006)
    believed = comparison.on_shared_seeds(rows[rows["variant"].isin((*comparison.PLAIN, "assumed"))]).query("case == 'sigma 1 px'").groupby("target")["surface_distance_median"].mean()
    at = lambda target: [believed[target if sigma == 1 else f"{target}, sigma {sigma:g} px assumed"] for sigma in (0.25, 0.5, 1, 2, 4)]
    number = r"([0-9.]*[0-9])"
    several = rf"{number}, {number}, {number}, {number} and {number} px"
    said = re.search(rf"median scene are {several} off \(one-hot {number}\), the posterior's {several}:", text).groups()
    assert list(said) == [f"{value:.3f}" for value in (*at("forward"), believed["one_hot"], *at("posterior"))]
    said = re.search(rf"median scene are {number}, {number} and {number} px off with 5, 10 and 20 of them, {number} px", text).groups()
    assert list(said) == [f"{believed[target]:.3f}" for target in (*(f"forward, prior fitted on {n}" for n in (5, 10, 20)), "forward")]
    farther = clean["surface_distance"].mean()[["forward, sigma 1 px assumed", "one_hot"]]
    assert float(re.search(r"with boundaries (\S+) px farther off", text)[1]) == pytest.approx(farther.iloc[0] - farther.iloc[1], abs=0.002)


def test_what_the_readme_calls_established_is(compared):
    rows, text = compared
    notebook = (REPOSITORY / "reports/reference/compare/04_compare_targets.ipynb").read_text()
    plain = rows[rows["variant"].isin(comparison.PLAIN)]

    def judged(rows, baseline, metrics):
        table = comparison.differences(rows, baseline, metrics)
        found = {verdict: set(map(tuple, part[["case", "target", "metric"]].values)) for verdict, part in table.groupby("verdict")}
        better, worse = (found.get(verdict, set()) for verdict in ("better", "worse"))
        assert f"{len(table)} comparisons corrected for; established: {len(better)} better, {len(worse)} worse" in notebook
        return table, better, worse

    table, better, worse = judged(plain, "one_hot", HEADLINE)
    assert f"correction for {len(table)} comparisons with one-hot training, in nine cases, nine gains are established, each of a forward likelihood" in text
    assert table["case"].nunique() == 9 and "Seven losses are established" in text
    assert better == {
        ("sigma 1 px", "forward", "log_loss"), ("sigma 1 px", "forward, prior fitted on 20", "log_loss"), ("sigma 2 px", "forward", "log_loss"), ("sigma 2 px", OF_TEN, "log_loss"), (BIASED, "forward", "log_loss"),
        ("markov", "forward", "log_loss"), (BIASED, "forward", "surface_distance"), ("sigma 2 px", "forward", "miou_foreground"), ("sigma 1 px", "forward_uniform", "miou_foreground"),
    }  # fmt: skip
    assert worse == {
        *((case, "uniform", "log_loss") for case in ("no error", "sigma 1 px", "sigma 2 px", "markov")), ("sigma 1 px", "forward_uniform", "log_loss"),
        ("no error", "spatially_varying", "surface_distance"), ("sigma 2 px", "weighted_adjacent_prior", "surface_distance"),
    }  # fmt: skip

    _, better, worse = judged(plain, "one_hot", ("surface_distance_median",))
    assert {case for case, target, _ in better if target == "forward"} == {"sigma 1 px", BIASED, "sigma 2 px", "markov", MORE_EPOCHS, FEWER_SCENES}
    assert {case for case, target, _ in better if target == OF_TEN} == {"sigma 1 px", "sigma 2 px", "markov"}
    assert {case for case, target, _ in better if target == "posterior"} == {BIASED}
    assert {case for case, target, _ in worse if target == "posterior"} == {"sigma 0.5 px", "sigma 2 px", "markov", MORE_EPOCHS, FEWER_SCENES}

    table, better, worse = judged(plain, comparison.LIKE_FOR_LIKE, HEADLINE)
    assert f"six of {len(table)} differences are established, all for the likelihood: log loss in five cases and the boundaries after 90 epochs" in text and not worse
    assert sorted(metric for *_, metric in better) == ["log_loss"] * 5 + ["surface_distance"] and (MORE_EPOCHS, "forward", "surface_distance") in better

    _, better, worse = judged(rows[(rows["variant"] == "assumed") | (rows["target"] == "one_hot")], "one_hot", HEADLINE)
    assert not better and ("no error", "forward, sigma 1 px assumed", "surface_distance") in worse
    assert {(case, target) for case, target, _ in worse} == {("no error", "forward, sigma 1 px assumed"), ("sigma 1 px", "posterior, sigma 4 px assumed")}

    later = comparison.differences(rows[(rows["seed"] >= 5) & (rows["target"].isin(("one_hot", "forward")))], "one_hot", ("log_loss",))
    assert len(later) == 3 and (later["p_value"] < 0.05).all() and (later["difference"] < 0).all()


def test_what_the_readme_says_of_few_labels_is_what_was_measured():
    text = " ".join((REPOSITORY / "README.md").read_text().split())
    table = pd.read_csv(REPOSITORY / "reports/reference/mnist_few_labels.csv").query("labels == 100 and width == 500")
    errors = table.pivot(index="seed", columns=["method", "network"], values="error_percent")
    kinds = [("supervised", "mlp_dropout"), ("pseudo_label", "mlp_dropout"), ("pseudo_label", "mlp_dropout_dae")]
    assert len(errors) == 3 and errors[kinds].notna().all(axis=None)
    said = re.search(r"three seeds\) errs on (\S+)% of the test images, with pseudo-labels on (\S+)%, and .*? auto-encoder on (\S+)%\. The last step, (\S+) points", text).groups()
    dropout, pseudo, auto_encoder = (errors[kind] for kind in kinds)
    assert [float(n) for n in said] == pytest.approx([dropout.mean(), pseudo.mean(), auto_encoder.mean(), (pseudo - auto_encoder).mean()], abs=0.06)
    _, low, high = statistics.mean_interval(pseudo - auto_encoder)
    assert low > 0
    _, low, high = statistics.mean_interval(dropout - pseudo)
    assert low < 0 < high


def test_what_the_readme_says_of_roofs_is_what_was_measured():
    folder = REPOSITORY / "reports/reference/buildings"
    text = " ".join((REPOSITORY / "README.md").read_text().split())
    distances = pd.read_csv(folder / "scores.csv").groupby("objective")["surface_distance"].mean()
    said = re.search(r"test scenes lie (\S+) px \(soft Dice\), (\S+) px \(one-hot \+ soft Dice\) and (\S+) px \(forward likelihood \+ soft Dice\)", text).groups()
    assert [float(n) for n in said] == pytest.approx(list(distances[["dice", "one_hot_dice", "forward_dice"]]), abs=0.006)
    differences = pd.read_csv(folder / "differences.csv", keep_default_na=False)
    assert (differences["verdict"] == "").all() and f"none of the {len(differences)} differences" in text
    pooled = pd.read_csv(folder / "annotators.csv", index_col=0).loc["all, bias taken out"]
    low, high = re.search(r"the estimate is (\S+) to (\S+) px", text).groups()
    assert [float(low), float(high)] == pytest.approx([pooled["sigma from"], pooled["sigma to"]], abs=0.006)


def test_the_lock_pins_every_dependency():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    locked = {re.split("[=<>]", line)[0] for line in (REPOSITORY / "requirements.lock").read_text().splitlines() if "==" in line}
    wanted = project["dependencies"] + project["optional-dependencies"]["test"] + project["optional-dependencies"]["jax"]
    assert {re.split(r"[=<>\[]", w)[0] for w in wanted} - {"thesis-lib"} <= locked


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_committed_as_run_from_top_to_bottom(path):
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    assert not re.search(r"/(home|root|tmp|work)/", path.read_text())
    assert path.stat().st_size < 1_500_000


def test_every_objective_and_method_has_a_style_of_its_own():
    assert set(figures.OBJECTIVE_STYLE) == set(objectives.OBJECTIVES)
    assert set(figures.METHOD_STYLE) == set(few_labels.METHODS)
    for styles in (figures.OBJECTIVE_STYLE, figures.METHOD_STYLE):
        looks = [style[1:] for style in styles.values()]
        assert len(set(looks)) == len(looks)


def test_an_experiment_file_becomes_named_runs(tmp_path):
    (tmp_path / "e.yaml").write_text(
        "parameters: {epochs: 3}\n"
        "grid:\n"
        "- objective: [one_hot, forward]\n"
        "  case: {small: {prior_sigma: 1.0, annotator_parameters: {sigma: 1.0}}}\n"
        "  seed: [0, 1]\n"
    )
    runs = experiments.runs(tmp_path / "e.yaml")
    assert list(runs) == ["one_hot-small-seed0", "one_hot-small-seed1", "forward-small-seed0", "forward-small-seed1"]
    assert runs["forward-small-seed1"] == {
        "epochs": 3, "objective": "forward", "prior_sigma": 1.0, "annotator_parameters": {"sigma": 1.0}, "seed": 1,
    }  # fmt: skip
    assert [list(part) for part in experiments.parts(tmp_path / "e.yaml")] == [list(runs)[:2], list(runs)[2:]]  # by the first axis
    (tmp_path / "e.yaml").write_text("stories: {01_boundary_prior: {}, 99_nothing: {}}\ngrid: []")
    with pytest.raises(ValueError, match="must name notebooks that are in notebooks/; got '99_nothing'"):
        experiments.notebooks(tmp_path / "e.yaml")
    for wrong in ("grid", "parameters: {}", ":\n- ]", "grid: [{objective: forward}]", "grid: [{a: [..]}]",
                  "grid: [{a: [x], b: [y-z]}, {a: [x-y], b: [z]}]"):  # fmt: skip
        (tmp_path / "e.yaml").write_text(wrong)
        with pytest.raises(ValueError, match="e.yaml must be a YAML file with"):
            experiments.runs(tmp_path / "e.yaml")


def test_the_sample_sweep_runs_every_objective_with_two_seeds():
    runs = experiments.runs(REPOSITORY / "experiments" / "sample.yaml").values()
    # fixed_uniform is uniform smoothing under its other name; the sums of losses are for larger comparisons
    left_out = {"fixed_uniform", "forward_uniform", "forward_dice", "one_hot_dice"}
    assert {run["objective"] for run in runs} == set(objectives.OBJECTIVES) - left_out
    assert len(runs) == 2 * len({run["objective"] for run in runs})


def parameters_of(notebook):
    (cell,) = [c for c in nbformat.read(REPOSITORY / f"notebooks/{notebook}.ipynb", 4).cells if "parameters" in c.metadata.get("tags", [])]
    return set(re.findall(r"^(\w+) =", cell.source, flags=re.MULTILINE))


@pytest.mark.parametrize("path", sorted((REPOSITORY / "experiments").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_parameter_of_an_experiment_exists(path):
    notebooks = experiments.notebooks(path)
    for name, parameters in notebooks["stories"].items():
        assert set(parameters or {}) <= parameters_of(name)
    known = parameters_of(notebooks["run"])
    for run in experiments.runs(path).values():
        assert set(run) <= known
        if "annotator" in run:
            assert annotators.annotator(run["annotator"], **run.get("annotator_parameters", {}))
            assert run["objective"] in objectives.OBJECTIVES
        if "method" in run:
            assert few_labels.Run(**{k: v for k, v in run.items() if k != "data"})


def test_rows_are_written_whole_and_say_what_ran(tmp_path):
    row = {"miou": np.float32(0.5), "ece": float("nan"), "counts": np.arange(2), "provenance": provenance.record({"seed": 1})}
    provenance.write_json(tmp_path / "row.json", row)
    read = json.loads((tmp_path / "row.json").read_text())
    assert read["miou"] == 0.5 and read["ece"] is None and read["counts"] == [0, 1]
    assert read["provenance"]["parameters"] == {"seed": 1} and read["provenance"]["versions"]["keras"]
    assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?|unknown", read["provenance"]["commit"])
    assert [p.name for p in tmp_path.iterdir()] == ["row.json"]


def test_a_truncated_row_is_reported_and_skipped(tmp_path):
    whole = '{"objective": "forward", "seed": 0}'
    for name, content in (("a", whole), ("b", whole[:20]), ("c", "[1]"), ("d", "{}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "row.json").write_text(content)
    with pytest.warns(UserWarning, match="is no whole result row and was skipped") as caught:
        rows = provenance.read_rows(tmp_path)
    assert rows["run"].tolist() == ["a"] and len(caught) == 3
    with pytest.raises(FileNotFoundError, match="results must be a folder of runs; got '.*nowhere'"):
        provenance.read_rows(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="results must hold at least one row.json"), pytest.warns(UserWarning):
        provenance.read_rows(tmp_path / "b")


def test_scores_of_scenes_that_are_missing_or_damaged_are_reported_and_skipped(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        np.savez_compressed(tmp_path / name / "scenes.npz", x=np.arange(5000))
    content = bytearray((tmp_path / "b" / "scenes.npz").read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "b" / "scenes.npz").write_bytes(content)
    (tmp_path / "c" / "scenes.npz").write_bytes(content[:100])
    with pytest.warns(UserWarning, match="holds no scores of scenes and its run was skipped") as caught:
        found = provenance.read_scenes(tmp_path, ["a", "b", "c", "d"])
    assert found[0]["x"].sum() == 5000 * 4999 / 2 and found[1:] == [None] * 3
    assert sum("holds no scores" in str(warning.message) for warning in caught) == 3


def test_formulas_become_mathml_without_a_script():
    made = report.formulas_as_mathml(r"so $\sigma^2$ and $$M_{jk} = \frac{L}{A}$$ end")
    assert made.count("<math") == 2 and 'display="block"' in made and "$" not in made


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A copy of the repository with a sweep of two small runs and one that must fail."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("Snakefile", "Makefile", "notebooks", "thesis_lib", "sample_data"):
        source = REPOSITORY / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    shutil.copytree(REPOSITORY / "experiments" / "slurm", folder / "experiments" / "slurm")
    parameters = {"train_scenes": 16, "epochs": 1, "width": 2, "depth": 2, "prior": "fitted", "augment": True}
    grid = [{"objective": ["one_hot", "forward", "nonsense"], "seed": [0]}]
    stories = {"01_boundary_prior": {"data": "sample"}, "02_soft_labels": {"data": "sample"}}
    (folder / "experiments" / "tiny.yaml").write_text(yaml.safe_dump({"stories": stories, "parameters": parameters, "grid": grid}))
    return folder


def command(workspace, *words, log=None):
    """Start a command in the workspace, in a process group of its own; its output goes to the file `log`, or a pipe."""
    environment = {**os.environ, "PYTHONPATH": str(workspace)}
    return subprocess.Popen(words, cwd=workspace, env=environment, stdout=log or subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True)  # fmt: skip


def planned(workspace):
    """The runs that Snakemake would train now, and what it says of it."""
    words = (sys.executable, "-m", "snakemake", "runs", "--dry-run", "--cores", "2", "--config", "profile=tiny")
    run = command(workspace, *words, "--rerun-incomplete", "--rerun-triggers", "mtime", "params", "code")
    out, _ = run.communicate()
    assert run.returncode == 0, out
    return set(re.findall(r"output: reports/tiny/runs/(\S+)/row.json", out)), out


def test_a_dry_run_plans_every_run(workspace):
    runs, out = planned(workspace)
    assert runs == {"one_hot-seed0", "forward-seed0", "nonsense-seed0"} and re.search(r"story\s+2", out)


def test_the_slurm_settings_plan_a_job_for_each_run(workspace):
    words = ("runs", "--dry-run", "--profile", "experiments/slurm", "--config", "profile=tiny")
    run = command(workspace, sys.executable, "-m", "snakemake", *words)
    out, _ = run.communicate()
    assert run.returncode == 0, out
    assert out.count("slurm_partition=gpu") >= 3 and "runtime=240" in out and "gpu=1" in out


def test_a_report_that_is_killed_five_times_loses_no_finished_run_and_names_the_failed_one(workspace):
    make = ("make", "report", "PROFILE=tiny", "JOBS=2", f"BIN={Path(sys.executable).parent}", "-o", "setup")
    runs, log = workspace / "reports" / "tiny" / "runs", workspace / "make.log"
    generator = np.random.default_rng()  # other moments each time: none may lose anything
    finished = {}
    for kill in range(5):
        with log.open("w") as file:
            first = command(workspace, *make, log=file)
            deadline = time.time() + (generator.uniform(2, 25) if kill else 400)
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
    assert "nonsense-seed0" in page and page.count("data:image/png;base64") > 15 and "<math" in page
    assert not re.search(r"""(src|href)=["']https?://""", page)
    row = json.loads((runs / "forward-seed0" / "row.json").read_text())
    assert math.isfinite(row["log_loss"]) and row["objective"] == "forward" and row["epochs_run"] == 1
