"""What is kept of a sweep on real images, and what is said of it: small trainings with the nuclei that are shipped."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from nuclei_cases import SETTINGS

from thesis_lib import figures
from thesis_lib.annotation import advice, measured_gains
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.data.splits import load_scenes
from thesis_lib.segmentation import Run
from thesis_lib.study import kept_pictures, real_images
from thesis_lib.study.gains import TARGETS


@pytest.fixture(scope="module")
def committed():
    return real_images.committed()


def test_what_is_kept_places_the_case_by_its_error_over_width_and_shows_every_target(tmp_path):
    run = Run(**SETTINGS, objective="shift", output=str(tmp_path / "runs/shift"))
    run.train()
    run.scores()
    kept_pictures.keep(tmp_path / "runs", tmp_path)
    cases = pd.read_csv(tmp_path / "cases.csv")
    assert cases["case"].tolist() == ["radiologists' errors x 2"]
    assert 0.3 < cases["error_over_width"][0] < 0.7 and 2 < cases["width"][0] < 6
    pictures = kept_pictures.pictures(tmp_path, cases["case"][0])
    assert set(pictures) == {"image", "true", "drawn", "shift"}
    assert (pictures["true"] != pictures["drawn"]).any() and pictures["shift"].shape == pictures["image"].shape


def test_the_pictures_that_are_committed_show_the_outlines_of_every_target(committed):
    rows, _, _ = committed
    for case, of_case in rows.groupby("case"):
        pictures = kept_pictures.pictures(real_images.REFERENCE, case)
        assert set(pictures) == {"image", "true", "drawn", *of_case["target"]}
    figure = figures.outlines(pictures, ["one_hot_dice", "shift"])
    titles = [axis.get_title().replace("\n", " ") for axis in figure.axes[:3]]
    assert titles == ["image, true and drawn", "one-hot + soft Dice", "likelihood of shifted boundaries"]
    plt.close(figure)


def test_the_differences_are_to_both_baselines_and_gains_are_turned_so_that_more_is_better(committed):
    rows, table, cases = committed
    fast = real_images.families(rows, resamples=2)
    pd.testing.assert_frame_equal(
        fast[["case", "target", "metric", "baseline"]], table[["case", "target", "metric", "baseline"]]
    )
    assert fast["difference"].to_numpy() == pytest.approx(table["difference"].to_numpy(), abs=1e-9)
    gains = real_images.gains(table, cases)
    against = table[table["baseline"] == "one_hot_dice"].set_index(["case", "target", "metric"])["difference"]
    turned = gains.set_index(["case", "target", "metric"])["gain"]
    assert set(gains["case"]) == set(cases.loc[cases["bias"] == 0, "case"]) < set(cases["case"])
    for case in set(gains["case"]):
        for metric, sign in (("mean_dice_foreground", 1), ("log_loss", -1), ("surface_distance", -1)):
            assert turned[case, "shift", metric] == pytest.approx(sign * against[case, "shift", metric])
    assert (gains["low"] <= gains["gain"]).all() and (gains["gain"] <= gains["high"]).all()
    figure = figures.gains(gains, {"log_loss": "log loss, nats"}, "one_hot_dice")
    assert "error / width" in figure.axes[0].get_xlabel()
    plt.close(figure)


def test_a_sentence_is_said_of_every_case_and_a_row_shown_of_every_target(committed):
    rows, table, cases = committed
    text = real_images.findings(rows, table, cases)
    assert len(text) == len(cases) and all("has the highest Dice" in sentence for sentence in text)
    targets = len(rows.drop_duplicates(["case", "target"]))
    assert len(real_images.sizes(rows)) == len(real_images.two_probabilities(rows)) == targets
    assert real_images.two_probabilities(rows).notna().all(axis=None)


def test_what_the_dice_loss_costs_is_said_where_one_hot_alone_is_better(committed):
    text = real_images.without_dice(*committed)
    _, differences, cases = committed
    better = differences.query("baseline == 'one_hot_dice' and target == 'one_hot' and verdict == 'better'")
    assert len(text) == (better["metric"] == real_images.HEADLINE[0]).sum() > 0
    ratios = cases.set_index("case")["error_over_width"]
    thinnest = ratios[better["case"].unique()].idxmax()
    assert text[-1].startswith(f"**{thinnest}**") and "uniform smoothing +" in text[-1] and "soft Dice" in text[-1]


def test_the_committed_advice_is_that_of_the_committed_sweep(committed):
    _, differences, cases = committed
    gains = real_images.gains(differences, cases)
    expected = gains[gains["metric"] == real_images.HEADLINE[0]].set_index(["case", "target"])["gain"]
    shipped = measured_gains()
    expected = expected[expected.index.get_level_values("target").isin(TARGETS)]
    of_nuclei = shipped[shipped["data"].str.startswith("nuclei")].set_index(["case", "target"])["gain"]
    assert of_nuclei.to_dict() == pytest.approx(expected.to_dict(), abs=1e-5)
    nuclei = {"nuclei", "nuclei at half", "nuclei at a third", "nuclei at a quarter"}
    assert set(shipped["data"]) == nuclei | {"digits", "roofs", "vessels"}
    assert shipped["error_over_width"].is_monotonic_increasing and not shipped["target"].str.contains(",").any()
    test = load_scenes("nuclei-sample/3").test
    assert advice(BoundaryPrior.known(0.05), test.labels, 0, test.objects).objective == "one_hot_dice"
