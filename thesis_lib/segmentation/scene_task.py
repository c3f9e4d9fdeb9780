"""Scenes as a segmentation task: labels drawn by a simulated annotator, a prior from them, scores on true labels."""

from functools import cached_property
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from thesis_lib.annotation.geometry import shift_boundaries
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.simulated import annotator
from thesis_lib.data.batches import SceneBatches
from thesis_lib.data.splits import load_scenes
from thesis_lib.metrics import summary
from thesis_lib.paths import REPOSITORY
from thesis_lib.segmentation.scores import Scores
from thesis_lib.targets.losses import class_weights
from thesis_lib.targets.smoothing import adjacency


class SceneTask:
    """What a `Run` needs of small scenes in memory. Every seed draws the training and validation labels anew."""

    def __init__(self, run):
        self.run = run
        self.draw = annotator(run.annotator, **run.annotator_parameters)
        self.seeds = [int(s) for s in np.random.SeedSequence(run.seed).generate_state(4)]  # of the drawings

    def share(self, other):
        """Take over what another task has read already."""
        for name in ("splits",):
            if name in other.__dict__:
                self.__dict__[name] = other.__dict__[name]

    @cached_property
    def splits(self):
        run = self.run
        is_number = str(run.data).strip().isdigit()
        if run.data != "sample" and not is_number and not (REPOSITORY / str(run.data)).exists():
            raise FileNotFoundError(
                "data must be 'sample', a number of scenes, an .npz file, or a folder of images and masks; "
                f"got {run.data!r}, which is none of these"
            )
        return load_scenes(run.data, 0, run.train_scenes, run.validation_scenes, run.test_scenes)

    @property
    def background(self):
        return self.splits.train.background

    @property
    def class_names(self):
        return self.splits.train.class_names

    @property
    def image_shape(self):
        return self.splits.train.images.shape[1:]

    @property
    def identity(self):
        """What else the training depends on, besides the run's parameters."""
        return {"scenes": self.splits.fingerprint}

    def prepare(self):
        """Nothing is left to check before the training."""

    @cached_property
    def drawn(self):
        """(training labels, validation labels) as the annotator drew them."""
        return self.draw(self.splits.train.labels, self.seeds[0]), self.draw(
            self.splits.validation.labels, self.seeds[1]
        )

    def prior(self, kind):
        """The BoundaryPrior: "fitted" on scenes that are drawn twice, or "measured" against their true labels."""
        some = slice(0, self.run.prior_scenes)
        true = self.splits.train.labels[some]
        other = self.draw(true, self.seeds[2]) if kind == "fitted" else true
        fit = BoundaryPrior().fit_pair if kind == "fitted" else BoundaryPrior().fit
        return fit(self.drawn[0][some], other, self.background, self.run.search_radius)

    @cached_property
    def labels(self):
        """(training labels, validation labels) to learn from: without the bias where the objective uses the prior."""
        if not self.run.uses_prior:
            return self.drawn
        return tuple(shift_boundaries(drawn, -self.run.boundary_prior.mean, self.background) for drawn in self.drawn)

    def adjacency(self):
        return adjacency(self.labels[0], len(self.class_names))

    def class_weights(self):
        if self.run.class_weights == "uniform":
            return None
        return class_weights(self.run.class_weights, self.labels[0], len(self.class_names), self.background)

    def batches(self):
        """(training batches, validation batches)."""
        run, (train, validation) = self.run, self.labels
        return (
            SceneBatches(self.splits.train.images, train, run.batch_size, run.seed, together=run.augment),
            SceneBatches(self.splits.validation.images, validation, run.batch_size, together=run.augment),
        )

    def metrics(self):
        return []

    def watched(self):
        """What the best epoch is chosen by: the loss on validation labels as drawn, since nobody has true ones."""
        return {"monitor": "val_loss", "mode": "min"}

    def probabilities(self, network, image):
        """float32 (H, W, K) of one image (H, W, C)."""
        return keras.ops.convert_to_numpy(keras.ops.softmax(network.predict(image[None], verbose=0)))[0]

    def score(self, network, folder):
        """`Scores` on the test scenes; writes `scenes.npz`, scores of each, and `predictions.npz` into the folder."""
        test = self.splits.test
        logits = network.predict(test.images, batch_size=self.run.batch_size, verbose=0)
        probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
        row, per_scene, reliability = summary.evaluate(test.labels, probabilities, self.background)
        classes = probabilities.argmax(-1).astype(np.uint8)
        foreground = np.rint(255 * (1 - probabilities[..., self.background])).astype(np.uint8)
        np.savez_compressed(Path(folder) / "scenes.npz", **per_scene)
        np.savez_compressed(Path(folder) / "predictions.npz", classes=classes, foreground=foreground)
        images = pd.DataFrame({name: values for name, values in per_scene.items() if values.ndim == 1})
        return Scores(row, images.rename_axis("scene"), probabilities=probabilities, reliability=reliability)
