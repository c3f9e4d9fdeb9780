"""A sweep whose true differences are known: rows and scores of scenes are drawn, no network is trained."""

import json
import re

import nbformat
import numpy as np
import pandas as pd
import pytest

from thesis_lib import files
from thesis_lib.metrics.aggregation import METRICS
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import comparison
from thesis_lib.study.segmentation_runs import read

SCENES = 40
BASE = {
    "data": "sample", "train_scenes": 100, "validation_scenes": None, "test_scenes": None, "annotator": "displacement",
    "annotator_parameters": {"sigma": 1.0, "correlation_length": 4.0}, "class_weights": "uniform", "magnitude": 0.9, "prior": "known",
    "prior_sigma": 1.0, "prior_mean": 0.0, "prior_scenes": 10, "epochs": 5, "batch_size": 8, "width": 8, "depth": 4,
    "learning_rate": 0.01, "schedule": "cosine", "augment": False, "background": 10, "believed_mean": 0.0,
    "believed_sigma_low": 0.9, "believed_sigma_high": 1.1,
}  # fmt: skip


def write_run(folder, name, gain, seed, curve=True, **parameters):
    """A run whose surface distance is 1 - gain px, its other scores likewise, with noise of seeds and scenes that targets share."""
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
    folder = tmp_path_factory.mktemp("sweep")
    for seed in range(5):
        for sigma in (0.0, 1.0, 2.0):
            displaced = {"annotator_parameters": {"sigma": sigma, "correlation_length": 4.0}, "prior_sigma": sigma}
            case = displaced if sigma else {"annotator": "none", "annotator_parameters": {}, "prior_sigma": 0.0}
            for objective, gain in {"one_hot": 0, "posterior": -0.3, "forward": 0.3 * sigma, "dice": 0.0}.items():
                if sigma or objective in ("one_hot", "dice"):
                    write_run(
                        folder, f"s{seed}-{sigma}-{objective}", gain - 0.2 * sigma, seed, objective=objective, **case
                    )
        for sigma in (0.25, 4.0):
            write_run(folder, f"s{seed}-assumed{sigma}", 0.0, seed, objective="forward", prior_sigma=sigma)
        write_run(
            folder,
            f"s{seed}-0.0-assumed1",
            0.2,
            seed,
            objective="forward",
            annotator="none",
            annotator_parameters={},
            prior_sigma=1.0,
        )
        for n in (5, 20):
            write_run(folder, f"s{seed}-fitted{n}", 0.1, seed, objective="forward", prior="fitted", prior_scenes=n)
        for m in (0.8, 0.9):
            write_run(folder, f"s{seed}-rule{m}", m - 1, seed, objective="weighted_adjacent", magnitude=m)
        for objective, gain in {"one_hot": -0.3, "forward": -0.3}.items():
            write_run(folder, f"s{seed}-few-{objective}", gain, seed, objective=objective, train_scenes=50)
            write_run(folder, f"s{seed}-long-{objective}", gain + 0.5, seed, objective=objective, epochs=50)
    return folder


def test_runs_are_labelled_by_case_and_target(sweep):
    rows = read(sweep)
    assert list(dict.fromkeys(rows["case"])) == [
        "no error, 100 scenes, 5 epochs", "sigma 1 px, 100 scenes, 5 epochs", "sigma 2 px, 100 scenes, 5 epochs",
        "sigma 1 px, 50 scenes, 5 epochs", "sigma 1 px, 100 scenes, 50 epochs",
    ]  # fmt: skip
    usual = rows[rows["case"] == "sigma 1 px, 100 scenes, 5 epochs"]
    assert usual.groupby("variant", sort=False)["target"].unique().map(list).to_dict() == {
        "": ["one_hot", "posterior", "forward", "dice"],
        "magnitude": ["weighted_adjacent, m = 0.8", "weighted_adjacent, m = 0.9"],
        "fitted": ["forward, prior fitted on 5", "forward, prior fitted on 20"],
        "assumed": ["forward, sigma 0.25 px assumed", "forward, sigma 4 px assumed"],
    }
    assert (comparison.best_magnitudes(rows)["magnitude"] == 0.9).all()
    swept = rows[rows["variant"] == "magnitude"]
    begun = rows.drop(
        swept.index[(swept["seed"] == swept["seed"].max()) & (swept["magnitude"] == swept["magnitude"].min())]
    )
    assert set(comparison.of_magnitudes(begun)["seed"]) == set(swept["seed"]) - {swept["seed"].max()}
    assert len(comparison.of_magnitudes(rows)) == len(swept)


