"""What targets cost: a training step on each, soft labels, and counts of adjacent classes."""

import keras
import numpy as np
from scipy import ndimage
from timing import medians

from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.data import splits
from thesis_lib.models.unet import symmetric, unet
from thesis_lib.targets import class_matrices, objectives, smoothing
from thesis_lib.training import optimization

KNOWN = BoundaryPrior.known(1.0)
FITTED = BoundaryPrior(0.0, 200.0, 60.0, 60.0)  # what a few doubly annotated scenes leave: 120 degrees of freedom
WEAK = BoundaryPrior()  # before any measurement: 4 degrees of freedom
PEOPLE = BoundaryPrior(0.0, 3.56, 2.37, 4.64)  # twice the errors of radiologists


def compiled(loss, num_classes):
    model = unet(num_classes, **symmetric(16, 4), image_shape=(None, None, 1))
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
        "shifted boundaries, sigma known": objectives.objective("shift", prior=KNOWN, background=batch.background),
    }
    _beside_the_first(report, losses, batch, 11)
    nuclei = splits.load_scenes("nuclei-sample/2").train[:2]
    two = {
        "one-hot": objectives.objective("one_hot"),
        "shifted boundaries, twice radiologists' error, two classes": objectives.objective(
            "shift", prior=PEOPLE, background=0
        ),
    }
    _beside_the_first(report, two, nuclei, 2)


def _beside_the_first(report, losses, batch, num_classes):
    models = {name: compiled(loss, num_classes) for name, loss in losses.items()}
    found = medians({n: lambda m=m: m.train_on_batch(batch.images, batch.labels) for n, m in models.items()}, 25)
    first, *others = losses
    for name in others:
        report(f"step: {name} / {first}", found[name] / found[first], "<= 1.10")


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
