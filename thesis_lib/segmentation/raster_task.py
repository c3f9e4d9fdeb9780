"""A folder of images and masks as a segmentation task: prior from several annotators, crops, scores of whole images."""

import os
import warnings
from functools import cached_property
from pathlib import Path

import keras
import numpy as np

from thesis_lib import checks
from thesis_lib.annotation.agreement import agreement, prior_table
from thesis_lib.annotation.geometry import shift_boundaries
from thesis_lib.data.crops import Crops, RasterTiles
from thesis_lib.data.segmentation_folder import load_segmentation_folder, warn_of_absent_classes
from thesis_lib.labels import IGNORE
from thesis_lib.paths import REPOSITORY
from thesis_lib.segmentation import tiles
from thesis_lib.segmentation.prediction import score_rasters
from thesis_lib.segmentation.scores import Scores
from thesis_lib.segmentation.settings import CROP
from thesis_lib.targets.smoothing import adjacency

NO_PRIOR = (
    "prior_sigma must be given, for example 1.5: the standard deviation of drawn outlines in px. "
    "Only masks of two annotators, or an annotator's beside plain ones, show it"
)


class RasterTask:
    """What a `Run` needs of a folder of images and masks.

    Where several annotators drew an image, its plain mask counts as true: it judges validation and test images. The
    plain masks of the first `gold_images` training images serve as gold standard for the annotators.
    """

    image_shape = (None, None, 3)

    def __init__(self, run):
        self.run = run

    def share(self, other):
        """Take over what another task has read already."""
        for name in ("splits", "agreement", "gold_agreement"):
            if name in other.__dict__:
                self.__dict__[name] = other.__dict__[name]

    @cached_property
    def splits(self):
        run = self.run
        return load_segmentation_folder(REPOSITORY / run.data, run.classes, run.unknown, 0)

    @property
    def background(self):
        return self.run.background or 0

    @property
    def class_names(self):
        return self.splits.classes.names

    @property
    def identity(self):
        """What else the training depends on, besides the run's parameters."""
        return {"files": self.splits.fingerprint}

    def prepare(self):
        """Read every file once, so that no training ends by a damaged one; warns of classes that no mask holds."""
        checks.integer("background", self.background, 0, self.splits.num_classes - 1)
        warn_of_absent_classes(self.splits)
        run, rate = self.run, max(self.run.dilation_rates)
        if run.network == "deeplab" and 32 * rate >= min(self.crop, run.tile):
            warnings.warn(
                f"dilation_rates of {rate} cells of 32 px reach beyond crops of {self.crop} or tiles of {run.tile} px: "
                "weights that meet nothing there are not learned",
                stacklevel=3,
            )

    @cached_property
    def annotators(self):
        """Names of the mask folders to train on; "" is the plain one."""
        known = self.splits.train.masks
        if self.run.annotators is None:
            return sorted(name for name in known if name) or [""]
        return [checks.one_of("annotators", name, known) for name in self.run.annotators]

    @cached_property
    def agreement(self):
        """`Agreement` of annotators with their consensus. None for one annotator or, with a warning, on failure."""
        if len(self.annotators) < 2:
            return None
        return self._measured({name: self.splits.train.drawn_by(name) for name in self.annotators}, None)

    @cached_property
    def gold_agreement(self):
        """`Agreement` of each annotator with the plain masks of the first `gold_images`; likewise."""
        if not self.run.gold_images or self.annotators == [""]:
            return None
        some = self.splits.train[: self.run.gold_images]
        return self._measured({name: some.drawn_by(name) for name in self.annotators if name}, some.drawn_by(""))

    def _measured(self, drawings, true):
        try:
            return agreement(drawings, true, self.background, self.run.search_radius)
        except ValueError as error:
            against = "each other" if true is None else "gold-standard masks"
            warnings.warn(f"annotators could not be measured against {against}: {error}", stacklevel=2)
            return None

    def annotator_table(self):
        """DataFrame with bias and sigma of each annotator, with intervals; None where nothing was measured."""
        priors = {}
        if self.agreement is not None:
            priors = {f"{name}, against the consensus": prior for name, prior in self.agreement.annotators.items()}
            priors["all, bias taken out"] = self.agreement.prior
        if self.gold_agreement is not None:
            masks = f"against {min(self.run.gold_images, len(self.splits.train))} gold masks"
            priors |= {f"{name}, {masks}": prior for name, prior in self.gold_agreement.annotators.items()}
        return prior_table("annotator", priors) if priors else None

    def prior(self, kind):
        """The BoundaryPrior of all annotators: "fitted" on their disagreement, or "measured" against gold masks.

        Where the disagreement cannot be measured, the prior is measured against gold-standard masks.
        """
        measured = (self.agreement if kind == "fitted" else None) or self.gold_agreement
        if measured is None:
            raise ValueError(NO_PRIOR)
        return measured.prior

    @cached_property
    def biases(self):
        """Bias of each annotator, px, that objectives with a prior take out of their masks."""
        measured = self.agreement or self.gold_agreement
        if measured is None:
            return dict.fromkeys(self.annotators, self.run.prior_mean)
        return {name: prior.mean for name, prior in measured.annotators.items()}

    def _without_bias(self, mask, annotator):
        return shift_boundaries(mask, -self.biases.get(annotator, 0.0), self.background)

    def adjacency(self):
        maps = (mask for name in self.annotators for mask in self.splits.train.drawn_by(name))
        return sum(adjacency(one[None], self.splits.num_classes) for one in maps)

    def class_weights(self):
        return None

    @property
    def crop(self):
        """Side of the training crops, px."""
        return self.run.crop or CROP

    def crops(self):
        run = self.run
        transform = self._without_bias if run.uses_prior and any(self.biases.values()) else None
        return Crops(
            self.splits.train,
            self.crop,
            run.batch_size,
            run.seed,
            run.crops_per_image,
            self.annotators,
            transform,
            workers=run.workers or os.cpu_count(),
        )

    def batches(self):
        """(training batches, validation batches)."""
        return self.crops(), RasterTiles(self.splits.validation, self.run.tile)

    @property
    def objects(self):
        """The classes besides the background."""
        return [k for k in range(self.splits.num_classes) if k != self.background]

    def metrics(self):
        options = {"ignore_class": IGNORE, "sparse_y_pred": False, "name": "iou"}
        return [keras.metrics.IoU(self.splits.num_classes, self.objects, **options)]

    def watched(self):
        """What the best epoch is chosen by: validation IoU, or the loss where no validation mask holds an object."""
        validation = self.splits.validation
        for i in range(len(validation)):
            if np.isin(validation.mask(i), self.objects).any():
                return {"monitor": "val_iou", "mode": "max"}
        warnings.warn(
            "no validation mask holds an object, so there is no IoU: the epoch with the least validation loss is kept",
            stacklevel=2,
        )
        return {"monitor": "val_loss", "mode": "min"}

    @property
    def tiling(self):
        run = self.run
        return {"tile": run.tile, "margin": run.margin, "blend": max(run.margin, 1)}

    def probabilities(self, network, image):
        """float32 (H, W, K) of one image (H, W, 3) of any size, tile by tile."""
        return np.concatenate([part for _, part in tiles.bands(network, image, **self.tiling)])

    def score(self, network, folder):
        """`Scores` on the test images; writes the classes and the object probability of each into `folder/test`."""
        into, test = Path(folder) / "test", self.splits.test
        options = {"tolerance": self.run.tolerance, **self.tiling}
        images, classes = score_rasters(network, test, self.splits.classes, into, self.background, **options)
        names = {Path(path).stem for path in test.images}
        for old in [*into.glob("*_classes.png"), *into.glob("*_probability.png")]:
            if old.stem.rpartition("_")[0] not in names:
                old.unlink()  # an earlier run's, of other images
        return Scores(images.mean().to_dict(), images, classes)
