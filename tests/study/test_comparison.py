"""A sweep whose true differences are known: rows and scores of scenes are drawn at random, no network is trained."""

import json

import nbformat
import numpy as np
import pandas as pd
import pytest

from thesis_lib import files
from thesis_lib.metrics.aggregation import METRICS
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import chosen_runs, comparison, run_statistics, segmentation_tables
from thesis_lib.study.comparison import Comparison
from thesis_lib.study.segmentation_runs import read

SCENES = 40
USUAL = ", 100 scenes, 5 epochs"
BASE = {
    "data": "sample",
    "train_scenes": 100,
    "validation_scenes": None,
    "test_scenes": None,
    "annotator": "displacement",
    "annotator_parameters": {"sigma": 1.0, "correlation_length": 4.0},
    "class_weights": "uniform",
    "magnitude": 0.9,
    "prior": "known",
    "prior_sigma": 1.0,
    "prior_mean": 0.0,
    "prior_scenes": 10,
    "epochs": 5,
    "batch_size": 8,
    "width": 8,
    "depth": 4,
    "learning_rate": 0.01,
    "schedule": "cosine",
    "augment": False,
    "background": 10,
    "believed_mean": 0.0,
    "believed_sigma_low": 0.9,
    "believed_sigma_high": 1.1,
}


