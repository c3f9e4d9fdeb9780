"""Methods compared on the same images and seeds."""

import numpy as np
import pandas as pd
import pytest

from thesis_lib.data import load_images
from thesis_lib.semi_supervised import (
    Run,
    confidence,
    difference_sentences,
    error_ranges,
    error_table,
    errors_by_labels,
    image_differences,
    repeat,
    seed_differences,
    seed_sentences,
)
from thesis_lib.semi_supervised.repeated import Repeated, verdict

QUICK = {"labels": 10, "epochs": 1, "batch_size": 5, "unlabelled_batch_size": 20, "width": 4, "network": "mlp"}


@pytest.fixture(scope="module")
def repeated():
    splits = load_images("faces")
    methods = {name: Run(data="faces", method=name, **QUICK) for name in ("supervised", "pi_model")}
    return {name: repeat(run, [0, 1], splits, curve=name == "pi_model") for name, run in methods.items()}


def test_each_seed_is_trained_and_scored(repeated):
    one = repeated["pi_model"]
    assert [run.seed for run in one.runs] == [0, 1] and one.logits.shape == (2, 16, 2)
    np.testing.assert_allclose(one.probabilities.sum(-1), 1, atol=1e-5)
    assert 100 * one.wrong.mean() == pytest.approx(one.scores["error_percent"].mean())
    assert list(one.curve["epoch"]) == [1] and {"error_percent", "classification_loss"} <= set(one.curve)
    assert repeated["supervised"].curve.empty
    same = [set(each.runs[1].training_images()[0].images.files) for each in repeated.values()]
    assert same[0] == same[1]
    table = error_table(repeated, "validation_error_percent")
    assert list(table.index) == ["supervised", "pi-model"] and list(table) == ["seed 0", "seed 1", "mean"]
    assert table.loc["pi-model", "seed 1"] == one.runs[1].scores()["validation_error_percent"]


class Fixed(Repeated):
    """Stands for trained runs: which test images are wrong is given."""

    def __init__(self, wrong):
        self.__dict__["given"] = np.array(wrong, float)

    @property
    def wrong(self):
        return self.given


def test_differences_are_paired_by_image_and_their_intervals_hold_together():
    """Errors of 1, 0, 1, 0, ... minus no error: mean 50 points, standard error 50 / sqrt(39) points."""
    several = {"pi_model": Fixed([0, 1] * 20), "supervised": Fixed([0] * 40), "vat": Fixed([0] * 40)}
    pairs = [("pi_model", "supervised"), ("supervised", "vat")]
    first, second = image_differences(several, pairs, level=0.9).itertuples()
    half = 2.0227 * 50 / np.sqrt(39)  # the 97.5% quantile of Student's t with 39 degrees of freedom: 90% for two
    assert (first.difference, first.low, first.high) == pytest.approx((50, 50 - half, 50 + half), abs=1e-3)
    assert first.one == "pi-model" and first.verdict == "significantly higher error"
    assert (second.difference, second.low, second.high) == (0, 0, 0) and second.verdict == "no significant difference"
    assert verdict(-2, -1) == "significantly lower error"
    text = difference_sentences(image_differences(several, pairs, level=0.9))
    assert text.splitlines()[1] == "- *supervised* minus *VAT*: +0.00 points [+0.00, +0.00], no significant difference."


def test_rows_of_many_runs_become_a_table_beside_published_errors():
    rows = pd.DataFrame(
        [("supervised", "mlp", 100, seed, error) for seed, error in enumerate((20.0, 22.0))]
        + [("pseudo_label", "mlp", 100, seed, error) for seed, error in enumerate((10.0, 13.0, 50.0))],
        columns=["method", "network", "labels", "seed", "error_percent"],
    )
    kinds = [("supervised", "mlp"), ("pseudo_label", "mlp")]
    table = errors_by_labels(rows[rows["seed"] < 2], kinds, {kinds[0]: {100: 25.81, 600: 11.44}})
    assert table.loc["supervised, dense", 100] == "21.00 ± 1.41 (25.81)"
    assert table.loc["pseudo-label, dense", 100] == "11.50 ± 2.12" and list(table) == [100]
    assert seed_differences(rows, kinds[1], kinds[0], 100).tolist() == [-10.0, -9.0]
    text = seed_sentences(rows, [kinds[::-1]], 100)
    assert text.startswith("- *pseudo-label, dense* minus *supervised, dense*, 100 labels: -9.50 points on average;")
    assert text.endswith("lower with 2 of 2 seeds.")


