"""The results with few labels that RESULTS.md shows are those of the committed rows."""

import json
import re

import pandas as pd
import pytest

from thesis_lib.paths import REPOSITORY
from thesis_lib.semi_supervised.methods import METHOD_SETTINGS, METHODS
from thesis_lib.study import classification_results, classification_runs, experiments

REFERENCE = REPOSITORY / "reports/reference"


@pytest.fixture(scope="module")
def runs():
    return pd.read_csv(REFERENCE / "mnist_few_labels.csv")


@pytest.fixture(scope="module")
def section():
    return classification_results.results_section()


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_the_table_holds_the_mean_of_three_seeds_and_the_published_error(runs):
    head, _, *lines = cells(classification_results.results_table())
    assert head == ["method, network", "100 labels", "600 labels", "1,000 labels", "3,000 labels"]
    table = {title: dict(zip((100, 600, 1000, 3000), values)) for title, *values in lines}
    kinds = runs.groupby(["method", "network", "labels"])["error_percent"]
    assert (kinds.size() == 3).all() and len(table) * 4 == len(kinds)
    for (method, network, labels), mean in kinds.mean().items():
        published = classification_runs.PUBLISHED.get((method, network), {}).get(labels)
        cell = f"{mean:.2f}" + (f" ({published:.2f})" if published else "")
        assert table[classification_runs.titled(method, network)][labels] == cell


def test_a_cell_is_empty_where_not_every_seed_has_run(tmp_path, monkeypatch):
    for method, seed in (("supervised", 0), ("supervised", 1), ("vat", 0)):
        folder = tmp_path / f"reports/reference/mnist_few_labels/runs/{method}-{seed}"
        folder.mkdir(parents=True)
        kind = {"data": "mnist", "method": method, "network": "convnet13", "labels": 100, "seed": seed}
        scores = {"error_percent": 4.0 + 2 * seed, "validation_error_percent": 5.0}
        (folder / "row.json").write_text(json.dumps(kind | scores))
    monkeypatch.setattr(classification_results, "REPOSITORY", tmp_path)
    assert cells(classification_results.results_table())[2:] == [
        ["supervised, convolutional", "5.00"],
        ["VAT, convolutional", ""],
    ]


def test_the_section_holds_the_table_and_links_to_files_that_are_there(section):
    assert section.startswith("## Few labels\n\n")
    assert classification_results.results_table() in section
    links = re.findall(r"\]\((.*?)\)", section)
    assert len(links) == 5
    assert [link for link in links if not (REPOSITORY / link).exists()] == []


def test_the_section_holds_the_numbers_of_the_rows(runs, section):
    few = runs[(runs["labels"] == 100) & (runs["network"] == "mlp_dropout") & (runs["method"] == "pseudo_label")]
    for error in few["error_percent"]:  # the cell whose seeds differ most
        assert f"{error:.2f}" in section
    for sweep in ("mnist_wider", "mnist_longer"):
        rows = pd.read_csv(REFERENCE / sweep / f"{sweep}.csv")
        assert set(rows["seed"]) == set(runs["seed"])
        errors = rows.loc[rows["method"] == "mix_match", "error_percent"]
        assert f"{errors.mean():.2f}%" in section
        assert f"({errors.min():.2f} to {errors.max():.2f} over seeds)" in section
    tables = [classification_runs.read(REFERENCE / sweep / "runs") for sweep in ("mnist_few_labels", "mnist_wider")]
    for rows in tables:
        differences = classification_runs.paired_differences(rows)
        for row in differences[differences["significant"]].itertuples():
            assert f"{-row.difference:.2f} points [{-row.high:.2f}, {-row.low:.2f}]" in section


def test_the_runs_have_the_settings_that_were_chosen_on_another_seed():
    vary = list(classification_results.VARIED)
    tried = classification_runs.choose(classification_runs.read(REFERENCE / "mnist_settings/runs", vary=vary), vary)
    chosen = tried[tried["chosen"]].set_index(["method", "network", "labels"])
    sweeps = ("mnist_few_labels", "mnist_wider", "mnist_longer")
    runs = pd.concat([classification_runs.read(REFERENCE / sweep / "runs") for sweep in sweeps])
    assert not set(runs["seed"]) & {int(name.removeprefix("seed ")) for name in tried.filter(like="seed ")}
    for run in runs.itertuples():
        labels = 100 if run.labels == 100 or run.network == "convnet13" else 1000
        best = chosen.loc[run.method, run.network, labels]
        known = [name for name in vary if name not in METHOD_SETTINGS or name in METHODS[run.method].settings]
        used = [getattr(run, name) for name in known]
        assert used == pytest.approx(list(best[known].astype(float)), nan_ok=True), run.run


def test_networks_of_the_published_width_have_the_learning_rates_that_were_chosen():
    vary = ["learning_rate"]
    rows = classification_runs.read(REFERENCE / "mnist_published_settings/runs", vary=vary)
    tried = classification_runs.choose(rows, vary)
    chosen = tried[tried["chosen"]].set_index(["method", "network", "labels"])["learning_rate"]
    planned = experiments.runs(REPOSITORY / "experiments/mnist_published.yaml").values()
    rates = {
        (run["method"], run["network"], 100 if run["labels"] == 100 else 1000): run["learning_rate"]
        for run in planned
        if run["network"] != "mlp_dropout_dae"
    }
    assert rates == chosen.to_dict()
    assert not set(rows["seed"]) & {run["seed"] for run in planned}
