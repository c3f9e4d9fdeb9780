"""The question and an answer in three minutes: `make quick` runs it and writes one page, reports/quick/index.html.

It measures how far two radiologists are apart who drew the same nodules. It draws nuclei as these radiologists would.
It trains the same U-Net on the drawings twice: with one-hot + Dice, and with the likelihood of shifted boundaries.
"""

import base64
import multiprocessing
import os
import time
from html import escape
from importlib import resources
from io import BytesIO
from string import Template

import keras
import matplotlib.pyplot as plt
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.variation import variation
from thesis_lib.annotation.widths import error_over_width
from thesis_lib.data.crops import Crops, SceneRasters
from thesis_lib.data.lidc import lidc_slices
from thesis_lib.data.nuclei import load_nuclei
from thesis_lib.figures.real_images import outlines
from thesis_lib.figures.style import described, style
from thesis_lib.figures.variation import drawings_of_people
from thesis_lib.files import writable_folder, write_text
from thesis_lib.metrics import summary
from thesis_lib.models.unet import symmetric, unet
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import real_images
from thesis_lib.study.segmentation_tables import in_words
from thesis_lib.targets.objectives import objective
from thesis_lib.training.optimization import learning_rate

TARGETS = ("one_hot_dice", "shift")  # what most people train with, and what models the error
SHRINK, FACTOR = 3, 2.0  # nuclei at a third of the resolution, errors twice as large: as thin structures have it
TRAIN, TEST = slice(0, 8), slice(8, 12)  # of the dozen images of the sample
STEPS, BATCH_SIZE, CROP = 300, 12, 64
WIDTH, DEPTH = 8, 3  # of the U-Net
SHOWN = 4  # nodules
SIDE = 40  # px, of the part of an image that is shown
RESAMPLES = 50  # of the scans, for the interval of the radiologists' error
PAGE = REPOSITORY / "reports" / "quick" / "index.html"
PAGE_TEMPLATE = Template(resources.files("thesis_lib.study").joinpath("quick.html").read_text())


def main(path=PAGE, steps=STEPS):
    """Measure, train for so many steps, and write the page."""
    start = time.monotonic()
    writable_folder(path.parent)
    say(start, "Measuring how far radiologists are apart")
    slices = [one for one in lidc_slices("sample") if len(one.masks) > 1]
    pairs = [one.masks[:2] for one in slices]
    measured = variation(
        pairs, background=0, groups=[one.scan for one in slices], spacing=[one.spacing for one in slices]
    )
    interval = measured.table(repeats=RESAMPLES).set_index(["quantity", "unit"]).loc["deviation"]
    annotator = measured.annotator(factor=FACTOR, background=0)
    nuclei = load_nuclei("sample", SHRINK)
    drawn, again = (annotator(nuclei.labels, seed, nuclei.objects) for seed in (0, 1))
    prior = BoundaryPrior().fit_pair(drawn[TRAIN], again[TRAIN], background=0, population=True)
    say(start, f"Training {len(TARGETS)} networks on {len(nuclei[TRAIN])} drawn images, side by side")
    maps = side_by_side(nuclei, drawn, prior, steps)
    scores = {name: summary.evaluate(nuclei.labels[TEST], one, 0)[0] for name, one in maps.items()}
    for name, one in maps.items():
        scores[name]["area"] = float((one[..., 1] >= 0.5).sum() / nuclei.labels[TEST].sum())
    ratio = error_over_width(annotator, nuclei.labels, 0, nuclei.objects)
    write_text(path, page(pairs, interval, nuclei, drawn, maps, scores, ratio))
    say(start, f"Open {path}")


