"""Comparisons of a sweep whose true differences are known, and the notebook that shows them."""

import nbformat
import numpy as np
import pandas as pd
import pytest
from sweep_cases import USUAL, write_run

from thesis_lib.paths import REPOSITORY
from thesis_lib.study import chosen_runs, run_statistics
from thesis_lib.study.comparison import Comparison


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


def test_a_metric_that_the_rows_do_not_hold_is_left_out(rows):
    means = run_statistics.means(rows.drop(columns="ece_band"), ["case", "target"])
    assert "ece_band" not in set(means["metric"]) and "ece" in set(means["metric"])


def test_a_baseline_that_did_not_run_is_refused(rows):
    with pytest.raises(ValueError, match="baseline must be one of .*; got 'jaccard'"):
        Comparison(rows, baseline="jaccard")


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
