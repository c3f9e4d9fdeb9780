"""When does a training target pay? Gains in Dice over one-hot + Dice of all sweeps, against error over width."""

import pandas as pd

from thesis_lib.annotation.advice import USUAL
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.widths import error_over_width, object_widths, of_typical_pixel, with_errors
from thesis_lib.data.segmentation_folder import load_segmentation_folder
from thesis_lib.data.splits import load_scenes
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import comparison, paired_rasters, real_images, segmentation_runs, two_observers

REFERENCE = REPOSITORY / "reports/reference"
FILE = REPOSITORY / "thesis_lib/annotation/gains.csv"
DICE = "mean_dice_foreground"
COLUMNS = ["data", "case", "error_over_width", "target", "gain", "low", "high", "seeds", "verdict"]
TARGETS = ("one_hot", "posterior", "forward", "forward_dice", "forward_expected_dice", "shift")


def of_nuclei():
    """Gains on nuclei that simulated radiologists drew; see `real_images`."""
    rows, differences, cases = real_images.committed()
    table = real_images.gains(differences, cases)
    data = rows.drop_duplicates("case").set_index("case")["data"].replace(segmentation_runs.SHRUNK)
    return table[table["metric"] == DICE].assign(data=lambda one: one["case"].map(data))


def of_digits():
    """Gains on scenes of digits with displaced outlines, where one-hot + Dice was trained, too."""
    rows = segmentation_runs.read(REFERENCE / "compare/runs")
    with_usual = rows.groupby("case")["target"].transform(lambda targets: USUAL in set(targets))
    rows = rows[with_usual & rows["sigma"].gt(0) & rows["variant"].eq("")]
    table = comparison.Comparison(rows, USUAL, headline=(DICE,)).differences
    scenes = load_scenes("sample", 0).train
    widths = object_widths(scenes.labels, scenes.background)
    sigma = rows.drop_duplicates("case").set_index("case")["sigma"]
    of_one = of_typical_pixel(with_errors(widths, BoundaryPrior.known(1.0)), "error_over_width")  # a sigma of 1 px
    return table.assign(data="digits", error_over_width=of_one * table["case"].map(sigma), gain=table["difference"])


def of_roofs():
    """Gains on drawn roofs, with two simulated annotators; see notebook 8."""
    scores = pd.read_csv(REFERENCE / "buildings/scores.csv").set_index(["objective", "seed", "raster"])
    table, _ = paired_rasters.differences(scores, USUAL, {"dice": "higher"})
    sigma = pd.read_csv(REFERENCE / "buildings/annotators.csv", index_col=0).loc["all, bias taken out", "sigma, px"]
    roofs = load_segmentation_folder(REPOSITORY / "sample_data/buildings").train
    ratio = error_over_width(BoundaryPrior.known(float(sigma)), list(roofs.drawn_by("a")), 0)
    seeds = scores.index.unique("seed").size
    return table.assign(
        data="roofs", case="two annotators", error_over_width=ratio, gain=table["difference"], seeds=seeds
    )


def of_vessels():
    """Gains on vessels that two people drew; see `two_observers`."""
    images = two_observers.read(REFERENCE / "vessels/runs")
    table, _ = two_observers.differences(images, USUAL)
    ratio = pd.read_csv(REFERENCE / "vessels/cases.csv")["error_over_width"].mean()
    table = table[(table["metric"] == "dice") & (table["how"] == "")]
    return table.assign(
        data="vessels", case="two people", error_over_width=ratio, gain=table["difference"], seeds=table["folds"]
    )


def gather():
    """All of them: a DataFrame of COLUMNS, the smallest error over width first."""
    table = pd.concat([of_nuclei(), of_digits(), of_roofs(), of_vessels()], ignore_index=True)
    table = table[table["target"].isin(TARGETS)]
    return table.sort_values(["error_over_width", "data", "target"], kind="stable")[COLUMNS].reset_index(drop=True)


def write():
    """Write gains.csv, which `annotation.advice` reads."""
    gather().to_csv(FILE, index=False, float_format="%.5g")
