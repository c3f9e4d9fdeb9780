"""Differences of scores of rasters, where the truth is known."""

import numpy as np
import pandas as pd
import pytest

from thesis_lib.study import paired_rasters


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
    table, of_seeds = paired_rasters.differences(scores, "dice", better, resamples=2000)
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
    alone, _ = paired_rasters.differences(scores.loc[(slice(None), [0]), :], "dice", {"surface_distance": "lower"})
    assert np.isnan(alone["low"].item()) and alone["verdict"].item() == ""
    with pytest.raises(ValueError, match="baseline must be one of .*; got 'zzz'"):
        paired_rasters.differences(scores, "zzz", {"iou": "higher"})
    nothing, _ = paired_rasters.differences(scores * np.nan, "dice", {"iou": "higher"})
    assert nothing.empty