def side_by_side(nuclei, drawn, prior, steps):
    """Train a network on each target, each in a process of its own.

    Args:
        nuclei: Nuclei.
        drawn: their label maps as drawn, (N, H, W).
        prior: BoundaryPrior of who drew them.
        steps: of each training.

    Returns:
        dict from a target to the probabilities (N, H, W, 2) of the images to test on.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(threads, str(max(1, (os.cpu_count() or 1) // len(TARGETS))))
    with multiprocessing.get_context("spawn").Pool(len(TARGETS)) as pool:
        maps = pool.starmap(trained, [(name, nuclei, drawn, prior, steps) for name in TARGETS], chunksize=1)
    return dict(zip(TARGETS, maps))


def trained(target, nuclei, drawn, prior, steps):
    """Train a U-Net on the drawings by one target; its probabilities (N, H, W, 2) of the images to test on."""
    keras.utils.set_random_seed(0)
    network = unet(num_classes=2, **symmetric(WIDTH, DEPTH), image_shape=(None, None, 1))
    rasters = SceneRasters(nuclei.images[TRAIN], {"": drawn[TRAIN]})
    crops = Crops(rasters, CROP, BATCH_SIZE, crops_per_image=steps * BATCH_SIZE // len(rasters))
    rate = learning_rate(0.003, "cosine", steps)
    network.compile(keras.optimizers.Adam(rate), objective(target, prior=prior, background=0))
    network.fit(crops, epochs=1, verbose=0, shuffle=False)
    logits = network.predict(nuclei.images[TEST], verbose=0)
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits))


def page(pairs, interval, nuclei, drawn, maps, scores, ratio):
    """The page: what was measured, in pictures and numbers, and what to do next. Arguments as `main` has them."""
    largest = sorted(pairs, key=np.sum, reverse=True)
    shown = largest[:: max(1, len(pairs) // (4 * SHOWN))][:SHOWN]
    people = drawings_of_people(shown, [f"mean area {masks.sum((1, 2)).mean():.0f} px" for masks in shown])
    pictures = {"image": nuclei.images[TEST, ..., 0], "true": 255 * nuclei.labels[TEST], "drawn": 255 * drawn[TEST]}
    pictures |= {name: np.rint(255 * one[..., 1]).astype(np.uint8) for name, one in maps.items()}
    fullest = [fullest_window(one) for one in nuclei.labels[TEST]]
    pictures = {name: np.stack([one[at] for one, at in zip(of_all, fullest)]) for name, of_all in pictures.items()}
    rows = [
        f"<tr><th>{style(name)[0]}</th><td>{one['mean_dice_foreground']:.3f}</td>"
        f"<td>{one['surface_distance']:.2f} px</td><td>{one['area']:.2f}</td></tr>"
        for name, one in scores.items()
    ]
    usual, better = (scores[name] for name in TARGETS)
    _, differences, cases = real_images.committed()
    case = cases.loc[cases["error_over_width"].idxmax(), "case"]
    of_case = differences[(differences["case"] == case) & (differences["baseline"] == TARGETS[0])]
    many = of_case.set_index(["target", "metric"]).loc[(TARGETS[1], "mean_dice_foreground")]
    return PAGE_TEMPLATE.substitute(
        deviation=f"{interval.loc['px', 'estimate']:.2f} px",
        interval=f"{interval.loc['px', 'low']:.2f} to {interval.loc['px', 'high']:.2f} px",
        millimetres=f"{interval.loc['mm', 'estimate']:.2f} mm",
        slices=len(pairs),
        people=embedded(people),
        outlines=embedded(outlines(pictures, TARGETS)),
        rows="".join(rows),
        factor=f"{FACTOR:g}",
        ratio=f"{100 * ratio:.0f}%",
        gain=f"{100 * (better['mean_dice_foreground'] - usual['mean_dice_foreground']):+.1f}",
        larger=f"{usual['area']:.2f}",
        train=len(nuclei[TRAIN]),
        test=len(nuclei[TEST]),
        seeds=many.seeds,
        many=escape(in_words(many)),
    )


def fullest_window(labels):
    """The part of an image, SIDE px wide, with the most pixels of nuclei, as slices of its rows and columns."""
    sums = sliding_window_view(labels, (SIDE, SIDE)).sum((2, 3), dtype=int)
    return tuple(slice(start, start + SIDE) for start in np.unravel_index(sums.argmax(), sums.shape))


def embedded(figure):
    """A figure as an element of the page, with a text for readers who cannot see it; on a phone it moves sideways."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    data = base64.b64encode(file.getvalue()).decode()
    image = f'<img src="data:image/png;base64,{data}" alt="{escape(described(figure), quote=True)}">'
    return f'<div class="figure" tabindex="0">{image}</div>'


def say(start, text):
    """Print what happens now, with the seconds since the start."""
    print(f"[{time.monotonic() - start:3.0f} s] {text}", flush=True)


if __name__ == "__main__":
    main()
