"""Values of a wrong kind are named, each with what is accepted, before anything is computed."""

import numpy as np
import pytest

from thesis_lib import annotation
from thesis_lib.annotation import BoundaryPrior
from thesis_lib.metrics import calibration, overlap, surface

MAPS = np.zeros((2, 16, 18), np.uint8)
MAPS[:, 5:11, 5:12] = 1
PEOPLE = {"ann": MAPS, "bob": MAPS}
HALVES = np.full((*MAPS.shape, 2), 0.5)
COUNTED = annotation.missed_and_invented(PEOPLE, background=0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: annotation.boundary_displacements(MAPS, MAPS, 0, 2.0**31), r"search_radius must .* \[0.5, 1000\]"),
        (lambda: annotation.displacements_by_pair(MAPS, MAPS, 0, distances=1.0), "distances must be a dict"),
        (lambda: annotation.object_displacements(MAPS, MAPS, 0, distances={}), "distances must have class 1"),
        (lambda: annotation.object_displacements(MAPS, MAPS, 0, objects=1), "reference|labels and objects must have"),
        (lambda: BoundaryPrior().fit(MAPS[:1], MAPS), "annotations and references must have the same shape"),
        (lambda: BoundaryPrior().fit_pair(None, MAPS), "first must be"),
        (lambda: BoundaryPrior().update_correlated(None), "series must be"),
        (lambda: BoundaryPrior.fit_population([[[1.0], [1.0, 2.0]]]), "series must be an array"),
        (lambda: BoundaryPrior().sigma_interval(1.0), r"level must be a finite number in \[0, 1\)"),
        (lambda: BoundaryPrior().sigma_density(np.inf), "sigma must be an array of numbers from 0 to 1e.06"),
        (
            lambda: BoundaryPrior().inside_probability([0.0, np.nan]),
            "signed_distance must be an array of numbers; got NaN",
        ),
        (lambda: annotation.signed_distance(None), "mask must be label maps"),
        (lambda: annotation.contours(np.zeros(3)), r"mask must be an array \(H, W\)"),
        (lambda: annotation.contours(MAPS[0], spacing=0.0), "spacing must be a finite number"),
        (lambda: annotation.shape_based_average(None), "annotations must be label maps of two"),
        (
            lambda: annotation.agreement({"a": MAPS}, references=1.0),
            "references must be label maps, one for each",
        ),
        (lambda: annotation.agreement({"a": 1, "b": MAPS}), "annotations of 'a' must be label maps"),
        (lambda: annotation.missed_and_invented("abc", MAPS), "annotations must be a dict of annotators, or"),
        (lambda: annotation.presence_rates(None), "counted must be a DataFrame"),
        (lambda: annotation.presence_rates(COUNTED, groups=["a"]), "groups must be .*, of which there are 2; got 1"),
        (lambda: annotation.presence_rates(COUNTED, repeats=2**31), "repeats must be a whole number from 1 to 100000"),
        (lambda: annotation.prior_table(["who"], {"a": BoundaryPrior()}), "title must be a text"),
        (lambda: annotation.prior_table("who", None), "priors must be a dict from a name to a BoundaryPrior"),
        (lambda: annotation.agreement(PEOPLE, background=0).pair_table(["a"]), "class_names must be a list of 2 names"),
        (lambda: annotation.held_out(1.0), "measured must be a Variation"),
        (lambda: annotation.advice(BoundaryPrior(), MAPS, 0, gains=True), "gains must be a DataFrame"),
        (lambda: annotation.autocorrelation_time([1.0, 2.0], squared=[]), "squared must be True or False"),
        (lambda: annotation.annotator("lines"), "name must be one of"),
        (lambda: annotation.Morphological(256, 2), "low must be at most high; got 256 and 2"),
        (lambda: annotation.MarkovBoundary(2**31, 0.5, 0.5, 0.5), "steps must be a whole number from 0 to 1000"),
        (
            lambda: annotation.DisplacementField(1.0, 2.0).field(None, None),
            "shape must be a shape of two or three",
        ),
        (lambda: annotation.DisplacementField(1.0, 2.0).field((4, 4), None), "generator must be NumPy"),
        (lambda: calibration.scores(MAPS, HALVES, band=0), "band must be a finite number in"),
        (lambda: calibration.per_pixel(None, HALVES), "labels must be"),
        (lambda: calibration.per_pixel(MAPS, 1.0), "probabilities must be finite"),
        (lambda: overlap.from_confusion([[2.0**63]]), "counts must be a confusion matrix .* below 2.62"),
        (lambda: surface.size(MAPS[0], MAPS[0, :1]), "true and predicted must have the same shape"),
        (lambda: surface.size(None, MAPS[0]), "true must be label maps"),
    ],
)
def test_it_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
