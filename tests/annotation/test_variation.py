import numpy as np
import pandas as pd
import pytest
from scipy.stats import kurtosis

from thesis_lib.annotation.held_out import MODELS, held_out
from thesis_lib.annotation.moments import spectrum
from thesis_lib.annotation.presence import missed_and_invented, presence_rates
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.simulated import Population
from thesis_lib.annotation.variation import variation

PRIOR = BoundaryPrior(0.0, 3.0, 4.0, 3.0)


def disc(radius, size=40, classes=1):
    y, x = np.indices((size, size))
    return classes * (np.hypot(y - size / 2 + 0.3, x - size / 2 + 0.2) < radius).astype(np.uint8)


def drawings(count=120, people=3, prior=PRIOR, growth=0.5, **options):
    """Discs of 3 to 12 px radius as so many people drew them."""
    radii = np.random.default_rng(0).uniform(3, 12, count)
    truth = np.stack([disc(radius) for radius in radii])
    draw = Population(prior, 4.0, diameter=12.0, growth=growth, background=0, **options)
    return truth, [np.stack(maps) for maps in zip(*(draw(truth, seed) for seed in range(people)))]


def simulated(count=500, places=240, seed=0, growth=0.3):
    """A Variation whose displacements have known parameters: 40 effective displacements of each of 500 objects."""
    truth, drawn = np.stack([disc(6, 20)] * 4), [disc(5, 20)] * 4
    measured = variation([np.stack([one, two]) for one, two in zip(truth, drawn)], background=0)
    generator = np.random.default_rng(seed)
    sigma = np.sqrt(1.2 / generator.gamma(2.5, size=count))
    bias = generator.normal(0, sigma / np.sqrt(3.0))
    power = spectrum(places, 3.0)
    field = np.fft.ifft(np.fft.fft(generator.standard_normal((count, places))) * np.sqrt(power)).real
    diameters = 10 * np.exp(generator.normal(0, 0.5, count))
    series = (bias[:, None] + sigma[:, None] * field) * (diameters[:, None] / 10) ** growth
    numbers = np.arange(count)
    objects = pd.DataFrame({"annotator": 1, "image": numbers, "group": numbers, "object": 0, "diameter": diameters})
    return type(measured).of(objects, list(series), measured.drawn, {}, None)


def test_known_parameters_are_recovered_and_lie_in_their_intervals():
    measured = simulated()
    prior, size = measured.prior, measured.diameter / 10
    assert (prior.mean_weight, prior.shape) == pytest.approx((3.0, 2.5), rel=0.2)
    assert measured.growth == pytest.approx(0.3, abs=0.05)
    assert measured.correlation.length == pytest.approx(3.0, rel=0.05)
    table = measured.table(repeats=40).set_index("quantity")
    true = {"bias": 0.0, "mean_weight": 3.0, "shape": 2.5, "sigma": np.sqrt(1.2 / 2.5) * size**0.3, "growth": 0.3}
    wide = 1.5 * (table["high"] - table["low"])  # a quantity in twenty is outside of its own interval
    for name, value in true.items():
        assert abs(value - table.loc[name, "estimate"]) < wide[name] < 4 * max(abs(value), 0.1)
        assert table.loc[name, "low"] < table.loc[name, "estimate"] < table.loc[name, "high"]


def test_what_each_object_has_of_its_own_makes_the_tails_heavy():
    steps = simulated().standardised()
    tails = {title: kurtosis(values) for title, values in steps.items()}
    assert all(values.std() == pytest.approx(1) for values in steps.values())
    assert tails["as measured"] > 1 > 0.5 > abs(tails["offset and scale taken out"])
    assert tails["offset taken out"] > tails["offset and scale taken out"]


def test_intervals_narrow_with_the_number_of_objects_and_not_with_the_places_on_a_boundary():
    wide = [
        (one.table(repeats=60).set_index("quantity")).eval("high - low") for one in (simulated(100), simulated(400))
    ]
    assert (wide[0] / wide[1])[["mean_weight", "shape", "growth"]].mean() == pytest.approx(2.0, rel=0.35)


