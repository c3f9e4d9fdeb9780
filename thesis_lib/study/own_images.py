"""One's own images, from a folder to a trained network: the steps of notebook 0 and of the command `thesis`.

Files (`own_files`), pairs, the annotators' error with its advice (`own_error`), training, scores, files.
"""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from thesis_lib import checks, parameters
from thesis_lib.annotation.advice import USUAL
from thesis_lib.data.image_io import image_shape, read_image
from thesis_lib.data.raster_parts import ENDINGS
from thesis_lib.files import writable_folder, write_csv, write_text
from thesis_lib.polling import polled
from thesis_lib.segmentation.run import Run
from thesis_lib.study.own_files import Unusable, own_folder, parts
from thesis_lib.study.statistics import mean_interval
from thesis_lib.targets.objectives import OBJECTIVES

CROPS = 240  # in an epoch, unless there are more images
DEPTH = 3  # poolings of the U-Net
SCORES = {"dice": "Dice", "surface_distance": "distance of the outlines, px", "surface_dice": "surface Dice"}
LARGEST = {"surface_distance": np.inf}  # of the others it is 1
APART = {
    "data": "the folder",
    "output": "the output folder",
    "objective": "what is chosen to train with",
}


def open_folder(data, output="reports/own_images", *given):
    """A `Run` on a person's folder, with crops and tiles that suit its images.

    Where there are plain masks, they judge the test images. Otherwise the last of the annotators judges, and the
    network learns from all of them.

    Args:
        data: folder of images and masks.
        output: folder of all files that are written.
        given: mappings of fields of `segmentation.Run` that shall differ, but for data, output and objective.

    Returns:
        Run, of one-hot + soft Dice.

    Raises:
        Unusable: in one sentence, if the folder or a setting cannot be used.

    Example:
        >>> run = open_folder("sample_data/drawn_nuclei")
        >>> run.judge, run.annotators, run.crop
        ('b', ['a', 'b'], 80)
    """
    try:
        sizes = [image_shape(path) for path in _images(data)]
        smallest, largest = min(map(min, sizes), default=96), max(map(max, sizes), default=96)
        own = {
            "data": str(own_folder(data).resolve()),
            "output": str(output),
            "objective": USUAL,
            "depth": DEPTH,
            "crop": min(96, max(smallest // 2**DEPTH, 1) * 2**DEPTH),
            "crops_per_image": max(CROPS // max(len(sizes), 1), 1),
            "learning_rate": 0.005,
            "tile": int(np.clip(32 * -(-largest // 32), 96, 224)),
            **_people(data),
        }
        named = {name for one in given if isinstance(one, dict) for name in one}
        if named & set(APART):
            name = min(named & set(APART))
            raise ValueError(f"{name} must be no setting: {APART[name]} says it")
        if "structures" in named:
            raise ValueError("structures must be no setting here: notebook 14 and segmentation.Run train on them")
        if any(isinstance(one, dict) and one.get("network", "unet") != "unet" for one in given):
            named.add("depth")  # of the U-Net alone
        run = parameters.create(Run, {name: value for name, value in own.items() if name not in named}, *given)
        run.task.splits  # noqa: B018, reads the folder, so that what is wrong with it is said here
        return run
    except Unusable:
        raise
    except (ValueError, OSError) as error:
        raise Unusable(str(error)) from None


def _images(data):
    folders = [part.images for part in parts(data)]
    every = [path for folder in folders for path in sorted(folder.iterdir())]
    return [path for path in every if path.suffix.lower() in ENDINGS and not path.name.startswith(".")]


def _people(data):
    """Who draws, who judges, and what is known of them, as fields of `Run`."""
    train, test = parts(data)[0].masks, parts(data)[-1].masks
    named = sorted(filter(None, train))
    if "" in test:
        return {"gold_images": 2**20} if len(named) == 1 else {}
    if len(named) > 1:
        return {"annotators": named, "judge": sorted(test)[-1], "gold_images": 0}
    return {"annotators": sorted(train), "judge": sorted(test)[-1], "gold_images": 0}


def pairs(run):
    """DataFrame with a row an image: its part, its size (px), and the folders that hold its masks."""
    rows = []
    for part in ("train", "validation", "test"):
        rasters = getattr(run.task.splits, part)
        for i, path in enumerate(rasters.images):
            height, width = image_shape(path)
            folders = ", ".join(f"{masks[i].parent.name}/" for masks in rasters.masks.values())
            rows.append((path.stem, part, f"{height} x {width}", folders))
    return pd.DataFrame(rows, columns=["image", "part", "size, px", "masks"])


def objectives_for(measured):
    """What to train with: one-hot + soft Dice, and what the advice names, if anything is `measured` (or None)."""
    return [USUAL] if measured is None else list(dict.fromkeys([USUAL, measured.advice.objective]))


def train(run, objectives, watch=None, reuse=False):
    """Train a network by each of several objectives, from the same first weights, each in a folder of its own.

    Args:
        run: of `open_folder`.
        objectives: keys of `thesis_lib.targets.OBJECTIVES`.
        watch: function from a Run to a context in which it trains, such as a progress bar's; None for none.
        reuse: take finished trainings as they are. A killed one goes on in any case.

    Returns:
        dict from an objective to its trained Run.

    Raises:
        ValueError: before any training, if objectives are no list of such names.
    """
    trained = {}
    for objective in checks.listed("objectives", objectives, str, "a list of names of objectives"):
        checks.one_of("objectives", objective, OBJECTIVES)
    for objective in dict.fromkeys(objectives):
        changes = {"objective": objective, "output": f"{run.output}/{objective}"}
        if "prior" in OBJECTIVES[objective].needs and run.prior is None and run.prior_sigma is None:
            changes["prior"] = "population"
        one = run.variant(**changes)
        if watch is None:
            one.train(reuse=reuse)
        else:
            with watch(one):
                one.train(reuse=reuse)
        trained[objective] = one
    return trained


@contextmanager
def follow(run, update, every=0.5):
    """While a training runs within, call `update` in a thread with its log so far whenever an epoch has ended.

    Args:
        run: Run.
        update: function of a DataFrame with a row an epoch; it is called a last time at the end.
        every: seconds between two looks.
    """
    path = run.folder / "log.csv"

    def stamp():
        return path.stat().st_mtime_ns if path.is_file() else None

    seen = stamp()

    def look():
        nonlocal seen
        if stamp() != seen:
            seen = stamp()
            update(run.log())

    with polled(look, every):
        yield
    update(run.log())


def score_table(trained, level=0.95):
    """Means over the test images with Student-t intervals, of each network and of the people who drew them.

    Args:
        trained: dict of `train`.
        level: of the intervals.

    Returns:
        DataFrame: who (an objective, or an annotator's name), person (whether it is one), score, mean, low, high. The
        interval is that of new images for the same trained network, as far as the score can go: a Dice is at most 1 and
        a distance at least 0. It is missing where there is one test image.
    """
    run = next(iter(trained.values()))
    of_images = {(objective, False): one.scores().images for objective, one in trained.items()}
    for name in sorted(run.task.splits.test.masks):
        if name != run.task.judge:
            of_images[name or "plain masks", True] = run.task.annotator_scores(name)
    rows = []
    for (who, person), table in of_images.items():
        for score in SCORES:
            interval = np.clip(mean_interval(table[score].dropna(), level), 0, LARGEST.get(score, 1))
            rows.append((who, person, score, *interval))
    return pd.DataFrame(rows, columns=["who", "person", "score", "mean", "low", "high"])


def object_probability(run, i):
    """P(object) of test image i, float (H, W), from the file that scoring wrote."""
    path = run.folder / "test" / f"{Path(run.task.splits.test.images[i]).stem}_probability.png"
    return read_image(path, "index")[..., 0].astype(float) / 255


def take_away(run, trained, measured, wrong, table):
    """Write what was found beside the networks, and list all that one may take along.

    Args:
        run: of `open_folder`.
        trained: dict of `train`, scored.
        measured: Measured, or None.
        wrong: DataFrame of `faults`.
        table: DataFrame of `score_table`.

    Returns:
        DataFrame: file (below the output folder) and what it is.
    """
    folder = writable_folder(run.folder)
    write_csv(folder / "faults.csv", wrong)
    write_csv(folder / "scores.csv", table)
    files = [("faults.csv", "what is wrong with the files"), ("scores.csv", "scores with intervals")]
    if measured is not None:
        write_csv(folder / "annotators.csv", measured.annotators, index=True)
        write_text(folder / "advice.txt", f"{measured.advice}\n")
        files += [("annotators.csv", "bias and sigma of each annotator"), ("advice.txt", "what to train with")]
    for objective in trained:
        files.append((f"{objective}/best.keras", "the network: `thesis predict` or keras.saving.load_model"))
        files.append((f"{objective}/test/", "predicted classes and probabilities of the test images"))
        files.append((f"{objective}/row.json", "all parameters and scores, and what ran"))
    return pd.DataFrame(files, columns=["file", "what it is"])