def write_run(folder, name, gain, seed, curve=True, **parameters):
    """A run whose surface distance is 1.5 - gain px, other scores likewise; targets share noise of seeds and scenes."""
    generator = np.random.default_rng([seed, len(name)])
    shared = np.random.default_rng(seed).normal(0, 0.2) + np.random.default_rng(0).normal(0, 0.2, SCENES)
    level = 1.5 - gain + shared + generator.normal(0, 0.02, SCENES)
    names = ("log_loss", "brier", "surface_distance", "hausdorff95")
    scenes = dict.fromkeys(names, level) | {"surface_dice": 1 - level / 10}
    scenes["union"] = np.full((SCENES, 11), 100)
    scenes["intersection"] = np.rint(100 * np.clip(1 - level / 4, 0, 1))[:, None].astype(int).repeat(11, 1)
    row = {**BASE, **parameters, "seed": seed} | {k: float(v.mean()) for k, v in scenes.items() if v.ndim == 1}
    overlap = float(scenes["intersection"].sum() / scenes["union"].sum())
    row |= dict.fromkeys(("miou", "miou_foreground", "mean_class_accuracy_foreground"), overlap) | {
        "ece": 0.1,
        "ece_band": 0.2,
    }
    if curve:
        bins = {"confidence": [None, 0.5, 0.9], "accuracy": [None, 0.4, 0.9], "count": [0, 10, 30]}
        row["reliability"] = {"all": bins, "band": bins}
    (folder / name).mkdir(parents=True)
    files.write_json(folder / name / "row.json", row)
    np.savez(folder / name / "scenes.npz", **scenes)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Three cases of error; wrong and fitted priors, swept magnitudes, fewer scenes and more epochs at 1 px."""
    folder = tmp_path_factory.mktemp("sweep")
    clean = {"annotator": "none", "annotator_parameters": {}}
    gains = {"one_hot": 0, "posterior": -0.3, "forward": 0.3, "dice": 0.0}
    for seed in range(5):
        for sigma in (0.0, 1.0, 2.0):
            case = clean if sigma == 0 else {"annotator_parameters": {"sigma": sigma, "correlation_length": 4.0}}
            for objective in gains if sigma else ("one_hot", "dice"):
                gain = gains[objective] * (sigma if objective == "forward" else 1) - 0.2 * sigma
                name = f"s{seed}-{sigma}-{objective}"
                write_run(folder, name, gain, seed, objective=objective, prior_sigma=sigma, **case)
        for sigma in (0.25, 4.0):
            write_run(folder, f"s{seed}-assumed{sigma}", 0.0, seed, objective="forward", prior_sigma=sigma)
        write_run(folder, f"s{seed}-0.0-assumed1", 0.2, seed, objective="forward", prior_sigma=1.0, **clean)
        for n in (5, 20):
            write_run(folder, f"s{seed}-fitted{n}", 0.1, seed, objective="forward", prior="fitted", prior_scenes=n)
        for m in (0.8, 0.9):
            write_run(folder, f"s{seed}-rule{m}", m - 1, seed, objective="weighted_adjacent", magnitude=m)
        for objective in ("one_hot", "forward"):
            write_run(folder, f"s{seed}-few-{objective}", -0.3, seed, objective=objective, train_scenes=50)
            write_run(folder, f"s{seed}-long-{objective}", 0.2, seed, objective=objective, epochs=50)
    return folder


@pytest.fixture(scope="module")
def rows(sweep):
    return read(sweep)


@pytest.fixture(scope="module")
def compared(rows):
    return Comparison(rows, resamples=200)


def test_runs_are_labelled_by_case_and_target(rows):
    assert list(dict.fromkeys(rows["case"])) == [
        "no error, 100 scenes, 5 epochs",
        "sigma 1 px, 100 scenes, 5 epochs",
        "sigma 2 px, 100 scenes, 5 epochs",
        "sigma 1 px, 50 scenes, 5 epochs",
        "sigma 1 px, 100 scenes, 50 epochs",
    ]
    usual = rows[rows["case"] == "sigma 1 px" + USUAL]
    assert usual.groupby("variant", sort=False)["target"].unique().map(list).to_dict() == {
        "": ["one_hot", "posterior", "forward", "dice"],
        "magnitude": ["weighted_adjacent, m = 0.8", "weighted_adjacent, m = 0.9"],
        "fitted": ["forward, prior fitted on 5", "forward, prior fitted on 20"],
        "assumed": ["forward, sigma 0.25 px assumed", "forward, sigma 4 px assumed"],
    }
    fitted = usual[usual["target"] == "forward, prior fitted on 5"].iloc[0]
    assert (fitted["objective"], fitted["how"]) == ("forward", "prior fitted on 5")
    assert fitted["title"] == "forward likelihood, prior fitted on 5"


def test_magnitudes_are_compared_on_the_seeds_that_ran_at_all_of_them(rows):
    assert (chosen_runs.best_magnitudes(rows)["magnitude"] == 0.9).all()
    swept = rows[rows["variant"] == "magnitude"]
    last = (swept["seed"] == swept["seed"].max()) & (swept["magnitude"] == swept["magnitude"].min())
    begun = rows.drop(swept.index[last])
    assert set(chosen_runs.of_magnitudes(begun)["seed"]) == set(swept["seed"]) - {swept["seed"].max()}
    assert len(chosen_runs.of_magnitudes(rows)) == len(swept)


def test_differences_that_are_there_are_significant_and_others_are_not(compared):
    table = compared.paired(compared.rows[compared.rows["variant"] == ""], "one_hot")
    verdicts = table.pivot(index=["case", "target"], columns="metric", values="verdict")
    for sigma in (1, 2):
        case = f"sigma {sigma} px{USUAL}"
        assert (verdicts.loc[(case, "forward")] == "better").all()
        assert (verdicts.loc[(case, "posterior")] == "worse").all()
        assert (verdicts.loc[(case, "dice")] == "").all()
    assert (table["p_holm"] >= table["p_value"]).all() and len(table) == 8 * (3 + 3 + 1 + 1 + 1)
    of_forward = (table["metric"] == "surface_distance") & (table["target"] == "forward")
    distance = table[of_forward].set_index("case")["difference"]
    assert distance["sigma 2 px" + USUAL] == pytest.approx(-0.6, abs=0.03)
    single = compared.seed_differences()
    of_forward = (single["metric"] == "surface_distance") & (single["target"] == "forward")
    assert single[of_forward].groupby("case")["difference"].mean().to_dict() == pytest.approx(distance.to_dict())


def test_a_table_says_what_its_targets_are(compared):
    table = compared.differences.set_index("target")
    assert set(table.loc["forward, prior fitted on 5", "how"]) == {"prior fitted on 5"}
    assert set(table.loc["weighted_adjacent, m = 0.9", "objective"]) == {"weighted_adjacent"}


def test_targets_are_also_compared_like_for_like(compared):
    table = compared.like_for_like[compared.like_for_like["metric"] == "surface_distance"]
    assert table["case"].tolist() == ["sigma 1 px" + USUAL, "sigma 2 px" + USUAL]
    assert table["difference"].tolist() == pytest.approx([-0.6, -0.9], abs=0.03)
    assert (table["verdict"] == "better").all()


def test_a_misspecified_prior_is_compared_with_the_baseline_alone(compared):
    table = compared.wrong_prior
    assert set(table["target"]) == {f"forward, sigma {sigma} px assumed" for sigma in ("0.25", "1", "4")}
    needless = table[(table["case"] == "no error" + USUAL) & (table["metric"] == "surface_distance")]
    assert needless["difference"].item() == pytest.approx(-0.2, abs=0.03)


def test_means_are_against_what_varies(compared):
    by_sigma = compared.against("sigma")
    distances = by_sigma[by_sigma["metric"] == "surface_distance"].set_index(["target", "sigma"])
    assert sorted(distances.xs("forward")["borrowed"].items()) == [(0.0, True), (1.0, False), (2.0, False)]
    without_error = distances.loc[[("forward", 0.0), ("one_hot", 0.0)], "mean"]
    assert without_error.iloc[0] == without_error.iloc[1] and not distances.xs("one_hot")["borrowed"].any()
    for x, values in (("scenes", {50, 100}), ("epochs", {5, 50}), ("prior_sigma", {0.25, 1, 4})):
        means = compared.against(x)
        assert set(means[x]) == values and "forward" in set(means["target"])
    alone = Comparison(compared.rows[compared.rows["case"] == "sigma 2 px" + USUAL], resamples=20)
    assert all(alone.against(x).empty for x in ("sigma", "scenes", "epochs", "prior_sigma"))
    with pytest.raises(ValueError, match="x must be one of epochs, prior_sigma, scenes, sigma; got 'width'"):
        compared.against("width")


@pytest.mark.parametrize("scenes, last_alone", [(21, False), (400, False), (400, True)])
def test_the_median_scene_is_that_of_the_scenes_as_often_as_they_are_drawn(scenes, last_alone):
    """Also where resamples have their median far from that of all scenes: only the farthest tenth is drawn."""
    generator = np.random.default_rng(0)
    distances, weights = np.sort(generator.normal(size=scenes)), generator.integers(0, 4, (50, scenes))
    if last_alone:
        weights[25:, : -scenes // 10] = 0
    with_nan = {"surface_distance": np.append(distances, np.nan)}  # a scene without an object has no distance
    padded = np.pad(weights, [(0, 0), (0, 1)], constant_values=2).astype(float)
    medians = METRICS["surface_distance_median"].of_scenes(with_nan, padded)
    assert medians == pytest.approx([np.median(np.repeat(distances, w)) for w in weights])


def test_scenes_where_nothing_is_found_are_counted(tmp_path):
    write_run(tmp_path, "one", 0, 0, objective="one_hot")
    scenes = dict(np.load(tmp_path / "one" / "scenes.npz"))
    for name, value in (("surface_distance", 105.6), ("hausdorff95", 105.6), ("surface_dice", 0.0)):
        scenes[name] = np.where(np.arange(SCENES) < 3, value, scenes[name])
    np.savez(tmp_path / "one" / "scenes.npz", **scenes)
    assert read(tmp_path)["nothing_found"].tolist() == [3]


def test_ranks_leave_out_targets_that_lack_a_seed(rows):
    part = rows[rows["case"] == "sigma 2 px" + USUAL]
    ranks = Comparison(part[(part["target"] != "dice") | (part["seed"] != 1)], resamples=50).ranks
    for _, of_metric in ranks.groupby("metric"):
        assert list(of_metric["target"]) == ["forward", "one_hot", "posterior"]


def test_ranks_are_on_the_seeds_that_most_targets_have(rows):
    part = rows[rows["case"] == "sigma 2 px" + USUAL]
    fewer = Comparison(part[(part["seed"] < 3) | (part["target"] == "forward")], resamples=50)
    pd.testing.assert_frame_equal(fewer.ranks, Comparison(part[part["seed"] < 3], resamples=50).ranks)
    assert (fewer.ranks["metric"].value_counts() == 4).all()
    assert (fewer.means["seeds"] == 3).all() and fewer.means["target"].nunique() == 4


def test_means_and_pooled_reliability(rows, compared):
    table = compared.means.set_index(["case", "target", "metric"])
    distance = table.loc[("no error" + USUAL, "one_hot", "surface_distance")]
    assert distance["low"] < distance["mean"] < distance["high"] and distance["seeds"] == 5
    assert (table["low"].dropna() >= 0).all()
    assert (table.xs("surface_dice", level="metric")["high"].dropna() <= 1).all()
    curve = run_statistics.pooled_reliability(rows.iloc[:3])
    assert curve["count"].tolist() == [0, 30, 90] and np.isnan(curve["accuracy"][0])
    assert curve["accuracy"][1] == pytest.approx(0.4)
    assert run_statistics.pooled_reliability(rows.drop(columns="reliability")) is None
    panels = compared.reliability(["one_hot", "forward"])
    assert "no error" + USUAL not in panels and list(panels["sigma 2 px" + USUAL]) == ["one-hot", "forward likelihood"]


def test_predictions_are_shown_where_all_lie_beside_their_rows(rows, compared, sweep, tmp_path):
    case = "sigma 2 px" + USUAL
    assert compared.predictions(sweep, case, ["one_hot", "forward"]) == {}
    for run in rows.loc[(rows["case"] == case) & (rows["seed"] == 0), "run"]:
        (tmp_path / run).mkdir()
        np.savez(tmp_path / run / "predictions.npz", foreground=np.full((2, 3, 3), 51, np.uint8))
    maps = compared.predictions(tmp_path, case, ["one_hot", "forward"])
    assert list(maps) == ["one-hot", "forward likelihood"] and maps["one-hot"] == pytest.approx(np.full((2, 3, 3), 0.2))
    scenes = compared.three_scenes(case, ["posterior", "forward", "never ran"])
    distances = rows[(rows["case"] == case) & (rows["seed"] == 0)].set_index("target")["per_scene"]
    gains = distances["one_hot"]["surface_distance"] - distances["forward"]["surface_distance"]
    assert (gains[scenes[0]], gains[scenes[2]]) == (gains.min(), gains.max())


def test_annotators_that_differ_in_any_parameter_are_cases_of_their_own(tmp_path):
    for width in (1, 2):
        write_run(
            tmp_path,
            f"w{width}",
            0,
            0,
            objective="one_hot",
            annotator="morphological",
            annotator_parameters={"low": -1, "high": 1, "some_width": width},
        )
    assert read(tmp_path)["case"].tolist() == ["morphological, some width 1", "morphological, some width 2"]


def test_runs_of_one_objective_are_told_apart_by_method_and_labels(tmp_path):
    for name, own in {"all": {}, "few": {"labelled": 9}, "taught": {"labelled": 9, "method": "mean_teacher"}}.items():
        write_run(tmp_path, name, 0.1, 0, objective="one_hot", **own)
    assert read(tmp_path)["target"].tolist() == ["one_hot", "one_hot, 9 labelled", "one_hot, mean teacher, 9 labelled"]


def test_a_metric_that_the_rows_do_not_hold_is_left_out(rows):
    means = run_statistics.means(rows.drop(columns="ece_band"), ["case", "target"])
    assert "ece_band" not in set(means["metric"]) and "ece" in set(means["metric"])


def test_a_baseline_that_did_not_run_is_refused(rows):
    with pytest.raises(ValueError, match="baseline must be one of .*; got 'jaccard'"):
        Comparison(rows, baseline="jaccard")


def test_sweeps_that_cannot_be_compared_are_refused(tmp_path):
    write_run(tmp_path / "a", "one", 0, 0, objective="one_hot")
    write_run(tmp_path / "a", "two", 0, 0, objective="one_hot")
    with pytest.raises(ValueError, match=r"one run for each case, target and seed; got several: \['one', 'two'\]"):
        read(tmp_path / "a")
    write_run(tmp_path / "b", "one", 0, 0, objective="one_hot")
    write_run(tmp_path / "b", "two", 0, 0, objective="forward", width=16)
    with pytest.raises(ValueError, match=r"results must be of one width to be compared; got \['16', '8'\]"):
        read(tmp_path / "b")
    (tmp_path / "b" / "two" / "scenes.npz").write_bytes(b"PK")
    (tmp_path / "b" / "one" / "scenes.npz").unlink()
    with (
        pytest.warns(UserWarning, match="holds no scores"),
        pytest.raises(ValueError, match="a run with scores of scenes"),
    ):
        read(tmp_path / "b")


def test_tables_and_sentences_say_what_was_found(compared, tmp_path):
    case = "sigma 2 px" + USUAL
    better, worse = ((compared.differences["verdict"] == verdict).sum() for verdict in ("better", "worse"))
    counted = segmentation_tables.count(compared.differences)
    assert counted == (
        f"{len(compared.differences)} comparisons, corrected together (Holm): {better} significantly better, "
        f"{worse} significantly worse."
    )
    findings = segmentation_tables.findings(compared)
    of_case = findings[findings.index(f"**{case}.**") :].split("\n\n")[1].splitlines()
    assert of_case[0] == (
        "- log loss, nats. Significantly better than one-hot: forward likelihood. "
        "Significantly worse than one-hot: posterior soft labels."
    )
    assert "than its counterpart: forward likelihood." in of_case[-1]
    cells = segmentation_tables.side_by_side(compared.differences).loc[(case, "forward likelihood")]
    assert cells["mean surface distance, px"].startswith("-0.6") and cells["log loss, nats"].endswith("] better")
    assert len(segmentation_tables.listed(compared.differences)) == len(compared.differences)
    means = segmentation_tables.means_of(compared, case)
    assert list(means.index) == ["forward likelihood", "one-hot", "soft Dice", "posterior soft labels"]
    fitted = segmentation_tables.fitted_priors(compared)
    assert list(fitted.index) == [
        "forward likelihood",
        "forward likelihood, prior fitted on 20",
        "forward likelihood, prior fitted on 5",
        "one-hot",
    ]
    assert segmentation_tables.losses(compared).empty
    losses = segmentation_tables.losses(Comparison(compared.rows, "forward", resamples=20))
    assert "prior fitted on 5" in set(losses["how"]) and set(losses["objective"]) == {"forward"}
    overview = segmentation_tables.overview(compared)
    assert overview.loc[case, ["runs", "targets", "fewest_seeds", "prior"]].tolist() == [20, 4, 5, "known"]
    segmentation_tables.write(compared.rows, tmp_path)
    assert len(pd.read_csv(tmp_path / "compare_targets.csv")) == 5 * (10 + 3 + 2 + 4)
    assert len(pd.read_csv(tmp_path / "magnitude_sweep.csv")) == 10


SECTIONS = (
    "Like for like",
    "Against the size of the error",
    "Against the number of training scenes",
    "Against the number of epochs",
    "With a misspecified prior",
    "With a fitted prior",
    "The magnitude that people sweep",
    "Are the probabilities reliable?",
)


def markdown(path):
    """What the cells of an executed notebook display as Markdown."""
    cells = nbformat.read(path, 4).cells
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(output["data"].get("text/markdown", "") for output in outputs if "data" in output)


def test_the_notebook_shows_every_section_of_the_whole_comparison():
    shown = markdown(REPOSITORY / "notebooks/04_compare_targets.ipynb")
    assert [section for section in SECTIONS if section not in shown] == []


def test_the_notebook_shows_no_section_that_has_no_data(tmp_path):
    """Two seeds of two targets in one case, without reliability curves."""
    import papermill

    for seed in range(2):
        for objective in ("one_hot", "forward"):
            write_run(tmp_path / "runs", f"{objective}{seed}", 0.0, seed, curve=False, objective=objective)
    papermill.execute_notebook(
        REPOSITORY / "notebooks/04_compare_targets.ipynb",
        tmp_path / "04.ipynb",
        {"results": str(tmp_path / "runs"), "output": str(tmp_path), "resamples": 50},
        cwd=REPOSITORY / "notebooks",
        progress_bar=False,
        kernel_name="python3",
    )
    shown = markdown(tmp_path / "04.ipynb")
    assert [section for section in SECTIONS if section in shown] == []
    assert "4 runs: 2 targets in 1 case, scored on 40 test scenes" in shown
    assert "No significant difference to one-hot" in shown
    folder = tmp_path / "04_compare_targets"
    assert {path.name for path in folder.iterdir()} == {"compare_targets.csv", "difference_0.pdf", "difference_0.png"}
    assert {"objective", "annotator", "seed", "miou", "ece_band"} <= set(pd.read_csv(folder / "compare_targets.csv"))


def test_scores_of_rasters_are_compared_pairwise_over_seeds_and_rasters():
    """Outlines of the forward likelihood are nearer by 0.5 px, its IoU is the same; one raster has no outline."""
    generator = np.random.default_rng(0)
    index = pd.MultiIndex.from_product(
        [["dice", "forward"], range(6), [f"r{i}" for i in range(10)]], names=["objective", "seed", "raster"]
    )
    scores = pd.DataFrame(
        {name: generator.normal(0, 0.05, len(index)) for name in ("iou", "surface_distance")}, index=index
    )
    scores += np.tile(generator.normal(2, 1, (60, 1)), (2, 1))  # what both objectives share
    scores.loc["forward", "surface_distance"] = scores.loc["forward", "surface_distance"].to_numpy() - 0.5
    scores.loc[(slice(None), slice(None), "r3"), "surface_distance"] = np.nan
    better = {"iou": "higher", "surface_distance": "lower"}
    table, of_seeds = comparison.of_rasters(scores, "dice", better, resamples=2000)
    iou, distance = table.to_dict("records")
    assert (iou["target"], iou["metric"], iou["verdict"]) == ("forward", "iou", "")
    assert (
        distance["verdict"] == "better"
        and distance["low"] < -0.5 < distance["high"]
        and distance["high"] - distance["low"] < 0.2
    )
    one = of_seeds[(of_seeds["metric"] == "surface_distance") & (of_seeds["seed"] == 4)]["difference"].item()
    apart = scores.loc["forward", 4]["surface_distance"] - scores.loc["dice", 4]["surface_distance"]
    assert one == pytest.approx(apart.mean()) and len(of_seeds) == 12
    alone, _ = comparison.of_rasters(scores.loc[(slice(None), [0]), :], "dice", {"surface_distance": "lower"})
    assert np.isnan(alone["low"].item()) and alone["verdict"].item() == ""
    with pytest.raises(ValueError, match="baseline must be one of .*; got 'zzz'"):
        comparison.of_rasters(scores, "zzz", {"iou": "higher"})
    nothing, _ = comparison.of_rasters(scores * np.nan, "dice", {"iou": "higher"})
    assert nothing.empty


@pytest.mark.parametrize("name", ["annotator_parameters", "background", "prior_scenes", "learning_rate"])
def test_a_run_whose_row_lacks_an_entry_is_named_and_left_out(tmp_path, name):
    for run in ("whole", "lacking"):
        write_run(tmp_path, run, 0.1, 0, objective="forward")
    path = tmp_path / "lacking" / "row.json"
    row = json.loads(path.read_text())
    files.write_json(path, {key: value for key, value in row.items() if key != name})
    with pytest.warns(UserWarning, match=f"lacking/row.json .* it does not hold {name}; the run was skipped"):
        assert read(tmp_path)["run"].tolist() == ["whole"]


@pytest.mark.parametrize("name", ["union", "surface_distance"])
def test_a_run_whose_scores_of_scenes_lack_an_entry_is_named_and_left_out(tmp_path, name):
    for run in ("whole", "lacking"):
        write_run(tmp_path, run, 0.1, 0, objective="forward")
    path = tmp_path / "lacking" / "scenes.npz"
    scenes = dict(np.load(path))
    np.savez(path, **{key: value for key, value in scenes.items() if key != name})
    with pytest.warns(UserWarning, match=f"lacking/scenes.npz holds no .*: it does not hold {name}"):
        assert read(tmp_path)["run"].tolist() == ["whole"]


@pytest.mark.parametrize("name", ["objective", "annotator"])
def test_a_row_of_an_unknown_objective_or_annotator_is_named(tmp_path, name):
    write_run(tmp_path, "a", 0.1, 0, **{"objective": "forward", name: "nonsense"})
    with pytest.raises(ValueError, match=f"{name} of a must be one of .*; got 'nonsense'"):
        read(tmp_path)