def test_one_offset_for_several_objects_of_a_group_widens_the_interval():
    alone = simulated(400)
    grouped = alone.objects.assign(group=alone.objects["image"] // 20)
    series = [one + np.sin(number) for one, number in zip(alone.series, grouped["group"])]
    intervals = []
    for objects in (alone.objects, grouped):
        one = type(alone).of(objects, series, alone.drawn.assign(group=0), {}, None)
        intervals.append(one.table(repeats=60).set_index("quantity").loc["bias", ["low", "high"]].diff().iloc[-1])
    assert intervals[1] > 2 * intervals[0]


def test_tails_are_those_of_differing_objects():
    """Within an object the displacements are Normal; twice as heavy-tailed is what differing objects add."""
    quantities = simulated(400).quantities
    assert quantities["kurtosis"] > 3 and abs(quantities["kurtosis_within"]) < 0.15
    assert quantities["offset_share"] == pytest.approx(0.25, abs=0.05)
    assert quantities["offset_share"] < quantities["between_share"] < 0.5


def test_the_same_errors_are_measured_with_a_reference_and_without():
    truth, drawn = drawings(80)
    against = variation(drawn, truth, 0)
    without = variation(drawn, None, 0)
    for name in ("deviation", "sigma", "growth", "correlation_length"):
        assert without.quantities[name] == pytest.approx(against.quantities[name], rel=0.25), name
    assert against.growth == pytest.approx(0.5, abs=0.12)
    assert len(against.series) == 240 and without.objects["image"].nunique() == 80


def test_the_number_of_people_may_vary_and_who_drew_nothing_has_no_vote_on_the_boundary():
    _, drawn = drawings(30)
    fewer = [one[: 2 + i % 2] for i, one in enumerate(drawn)]
    with_empty = [np.concatenate([one, 0 * one[:1]]) for one in fewer]
    first, second = variation(fewer, None, 0), variation(with_empty, None, 0)
    assert [len(one) for one in first.series] == [len(one) for one in second.series]
    assert first.prior == second.prior
    assert first.quantities["missed"] < 0.03 and second.quantities["missed"] > 0.2


def test_a_bias_that_a_named_annotator_has_everywhere_is_no_offset_of_objects():
    truth, drawn = drawings(60, people=2, growth=0.0)
    both = {"a": [one[0] for one in drawn], "b": [disc(4) if not one.any() else one for _, one in drawn]}
    wider = [np.asarray(one) | np.roll(one, 1, 0) | np.roll(one, -1, 0) | np.roll(one, 1, 1) for one in both["b"]]
    plain, biased = (variation({"a": both["a"], "b": b}, truth, 0) for b in (both["b"], wider))
    assert biased.biases["b"] - biased.biases["a"] > 0.4
    assert biased.quantities["offset"] == pytest.approx(plain.quantities["offset"], rel=0.15)
    assert biased.prior.mean == pytest.approx(np.mean(list(biased.biases.values())), abs=0.1)
    anonymous = variation([np.stack(maps) for maps in zip(both["a"], wider)], truth, 0)
    assert anonymous.biases == {} and anonymous.quantities["offset"] > biased.quantities["offset"]


def test_lengths_in_mm_are_those_in_px_times_the_spacing():
    _, drawn = drawings(40)
    table = variation(drawn, None, 0, spacing=0.7).table(repeats=5).set_index(["quantity", "unit"])
    for name in ("sigma", "offset", "deviation", "diameter", "correlation_length"):
        px, mm = (table.loc[(name, unit), ["estimate", "low", "high"]].astype(float) for unit in ("px", "mm"))
        assert mm.tolist() == pytest.approx((0.7 * px).tolist(), rel=1e-3)
    assert ("mean_weight", "mm") not in table.index


def test_missed_and_invented_objects_of_a_reference():
    labels = np.zeros((1, 30, 60), np.uint8)
    labels[:, 5:15, 5:15], labels[:, 5:15, 25:35] = 1, 1
    drawn = labels.copy()
    drawn[:, 5:15, 5:13] = 0  # 20 of 100 pixels are left
    drawn[:, 20:25, 45:50] = 1
    counted = missed_and_invented({"a": drawn}, labels, 0).iloc[0]
    assert counted[["objects", "missed", "invented"]].tolist() == [2, 1, 1]


@pytest.mark.parametrize(
    "drew, expected",
    [  # of four annotators: who should have drawn it, who missed it, who invented it
        ("1111", [(1, 0, 0)] * 4),
        ("1110", [(1, 0, 0)] * 3 + [(1, 1, 0)]),
        ("1100", [(0, 0, 1)] * 2 + [(1, 1, 0)] * 2),
        ("1000", [(0, 0, 1)] + [(0, 0, 0)] * 3),
        ("110", [(0, 0, 0)] * 2 + [(1, 1, 0)]),
        ("10", [(0, 0, 0.5), (0.5, 0.5, 0)]),
    ],
)
def test_without_a_reference_each_is_compared_with_most_of_the_others(drew, expected):
    maps = np.stack([disc(5, 20) * int(one) for one in drew])
    counted = missed_and_invented([maps], background=0)
    assert counted[["objects", "missed", "invented"]].to_numpy() == pytest.approx(np.array(expected))


def test_rates_of_simulated_annotators_are_measured_again():
    _, drawn = drawings(150, people=5, missed=0.1, prior=BoundaryPrior.known(0.6))
    sums = missed_and_invented(drawn, background=0)[["objects", "missed"]].sum()
    assert sums["missed"] / sums["objects"] == pytest.approx(0.1, abs=0.03)


def test_the_annotator_that_is_made_of_it_errs_like_them():
    truth, drawn = drawings(100, growth=0.0)
    measured = variation(drawn, truth, 0)
    annotator = measured.annotator(missed=0.0)
    again = variation([np.stack(maps) for maps in zip(annotator(truth, 7), annotator(truth, 8))], truth, 0)
    for name in ("deviation", "sigma", "offset"):
        assert again.quantities[name] == pytest.approx(measured.quantities[name], rel=0.15), name
    assert measured.annotator(factor=2.0).factor == 2.0
    with pytest.raises(ValueError, match="annotator_parameters of 'population' must be prior, "):
        measured.annotator(sigma=1.0)


def test_the_population_predicts_unseen_objects_best_where_objects_differ():
    judged = held_out(simulated(200), folds=4)
    assert judged["count"].sum() == 200 * 40 and len(judged) == 200
    scores = judged[list(MODELS)].sum() / judged["count"].sum()
    assert scores["Normal"] < scores["Student-t"] < scores["population"]
    assert scores["Normal, by size"] < scores["Student-t, by size"] < scores["population"]


def test_the_population_is_no_better_where_objects_are_alike():
    alike = simulated(200, growth=0.0)
    generator = np.random.default_rng(0)
    series = list(generator.normal(0.2, 1.0, (200, 40)))
    judged = held_out(type(alike).of(alike.objects, series, alike.drawn, {}, None))
    scores = judged[list(MODELS)].sum() / judged["count"].sum()
    assert np.ptp(scores) < 0.005


def test_what_was_left_out_as_too_far_can_be_counted_in_and_makes_tails_heavier():
    truth, people = drawings(30)
    spiked = [maps.copy() for maps in people]
    for maps in spiked[0][::2]:
        maps[18:23, 20:] = 1  # a strip out of the object
    measured = variation(spiked, background=0)
    left_out = sum(map(len, measured.far))
    counted = measured.with_far()
    assert left_out > 5 and sum(map(len, counted.series)) == sum(map(len, measured.series)) + left_out
    assert counted.quantities["kurtosis"] > measured.quantities["kurtosis"]
    assert sum(map(len, measured.part(np.arange(len(measured.objects)) < 9).far)) < left_out
    with pytest.raises(ValueError, match="with_far needs a Variation that `variation` measured, of images"):
        counted.with_far()


def test_annotators_who_draw_the_same_do_not_vary():
    truth, _ = drawings(3)
    same = variation({"a": truth, "b": truth}, truth, 0)
    assert same.quantities["deviation"] < 0.05
    alone = simulated(10)
    zero = type(alone).of(alone.objects, [np.zeros(9)] * 10, alone.drawn, {}, None)
    assert zero.prior == BoundaryPrior.known(0.0) and zero.quantities["sigma"] == 0
    labels = disc(6)
    assert (zero.annotator(missed=0.0, invented=0.0)(labels, 0) == labels).all()
    with pytest.raises(ValueError, match="measured must be of annotators who differ"):
        held_out(zero, folds=2)
    single = type(alone).of(alone.objects.assign(group=0), alone.series, alone.drawn.assign(group=0), {}, None)
    assert single.table(repeats=2)[["low", "high"]].isna().all(axis=None)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda maps: variation([]), "annotations must be a dict of annotators, or label maps of each image"),
        (lambda maps: variation([maps, maps[:1]]), r"annotations\[1\] must be of two annotators or more"),
        (lambda maps: variation(maps), r"annotations of image 0 must be label maps \(H, W\)"),
        (lambda maps: variation({"a": maps}), "two annotators or more, or of one with references"),
        (lambda maps: variation([maps, maps], maps[:1]), "references must be one for each of 2 images; got 1"),
        (lambda maps: variation([maps, maps], groups=[1]), r"groups must be one for each of 2 images; got \[1\]"),
        (lambda maps: variation([maps, maps], spacing=[1.0]), "spacing must be one for each of 2 images"),
        (lambda maps: variation([maps, maps], spacing=[1.0, 0.0]), r"spacing must be a finite number in \(0"),
        (lambda maps: variation([maps, 0 * maps], maps[:, :9]), "must have the same shape"),
        (lambda maps: variation([0 * maps] * 2), "must share two objects or more with each other; 0 could be measured"),
        (lambda maps: variation([maps] * 2).table(level=1.0), r"level must be a finite number in \(0, 1\)"),
        (lambda maps: held_out(variation([maps] * 2), folds=3), "folds must be a whole number from 2 to 2"),
    ],
)
def test_wrong_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        change(np.stack([disc(6, 24), disc(5, 24)]))


def test_the_rates_of_missed_and_invented_objects_have_intervals_over_groups():
    counted = pd.DataFrame(
        {"image": [0, 1, 2, 3], "objects": [4, 4, 4, 4], "missed": [0, 0, 2, 2], "invented": [1] * 4}
    )
    found = presence_rates(counted, ["a", "a", "b", "b"], repeats=500)
    assert found["missed"] == 0.25 and (found["missed low"], found["missed high"]) == (0.0, 0.5)
    assert found["invented"] == found["invented low"] == found["invented high"] == 0.25
