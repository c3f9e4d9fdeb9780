"""A folder of images and masks as a segmentation task: prior from several annotators, crops, scores of whole images."""

import math
import os
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from thesis_lib import checks
from thesis_lib.annotation.agreement import agreement, prior_table
from thesis_lib.annotation.geometry import shift_boundaries
from thesis_lib.data.crops import Crops, RasterTiles, SceneRasters
from thesis_lib.data.image_io import image_shape
from thesis_lib.data.raster_checks import warn_of_absent_classes
from thesis_lib.data.rasters import Rasters
from thesis_lib.data.reading import hint_of_papermill, known_name
from thesis_lib.data.segmentation_folder import load_segmentation_folder
from thesis_lib.files import write_arrays
from thesis_lib.labels import IGNORE
from thesis_lib.segmentation import tiles
from thesis_lib.segmentation.prediction import choose_threshold, score_drawings, score_rasters
from thesis_lib.segmentation.scores import Scores
from thesis_lib.segmentation.settings import CROP
from thesis_lib.targets.smoothing import adjacency

NO_PRIOR = (
    "prior_sigma must be given, for example 1.5: the standard deviation of drawn outlines in px. "
    "Only masks of two annotators, or an annotator's beside plain ones, show it"
)
IN_MEMORY = 2**28  # bytes; training images and masks that need no more are read once, not for every crop
STILL = math.sqrt(2) / 4  # px; no centre of a pixel is nearer to a boundary, so a smaller shift changes no mask


@dataclass(frozen=True)
class Drawn:
    """Rasters as each of several annotators drew them, one annotator after the other, for `RasterTiles`.

    Args:
        rasters: `Rasters`.
        annotators: names.
        transform: called with a class map (H, W) and its annotator, returns another one, which is kept; None for none.
    """

    rasters: Rasters
    annotators: list
    transform: Any = None
    kept: dict = field(default_factory=dict, repr=False)

    def __len__(self):
        return len(self.images)

    @property
    def images(self):
        return self.rasters.images * len(self.annotators)

    def image(self, i):
        return self.rasters.image(i % len(self.rasters))

    def mask(self, i):
        number, number_of_raster = divmod(i, len(self.rasters))
        annotator = self.annotators[number]
        if self.transform is None:
            return self.rasters.mask(number_of_raster, annotator)
        if i not in self.kept:
            self.kept[i] = self.transform(self.rasters.mask(number_of_raster, annotator), annotator)
        return self.kept[i]


