"""Who drew the masks of a folder, and how far off they are: judge, annotators, their agreement, prior and biases."""

import math
import warnings
from functools import cached_property

import keras
import numpy as np

from thesis_lib.annotation.agreement import agreement, prior_table
from thesis_lib.annotation.geometry import shift_boundaries
from thesis_lib.data.reading import hint_of_papermill, known_name
from thesis_lib.data.segmentation_folder import load_segmentation_folder
from thesis_lib.labels import IGNORE
from thesis_lib.segmentation.rules import stated
from thesis_lib.targets.class_matrices import adjacency

NO_PRIOR = (
    "prior_sigma must be given, for example 1.5 (on the command line: --set prior_sigma=1.5): the standard deviation "
    "of drawn outlines in px. "
    "Only masks of two annotators, or an annotator's beside plain ones, show it"
)
STILL = math.sqrt(2) / 4  # px; no centre of a pixel is nearer to a boundary, so a smaller shift changes no mask


class DrawnRasters:
    """The images of a folder, and the people who drew their masks.

    Without a judge, the plain mask of an image counts as true: it judges validation and test images. A judge is an
    annotator whose masks judge the test images. Validation images are then compared with the masks of every annotator
    to train on, in turn: nobody has others while a network is trained.

    The masks of the first `gold_images` training images that are judged by, plain or the judge's, are the gold standard
    for the annotators. A single annotator and the judge are measured against their consensus there, too.

    Args:
        run: Run.
        base: a DrawnRasters of the same data, which this one asks for all that it has read or measured.
    """

    spacing = None  # of the images, of which all lengths are in px
    name = None  # of the structure whose outlines alone are meant, if any

    def __init__(self, run, base=None):
        self.run, self.base = run, base

    def read(self):
        """The folder's `RasterSplits`."""
        run = self.run
        given = run.classes, run.unknown, 0, run.folds, run.fold
        return load_segmentation_folder(run.data_path, *given, run.uses_unlabelled and run.has_unlabelled)

    def spacings(self, rasters):
        """The spacing of each image, mm; None where lengths are in px."""
        return self.spacing and [rasters.image(i).spacing for i in range(len(rasters))]

    @cached_property
    def splits(self):
        if self.base:
            return self.base.splits
        run, splits = self.run, self.read()
        if self.judge not in splits.test.masks:
            known = [repr(name) if name else "None (the plain masks)" for name in sorted(splits.test.masks)]
            raise ValueError(
                f"judge must be who drew the test images: {' or '.join(known)}; got {run.judge!r}"
                + hint_of_papermill(run.judge)
            )
        return splits

    @cached_property
    def labelled(self):
        """The training images that carry labels, as `Rasters`."""
        return self.splits.train[: self.run.labelled]

    @property
    def background(self):
        return self.run.background or 0

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
        train = self.labelled
        return train[: self.run.gold_images] if self.run.gold_images and self.judge in train.masks else None

    @property
    def num_classes(self):
        return self.splits.num_classes

    @property
    def outputs(self):
        """Names of the network's logits."""
        return self.class_names

    def objects_in(self, probabilities):
        """Dict from a title to the probability (H, W) of what it names, from predicted ones (H, W, K)."""
        return {"object": 1 - probabilities[..., self.background]}

    def drawn_by(self, rasters, annotator):
        """All masks of one annotator, as a sequence."""
        return rasters.drawn_by(annotator)

    def adjacency(self):
        """Counts of pairs of classes that touch, along all axes."""
        maps = (mask for name in self.annotators for mask in self.drawn_by(self.labelled, name))
        stacks = (
            stack
            for one in maps
            for stack in ([one[None]] if one.ndim == 2 else [np.moveaxis(one, axis, 0) for axis in range(one.ndim)])
        )
        return sum(adjacency(stack, self.num_classes) for stack in stacks)

    @cached_property
    def agreement(self):
        """`Agreement` of annotators with their consensus; of a single one and the judge, on the gold images.

        None for one annotator without a judge or, with a warning, on failure.
        """
        if self.base:
            return self.base.agreement
        if len(self.annotators) > 1:
            return self._measured(self.labelled, self.annotators, None)
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
        drawings = {name: self.drawn_by(rasters, name) for name in annotators}
        true = None if judge is None else self.drawn_by(rasters, judge)
        try:
            return agreement(drawings, true, self.background, self.run.search_radius, self.spacings(rasters))
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
        known = self.run.states_prior or (self.run.judge is not None and (self.agreement or self.gold_agreement))
        return self.believed_prior if known else None

    @property
    def believed_prior(self):
        return self.run.boundary_prior

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
            return dict.fromkeys(self.annotators, stated(run, "prior_mean", self.name))
        of_annotators = measured.annotators
        return {name: of_annotators[name].mean if name in of_annotators else 0.0 for name in self.annotators}

    @property
    def transform(self):
        """What takes the bias out of an annotator's mask, or None where no mask would change."""
        still = STILL * min(self.spacing or (1.0,))
        return self._without_bias if any(abs(bias) > still for bias in self.biases.values()) else None

    def _without_bias(self, mask, annotator, spacing=None):
        return shift_boundaries(mask[None], -self.biases[annotator], self.background, spacing)[0]

    @property
    def identity(self):
        """What else the training depends on, besides the run's parameters."""
        return {"files": self.splits.fingerprint}

    @property
    def objects(self):
        """The classes besides the background."""
        return [k for k in range(self.num_classes) if k != self.background]

    def class_weights(self):
        return None

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
        for mask in self.splits.validation.drawn_by(""):
            if np.isin(mask, self.objects).any():
                return {"monitor": "val_iou", "mode": "max"}
        warnings.warn(
            "no validation mask holds an object, so there is no IoU: the epoch with the least validation loss is kept",
            stacklevel=2,
        )
        return by_loss
