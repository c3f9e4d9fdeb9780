"""What the README says of results is what the committed tables and notebooks hold."""

import re

import pandas as pd
import pytest

from thesis_lib.paths import REPOSITORY
from thesis_lib.semi_supervised.run import METHOD_SETTINGS, METHODS
from thesis_lib.study import classification_runs, comparison, experiments, segmentation_runs
from thesis_lib.study.classification_runs import PUBLISHED, titled

BIASED, OF_TEN = "sigma 1 px, bias +1 px", "forward, prior fitted on 10"
MORE_EPOCHS, FEWER_SCENES, MORE_SCENES = (
    "sigma 1 px, 400 scenes, 90 epochs",
    "sigma 1 px, 100 scenes, 120 epochs",
    "sigma 1 px, 4000 scenes, 6 epochs",
)
HEADLINE = ("log_loss", "surface_distance", "miou_foreground")


@pytest.fixture(scope="module")
def compared():
    """The rows of the comparison, and the README's text about them."""
    rows = segmentation_runs.read(REPOSITORY / "reports/reference/compare/runs")
    rows["case"] = rows["case"].str.removesuffix(", 400 scenes, 30 epochs")
    return rows, " ".join((REPOSITORY / "README.md").read_text().split())


def test_the_numbers_of_the_readme_are_those_of_the_table(compared):
    rows, text = compared
    table = pd.read_csv(REPOSITORY / "reports/reference/compare_targets.csv")
    assert sorted(table["run"]) == sorted(rows.loc[rows["variant"] != "magnitude", "run"])
    of = comparison.on_shared_seeds(rows[rows["variant"].isin(segmentation_runs.PLAIN)]).groupby(["case", "target"])
    seeds = of["seed"].nunique()
    assert (seeds.drop(MORE_SCENES) == 5).all() and (seeds[MORE_SCENES] == 3).all()
    of = of[["surface_distance_median", "miou_foreground"]].mean()
    cases = {
        "nothing": "no error", "0.5 px": "sigma 0.5 px", "1 px": "sigma 1 px", "1 px, and 1 px too far out": BIASED, "2 px": "sigma 2 px", "Markov boundary": "markov",
        "-1, 0 or 1 px, the same all over an image": "morphological", "1 px; 90 epochs": MORE_EPOCHS, "1 px; 100 scenes, 120 epochs": FEWER_SCENES,
        "1 px; 4,000 scenes, 6 epochs (three seeds)": MORE_SCENES,
    }  # fmt: skip
    for name, case in cases.items():
        said = [
            cell.strip()
            for cell in re.search(rf"\| {re.escape(name)} \|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|", text).groups()
        ]
        for cell, target in zip(said, ("one_hot", "posterior", "forward", OF_TEN)):
            assert bool(cell) == ((case, target) in of.index)
            if cell:
                assert [f"{of.loc[(case, target)].iloc[0]:.3f}", f"{of.loc[(case, target)].iloc[1]:.2f}"] == cell.split(
                    ", "
                )
    rules = of.loc["sigma 2 px"]["miou_foreground"]
    said = re.search(
        r"mIoU is (\S+) with uniform smoothing, (\S+) spatially varying, and (\S+) with class-level", text
    ).groups()
    assert [float(n) for n in said] == pytest.approx(
        list(rules[["uniform", "spatially_varying", "weighted_adjacent_prior"]]), abs=0.006
    )
    said = re.search(
        r"`forward_dice` reaches (\S+) px and an mIoU of (\S+), `one_hot_dice` (\S+) px and (\S+) ", text
    ).groups()
    joined = of.loc["sigma 1 px"].loc[["forward_dice", "one_hot_dice"]]
    assert [float(n) for n in said] == pytest.approx(list(joined.to_numpy().ravel()), abs=0.006)
    swept = comparison.best_magnitudes(rows)
    assert set(swept["case"]) == {"sigma 1 px"} and swept["objective"].nunique() == 4 and swept["seed"].nunique() == 3
    alike = rows[(rows["case"] == "sigma 1 px") & rows["seed"].isin(swept["seed"])].groupby("target")[list(of)].mean()
    best = swept.groupby("target")[list(of)].mean()
    said = re.search(
        r"mIoU is (\S+) to (\S+) and boundaries in the median scene are (\S+) to (\S+) px off, with one-hot training on the same seeds (\S+) and (\S+) px, with the forward likelihood (\S+) and (\S+) px\.",
        text,
    ).groups()
    of_rules = [(best[name].min(), best[name].max()) for name in ("miou_foreground", "surface_distance_median")]
    others = alike.loc[["one_hot", "forward"], ["miou_foreground", "surface_distance_median"]].to_numpy()
    assert list(said) == [f"{v:.2f}" for v in of_rules[0]] + [f"{v:.3f}" for v in of_rules[1]] + [
        f"{v:.{2 + i}f}" for pair in others for i, v in enumerate(pair)
    ]
    clean = rows[rows["case"] == "no error"].groupby("target")
    for target, pattern in (
        ("one_hot", "without any error reaches"),
        ("forward, sigma 1 px assumed", "the forward likelihood reaches"),
    ):
        found = clean.get_group(target)["miou_foreground"]
        said = re.search(pattern + r" (\S+) to (\S+) \(mean ([0-9.]+)\)", text).groups()
        assert [float(n) for n in said] == pytest.approx([found.min(), found.max(), found.mean()], abs=0.006)
    believed = (
        comparison.on_shared_seeds(rows[rows["variant"].isin((*segmentation_runs.PLAIN, "assumed"))])
        .query("case == 'sigma 1 px'")
        .groupby("target")["surface_distance_median"]
        .mean()
    )
    at = lambda target: [
        believed[target if sigma == 1 else f"{target}, sigma {sigma:g} px assumed"] for sigma in (0.25, 0.5, 1, 2, 4)
    ]
    number = r"([0-9.]*[0-9])"
    several = rf"{number}, {number}, {number}, {number} and {number} px"
    said = re.search(rf"median scene are {several} off \(one-hot {number}\), the posterior's {several}:", text).groups()
    assert list(said) == [f"{value:.3f}" for value in (*at("forward"), believed["one_hot"], *at("posterior"))]
    said = re.search(
        rf"median scene are {number}, {number} and {number} px off with 5, 10 and 20 of them, {number} px", text
    ).groups()
    assert list(said) == [
        f"{believed[target]:.3f}" for target in (*(f"forward, prior fitted on {n}" for n in (5, 10, 20)), "forward")
    ]
    farther = clean["surface_distance"].mean()[["forward, sigma 1 px assumed", "one_hot"]]
    assert float(re.search(r"with boundaries (\S+) px farther off", text)[1]) == pytest.approx(
        farther.iloc[0] - farther.iloc[1], abs=0.002
    )