def test_differences_that_are_there_are_established_and_others_are_not(sweep):
    rows = read(sweep)
    table = comparison.differences(rows[rows["variant"] == ""], "one_hot", resamples=200)
    verdicts = table.pivot(index=["case", "target"], columns="metric", values="verdict")
    for sigma in (1, 2):
        case = f"sigma {sigma} px, 100 scenes, 5 epochs"
        assert (verdicts.loc[(case, "forward")] == "better").all() and (
            verdicts.loc[(case, "posterior")] == "worse"
        ).all()
        assert (verdicts.loc[(case, "dice")] == "").all()
    distance = table[(table["metric"] == "surface_distance") & (table["target"] == "forward")].set_index("case")[
        "difference"
    ]
    assert distance["sigma 2 px, 100 scenes, 5 epochs"] == pytest.approx(-0.6, abs=0.03)
    assert (table["p_holm"] >= table["p_value"]).all() and len(table) == 7 * (3 + 3 + 1 + 1 + 1)
    single = comparison.seed_differences(rows, "one_hot")
    mean = (
        single[(single["metric"] == "surface_distance") & (single["target"] == "forward")]
        .groupby("case")["difference"]
        .mean()
    )
    assert mean.to_dict() == pytest.approx(distance.to_dict())


def test_targets_are_also_compared_like_for_like(sweep):
    rows = read(sweep)
    table = comparison.differences(
        rows[rows["variant"] == ""],
        {"forward": "posterior", "forward_dice": "one_hot_dice"},
        ("surface_distance",),
        resamples=200,
    )
    assert table["case"].tolist() == ["sigma 1 px, 100 scenes, 5 epochs", "sigma 2 px, 100 scenes, 5 epochs"]
    assert (
        table["difference"].tolist() == pytest.approx([-0.6, -0.9], abs=0.03) and (table["verdict"] == "better").all()
    )


def test_the_median_scene_is_that_of_the_scenes_as_often_as_they_are_drawn():
    generator = np.random.default_rng(0)
    distances, weights = generator.normal(size=21), generator.integers(0, 4, (50, 21))
    scenes = {"surface_distance": np.append(distances, np.nan)}  # a scene without an object has no distance
    found = METRICS["surface_distance_median"].of_scenes(
        scenes, np.pad(weights, [(0, 0), (0, 1)], constant_values=2).astype(float)
    )
    assert found == pytest.approx([np.median(np.repeat(distances, w)) for w in weights])


def test_scenes_where_nothing_is_found_are_counted(tmp_path):
    write_run(tmp_path, "one", 0, 0, objective="one_hot")
    scenes = dict(np.load(tmp_path / "one" / "scenes.npz"))
    for name, value in (("surface_distance", 105.6), ("hausdorff95", 105.6), ("surface_dice", 0.0)):
        scenes[name] = np.where(np.arange(SCENES) < 3, value, scenes[name])
    np.savez(tmp_path / "one" / "scenes.npz", **scenes)
    assert read(tmp_path)["nothing_found"].tolist() == [3]


def test_ranks_leave_out_targets_that_lack_a_seed(sweep):
    rows = read(sweep)
    rows = rows[
        (rows["case"] == "sigma 2 px, 100 scenes, 5 epochs") & ~((rows["target"] == "dice") & (rows["seed"] == 1))
    ]
    ranked = comparison.rankings(rows, ("surface_distance", "surface_dice"), resamples=50)
    for _, part in ranked.groupby("metric"):
        assert list(part["target"]) == ["forward", "one_hot", "posterior"]


