"""The methods that a run can train by, by name, and what makes each from the run's parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import keras

from thesis_lib.semi_supervised.fix_match import FixMatch
from thesis_lib.semi_supervised.mean_teacher import MeanTeacher
from thesis_lib.semi_supervised.mix_match import MixMatch
from thesis_lib.semi_supervised.networks import augmentation
from thesis_lib.semi_supervised.pi_model import PiModel
from thesis_lib.semi_supervised.pseudo_label import PseudoLabel
from thesis_lib.semi_supervised.ramps import LinearRamp, SigmoidRamp
from thesis_lib.semi_supervised.supervised import Supervised
from thesis_lib.semi_supervised.temporal_ensembling import TemporalEnsembling
from thesis_lib.semi_supervised.virtual_adversarial import VirtualAdversarial


class Method(NamedTuple):
    """A method by its name.

    title: what tables call it; weight: the usual weight of its unsupervised loss; settings: which of METHOD_SETTINGS it
    has; build: makes the keras.Model from `Parts`.
    """

    title: str
    weight: float
    settings: tuple[str, ...]
    build: Callable


@dataclass(frozen=True)
class Parts:
    """What a method is made of.

    Args:
        run: the `Run`.
        network: its classifier.
        num_images: number of labelled and unlabelled images together.
        end: training step after which the weight of the unsupervised loss is whole.
    """

    run: object
    network: keras.Model
    num_images: int
    end: int

    @property
    def augment(self):
        return augmentation(self.run)

    @property
    def linear(self):
        return LinearRamp(0, self.end, self.run.weight)

    @property
    def sigmoid(self):
        return SigmoidRamp(self.end, self.run.weight)


def _pseudo_label(p):
    return PseudoLabel(p.network, p.augment, LinearRamp(p.end // 6, p.end, p.run.weight))


def _mean_teacher(p, adversarial=0.0):
    return MeanTeacher(p.network, p.augment, p.sigmoid, p.run.decay, adversarial)


def _fix_match(p):
    return FixMatch(p.network, p.augment, augmentation(p.run, strong=True), p.run.weight, decay=p.run.decay)


METHOD_SETTINGS = ("weight", "ramp", "decay")  # fields of Run that some methods have and others ignore
RAMPED = ("weight", "ramp")
METHODS = {
    "supervised": Method("supervised", 0.0, (), lambda p: Supervised(p.network, p.augment)),
    "pseudo_label": Method("pseudo-label", 3.0, RAMPED, _pseudo_label),
    "pi_model": Method("pi-model", 20.0, RAMPED, lambda p: PiModel(p.network, p.augment, p.sigmoid)),
    "temporal_ensembling": Method(
        "temporal ensembling",
        20.0,
        RAMPED,
        lambda p: TemporalEnsembling(p.network, p.num_images, p.augment, p.sigmoid),
    ),
    "mean_teacher": Method("mean teacher", 20.0, METHOD_SETTINGS, _mean_teacher),
    "vat": Method("VAT", 1.0, ("weight",), lambda p: VirtualAdversarial(p.network, p.augment, p.run.weight)),
    "mean_teacher_vat": Method(
        "mean teacher + VAT",
        20.0,
        METHOD_SETTINGS,
        lambda p: _mean_teacher(p, 1.0 / p.run.weight if p.run.weight else 0.0),
    ),
    "mix_match": Method(
        "MixMatch", 20.0, METHOD_SETTINGS, lambda p: MixMatch(p.network, p.augment, p.linear, decay=p.run.decay)
    ),
    "mix_match_no_mixup": Method(
        "MixMatch without MixUp",
        20.0,
        METHOD_SETTINGS,
        lambda p: MixMatch(p.network, p.augment, p.linear, alpha=None, decay=p.run.decay),
    ),
    "mix_match_no_ema": Method(
        "MixMatch without EMA", 20.0, RAMPED, lambda p: MixMatch(p.network, p.augment, p.linear, decay=None)
    ),
    "fix_match": Method("FixMatch", 1.0, ("weight", "decay"), _fix_match),
}
