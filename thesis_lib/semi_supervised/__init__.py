"""Training a classifier on few labelled and many unlabelled images: a file a method, on one interface (`base`)."""

from thesis_lib import backend  # noqa: F401, says how to get one
from thesis_lib.semi_supervised import unsupervised
from thesis_lib.semi_supervised.batches import Batches, choose_labelled
from thesis_lib.semi_supervised.fix_match import FixMatch
from thesis_lib.semi_supervised.mean_teacher import MeanTeacher
from thesis_lib.semi_supervised.methods import METHODS
from thesis_lib.semi_supervised.mix_match import MixMatch
from thesis_lib.semi_supervised.pi_model import PiModel
from thesis_lib.semi_supervised.pseudo_label import PseudoLabel
from thesis_lib.semi_supervised.ramps import LinearRamp, SigmoidRamp
from thesis_lib.semi_supervised.repeated import (
    difference_sentences,
    error_ranges,
    error_table,
    image_differences,
    repeat,
)
from thesis_lib.semi_supervised.rows import errors_by_labels, seed_differences, seed_sentences
from thesis_lib.semi_supervised.run import Run
from thesis_lib.semi_supervised.scoring import confidence, logits
from thesis_lib.semi_supervised.supervised import Supervised
from thesis_lib.semi_supervised.temporal_ensembling import TemporalEnsembling
from thesis_lib.semi_supervised.virtual_adversarial import VirtualAdversarial

__all__ = [
    "METHODS",
    "Batches",
    "FixMatch",
    "LinearRamp",
    "MeanTeacher",
    "MixMatch",
    "PiModel",
    "PseudoLabel",
    "Run",
    "SigmoidRamp",
    "Supervised",
    "TemporalEnsembling",
    "VirtualAdversarial",
    "choose_labelled",
    "difference_sentences",
    "confidence",
    "error_ranges",
    "error_table",
    "errors_by_labels",
    "image_differences",
    "logits",
    "repeat",
    "seed_differences",
    "seed_sentences",
    "unsupervised",
]
