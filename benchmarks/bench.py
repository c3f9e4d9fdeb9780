"""What the library costs, as ratios within one run: `make bench` prints a table of each ratio beside its aim.

Alternatives are timed in turn, several times over, and compared by their medians, so that what else the machine does
falls on all of them alike. Nothing here is a test. `benchmarks/bench.py few_labels rasters` runs these parts alone.
"""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
from few_labels import few_labels
from memory import memory
from targets import KNOWN, adjacency, compiled, soft_labels, training_steps
from teachers import teachers
from timing import InTurn, medians

from thesis_lib import checks
from thesis_lib.data import splits
from thesis_lib.data.batches import SceneBatches
from thesis_lib.data.class_table import ClassTable
from thesis_lib.data.crops import Crops
from thesis_lib.data.segmentation_folder import load_segmentation_folder
from thesis_lib.models.deeplab import deeplab
from thesis_lib.models.unet import symmetric, unet
from thesis_lib.paths import REPOSITORY
from thesis_lib.segmentation import tiles
from thesis_lib.targets import objectives


def fit(report):
    """Keras's fit beside the bare compiled step on the same number of resident batches."""
    train = splits.load_scenes("sample").train
    model = compiled(objectives.objective("forward", prior=KNOWN))
    images, labels = (np.tile(a[:192], (4,) + (1,) * (a.ndim - 1)) for a in (train.images, train.labels))
    resident = [
        tuple(keras.ops.convert_to_tensor(a[i : i + 16]) for a in (images, labels)) for i in range(0, len(images), 16)
    ]
    times = InTurn(resident)
    model.fit(SceneBatches(images, labels, 16, seed=0), epochs=6, verbose=0, callbacks=[times])
    report("fit: throughput / that of the bare step", np.median(times.bare[1:]) / np.median(times.fit[1:]), ">= 0.95")


def rasters(report):
    """Buildings: colours to classes, tiled prediction beside plain batches, and a DeepLab step beside `fit`."""
    generator = np.random.default_rng(0)
    table = ClassTable(tuple("abcdefghij"), tuple((20 * k, 255 - 10 * k, k) for k in range(10)))
    picture = table.to_picture(generator.integers(0, 10, (1500, 1500)).astype(np.uint8))
    compare = lambda: np.argmax([(picture == colour).all(-1) for colour in np.array(table.colours)], 0)
    found = medians({"table": lambda: table.to_classes(picture), "compare": compare}, 5)
    report(
        "colours to classes: comparing with each of 10 classes / look-up",
        found["compare"] / found["table"],
        "at least 10",
    )

    # As many pixels through the network in tiles as in plain batches: what overlaps is predicted twice on purpose.
    model = unet(2, **symmetric(8, 3))
    tile, margin, blend = 256, 16, 16
    stride = tile - 2 * margin - blend
    image = generator.integers(0, 256, (5 * stride + tile, 5 * stride + tile, 1)).astype(np.uint8)
    plain = generator.integers(0, 256, (36, tile, tile, 1)).astype(np.uint8)
    batches = lambda: [model.predict_on_batch(plain[i : i + 4]) for i in range(0, 36, 4)]
    found = medians(
        {"tiles": lambda: tiles.predict(model, image, tile=tile, margin=margin, blend=blend), "plain": batches}, 3
    )
    report("tiled prediction / the same pixels in plain batches", found["tiles"] / found["plain"], "at most 1.15")

    buildings = load_segmentation_folder(REPOSITORY / "sample_data" / "buildings")
    network = deeplab(2, 18, None, filters=64, dilation_rates=(1, 2, 3))
    network.compile("adam", objectives.objective("dice"))
    crops = Crops(buildings.train, 128, 8, crops_per_image=6)
    times = InTurn([crops[i] for i in range(len(crops))])
    network.fit(crops, epochs=4, verbose=0, callbacks=[times])
    report(
        "DeepLabV3+ (ResNet-18): bare steps / fit with crops read from files",
        np.median(times.bare[1:]) / np.median(times.fit[1:]),
        "at least 0.95",
    )


def backends(report):
    """Losses beside cross-entropy on each backend that is installed, see losses.py."""
    for backend in ("tensorflow", "jax", "torch"):
        if importlib.util.find_spec(backend):
            environment = {**os.environ, "KERAS_BACKEND": backend}
            subprocess.run([sys.executable, REPOSITORY / "benchmarks" / "losses.py"], check=True, env=environment)


def others(report):
    """DeepLabV3+ beside another package's, where that is installed, see others.py."""
    if importlib.util.find_spec("segmentation_models_pytorch"):
        subprocess.run([sys.executable, REPOSITORY / "benchmarks" / "others.py"], check=True)


def main():
    print(
        f"{keras.backend.backend()}, {os.cpu_count()} cores\n\n| ratio | measured | aim |\n| --- | --- | --- |",
        flush=True,
    )
    report = lambda what, ratio, aim: print(f"| {what} | {ratio:.2f} | {aim} |", flush=True)
    parts = {
        part.__name__: part
        for part in (
            training_steps,
            soft_labels,
            adjacency,
            fit,
            few_labels,
            teachers,
            rasters,
            memory,
            backends,
            others,
        )
    }
    for part in [parts[checks.one_of("part", name, parts)] for name in sys.argv[1:] or parts]:
        part(report)


if __name__ == "__main__":
    main()