def test_ranks_are_on_the_seeds_that_most_targets_have(sweep):
    rows = read(sweep)
    rows = rows[rows["case"] == "sigma 2 px, 100 scenes, 5 epochs"]
    fewer = rows[(rows["seed"] < 3) | (rows["target"] == "forward")]
    table = comparison.rankings(fewer, ("surface_distance",), resamples=50)
    pd.testing.assert_frame_equal(
        table, comparison.rankings(rows[rows["seed"] < 3], ("surface_distance",), resamples=50)
    )
    assert len(table) == 4
    means = comparison.means(comparison.on_shared_seeds(fewer), ["target"])
    assert (means["seeds"] == 3).all() and means["target"].nunique() == 4


def test_means_and_pooled_reliability(sweep):
    rows = read(sweep)
    table = comparison.means(rows, ["case", "target"]).set_index(["case", "target", "metric"])
    found = table.loc[("no error, 100 scenes, 5 epochs", "one_hot", "surface_distance")]
    assert found["low"] < found["mean"] < found["high"] and found["seeds"] == 5
    assert (table["low"].dropna() >= 0).all() and (table.xs("surface_dice", level="metric")["high"].dropna() <= 1).all()
    curve = comparison.reliability(rows.iloc[:3])
    assert (
        curve["count"].tolist() == [0, 30, 90]
        and np.isnan(curve["accuracy"][0])
        and curve["accuracy"][1] == pytest.approx(0.4)
    )
    assert comparison.reliability(rows.drop(columns="reliability")) is None


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


def test_a_metric_that_the_rows_do_not_hold_is_left_out(sweep):
    assert "ece_band" not in set(comparison.means(read(sweep).drop(columns="ece_band"), ["case", "target"])["metric"])


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


def test_the_notebook_tells_what_is_there(sweep, tmp_path):
    """Every section, on a sweep that varies everything; the finding's sentences follow from the drawn differences."""
    import papermill

    parameters = {"results": str(sweep), "output": str(tmp_path), "resamples": 200}
    papermill.execute_notebook(REPOSITORY / "notebooks/04_compare_targets.ipynb", tmp_path / "04.ipynb", parameters,
                               cwd=REPOSITORY / "notebooks", progress_bar=False, kernel_name="python3")  # fmt: skip
    nb = nbformat.read(tmp_path / "04.ipynb", 4)
    text = "".join(o.get("text", "") for c in nb.cells if c.cell_type == "code" for o in c.outputs)
    assert "do not vary" not in text and "no fitted" not in text and "sweep no magnitude" not in text
    block = text[text.rindex("sigma 2 px, 100 scenes, 5 epochs:") :].split("\n")
    assert block[1] == "- log loss, nats. Better than one-hot: forward likelihood. Worse: posterior soft labels."
    assert "sigma 1 px, 50 scenes" in json.dumps(nb) and re.search(r"established: \d+ better", text)
    shown = [
        o["data"].get("text/html", "") for c in nb.cells if c.cell_type == "code" for o in c.outputs if "data" in o
    ]
    needless = next(
        table for table in shown if "no error" in table and "sigma 1 px assumed" in table and "p_holm" not in table
    )
    assert re.search(r"forward likelihood, sigma 1 px assumed.*?<td>-0\.(19|20|21)", needless, re.DOTALL)
    drawn = {path.stem for path in (tmp_path / "04_compare_targets").glob("*.png")}
    assert {
        "difference_0",
        "ranking_0",
        "against_sigma",
        "against_scenes",
        "against_epochs",
        "against_prior_sigma",
        "magnitudes_1",
        "reliability_0",
        "reliability_band_0",
    } <= drawn
    rows = pd.read_csv(tmp_path / "04_compare_targets" / "compare_targets.csv")
    needed = "objective annotator sigma scenes seed miou mean_class_accuracy_foreground log_loss brier ece ece_band surface_distance hausdorff95 surface_dice"
    assert set(needed.split()) <= set(rows.columns) and len(rows) == 5 * (10 + 3 + 2 + 4)
    assert len(pd.read_csv(tmp_path / "04_compare_targets" / "magnitude_sweep.csv")) == 10


def test_scores_of_rasters_are_compared_pairwise_over_seeds_and_rasters():
    """The forward likelihood's outlines are nearer by 0.5 px, its IoU is the same; one raster has no object, so no outline."""
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
    table, of_seeds = comparison.of_rasters(scores, "dice", {"iou": "higher", "surface_distance": "lower"})
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