def test_what_the_readme_calls_established_is(compared):
    rows, text = compared
    notebook = (REPOSITORY / "reports/reference/compare/04_compare_targets.ipynb").read_text()
    plain = pd.concat([rows[rows["variant"].isin(segmentation_runs.PLAIN)], comparison.best_magnitudes(rows)])

    def judged(rows, baseline, metrics):
        table = comparison.differences(rows, baseline, metrics)
        found = {
            verdict: set(map(tuple, part[["case", "target", "metric"]].values))
            for verdict, part in table.groupby("verdict")
        }
        better, worse = (found.get(verdict, set()) for verdict in ("better", "worse"))
        table = table[table["p_value"].notna()]  # of two seeds or more
        assert (
            f"{len(table)} comparisons corrected for; established: {len(better)} better, {len(worse)} worse" in notebook
        )
        return table, better, worse

    table, better, worse = judged(plain, "one_hot", HEADLINE)
    assert (
        f"correction for {len(table)} comparisons with one-hot training, in ten cases, nine gains are established, each of a forward likelihood"
        in text
    )
    assert table["case"].nunique() == 10 and "Five losses are established" in text
    assert better == {
        ("sigma 1 px", "forward", "log_loss"), ("sigma 1 px", "forward, prior fitted on 20", "log_loss"), ("sigma 2 px", "forward", "log_loss"), ("sigma 2 px", OF_TEN, "log_loss"), (BIASED, "forward", "log_loss"),
        ("markov", "forward", "log_loss"), (BIASED, "forward", "surface_distance"), ("sigma 2 px", "forward", "miou_foreground"), ("sigma 1 px", "forward_uniform", "miou_foreground"),
    }  # fmt: skip
    assert worse == {
        *((case, "uniform", "log_loss") for case in ("sigma 1 px", "markov")), ("sigma 1 px", "forward_uniform", "log_loss"),
        ("no error", "spatially_varying", "surface_distance"), ("sigma 2 px", "weighted_adjacent_prior", "surface_distance"),
    }  # fmt: skip

    table, better, worse = judged(plain, "one_hot", ("surface_distance_median",))
    with_more = table.set_index(["case", "target"]).loc[(MORE_SCENES, "forward"), "p_holm"]
    assert f"(not with 4,000 scenes, where three seeds do not suffice, p {with_more:.3f})" in text
    assert {case for case, target, _ in better if target == "forward"} == {
        "sigma 1 px",
        BIASED,
        "sigma 2 px",
        "markov",
        MORE_EPOCHS,
        FEWER_SCENES,
    }
    assert {case for case, target, _ in better if target == OF_TEN} == {"sigma 1 px", "sigma 2 px", "markov"}
    assert {case for case, target, _ in better if target == "posterior"} == {BIASED}
    assert {case for case, target, _ in worse if target == "posterior"} == {
        "sigma 0.5 px",
        "sigma 2 px",
        "markov",
        MORE_EPOCHS,
        FEWER_SCENES,
    }

    table, better, worse = judged(plain, comparison.LIKE_FOR_LIKE, HEADLINE)
    assert (
        f"five of {len(table)} differences are established, all for the likelihood: log loss in four cases and the boundaries after 90 epochs"
        in text
        and not worse
    )
    at_two = table.set_index(["case", "target", "metric"]).loc[("sigma 2 px", "forward", "log_loss"), "p_holm"]
    assert f"That in log loss at 2 px (p {at_two:.3f}) is not." in text
    assert (
        sorted(metric for *_, metric in better) == ["log_loss"] * 4 + ["surface_distance"]
        and (MORE_EPOCHS, "forward", "surface_distance") in better
    )

    _, better, worse = judged(rows[(rows["variant"] == "assumed") | (rows["target"] == "one_hot")], "one_hot", HEADLINE)
    assert not better and ("no error", "forward, sigma 1 px assumed", "surface_distance") in worse
    assert {(case, target) for case, target, _ in worse} == {
        ("no error", "forward, sigma 1 px assumed"),
        ("sigma 1 px", "posterior, sigma 4 px assumed"),
    }

    later = comparison.differences(
        rows[(rows["seed"] >= 5) & (rows["target"].isin(("one_hot", "forward")))], "one_hot", ("log_loss",)
    )
    assert len(later) == 3 and (later["p_value"] < 0.05).all() and (later["difference"] < 0).all()