def test_errors_by_number_of_labels_become_points_with_their_range(repeated):
    table = error_ranges({10: repeated["supervised"]}, "supervised")
    errors = repeated["supervised"].scores["error_percent"]
    assert table.loc[0, ["labels", "target", "metric"]].tolist() == [10, "supervised", "error_percent"]
    assert table.loc[0, ["mean", "low", "high"]].tolist() == [errors.mean(), errors.min(), errors.max()]


RUN = Run(data="faces", method="supervised", **QUICK)
KIND = ("supervised", "mlp")
ROWS = pd.DataFrame([(*KIND, 100, 0, 20.0)], columns=["method", "network", "labels", "seed", "error_percent"])
TWICE = pd.concat([ROWS, ROWS])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: repeat("run", [0], load_images("faces")), "run must be a `Run`; got 'run'"),
        (lambda: repeat(RUN, [0], None), "splits must be an `ImageSplits`; got None"),
        (lambda: repeat(RUN, [0.5], load_images("faces")), "seeds must be a whole number .*; got .*0.5"),
        (lambda: RUN.training_images("faces"), "splits must be an `ImageSplits`, or None; got 'faces'"),
        (lambda: RUN.train(callbacks=[print]), "callbacks must be a list of keras.callbacks.Callback; got"),
        (lambda: RUN.train(progress=3), "progress must be a whole number from 0 to 2; got 3"),
        (lambda: RUN.compiled(None, 5, 0), "steps must be a whole number from 1 to 2147483647; got 0"),
        (lambda: error_table({}), "repeated must be a dict of `Repeated`, one or more; got"),
        (lambda: image_differences({"a": Fixed([1])}, [("a", "b")]), "pairs must be of names among a; got 'b'"),
        (lambda: image_differences({"a": Fixed([1])}, ["a"]), "pairs must be a list of pairs"),
        (lambda: difference_sentences(ROWS), "differences must have the columns one, .*; it lacks"),
        (lambda: errors_by_labels(ROWS, [("vat", "no")]), "network of kinds must be one of .*; got 'no'"),
        (lambda: errors_by_labels(ROWS, [KIND], {KIND: 25.81}), "published must be a dict .*; got 25.81"),
        (lambda: errors_by_labels(ROWS[["seed"]], [KIND]), "rows must have the columns method, .*; it lacks"),
        (lambda: seed_differences(ROWS, KIND, ("vat", "mlp"), 100), "other must be .* in the rows with 100 labels"),
        (lambda: seed_differences(ROWS, KIND, KIND, 50), "labels must be a number of labels in the rows; got 50"),
        (lambda: seed_differences(TWICE, KIND, KIND, 100), "rows must have each seed once"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_confidence_by_hand():
    """One prediction is sure and right, the other undecided: entropies 0 and ln 2, log losses 0 and ln 2."""
    values = list(confidence(np.array([[1.0, 0.0], [0.5, 0.5]]), [0, 1]).values())
    assert values == pytest.approx([np.log(2) / 2, 0.5, np.log(2) / 2])
    for labels in ([0, -1], [0, 2], [0.0, 1.0]):
        with pytest.raises(ValueError, match="labels must be the numbers of 2 classes; got"):
            confidence(np.array([[1.0, 0.0], [0.5, 0.5]]), labels)
    with pytest.raises(ValueError, match="predicted must be probabilities that sum to one, .*; got"):
        confidence(np.array([[1.0, 0.5], [0.5, 0.5]]), [0, 1])
