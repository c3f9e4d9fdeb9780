"""Scenes as a segmentation task: labels drawn by a simulated annotator, a prior from them, scores on true labels."""

from functools import cached_property
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from thesis_lib.annotation.geometry import shift_boundaries
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.simulated import Population, annotator
from thesis_lib.data.batches import SceneBatches
from thesis_lib.data.crops import Crops, SceneRasters
from thesis_lib.data.partly_labelled import (
    OF_UNLABELLED,
    PartlyLabelledBatches,
    check_labelled,
    repeats,
    unlabelled_maps,
)
from thesis_lib.data.splits import load_scenes
from thesis_lib.files import write_arrays
from thesis_lib.metrics import calibration, summary
from thesis_lib.paths import REPOSITORY, data_folder
from thesis_lib.segmentation.scores import Scores
from thesis_lib.targets.class_matrices import adjacency
from thesis_lib.targets.losses import class_weights

OF_ANNOTATION = ("log_loss_of_drawing", "log_loss_of_drawing_blurred")  # of the probabilities, and of their blur


class SceneTask:
    """What a `Run` needs of small scenes in memory. Every seed draws the training and validation labels anew.

    Args:
        run: Run.
        base: a SceneTask of the same data, which this one asks for the scenes.
    """

    spacing = None  # lengths are in px

    def __init__(self, run, base=None):
        self.run, self.base = run, base
        self.draw = annotator(run.annotator, **run.annotator_parameters)
        self.seeds = [int(s) for s in np.random.SeedSequence(run.seed).generate_state(4)]  # of the drawings

    @cached_property
    def splits(self):
        if self.base:
            return self.base.splits
        run = self.run
        if not run.is_named and not (REPOSITORY / str(run.data)).exists():
            raise FileNotFoundError(
                "data must be 'sample', a number of scenes, an .npz file, or a folder of images and masks; got "
                f"{run.data!r}, and there is no {REPOSITORY / str(run.data)} nor {data_folder() / str(run.data)}"
            )
        return load_scenes(run.data, 0, run.train_scenes, run.validation_scenes, run.test_scenes)

    @property
    def labelled(self):
        """The training scenes that carry labels."""
        return self.splits.train[: self.run.labelled]

    @property
    def background(self):
        return self.splits.train.background

    @property
    def class_names(self):
        return self.splits.train.class_names

    outputs = class_names

    @property
    def image_shape(self):
        """Of the network's images: (H, W, C), H and W None where it is trained on crops."""
        height, width, channels = self.splits.train.images.shape[1:]
        return (height, width, channels) if self.run.crop is None else (None, None, channels)

    @property
    def identity(self):
        """What else the training depends on, besides the run's parameters."""
        return {"scenes": self.splits.fingerprint}

    def prepare(self):
        """Check what a training would end by: how many scenes are labelled, which bias is taken out of the labels."""
        check_labelled(self.run, len(self.splits.train))
        self.bias  # noqa: B018

    @cached_property
    def drawn(self):
        """(training labels, validation labels) as the annotator drew them."""
        return self._drawing(self.labelled, 0), self._drawing(self.splits.validation, 1)

    def _drawing(self, scenes, number):
        """The labels of scenes as the annotator draws them, another drawing for each number."""
        own = {} if scenes.objects is None or not isinstance(self.draw, Population) else {"objects": scenes.objects}
        return self.draw(scenes.labels, self.seeds[number], **own)

    def test_drawing(self):
        """The labels of the test scenes as the annotator draws them, which no network has seen."""
        return self._drawing(self.splits.test, 3)

    def prior(self, kind):
        """The BoundaryPrior: "fitted" or "population" from scenes drawn twice, "measured" against their true labels."""
        some = self.labelled[: self.run.prior_scenes]
        drawn, options = self.drawn[0][: len(some)], (self.background, self.run.search_radius)
        if kind == "measured":
            return BoundaryPrior().fit(drawn, some.labels, *options)
        return BoundaryPrior().fit_pair(drawn, self._drawing(some, 2), *options, population=kind == "population")

    @cached_property
    def bias(self):
        """Of the annotator, px, that is taken out of the labels to learn from."""
        run, against = self.run, self.run.bias_against
        if against == "consensus":
            raise ValueError(
                "bias_against must be 'judge', 'none' or None where the data are scenes, which one annotator draws; "
                "got 'consensus'"
            )
        if against == "judge":
            if run.uses_prior and not run.moves_labels:
                raise ValueError(
                    f"bias_against must be None or 'none' for the objective {run.objective}, which takes the bias into "
                    "the likelihood; got 'judge'"
                )
            return self.prior("measured").mean
        return run.boundary_prior.mean if against is None and run.moves_labels else 0.0

    @cached_property
    def labels(self):
        """(training labels, validation labels) to learn from, without the `bias`."""
        if self.bias == 0:
            return self.drawn
        return tuple(shift_boundaries(drawn, -self.bias, self.background) for drawn in self.drawn)

    def adjacency(self):
        return adjacency(self.labels[0], len(self.class_names))

    def class_weights(self):
        if self.run.class_weights == "uniform":
            return None
        return class_weights(self.run.class_weights, self.labels[0], len(self.class_names), self.background)

    def batches(self):
        """(training batches, validation batches)."""
        run, (train, validation) = self.run, self.labels
        images, others = self.labelled.images, self.splits.train.images[len(train) :]
        if run.uses_unlabelled:
            labelled = self._shown(images, train, run.seed, repeats(len(images), len(others)))
            unlabelled = self._shown(others, unlabelled_maps(others), run.seed + OF_UNLABELLED)
            training = PartlyLabelledBatches(labelled, unlabelled)
        else:
            training = self._shown(images, train, run.seed)
        return training, SceneBatches(self.splits.validation.images, validation, run.batch_size, together=run.augment)

    def _shown(self, images, labels, seed, times=1):
        """Batches of scenes, or of crops of them, each so many times in an epoch."""
        run = self.run
        if run.crop is None:
            return SceneBatches(images, labels, run.batch_size, seed, run.augment, times)
        return Crops(SceneRasters(images, {"": labels}), run.crop, run.batch_size, seed, run.crops_per_image * times)

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
        if self.run.annotator != "none" and self.run.prior_kind is not None:
            per_scene |= self._annotation_scores(probabilities)
            row |= {name: float(per_scene[name].mean()) for name in OF_ANNOTATION}
        classes = probabilities.argmax(-1).astype(np.uint8)
        foreground = np.rint(255 * (1 - probabilities[..., self.background])).astype(np.uint8)
        write_arrays(Path(folder) / "scenes.npz", **per_scene)
        write_arrays(Path(folder) / "predictions.npz", classes=classes, foreground=foreground)
        images = pd.DataFrame({name: values for name, values in per_scene.items() if values.ndim == 1})
        return Scores(row, images.rename_axis("scene"), probabilities=probabilities, reliability=reliability)

    def _annotation_scores(self, probabilities):
        """Log loss of each test scene (nats) as forecasts of what the annotator draws there: dict of arrays (N,)."""
        drawn = self.test_drawing()
        blurred = keras.ops.convert_to_numpy(self.run.drawing(probabilities, self.run.boundary_prior))
        losses = [calibration.per_pixel(drawn, one)[0].mean((1, 2)) for one in (probabilities, blurred)]
        return dict(zip(OF_ANNOTATION, losses))
