"""What is kept of a sweep on real images besides its rows, so that a notebook shows it without the images."""

import numpy as np
import pandas as pd

from thesis_lib.annotation.widths import PLACE, object_widths, of_typical_pixel, with_errors
from thesis_lib.metrics.aggregation import METRICS
from thesis_lib.segmentation.run import Run
from thesis_lib.study import segmentation_runs
from thesis_lib.study.real_images import MAIN

SIDE = 64  # px, of the parts of images that are kept
SHARES = (0.25, 0.5, 0.75)  # of the test images have a smaller difference in Dice than those that are shown
COMPARED = ("one_hot_dice", "shift")


def keep(folder, into):
    """Write what a notebook needs of a finished sweep besides its rows, so that it runs without the images.

    `cases.csv` has a row a case: objects, and medians over their pixels of the width and diameter (px), the typical
    error of the annotators (px), the error over the width, and their bias (px, of an object of the diameter that the
    prior describes). `pictures.npz` holds parts of test images of the first seed: image, true map, the annotator's
    drawing, and P(not background) of the targets in `MAIN`. The images are those at the quartiles of the difference in
    Dice between `COMPARED`, so that they show what is typical.

    Args:
        folder: of the runs, with the `predictions.npz` of the first seed of each case that is to be pictured.
        into: folder, made if missing.
    """
    rows = segmentation_runs.read(folder)
    into.mkdir(parents=True, exist_ok=True)
    cases, pictures = [], {}
    for number, (case, of_case) in enumerate(rows.groupby("case", sort=False)):
        first = of_case[of_case["seed"] == of_case["seed"].min()]
        run = Run(**first.iloc[0]["provenance"]["parameters"])
        test, annotator = run.task.splits.test, run.task.draw
        of_objects = with_errors(object_widths(test.labels, test.background, test.objects), annotator)
        medians = {name: of_typical_pixel(of_objects, name) for name in PLACE}
        bias = annotator.factor * annotator.prior.mean
        cases.append({"case": case, "objects": len(of_objects), **medians, "bias": bias})
        shown = first[first["target"].isin(MAIN)]
        shown = shown[[(folder / name / "predictions.npz").is_file() for name in shown["run"]]]
        if shown.empty:
            continue
        drawn, typical = run.task.test_drawing(), _typical(first, len(test))
        maps = {"image": test.images[..., 0], "true": 255 * (test.labels != test.background)}
        maps["drawn"] = 255 * (drawn != test.background)
        for target in shown.itertuples():
            with np.load(folder / target.run / "predictions.npz") as arrays:
                maps[target.target] = arrays["foreground"]
        for name, values in maps.items():
            pictures[f"{number}/{name}"] = np.stack([_middle(values[i]) for i in typical]).astype(np.uint8)
    pd.DataFrame(cases).to_csv(into / "cases.csv", index=False, float_format="%.4g")
    np.savez_compressed(into / "pictures.npz", **pictures)


def _typical(first, count):
    """Numbers of the images at the quartiles of the difference in Dice between `COMPARED`; of any, where one lacks."""
    of_target = first.drop_duplicates("target").set_index("target")["per_scene"]
    if not {*COMPARED} <= {*of_target.index}:
        order = np.arange(count)
    else:
        each = np.eye(count)  # an image a row
        usual, other = (METRICS["mean_dice_foreground"].of_scenes(of_target[name], each) for name in COMPARED)
        order = np.argsort(np.nan_to_num(other - usual), kind="stable")
    return [int(order[round(share * (count - 1))]) for share in SHARES]


def _middle(image):
    """The part (SIDE, SIDE) in the middle of an image."""
    top, left = ((n - SIDE) // 2 for n in image.shape)
    return image[top : top + SIDE, left : left + SIDE]


def pictures(folder, case):
    """The pictures of a case that `keep` wrote: dict from image, true, drawn or a target to uint8 (n, SIDE, SIDE).

    It is empty where no predictions were there.
    """
    number = list(pd.read_csv(folder / "cases.csv")["case"]).index(case)
    with np.load(folder / "pictures.npz") as arrays:
        return {key.split("/")[1]: arrays[key] for key in arrays.files if key.split("/")[0] == str(number)}
