"""How the fuzzing test calls `thesis_lib.annotation`."""

import numpy as np
from fuzz.entry import Entry
from hypothesis import strategies as st

from thesis_lib import annotation as door
from thesis_lib.annotation.presence import missed_and_invented
from thesis_lib.data import lidc_slices

numbers = st.floats(0.1, 3.0)
ROWS, COLUMNS = np.indices((16, 18))
TRUE = np.stack([radius**2 >= (ROWS - 8) ** 2 + (COLUMNS - 9) ** 2 for radius in (4, 5)]).astype(np.uint8)
DRAWN = np.stack([np.roll(one, 1, 0) for one in TRUE])
PEOPLE = {"ann": TRUE, "bob": DRAWN, "eve": np.roll(TRUE, 1, 2)}
OBJECTS = TRUE.astype(np.int64) * 3
PRIOR = door.BoundaryPrior(0.1, 2.0, 3.0, 2.0)
SERIES = [np.sin(np.arange(20.0) / 3), np.cos(np.arange(15.0))]
SLICES = lidc_slices("sample", drawn_by=2)[:12]
MEASURED = door.variation([one.masks for one in SLICES], None, 0, groups=[one.scan for one in SLICES])
DRAWINGS = {"annotation": DRAWN, "reference": TRUE, "background": 0, "search_radius": 4.0}
SEVERAL = {"annotations": PEOPLE, "references": TRUE, "background": 0, "search_radius": 4.0}
ANNOTATION_WORDS = {"annotations": "annotators", "references": ("reference", "annotations")}


def maps(data_type=np.uint8):
    """Label maps (N, H, W) with one rectangle each."""

    def drawn(top, left, height, width, label):
        labels = np.zeros((2, 12, 12), data_type)
        labels[:, top : top + height, left : left + width] = label
        return labels

    side = st.integers(2, 6)
    return st.builds(drawn, side, side, side, side, st.integers(1, 2))


def holds_classes_of(given, result):
    """Annotators invent no class."""
    assert np.shape(result) == np.shape(given["labels"])
    assert set(np.unique(result)) <= set(np.unique(given["labels"])) | {given.get("background") or 0}


def annotated(make):
    """A function that makes an annotator and lets it draw."""

    def draw(labels, seed, **parameters):
        return make(**parameters)(labels, seed)

    return draw


def drawing(make, **parameters):
    given = {**parameters, "labels": maps(), "seed": st.integers(0, 9)}
    return Entry(annotated(make), given, holds_classes_of)


