"""How the fuzzing test calls `thesis_lib.metrics`."""

import numpy as np
from fuzz.annotation import DRAWN, TRUE, maps
from fuzz.entry import Entry
from fuzz.targets import SOFT, structures

from thesis_lib.metrics import calibration, evaluate, of_structures, overlap, surface

LABELS = {"labels": TRUE, "predictions": DRAWN}
LENGTHS = {"spacing": (1.0, 2.0), "tolerance": 1.0, "background": 0}
COUNTS = np.array([[9, 1], [2, 5]])


def counts_all(given, result):
    known = np.asarray(given["labels"]) != 255
    assert np.asarray(result).sum() == known.sum()


ENTRIES = {
    "calibration.scores": Entry(calibration.scores, {"labels": maps(), "probabilities": SOFT, "band": 2.0}, nan=True),
    "calibration.checked_probabilities": Entry(calibration.checked_probabilities, {"probabilities": SOFT}),
    "calibration.per_pixel": Entry(calibration.per_pixel, {"labels": maps(), "probabilities": SOFT}, nan=True),
    "evaluate": Entry(evaluate, {"labels": maps(), "probabilities": SOFT, "background": 0}, nan=True, examples=15),
    "of_structures": Entry(
        of_structures,
        {
            "labels": maps().map(structures),
            "probabilities": SOFT,
            "names": ["all", "one", "two"],
            "spacing": (1.0, 2.0),
            "tolerance": 1.0,
        },
        nan=True,
        examples=15,
    ),
    "overlap.confusion": Entry(overlap.confusion, {**LABELS, "num_classes": 2}, counts_all),
    "overlap.scores": Entry(overlap.scores, {**LABELS, "num_classes": 2, "background": 0}, nan=True),
    "overlap.from_confusion": Entry(overlap.from_confusion, {"counts": COUNTS, "background": 0}, nan=True),
    "surface.measure": Entry(surface.measure, {**LABELS, **LENGTHS}, nan=True),
    "surface.size": Entry(surface.size, {"true": TRUE[0], "predicted": DRAWN[0]}, nan=True),
    "surface.scores": Entry(surface.scores, {**LABELS, **LENGTHS}, nan=True),
}
