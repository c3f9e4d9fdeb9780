"""A cheap rival to training targets: another threshold of the probability, chosen afterwards on validation masks.

After a sweep, where its trained networks lie:

    runs = [f"seed{i}-third-one_hot_dice" for i in range(10)]
    thresholds.write("reports/real_images/runs", real_images.REFERENCE / "thresholds", runs)
"""

from pathlib import Path

import keras
import numpy as np
import pandas as pd

from thesis_lib.files import write_arrays, write_json
from thesis_lib.metrics import summary
from thesis_lib.segmentation.prediction import best_threshold
from thesis_lib.segmentation.run import Run
from thesis_lib.study import markdown, real_images, segmentation_runs
from thesis_lib.study.committed_sweeps import DIGITS
from thesis_lib.study.comparison import Comparison
from thesis_lib.study.rows import read_row, read_scenes
from thesis_lib.study.segmentation_runs import CHOSEN
from thesis_lib.study.segmentation_tables import MARKED, MARKS

USUAL, BEST = real_images.BASELINES[0], "shift"  # the network whose threshold is chosen, and what it is compared with
SCORES = ("mean_dice_foreground", "surface_distance")  # a threshold changes no probability
OF_PROBABILITIES = ("log_loss", "brier", "ece")


def write(folder, into, runs):
    """Rows and scores of finished trainings with another threshold of the object's probability, as of runs.

    The threshold has the highest Dice on the validation images, all pixels together, as the test images are scored:
    once on their masks as they were drawn, which everybody has, and once on their true masks. Scores are those of the
    test images.

    Args:
        folder: of finished runs of notebook 3 with two classes, their `best.keras` and `predictions.npz`.
        into: folder; gets `RUN-threshold_drawn` and `RUN-threshold_true` of each run, with row.json and scenes.npz.
        runs: names of the runs.
    """
    for name in runs:
        source = Path(folder) / name
        row, (scenes,) = read_row(source / "row.json"), read_scenes(folder, [name])
        run = Run(**{**row["provenance"]["parameters"], "output": str(source)})
        splits, background = run.task.splits, row["background"]
        logits = run.trained_network().predict(splits.validation.images, run.batch_size, verbose=0)
        probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
        believed = np.rint(255 * (1 - probabilities[..., background])).astype(np.uint8)
        with np.load(source / "predictions.npz") as arrays:
            of_test = arrays["foreground"]
        for chosen, masks in {"drawn": run.task.drawn[1], "true": splits.validation.labels}.items():
            threshold = best_threshold(zip(believed, masks), background, pooled=True)
            objects = of_test >= threshold
            certain = np.stack([objects, ~objects] if background else [~objects, objects], axis=-1).astype(np.float32)
            new_row, new_scenes, _ = summary.evaluate(splits.test.labels, certain, background)
            kept = {score: value for score, value in new_row.items() if not score.startswith(OF_PROBABILITIES)}
            new_scenes |= {score: scenes[score] for score in OF_PROBABILITIES if score in scenes}
            target = Path(into) / f"{name}-threshold_{chosen}"
            target.mkdir(parents=True, exist_ok=True)
            write_arrays(target / "scenes.npz", **new_scenes)
            write_json(target / "row.json", {**row, **kept, "threshold": threshold / 255, "threshold_chosen": chosen})


def read(*folders):
    """The rows of one-hot + Dice, with its threshold and with those that were chosen, and of the target BEST.

    Args:
        folders: of sweeps, each with `runs` and `thresholds`.

    Returns:
        DataFrame as of `segmentation_runs.read`, with the cases in which a threshold was chosen.
    """
    rows = pd.concat([segmentation_runs.read(folder) for folder in folders], ignore_index=True)
    chosen = rows["threshold_chosen"].notna()
    return rows[(chosen | rows["target"].isin((USUAL, BEST))) & rows["case"].isin(rows.loc[chosen, "case"])]


def differences(rows, baseline, level=0.95, resamples=20000):
    """What `read` returns, less a baseline, in SCORES: paired, each case corrected on its own.

    Args:
        rows: of `read`.
        baseline: BEST; or USUAL, which is compared with its chosen thresholds only.
        level, resamples: of `Comparison`.

    Returns:
        DataFrame as of `Comparison.paired`.
    """
    rows = rows if baseline == BEST else rows[rows["target"] != BEST]
    tables = [
        Comparison(of_case, baseline, level, resamples, SCORES).differences
        for _, of_case in rows.groupby("case", sort=False)
    ]
    return pd.concat(tables, ignore_index=True)


def dice_table(rows, table):
    """The Dice of each case at every threshold, in Markdown: rows of `read`, table of `differences`.

    Scores that differ significantly from those of BEST are marked as `segmentation_tables.MARKS` says.
    """
    usual, best = segmentation_runs.TITLES[USUAL], segmentation_runs.TITLES[BEST]
    targets = (USUAL, *(f"{USUAL}, {how}" for how in CHOSEN.values()), BEST)
    verdicts = table[table["metric"] == SCORES[0]].set_index(["case", "target"])["verdict"]
    lines = []
    for case, of_case in rows.groupby("case", sort=False):
        dice = of_case.groupby("target")[SCORES[0]].mean()
        marked = [MARKED[verdicts.get((case, one), "")].format(f"{dice[one]:.3f}") for one in targets]
        lines.append([case, *marked])
    header = ["labels", f"{usual}, 0.5", "threshold chosen on drawn masks", "on true masks", f"{best}, 0.5"]
    return markdown.table(header, lines)


def write_differences():
    """Write thresholds.csv of the committed sweeps: the differences to each baseline."""
    rows = committed()
    tables = [differences(rows, baseline).assign(baseline=baseline) for baseline in (BEST, USUAL)]
    table = pd.concat(tables, ignore_index=True)
    table.to_csv(real_images.REFERENCE / "thresholds.csv", index=False, float_format=DIGITS)


def committed():
    """The rows of the committed sweeps."""
    return read(real_images.REFERENCE, real_images.BY_IMAGES)


def section():
    """What RESULTS.md says of the committed sweep, in Markdown."""
    rows = committed()
    table = pd.read_csv(real_images.REFERENCE / "thresholds.csv", keep_default_na=False)
    to_best, to_usual = (table[table["baseline"] == baseline] for baseline in (BEST, USUAL))
    head = (
        "A network that draws objects too large may need no other training, only a threshold above one half. It is "
        f"chosen on {rows.iloc[0]['validation_scenes']} validation images, where Dice is highest: on their masks as "
        f"drawn, or on their true masks. The table has the Dice of each. Compared with the last column. {MARKS}"
    )
    return "\n\n".join(["## Would another threshold do?", head, dice_table(rows, to_best), raised(to_usual)]) + "\n"


def raised(table):
    """In how many cases a chosen threshold changed the Dice of USUAL, in a sentence: table of `differences` to it."""
    of_dice = table[table["metric"] == SCORES[0]]
    said = []
    for masks in ("true", "drawn"):
        of_masks = of_dice[of_dice["target"] == f"{USUAL}, {CHOSEN[masks]}"]
        better, worse = ((of_masks["verdict"] == verdict).sum() for verdict in ("better", "worse"))
        said.append(
            f"chosen on {masks} masks it is higher in {(of_masks['difference'] > 0).sum()} (significantly in {better}) "
            f"and lower in {(of_masks['difference'] < 0).sum()} (significantly in {worse})"
        )
    return (
        f"Against {segmentation_runs.TITLES[USUAL]} at a threshold of one half, in {of_dice['case'].nunique()} cases: "
        f"{'; '.join(said)}. A threshold that few images yield is imprecise."
    )
