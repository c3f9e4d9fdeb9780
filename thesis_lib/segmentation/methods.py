"""The methods that a segmentation `Run` can train by, by name, and what makes each from the run's parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import keras

from thesis_lib import parameters
from thesis_lib.segmentation.averaged import AveragedSegmenter
from thesis_lib.segmentation.bayesian_teacher import BayesianTeacher
from thesis_lib.segmentation.networks import NETWORKS
from thesis_lib.segmentation.strong import CutMix, OtherColours
from thesis_lib.segmentation.teachers import CrossPseudo, SegmentingFixMatch, SegmentingMeanTeacher
from thesis_lib.semi_supervised.ramps import SigmoidRamp


class Method(NamedTuple):
    """A method by its name.

    title: what tables call it; weight: the usual weight of its unsupervised loss, 0 without one; settings: which of
    METHOD_SETTINGS it has; build: makes the keras.Model from `Parts`; objectives: those that it can train by, None for
    any.
    """

    title: str
    weight: float
    settings: tuple[str, ...]
    build: Callable
    objectives: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Parts:
    """What a method is made of: the `Run`, its network, its loss, and the step from which the weight is whole."""

    run: object
    network: keras.Model
    loss: keras.losses.Loss
    end: int

    @property
    def other(self):
        """A second network, whose first weights are drawn after those of the first one."""
        run = self.run
        return NETWORKS[run.network].build(run, len(run.task.outputs), run.task.image_shape)

    @property
    def overlapping(self):
        """Whether each logit is of a structure that may overlap others."""
        return self.run.structures is not None

    @property
    def weight(self):
        return SigmoidRamp(self.end, self.run.weight)

    @property
    def strong(self):
        return OtherColours(seed=self.run.seed)


METHOD_SETTINGS = ("consistency_weight", "ramp", "decay")  # fields of Run that some methods have
RAMPED = METHOD_SETTINGS[:2]
METHODS = {
    "supervised": Method("labelled images alone", 0.0, (), lambda p: p.network),
    "average": Method("average of the weights", 0.0, ("decay",), lambda p: AveragedSegmenter(p.network, p.run.decay)),
    "mean_teacher": Method(
        "mean teacher",
        10.0,
        METHOD_SETTINGS,
        lambda p: SegmentingMeanTeacher(p.network, p.strong, p.weight, p.run.decay, overlapping=p.overlapping),
    ),
    "fix_match": Method(
        "FixMatch with CutMix",
        1.0,
        METHOD_SETTINGS,
        lambda p: SegmentingFixMatch(
            p.network, p.strong, CutMix(seed=p.run.seed), p.weight, decay=p.run.decay, overlapping=p.overlapping
        ),
    ),
    "cross_pseudo": Method(
        "cross pseudo supervision",
        1.0,
        RAMPED,
        lambda p: CrossPseudo(p.network, p.other, weight=p.weight, overlapping=p.overlapping),
    ),
    "bayesian_teacher": Method(
        "Bayesian teacher",
        1.0,
        METHOD_SETTINGS,
        lambda p: BayesianTeacher(p.network, p.loss, p.strong, p.weight, p.run.decay),
        ("forward", "forward_expected_dice", "shift"),
    ),
}

TEACHING = tuple(name for name, method in METHODS.items() if method.weight)  # by images without a label


def check(run):
    """Raise ValueError for the first of a run's settings that its method does not have, or cannot do without."""
    method, named = METHODS[run.method], f"for the method {run.method}"
    parameters.refuse(run, set(METHOD_SETTINGS) - set(method.settings), f"{named}, which does not have it")
    if run.method != "supervised":
        parameters.refuse(run, ["augment"], f"{named}; scenes are mirrored and turned where there is a crop")
    if not run.uses_unlabelled:
        return
    if run.labelled is None and not run.has_unlabelled:
        raise ValueError(
            f"labelled must be given {named}, which needs images without a mask, such as labelled=20; or put such "
            "images into the folder unlabelled/ of the data; got None"
        )
    if method.objectives is not None:
        parameters.refuse(run, ["class_weights"], f"{named}, whose votes count alike")
        if run.objective not in method.objectives:
            raise ValueError(f"objective must be one of {', '.join(method.objectives)} {named}; got {run.objective!r}")