class RasterTask:
    """What a `Run` needs of a folder of images and masks.

    Without a judge, the plain mask of an image counts as true: it judges validation and test images. A judge is an
    annotator whose masks judge the test images. Validation images are then compared with the masks of every annotator
    to train on, in turn: nobody has others while a network is trained.

    The masks of the first `gold_images` training images that are judged by, plain or the judge's, are the gold standard
    for the annotators. A single annotator and the judge are measured against their consensus there, too.

    Args:
        run: Run.
        base: a RasterTask of the same data, which this one asks for all that it has read or measured.
    """

    image_shape = (None, None, 3)

    def __init__(self, run, base=None):
        self.run, self.base, self.checked = run, base, False

    @cached_property
    def splits(self):
        if self.base:
            return self.base.splits
        run = self.run
        splits = load_segmentation_folder(run.data_path, run.classes, run.unknown, 0, run.folds, run.fold)
        if self.judge not in splits.test.masks:
            known = ", ".join(repr(name) for name in sorted(splits.test.masks) if name)
            plain = " or None, the plain masks" if "" in splits.test.masks else ""
            raise ValueError(
                f"judge must be who drew the test images, {known or 'nobody of a name'}{plain}; got {run.judge!r}"
                + hint_of_papermill(run.judge)
            )
        return splits

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

    def check_files(self):
        """Read every file, once for this task and all that are based on it; warns of classes that no mask holds."""
        if self.base:
            self.base.check_files()
        elif not self.checked:
            warn_of_absent_classes(self.splits, [""] if self.run.judge is None else self.annotators)
            self.checked = True

    def prepare(self):
        """Check what a training would end by: the background, the dilation rates, damaged files."""
        checks.integer("background", self.background, 0, self.splits.num_classes - 1)
        self.check_files()
        run, rate = self.run, max(self.run.dilation_rates)
        if run.network == "deeplab" and 32 * rate >= min(self.crop, run.tile):
            warnings.warn(
                f"dilation_rates of {rate} cells of 32 px reach beyond crops of {self.crop} or tiles of {run.tile} px: "
                "weights that meet nothing there are not learned",
                stacklevel=3,
            )

    @property
    def judge(self):
        """Name of the mask folder that test images are judged by; "" is the plain one."""
        return self.run.judge or ""

    @cached_property
    def annotators(self):
        """Names of the mask folders to train on; "" is the plain one."""
        known = self.splits.train.masks
        if self.run.annotators is not None:
            return [known_name("annotators", name, known) for name in self.run.annotators]
        names = sorted(name for name in known if name and name != self.judge) or [""]
        if names == [""] and "" not in known:
            raise ValueError(f"annotators must be given where all masks are the judge's, {self.judge!r}; got None")
        return names

    @property
    def gold(self):
        """The training images whose masks by the judge may be used, as `Rasters`; None where there are none."""
        train = self.splits.train
        return train[: self.run.gold_images] if self.run.gold_images and self.judge in train.masks else None

    @cached_property
    def agreement(self):
        """`Agreement` of annotators with their consensus; of a single one and the judge, on the gold images.

        None for one annotator without a judge or, with a warning, on failure.
        """
        if self.base:
            return self.base.agreement
        if len(self.annotators) > 1:
            return self._measured(self.splits.train, self.annotators, None)
        everyone = sorted({*self.annotators, *filter(None, self.splits.train.masks)})
        if self.run.judge is None or self.gold is None or len(everyone) < 2:
            return None
        return self._measured(self.gold, everyone, None)

    @cached_property
    def gold_agreement(self):
        """`Agreement` of each annotator with the judge's masks of the gold images; likewise."""
        if self.base:
            return self.base.gold_agreement
        others = [name for name in self.annotators if name not in ("", self.judge)]
        return self._measured(self.gold, others, self.judge) if others and self.gold is not None else None

    def _measured(self, rasters, annotators, judge):
        drawings = {name: rasters.drawn_by(name) for name in annotators}
        true = None if judge is None else rasters.drawn_by(judge)
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
            masks = f"against {len(self.gold)} gold masks"
            priors |= {f"{name}, {masks}": prior for name, prior in self.gold_agreement.annotators.items()}
        return prior_table("annotator", priors) if priors else None

    def prior(self, kind):
        """The BoundaryPrior of all annotators: "fitted" on their disagreement, or "measured" against gold masks.

        "population" is fitted on their disagreement too, with a bias and a spread of each object's own. Where the
        disagreement cannot be measured, the prior is measured against gold-standard masks.
        """
        measured = (None if kind == "measured" else self.agreement) or self.gold_agreement
        if measured is None:
            raise ValueError(NO_PRIOR)
        return measured.population if kind == "population" else measured.prior

    @property
    def prior_of_drawings(self):
        """The BoundaryPrior that turns predictions into those of a drawing; None where none is stated or measured."""
        if self.run.states_prior:
            return self.run.boundary_prior
        known = self.run.judge is not None and (self.agreement or self.gold_agreement)
        return self.run.boundary_prior if known else None

    @cached_property
    def biases(self):
        """Bias of each annotator, px, that is taken out of the masks to learn from."""
        run, against = self.run, self.run.bias_against
        # A measured prior is that of drawings without their bias: no loss knows the bias from it.
        in_the_loss = not run.moves_labels and run.prior_kind == "known"
        if against == "none" or (against is None and (in_the_loss or not run.uses_prior)):
            return dict.fromkeys(self.annotators, 0.0)
        measured = self.gold_agreement if against == "judge" else self.agreement
        if measured is None and against is None:
            measured = self.gold_agreement
        if measured is None and against is not None:
            raise ValueError(f"bias_against must be 'none' or None where no such bias can be measured; got {against!r}")
        if measured is None:
            return dict.fromkeys(self.annotators, run.prior_mean)
        of_annotators = measured.annotators
        return {name: of_annotators[name].mean if name in of_annotators else 0.0 for name in self.annotators}

    @property
    def transform(self):
        """What takes the bias out of an annotator's mask, or None where no mask would change."""
        return self._without_bias if any(abs(bias) > STILL for bias in self.biases.values()) else None

    def _without_bias(self, mask, annotator):
        return shift_boundaries(mask, -self.biases[annotator], self.background)

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
        return Crops(
            self._to_crop(self.splits.train),
            self.crop,
            run.batch_size,
            run.seed,
            run.crops_per_image,
            self.annotators,
            self.transform,
            workers=run.workers or os.cpu_count(),
        )

    def _to_crop(self, rasters):
        """The rasters in memory, if there is room."""
        pixels = sum(math.prod(image_shape(path)) for path in rasters.images)
        if pixels * (3 + len(self.annotators)) > IN_MEMORY:
            return rasters
        masks = {name: list(rasters.drawn_by(name)) for name in self.annotators}
        return SceneRasters([rasters.image(i) for i in range(len(rasters))], masks)

    def batches(self):
        """(training batches, validation batches)."""
        validation = self.splits.validation
        if self.run.judge is not None:
            names = [checks.one_of("annotators", name, validation.masks) for name in self.annotators]
            validation = Drawn(validation, names, self.transform)
        return self.crops(), RasterTiles(validation, self.run.tile)

    @property
    def objects(self):
        """The classes besides the background."""
        return [k for k in range(self.splits.num_classes) if k != self.background]

    def metrics(self):
        options = {"ignore_class": IGNORE, "sparse_y_pred": False, "name": "iou"}
        return [keras.metrics.IoU(self.splits.num_classes, self.objects, **options)]

    def watched(self):
        """What the best epoch is chosen by: validation IoU, or the loss.

        It is the loss where a judge is named, since validation masks are then as imprecise as those to train on, and
        where no validation mask holds an object.
        """
        by_loss = {"monitor": "val_loss", "mode": "min"}
        if self.run.judge is not None:
            return by_loss
        validation = self.splits.validation
        for i in range(len(validation)):
            if np.isin(validation.mask(i), self.objects).any():
                return {"monitor": "val_iou", "mode": "max"}
        warnings.warn(
            "no validation mask holds an object, so there is no IoU: the epoch with the least validation loss is kept",
            stacklevel=2,
        )
        return by_loss

    @property
    def tiling(self):
        run = self.run
        return {"tile": run.tile, "margin": run.margin, "blend": max(run.margin, 1)}

    def probabilities(self, network, image):
        """float32 (H, W, K) of one image (H, W, 3) of any size, tile by tile."""
        return np.concatenate([part for _, part in tiles.bands(network, image, **self.tiling)])

    def annotator_scores(self, annotator):
        """DataFrame with the scores of an annotator's masks of the test images, as if a network had predicted them.

        This is what a person reaches, judged as the network is; see `score_drawings`.
        """
        checks.one_of("annotator", annotator, self.splits.test.masks)
        return score_drawings(self.splits.test, annotator, self.judge, self.background, self.run.tolerance)

    def score(self, network, folder):
        """`Scores` on the test images; writes the classes and the object probability of each into `folder/test`.

        With a judge, the row also holds threshold, that of the object's probability with the highest Dice on the gold
        images, and *_tuned, the scores at it; scores_of_annotators, those of the others who drew the test images; and
        biases, px, taken out of the masks to learn from. `scenes.npz` holds all scores of each image, by `raster`.
        """
        run, into, test = self.run, Path(folder) / "test", self.splits.test
        table, row, others, threshold = self.splits.classes, {}, {}, None
        if run.judge is not None:
            others = {name: self.annotator_scores(name) for name in sorted(test.masks) if name != self.judge}
            row["scores_of_annotators"] = {name: scores.mean().to_dict() for name, scores in others.items()}
            row["biases"] = self.biases
            if self.gold is not None:
                threshold = choose_threshold(network, self.gold, table, self.judge, self.background, **self.tiling)
                row["threshold"] = threshold / 255
        options = {"prior": self.prior_of_drawings, "drawing": run.drawing, "threshold": threshold, **self.tiling}
        images, classes = score_rasters(
            network, test, table, into, self.background, run.tolerance, self.judge, **options
        )
        names = {Path(path).stem for path in test.images}
        for old in [*into.glob("*_classes.png"), *into.glob("*_probability.png")]:
            if old.stem.rpartition("_")[0] not in names:
                old.unlink()  # an earlier run's, of other images
        arrays = {f"{name} of {annotator}": values for annotator, one in others.items() for name, values in one.items()}
        write_arrays(Path(folder) / "scenes.npz", raster=images.index.to_numpy(str), **dict(images), **arrays)
        return Scores({**images.mean().to_dict(), **row}, images, classes)
