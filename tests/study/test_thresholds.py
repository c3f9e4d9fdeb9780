"""Another threshold, chosen on validation masks of the nuclei that are shipped, and what the committed rows say."""

import re

import numpy as np
import pytest
from nuclei_cases import SETTINGS

from thesis_lib.segmentation import Run
from thesis_lib.study import thresholds
from thesis_lib.study.rows import read_row


def dice(predicted, true):
    return 2 * (predicted & true).sum() / (predicted.sum() + true.sum())


def test_the_threshold_has_the_highest_dice_on_the_masks_it_is_chosen_on_and_scores_are_of_the_test_images(tmp_path):
    run = Run(**{**SETTINGS, "epochs": 3}, objective="one_hot_dice", output=str(tmp_path / "runs/usual"))
    run.train()
    run.scores()
    thresholds.write(tmp_path / "runs", tmp_path / "thresholds", ["usual"])
    before, splits = read_row(run.folder / "row.json"), run.task.splits
    believed = np.stack([run.probabilities(image)[..., 1] for image in splits.validation.images])
    with np.load(run.folder / "predictions.npz") as arrays:
        of_test = arrays["foreground"] / 255
    for chosen, masks in {"drawn": run.task.drawn[1], "true": splits.validation.labels}.items():
        row = read_row(tmp_path / f"thresholds/usual-threshold_{chosen}/row.json")
        tried = [dice(np.rint(255 * believed) >= t, masks == 1) for t in range(1, 256)]
        assert tried[round(255 * row["threshold"]) - 1] == pytest.approx(max(tried), abs=1e-3)
        expected = dice(of_test >= row["threshold"], splits.test.labels == 1)
        assert row["mean_dice_foreground"] == pytest.approx(expected, abs=1e-6)
        assert row["log_loss"] == before["log_loss"] and row["threshold_chosen"] == chosen


def test_the_committed_thresholds_are_compared_with_the_best_target_and_with_one_half():
    rows = thresholds.committed()
    assert rows.groupby(["case", "seed"])["target"].nunique().eq(4).all()
    to_best = thresholds.differences(rows, thresholds.BEST, resamples=2)
    assert len(to_best) == rows["case"].nunique() * 3 * len(thresholds.SCORES)
    header, _, *lines = thresholds.dice_table(rows, to_best).splitlines()
    assert len(lines) == rows["case"].nunique() and "chosen on drawn masks" in header
    to_half = thresholds.differences(rows, thresholds.USUAL, resamples=2)
    assert set(to_half["target"]) == set(rows["target"]) - {thresholds.BEST, thresholds.USUAL}
    means = rows.groupby(["case", "target"])["mean_dice_foreground"].mean().unstack()
    gains = [
        (means[f"{thresholds.USUAL}, {how}"] > means[thresholds.USUAL]).sum()
        for how in ("threshold chosen on true masks", "threshold chosen on drawn masks")
    ]
    cases, *said = map(int, re.findall(r"\d+", thresholds.raised(to_half)))
    of_dice = to_half[to_half["metric"] == "mean_dice_foreground"]
    significant = [
        (of_dice["target"].str.endswith(f"{masks} masks") & (of_dice["verdict"] == verdict)).sum()
        for masks in ("true", "drawn")
        for verdict in ("better", "worse")
    ]
    assert [cases, *said[::4]] == [len(lines), *gains]
    assert [*said[2::4]] == [len(lines) - number for number in gains]  # lower in the others
    assert said[1::2] == significant