ENTRIES = {
    "Agreement.pair_table": Entry(
        door.agreement(PEOPLE, background=0, search_radius=4.0).pair_table, {"class_names": ["ground", "disc"]}
    ),
    "BoundaryPrior": Entry(
        door.BoundaryPrior, {"mean": numbers, "mean_weight": numbers, "shape": numbers, "scale": numbers}, nan=True
    ),
    "BoundaryPrior.known": Entry(door.BoundaryPrior.known, {"sigma": numbers, "mean": numbers}, nan=True),
    "BoundaryPrior.update": Entry(
        door.BoundaryPrior().update,
        {"displacements": [1.0, -0.5, 2.0], "autocorrelation_time": 2.0, "variance_autocorrelation_time": None},
    ),
    "BoundaryPrior.update_correlated": Entry(
        door.BoundaryPrior().update_correlated, {"series": SERIES, "redundancy": 1.0}
    ),
    "BoundaryPrior.fit_population": Entry(door.BoundaryPrior.fit_population, {"series": [*SERIES, SERIES[0][:9] + 1]}),
    "BoundaryPrior.fit": Entry(
        door.BoundaryPrior().fit, {"annotations": DRAWN, "references": TRUE, "background": 0, "search_radius": 4.0}
    ),
    "BoundaryPrior.fit_pair": Entry(
        door.BoundaryPrior().fit_pair,
        {"first": DRAWN, "second": TRUE, "background": 0, "search_radius": 4.0, "population": st.booleans()},
        examples=20,
    ),
    "BoundaryPrior.log_likelihood": Entry(PRIOR.log_likelihood, {"series": SERIES}),
    "BoundaryPrior.sigma_interval": Entry(PRIOR.sigma_interval, {"level": st.floats(0.1, 0.99)}),
    "BoundaryPrior.mean_interval": Entry(PRIOR.mean_interval, {"level": st.floats(0.1, 0.99)}),
    "BoundaryPrior.sigma_density": Entry(PRIOR.sigma_density, {"sigma": np.array([0.5, 1.0, 2.0])}),
    "BoundaryPrior.inside_probability": Entry(
        PRIOR.inside_probability, {"signed_distance": np.array([[-2.0, 0.0], [1.0, 3.0]])}
    ),
    "BoundaryPrior.predictive": Entry(PRIOR.predictive, {}),
    "BoundaryPrior.gaussians": Entry(PRIOR.gaussians, {}),
    "BoundaryPrior.gaussians_in_pixels": Entry(PRIOR.gaussians_in_pixels, {}),
    "BoundaryPrior.expected_error": Entry(PRIOR.expected_error, {}),
    "DisplacementField": drawing(
        door.DisplacementField, sigma=numbers, correlation_length=numbers, mean=0.5, background=0
    ),
    "DisplacementField.field": Entry(
        door.DisplacementField(1.0, 2.0).field,
        {"shape": (8, 9), "generator": st.builds(np.random.default_rng, st.just(0))},
    ),
    "Identity": drawing(door.Identity),
    "MarkovBoundary": drawing(door.MarkovBoundary, steps=3, theta1=0.5, theta2=0.4, theta3=0.1, background=0),
    "Morphological": drawing(door.Morphological, low=-1, high=st.integers(0, 2), background=0),
    "Population": drawing(
        door.Population,
        prior=PRIOR,
        correlation_length=numbers,
        diameter=5.0,
        growth=0.2,
        correlation_growth=0.1,
        factor=0.5,
        missed=0.2,
        invented=0.2,
        background=0,
    ),
    "annotator": Entry(
        annotated(door.annotator),
        {"name": "displacement", "sigma": 1.0, "correlation_length": 2.0, "labels": maps(), "seed": 0},
        holds_classes_of,
    ),
    "Variation.of": Entry(
        door.Variation.of,
        {
            "objects": MEASURED.objects,
            "series": MEASURED.series,
            "drawn": MEASURED.drawn,
            "biases": {},
            "spacing": None,
        },
        nan=True,
        examples=10,
    ),
    "Variation.part": Entry(MEASURED.part, {"keep": np.arange(len(MEASURED.objects)) % 2 == 0}, nan=True, examples=10),
    "Variation.table": Entry(MEASURED.table, {"level": 0.9, "repeats": 5, "seed": 0}, nan=True, examples=10),
    "Variation.annotator": Entry(MEASURED.annotator, {"factor": 2.0, "missed": 0.1}),
    "Variation.standardised": Entry(MEASURED.standardised, {}),
    "Variation.with_far": Entry(MEASURED.with_far, {}),
    "advice": Entry(
        door.advice,
        {"prior": PRIOR, "labels": TRUE, "background": 0, "objects": OBJECTS, "gains": door.measured_gains()},
    ),
    "agreement": Entry(door.agreement, SEVERAL, words=ANNOTATION_WORDS, nan=True, examples=20),
    "autocorrelation_time": Entry(door.autocorrelation_time, {"displacements": SERIES, "squared": st.booleans()}),
    "boundary_displacements": Entry(door.boundary_displacements, DRAWINGS),
    "contours": Entry(door.contours, {"mask": TRUE[0].astype(bool), "spacing": numbers, "level": 0.5}),
    "displacement_series": Entry(door.displacement_series, DRAWINGS),
    "displacements_by_pair": Entry(door.displacements_by_pair, {**DRAWINGS, "distances": None}),
    "error_over_width": Entry(
        door.error_over_width,
        {"annotator": PRIOR, "labels": TRUE, "background": 0, "objects": OBJECTS},
        words={"annotator": "prior"},
    ),
    "held_out": Entry(door.held_out, {"measured": MEASURED, "folds": 2, "apart": 2.0, "seed": 0}, examples=8),
    "measured_gains": Entry(door.measured_gains, {}),
    "missed_and_invented": Entry(
        door.missed_and_invented,
        {"annotations": PEOPLE, "references": TRUE, "background": 0},
        words=ANNOTATION_WORDS,
    ),
    "near_boundary": Entry(door.near_boundary, {"labels": maps(), "distance": st.floats(0.5, 3.0)}),
    "object_displacements": Entry(
        door.object_displacements, {**DRAWINGS, "objects": OBJECTS, "distances": None}, words={"reference": "labels"}
    ),
    "object_widths": Entry(door.object_widths, {"labels": TRUE, "background": 0, "objects": OBJECTS}),
    "presence_rates": Entry(
        door.presence_rates,
        {"counted": missed_and_invented(PEOPLE, TRUE, 0), "groups": ["a", "b"], "level": 0.9, "repeats": 5, "seed": 0},
        nan=True,
    ),
    "prior_table": Entry(door.prior_table, {"title": "who", "priors": {"ann": PRIOR, "bob": PRIOR}}, nan=True),
    "shape_based_average": Entry(
        door.shape_based_average, {"annotations": [TRUE[0], DRAWN[0], TRUE[1]], "background": 0}, nan=True
    ),
    "shift_boundaries": Entry(
        door.shift_boundaries,
        {"labels": maps(), "displacement": st.floats(-2, 2), "background": 0},
        holds_classes_of,
    ),
    "signed_distance": Entry(door.signed_distance, {"mask": TRUE[0].astype(bool)}, nan=True),
    "typical_error": Entry(door.typical_error, {"prior": PRIOR}),
    "variation": Entry(
        door.variation,
        {**SEVERAL, "groups": [0, 1], "spacing": 0.5},
        words=ANNOTATION_WORDS,
        nan=True,
        examples=12,
    ),
}
