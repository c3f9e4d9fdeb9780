"""What the library costs, as ratios within one run: `make bench` prints a table of each ratio beside its aim.

Alternatives are timed in turn, several times over, and compared by their medians, so that what else the machine does
falls on all of them alike. Nothing here is a test. `benchmarks/bench.py few_labels rasters` runs these parts alone.
"""

import importlib.util
import os
import subprocess
import sys
import time

import keras
import numpy as np
from scipy import ndimage
from teachers import teachers
from timing import medians

from thesis_lib import checks
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.data import splits
from thesis_lib.data.batches import SceneBatches
from thesis_lib.data.class_table import ClassTable
from thesis_lib.data.crops import Crops
from thesis_lib.data.segmentation_folder import load_segmentation_folder
from thesis_lib.models.convnet13 import convnet13
from thesis_lib.models.deeplab import deeplab
from thesis_lib.models.unet import symmetric, unet
from thesis_lib.paths import REPOSITORY
from thesis_lib.segmentation import tiles
from thesis_lib.semi_supervised import Batches, MeanTeacher, MixMatch
from thesis_lib.targets import class_matrices, objectives, smoothing
from thesis_lib.training import optimization

KNOWN = BoundaryPrior.known(1.0)
FITTED = BoundaryPrior(0.0, 200.0, 60.0, 60.0)  # what a few doubly annotated scenes leave: 120 degrees of freedom
WEAK = BoundaryPrior()  # before any measurement: 4 degrees of freedom


def compiled(loss):
    model = unet(11, **symmetric(16, 4), image_shape=(64, 84, 1))
    model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=optimization.use_xla("auto"))
    return model


def training_steps(report):
    """A step on each target beside the same step with Keras's own cross-entropy on integer labels."""
    batch = splits.load_scenes("sample").train[:16]
    losses = {
        "one-hot": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "forward likelihood, sigma known": objectives.objective("forward", prior=KNOWN),
        "forward likelihood, fitted prior": objectives.objective("forward", prior=FITTED),
        "posterior soft labels, sigma known": objectives.objective("posterior", prior=KNOWN),
        "posterior soft labels, fitted prior": objectives.objective("posterior", prior=FITTED),
    }
    models = {name: compiled(loss) for name, loss in losses.items()}
    found = medians({n: lambda m=m: m.train_on_batch(batch.images, batch.labels) for n, m in models.items()}, 25)
    for name in list(losses)[1:]:
        report(f"step: {name} / one-hot", found[name] / found["one-hot"], "<= 1.10")


def soft_labels(report):
    """Soft labels of 64 scenes of 512 x 512 px with 11 classes, eight at a time."""
    labels = np.random.default_rng(0).integers(0, 11, (8, 32, 32)).repeat(16, 1).repeat(16, 2)
    batches = 8

    def ours(prior):
        rule = smoothing.Posterior(prior)
        return lambda: [np.asarray(rule(labels, 11)) for _ in range(batches)]

    def scipy():
        for _ in range(batches):
            one_hot = np.eye(11, dtype=np.float32)[labels]
            for scene in one_hot:
                for k in range(11):
                    scene[..., k] = ndimage.gaussian_filter(scene[..., k], 1.0, mode="nearest")

    found = medians({"scipy": scipy, "known": ours(KNOWN), "fitted": ours(FITTED), "weak": ours(WEAK)}, 3)
    report(
        "soft labels: SciPy's gaussian_filter per class / ours, sigma known", found["scipy"] / found["known"], ">= 3"
    )
    report("soft labels: Student-t, fitted prior / Gaussian", found["fitted"] / found["known"], "<= 3")
    report("soft labels: Student-t, no measurement yet / Gaussian", found["weak"] / found["known"], "")


def adjacency(report):
    """Adjacency counts of 5,000 scenes beside a loop over classes and directions with np.unique."""
    sample = splits.load_scenes("sample").train.labels
    labels = np.tile(sample, (25, 1, 1))

    def loop():
        counts = np.zeros((11, 11), np.int64)
        padded = np.pad(labels, ((0, 0), (1, 1), (1, 1)), constant_values=255)
        for j in range(11):
            centre = labels == j
            for rows, columns in ((0, 1), (2, 1), (1, 0), (1, 2)):
                neighbours = padded[:, rows : rows + 64, columns : columns + 84][centre]
                found, number = np.unique(neighbours, return_counts=True)
                inside = found < 11
                counts[j, found[inside]] += number[inside]
        return counts

    assert (loop() == class_matrices.adjacency(labels, 11)).all()
    found = medians({"loop": loop, "ours": lambda: class_matrices.adjacency(labels, 11)}, 3)
    report("adjacency: np.unique loop / ours", found["loop"] / found["ours"], ">= 20")


