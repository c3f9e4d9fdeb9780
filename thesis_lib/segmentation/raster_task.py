"""A folder of images and masks as a segmentation task: crops and tiles to train on, scores of whole images."""

import math
import os
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from thesis_lib import checks
from thesis_lib.data.crops import Crops, RasterTiles, SceneRasters, UnlabelledRasters
from thesis_lib.data.image_io import image_shape
from thesis_lib.data.partly_labelled import OF_UNLABELLED, PartlyLabelledBatches, check_labelled, repeats
from thesis_lib.data.raster_checks import warn_of_absent_classes
from thesis_lib.data.rasters import Rasters
from thesis_lib.files import write_arrays
from thesis_lib.segmentation import tiles
from thesis_lib.segmentation.drawn_rasters import DrawnRasters
from thesis_lib.segmentation.prediction import choose_threshold, score_drawings, score_rasters
from thesis_lib.segmentation.scores import Scores

CROP = 96  # px, where `crop` is left out
IN_MEMORY = 2**28  # bytes; training images and masks that need no more are read once, not for every crop


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


class RasterTask(DrawnRasters):
    """What a `Run` needs of a folder of images and masks; see `DrawnRasters` for who judges and who is measured.

    Args:
        run: Run.
        base: a RasterTask of the same data, which this one asks for all that it has read or measured.
    """

    image_shape = (None, None, 3)

    def __init__(self, run, base=None):
        super().__init__(run, base)
        self.checked = False

    @property
    def class_names(self):
        return self.splits.classes.names

    def check_files(self):
        """Read every file, once for this task and all that are based on it; warns of classes that no mask holds."""
        if self.base:
            self.base.check_files()
        elif not self.checked:
            annotators = [""] if self.run.judge is None else self.annotators
            warn_of_absent_classes(self.splits, annotators, self.run.labelled)
            self.checked = True

    def prepare(self):
        """Check what a training would end by: the background, the dilation rates, damaged files."""
        checks.integer("background", self.background, 0, self.splits.num_classes - 1)
        check_labelled(self.run, len(self.splits.train), len(self.splits.unlabelled or ()))
        self.check_files()
        run, rate = self.run, max(self.run.dilation_rates)
        if run.network == "deeplab" and 32 * rate >= min(self.crop, run.tile):
            warnings.warn(
                f"dilation_rates of {rate} cells of 32 px reach beyond crops of {self.crop} or tiles of {run.tile} px: "
                "weights that meet nothing there are not learned",
                stacklevel=3,
            )

    @property
    def crop(self):
        """Side of the training crops, px."""
        return self.run.crop or CROP

    def crops(self):
        """The training batches."""
        run, labelled, workers = self.run, self.labelled, {"workers": self.run.workers or os.cpu_count()}
        sizes, drawn = (self.crop, run.batch_size), (self.annotators, self.transform)
        if not run.uses_unlabelled:
            rasters = self._to_crop(labelled, self.annotators)
            return Crops(rasters, *sizes, run.seed, run.crops_per_image, *drawn, **workers)
        others = self.others
        times = run.crops_per_image * repeats(len(labelled), len(others))
        unlabelled = UnlabelledRasters(self._to_crop(others, []))
        return PartlyLabelledBatches(
            Crops(self._to_crop(labelled, self.annotators), *sizes, run.seed, times, *drawn),
            Crops(unlabelled, *sizes, run.seed + OF_UNLABELLED, run.crops_per_image),
            **workers,
        )

    @property
    def others(self):
        """The training images without a label, as `Rasters`."""
        rest, unlabelled = self.splits.train[len(self.labelled) :], self.splits.unlabelled
        return replace(rest, images=(*rest.images, *(unlabelled.images if unlabelled else ())), masks={})

    def _to_crop(self, rasters, annotators):
        """The rasters, with the masks of these annotators, in memory, if there is room."""
        pixels = sum(math.prod(image_shape(path)) for path in rasters.images)
        if pixels * (3 + len(annotators)) > IN_MEMORY:
            return rasters
        masks = {name: list(rasters.drawn_by(name)) for name in annotators}
        return SceneRasters([rasters.image(i) for i in range(len(rasters))], masks)

    def batches(self):
        """(training batches, validation batches)."""
        validation = self.splits.validation
        if self.run.judge is not None:
            names = [checks.one_of("annotators", name, validation.masks) for name in self.annotators]
            validation = Drawn(validation, names, self.transform)
        return self.crops(), RasterTiles(validation, self.run.tile)

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