def test_what_the_readme_says_of_few_labels_is_what_was_measured():
    text = (REPOSITORY / "README.md").read_text()
    runs = pd.read_csv(REPOSITORY / "reports/reference/mnist_few_labels.csv")
    found = {}
    for kind, rows in runs.groupby(["method", "network"]):
        cells = found[titled(*kind)] = []
        for labels in (100, 600, 1000, 3000):
            errors, published = rows.loc[rows["labels"] == labels, "error_percent"], PUBLISHED.get(kind, {}).get(labels)
            cells.append(
                "" if len(errors) < 3 else f"{errors.mean():.2f}" + (f" ({published:.2f})" if published else "")
            )
    table = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text[text.index("| method, network |") :].split("\n\n")[0].splitlines()[2:]
    ]
    assert {title: cells for title, *cells in table} == found and len(table) == len(found)
    text = " ".join(text.split())
    convolutional = runs["network"] == "convnet13"
    assert (runs.loc[~convolutional, "width"] == 500).all() and (
        runs.loc[convolutional, ["width", "epochs"]] == [8, 5]
    ).all(axis=None)
    published = pd.DataFrame(PUBLISHED).rename_axis("labels")
    above = (
        runs.pivot_table(index="labels", columns=["method", "network"], values="error_percent")[list(PUBLISHED)]
        - published
    )
    assert (
        (runs.groupby(["labels", "method", "network"])["seed"].agg(set) == {0, 1, 2}).all()
        and above.notna().all(axis=None)
        and (above <= 0).sum().sum() == 10
    )
    assert [list(above.index[above[kind] > 0]) for kind in PUBLISHED] == [[], [600, 1000, 3000], [3000], [1000, 3000]]
    assert f"it is {above[above > 0].min().min():.2f} to {above.max().max():.2f} points above" in text
    few = runs[(runs["labels"] == 100) & (runs["method"] == "pseudo_label") & (runs["network"] == "mlp_dropout")]
    seeds = [f"{error:.2f}" for error in sorted(few["error_percent"])]
    assert f"with 100, the pseudo-labelled dense network errs on {seeds[0]}, {seeds[1]} and {seeds[2]}%" in text
    wider = classification_runs.read(
        REPOSITORY / "reports/reference/mnist_wider/runs",
        [f"seed{k}-{row}-labels100" for k in range(3) for row in ("convolutional", "mix_match")],
    )
    assert (wider["width"] == 16).all()
    errors = wider.groupby("method")["error_percent"]
    assert (
        f"[MixMatch errs on {errors.mean()['mix_match']:.2f}%]" in text
        and f"labelled images alone on {errors.mean()['supervised']:.2f}%" in text
    )
    assert (
        f"({errors.min()['mix_match']:.2f} to {errors.max()['mix_match']:.2f})" in text and (errors.count() == 3).all()
    )
    gain = -classification_runs.paired_differences(wider).iloc[0][["difference", "high", "low"]]
    assert (
        gain["high"] > 0
        and "the gain, taken by itself, is established: {:.2f} points [{:.2f}, {:.2f}]".format(*gain) in text
    )
    longer = classification_runs.read(REPOSITORY / "reports/reference/mnist_longer/runs").set_index("seed")[
        "error_percent"
    ]
    shorter = runs[(runs["labels"] == 100) & (runs["method"] == "mix_match")].set_index("seed")["error_percent"]
    assert (
        f"With three times the passes [it errs on {longer.mean():.2f}%]" in text
        and f"({longer.min():.2f} to {longer.max():.2f}), no less than with five" in text
    )
    assert set(longer.index) == set(shorter.index) and longer.mean() > shorter.mean()
    rows = classification_runs.read(REPOSITORY / "reports/reference/mnist_few_labels/runs")
    assert dict(zip(runs["run"], runs["error_percent"])) == pytest.approx(
        dict(zip(rows["run"], rows["error_percent"])), rel=1e-5
    )
    differences = classification_runs.paired_differences(rows)
    several = differences[differences["seeds"] > 1].set_index(["one", "labels"])
    pseudo_label, mix_match = (("pseudo_label", "mlp_dropout"), 1000), (("mix_match", "convnet13"), 1000)
    assert (
        len(several) == 20
        and (several["low"] < 0).all()
        and set(several.index[several["high"] < 0]) == {pseudo_label, mix_match}
    )
    points = lambda *comparison: "{:.2f} points [{:.2f}, {:.2f}]".format(
        *-several.loc[[comparison], ["difference", "high", "low"]].iloc[0]
    )
    assert (
        f"corrected for {len(several)} comparisons on the same labels, two gains are established, both with 1,000 labels: that of pseudo-label over dropout alone, {points(*pseudo_label)}, and that of MixMatch over the labelled images alone, {points(*mix_match)}"
        in text
    )
    assert f"MixMatch with 100 labels, {points(('mix_match', 'convnet13'), 100)}, is larger but varies more" in text
    means = runs[convolutional].pivot_table(index="labels", columns="method", values="error_percent")
    assert (
        means.idxmin(axis=1) == "mix_match"
    ).all() and "MixMatch has the lowest mean of the convolutional rows at every number of labels" in text
    gains = [
        f"{-several.loc[[((method, 'convnet13'), 3000)], 'difference'].iloc[0]:.2f}"
        for method in ("mean_teacher", "vat")
    ]
    assert (
        f"with 3,000, mean teacher and VAT are {gains[0]} and {gains[1]} points better than training on the labelled images alone"
        in text
    )