class InTurn(keras.callbacks.Callback):
    """Times every epoch of a fit, and after each the same number of bare compiled steps."""

    def __init__(self, batches):
        super().__init__()
        self.batches, self.fit, self.bare = batches, [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.fit.append(time.perf_counter() - self.start)
        start = time.perf_counter()
        for x, y in self.batches:
            self.model.train_on_batch(x, y)
        self.bare.append(time.perf_counter() - start)


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


class BarePasses(keras.Model):
    """The passes of a MixMatch step alone: forward over the views, then forward and backward over everything."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.built = True

    def call(self, images, training=False):
        guess = keras.ops.stop_gradient(self.network(images[LABELLED:], training=training))
        return self.network(images, training=training) + 1e-6 * keras.ops.mean(guess)


LABELLED, UNLABELLED = 32, 64


def few_labels(report):
    """Steps of mean teacher and MixMatch, and their input pipeline, on a convolutional network."""
    generator = np.random.default_rng(0)
    draw = lambda n: generator.integers(0, 256, (n, 28, 28, 1)).astype(np.uint8)
    network = lambda: convnet13(10, (28, 28, 1), width=32)
    hard, soft = (
        kind(from_logits=True)
        for kind in (keras.losses.SparseCategoricalCrossentropy, keras.losses.CategoricalCrossentropy)
    )
    models = {
        "supervised": network(),
        "mean teacher": MeanTeacher(network()),
        "passes": BarePasses(network()),
        "mixmatch": MixMatch(network()),
    }
    for name, model in models.items():
        model.compile(
            keras.optimizers.Adam(1e-3), soft if name == "mixmatch" else hard, jit_compile=optimization.use_xla("auto")
        )
    inputs = {"labelled": draw(LABELLED), "labels": generator.integers(0, 10, LABELLED), "unlabelled": draw(UNLABELLED)}
    same, more = (draw(LABELLED + k * UNLABELLED).astype("float32") for k in (1, 2))
    classes = lambda images: generator.integers(0, 10, len(images))
    found = medians({
        "supervised": lambda: models["supervised"].train_on_batch(same, classes(same)),
        "mean teacher": lambda: models["mean teacher"].train_on_batch(inputs),
        "passes": lambda: models["passes"].train_on_batch(more, classes(more)),
        "mixmatch": lambda: models["mixmatch"].train_on_batch(inputs),
    }, 15)  # fmt: skip
    report("step: mean teacher / supervised, as many images", found["mean teacher"] / found["supervised"], "<= 2.20")
    report("step: MixMatch, K = 2 / its passes alone", found["mixmatch"] / found["passes"], "<= 1.15")

    batches = Batches(draw(100), np.arange(100) % 10, draw(1280), LABELLED, UNLABELLED)
    resident = [
        ({k: keras.ops.convert_to_tensor(v) for k, v in batches[i][0].items()}, None) for i in range(len(batches))
    ]
    times = InTurn(resident)
    models["mean teacher"].fit(batches, epochs=6, verbose=0, callbacks=[times])
    report(
        "fit, few labels: throughput / that of the bare step",
        np.median(times.bare[1:]) / np.median(times.fit[1:]),
        ">= 0.95",
    )


PEAK = """
import re, sys
import numpy as np
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1)) / 1024
count = int(sys.argv[2])
"""
SCENES = """
from thesis_lib.data import SceneBatches, load_scenes
from thesis_lib.targets import objective
sys.path.insert(0, sys.argv[1])
from bench import KNOWN, compiled
train = load_scenes("sample").train
images, labels = (np.tile(a, (-(-count // 200),) + (1,) * (a.ndim - 1))[:count] for a in (train.images, train.labels))
model = compiled(objective("forward", prior=KNOWN))
model.fit(SceneBatches(images, labels, 16, seed=0), epochs=1, verbose=0)
print(peak(), (images.nbytes + labels.nbytes) / 2**20)
"""
UNLABELLED_IMAGES = """
from thesis_lib.data import Images, ImageSplits
from thesis_lib.semi_supervised import Run
images = np.random.default_rng(0).integers(0, 256, (count, 28, 28, 1), np.uint8)
labels = np.arange(count) % 10
few = Images(images[:100], labels[:100])
splits = ImageSplits(Images(images, labels), few, few, tuple("0123456789"))
short = {"width": 16, "epochs": 1, "pretraining_epochs": 1, "unlabelled_batch_size": 1000}
Run(method="mean_teacher", network="mlp_dropout_dae", **short).train(splits=splits)
print(peak(), (images.nbytes + labels.nbytes) / 2**20)
"""


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


def memory(report):
    """Peak memory of training on some and on ten times as many images, beyond what these take themselves."""
    for what, script, counts in (
        ("scenes", SCENES, (1000, 10000)),
        ("images without a label", UNLABELLED_IMAGES, (20000, 200000)),
    ):
        beyond = []
        for count in counts:
            words = [sys.executable, "-c", PEAK + script, os.path.dirname(os.path.abspath(__file__)), str(count)]
            peak, size = map(
                float, subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[-2:]
            )
            beyond.append(peak - size)
        report(
            f"memory: beyond the data's own size, {counts[1]:,} {what} ({size:.0f} MB) / {counts[0]:,}",
            beyond[1] / beyond[0],
            "<= 1.10",
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
