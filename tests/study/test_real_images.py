"""What is kept of a sweep on real images, and what is said of it: small trainings with the nuclei that are shipped."""

import matplotlib.pyplot as plt
import numpy as np
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


def test_the_pictures_that_are_committed_show_the_outlines_of_the_main_targets(committed):
    rows, differences, _ = committed
    for case in differences.loc[differences["verdict"] == "better", "case"].unique():
        pictures = kept_pictures.pictures(real_images.REFERENCE, case)
        assert {"image", "true", "drawn", *real_images.MAIN[:3]} <= set(pictures)
    figure = figures.outlines(pictures, ["one_hot_dice", "shift"])
    titles = [axis.get_title().replace("\n", " ") for axis in figure.axes[:3]]
    assert titles == ["image, true and drawn", "one-hot + soft Dice", "likelihood of shifted boundaries"]
    plt.close(figure)


def test_the_images_at_the_quartiles_of_the_difference_are_pictured(tmp_path):
    objects = np.zeros((5, 2, 1)) + [[[10.0], [30.0]]]  # intersection, union
    per_image = lambda gained: {"intersection": objects[:, 0] + np.array(gained)[:, None], "union": objects[:, 1]}
    rows = pd.DataFrame({"target": ["shift", "one_hot_dice"]})
    rows["per_scene"] = [per_image([4, 0, 3, 1, 2]), per_image([0] * 5)]
    assert kept_pictures._typical(rows, 5) == [3, 4, 2]
    assert kept_pictures._typical(rows[:1], 5) == [1, 2, 3]


def test_outlines_say_the_drawn_area_over_the_true_one():
    disc = lambda radius: np.uint8(255 * (((np.indices((64, 64)) - 32) ** 2).sum(0) < radius**2))[None]
    pictures = {"image": disc(8), "true": disc(8), "drawn": disc(10), "one_hot": disc(6)}
    figure = figures.outlines(pictures, ["one_hot"])
    areas = [float(axis.get_xlabel().removeprefix("area x ")) for axis in figure.axes]
    assert areas == pytest.approx([(10 / 8) ** 2, (6 / 8) ** 2], abs=0.05)
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


def test_cases_are_put_in_the_order_of_their_error(committed):
    rows, _, cases = committed
    ratios = real_images.by_error(rows, cases)["case"].map(cases.set_index("case")["error_over_width"])
    assert ratios.is_monotonic_increasing and len(ratios) == len(rows)


def test_each_pair_of_targets_is_compared_once(committed):
    _, differences, _ = committed
    pairs = [(row.case, row.metric, *sorted((row.target, row.baseline))) for row in differences.itertuples(index=False)]
    assert len(set(pairs)) == len(pairs) and not (differences["target"] == differences["baseline"]).any()


def test_the_later_seeds_speak_for_themselves(committed):
    rows, _, _ = committed
    said = real_images.later_seeds(rows, resamples=50)
    with_later = (
        rows[(rows["seed"] >= 5) & rows["target"].isin(("one_hot", "shift"))].groupby(["case", "target"]).ngroups
    )
    assert len(said) == with_later > 0 and all("the 5 seeds that were added" in text for text in said)
    row = rows[(rows["case"] == "radiologists' errors x 2, nuclei at a third") & (rows["seed"] >= 5)]
    dice = row.groupby("target")["mean_dice_foreground"].mean()
    text = next(text for text in said if "at a third**, the 5 seeds" in text and "Dice of one-hot ag" in text)
    assert f"{dice['one_hot'] - dice['one_hot_dice']:+.3f} [" in text


def test_the_gain_of_one_hot_is_said_of_each_data_set():
    gains = measured_gains()
    said = real_images.by_data(gains)
    assert len(said) == (gains["target"] == "one_hot").sum() and any(text.startswith("vessels, error") for text in said)


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
