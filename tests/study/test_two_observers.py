"""Cross-validated runs judged by another person: rows of known differences are written, no network is trained."""

import json

import numpy as np
import pytest

from thesis_lib.study import two_observers
from thesis_lib.study.two_observers import BLURRED, JUDGED, LABELS, MOVED, PERSON, TUNED

GAIN = {"one_hot_dice": 0.0, "one_hot": -0.02, "forward": 0.05}


@pytest.fixture
def write(tmp_path):
    """Write a run: function of its objective, judge, fold and other entries of the row; returns the folder of runs."""

    def write_run(objective, judge="b", fold=0, annotators=("a",), **given):
        rasters = [f"im{2 * fold + i}" for i in range(2)]
        image, nobody = np.arange(2) + 2.0 * fold, np.full(2, 0.1)
        chance = np.random.default_rng([fold, len(objective), judge == "b"]).normal(0, 0.002, 2)
        dice = 0.6 + 0.01 * image + GAIN[objective] + chance
        scores = {"dice": dice, "surface_distance": 3 - dice, "log_loss": 0.3 - 0.1 * dice}
        scores |= {"boundary_bias": nobody, "volume_ratio": 1 + nobody}
        tuned = {f"{name}_tuned": scores[name] + 0.01 for name in LABELS if name != "log_loss"}
        person = {f"{name} of a": nobody for name in LABELS if name != "log_loss"}
        blurred = {"log_loss_blurred": scores["log_loss"] - 0.05}
        folder = tmp_path / "-".join(map(str, (objective, judge, fold, *annotators, *given.values())))
        folder.mkdir()
        row = {"objective": objective, "seed": fold, "judge": judge, "fold": fold, "folds": 3}
        row |= {"annotators": list(annotators), "scores_of_annotators": {"a": {}}, **given}
        (folder / "row.json").write_text(json.dumps(row))
        np.savez(folder / "scenes.npz", raster=rasters, **scores, **tuned, **blurred, **person)
        return tmp_path

    return write_run


@pytest.fixture
def table(write):
    for objective in GAIN:
        for judge in "ab":
            for fold in range(3):
                folder = write(objective, judge, fold, annotators=["b" if judge == "a" else "a"])
    return two_observers.read(folder)


def test_a_likelihood_is_judged_by_its_annotation_probabilities_and_others_have_cheap_rivals(table):
    targets = ["one_hot_dice", f"one_hot_dice, {TUNED}", f"one_hot_dice, {BLURRED}", "forward", PERSON]
    assert set(targets) < set(table["target"]) and f"forward, {TUNED}" not in set(table["target"])
    first = table[(table["raster"] == "im1") & (table["judge"] == "b")].set_index("target")
    assert first.loc["forward", "log_loss"] == pytest.approx(0.3 - 0.1 * first.loc["forward", "dice"] - 0.05)
    assert first.loc["one_hot", "log_loss"] == pytest.approx(0.3 - 0.1 * first.loc["one_hot", "dice"])
    assert first.loc[f"one_hot, {BLURRED}", "log_loss"] == pytest.approx(first.loc["one_hot", "log_loss"] - 0.05)
    assert np.isnan(first.loc[f"one_hot, {BLURRED}", "dice"])  # blurring is judged by the log loss alone
    assert first.loc[f"one_hot, {TUNED}", "dice"] == pytest.approx(first.loc["one_hot", "dice"] + 0.01)
    assert np.isnan(first.loc[PERSON, "log_loss"]) and first.loc[PERSON, "dice"] == 0.1


def test_differences_are_means_over_folds_with_the_corrected_interval(table):
    found, of_folds = two_observers.differences(table, "one_hot_dice")
    row = found.set_index(["target", "metric"]).loc[("forward", "dice")]
    single = of_folds[(of_folds["target"] == "forward") & (of_folds["metric"] == "dice")]["difference"]
    assert row["difference"] == pytest.approx(0.05, abs=0.004) and row["difference"] == pytest.approx(single.mean())
    # Student's t with two degrees of freedom is 4.30; the variance of three folds' mean is 1/3 + 1/2 times theirs.
    assert row["high"] - row["difference"] == pytest.approx(4.3027 * np.sqrt(5 / 6) * single.std(), rel=1e-4)
    assert row["verdict"] == "better" and row["folds"] == 3 and PERSON not in set(found["objective"])
    worse = found.set_index(["target", "metric"]).loc[("one_hot", "dice")]
    assert worse["difference"] == pytest.approx(-0.02, abs=0.004) and worse["verdict"] in ("", "worse")
    assert not (found["verdict"] == "better")[found["target"] == "one_hot"].any()


def test_targets_that_lack_a_fold_or_a_judge_are_shown_but_not_compared(write, table):
    folder = write("one_hot_dice", "b", 0, annotators=["b"])
    more = two_observers.read(folder)
    name = f"one_hot_dice, {JUDGED}"
    assert name in set(more["target"]) and name not in set(two_observers.complete(more)["target"])
    assert name not in set(two_observers.differences(more, "one_hot_dice")[0]["target"])
    moved = two_observers.read(write("one_hot", "b", 0, bias_against="judge"))
    assert f"one_hot, {MOVED}" in set(moved["target"])


def test_the_means_are_over_judges_of_means_over_images_and_the_best_dice_comes_first(table):
    means = two_observers.means(table)
    assert means.index[0] == "forward likelihood" and means["Dice"].dropna().index[-1] == PERSON
    of_forward = table[table["target"] == "forward"]
    average = np.mean([of_forward[of_forward["judge"] == judge]["dice"].mean() for judge in "ab"])
    assert means.loc["forward likelihood", "Dice"] == pytest.approx(average)
    for judge in "ab":
        bias = of_forward[of_forward["judge"] == judge]["boundary_bias"].mean()
        assert means.loc["forward likelihood", f"bias, px, judge {judge}"] == pytest.approx(bias)


def test_two_runs_of_an_image_are_refused_and_so_is_a_baseline_that_is_not_there(write, table):
    with pytest.raises(ValueError, match="several of 'im0' for 'one-hot' judged by 'b'"):
        two_observers.read(write("one_hot", "b", 0, annotators=["a"], magnitude=0.8))
    with pytest.raises(ValueError, match="baseline must be one of .*; got 'dice'"):
        two_observers.differences(table, "dice")


def test_runs_without_folds_are_refused(write):
    with pytest.raises(ValueError, match="results must be of runs with folds and a judge; got 'one_hot-b-0-a-None'"):
        two_observers.read(write("one_hot", folds=None))


def test_the_findings_name_the_best_target_of_each_score_and_its_difference(table):
    found, _ = two_observers.differences(table, "one_hot_dice")
    count, dice, _, log_loss, people = two_observers.findings(table, found, "one_hot_dice")
    assert count == "6 images of 3 folds are compared."
    assert two_observers.between_people(table) == pytest.approx(0.1)
    assert (
        dice.startswith("**Dice**: forward likelihood has the highest, 0.67") and "one-hot + soft Dice has 0.62" in dice
    )
    assert "significantly better" in dice and log_loss.startswith("**Log loss of the judge's drawing, nats**: forward")
    assert people.startswith("The other observer has a Dice of 0.100")
    cells = two_observers.side_by_side(found)
    assert (
        cells.loc["forward likelihood", "Dice"].startswith("+0.05")
        and cells.loc["forward likelihood", "Dice"][-6:] == "better"
    )