def test_the_runs_with_few_labels_have_the_settings_that_were_chosen():
    vary = ["learning_rate", "ramp", "weight", "dropout", "unlabelled_batch_size"]
    settings = classification_runs.read(REPOSITORY / "reports/reference/mnist_settings/runs", vary=vary)
    tried = classification_runs.choose(settings, vary)
    chosen = tried[tried["chosen"]].set_index(["method", "network", "labels"])
    runs = pd.concat(
        [
            classification_runs.read(REPOSITORY / f"reports/reference/{name}/runs")
            for name in ("mnist_few_labels", "mnist_wider", "mnist_longer")
        ]
    )
    assert not set(runs["seed"]) & {int(name.removeprefix("seed ")) for name in tried.filter(like="seed ")}
    text = " ".join((REPOSITORY / "README.md").read_text().split())
    tries = tried[tried["network"] == "convnet13"].groupby("method").size().to_dict()
    assert tries == {"supervised": 3, "vat": 3, "mean_teacher": 5, "mix_match": 8, "fix_match": 2}
    assert (
        "three for supervised training and for VAT, five for mean teacher, eight for MixMatch; FixMatch, with two, was not run further"
        in text
    )
    assert "the convolutional networks' with 100 labels and 2 passes for all" in text and set(
        settings.loc[settings["network"] == "convnet13", "epochs"]
    ) == {2}
    for run in runs.itertuples():
        best = chosen.loc[run.method, run.network, 100 if run.labels == 100 or run.network == "convnet13" else 1000]
        had = [name for name in vary if name not in METHOD_SETTINGS or name in METHODS[run.method].settings]
        assert [getattr(run, name) for name in had] == pytest.approx(list(best[had].astype(float)), nan_ok=True), (
            run.run
        )


def test_networks_of_the_published_width_have_the_learning_rates_that_were_chosen():
    tried = classification_runs.read(
        REPOSITORY / "reports/reference/mnist_published_settings/runs", vary=["learning_rate"]
    )
    tried = classification_runs.choose(tried, ["learning_rate"])
    chosen = tried[tried["chosen"]].set_index(["method", "network", "labels"])["learning_rate"]
    planned = experiments.runs(REPOSITORY / "experiments/mnist_published.yaml").values()
    kinds = {
        (run["method"], run["network"], 100 if run["labels"] == 100 else 1000): run["learning_rate"]
        for run in planned
        if run["network"] != "mlp_dropout_dae"
    }
    assert kinds == chosen.to_dict() and "seed 10" in tried and 10 not in {run["seed"] for run in planned}


def test_what_the_readme_says_of_roofs_is_what_was_measured():
    folder = REPOSITORY / "reports/reference/buildings"
    text = " ".join((REPOSITORY / "README.md").read_text().split())
    distances = pd.read_csv(folder / "scores.csv").groupby("objective")["surface_distance"].mean()
    said = re.search(
        r"test scenes lie (\S+) px \(soft Dice\), (\S+) px \(one-hot \+ soft Dice\) and (\S+) px \(forward likelihood \+ soft Dice\)",
        text,
    ).groups()
    assert [float(n) for n in said] == pytest.approx(
        list(distances[["dice", "one_hot_dice", "forward_dice"]]), abs=0.006
    )
    differences = pd.read_csv(folder / "differences.csv", keep_default_na=False)
    assert (differences["verdict"] == "").all() and f"none of the {len(differences)} differences" in text
    pooled = pd.read_csv(folder / "annotators.csv", index_col=0).loc["all, bias taken out"]
    low, high = re.search(r"the estimate is (\S+) to (\S+) px", text).groups()
    assert [float(low), float(high)] == pytest.approx([pooled["sigma from"], pooled["sigma to"]], abs=0.006)
