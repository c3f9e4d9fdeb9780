import numpy as np
import pytest

from thesis_lib.annotation.agreement import agreement, pooled, prior_table
from thesis_lib.annotation.consensus import shape_based_average
from thesis_lib.annotation.displacements import boundary_displacements
from thesis_lib.annotation.geometry import shift_boundaries
from thesis_lib.annotation.simulated import DisplacementField
from thesis_lib.annotation.stretches import Stretch


def discs(count=12, size=96):
    """Maps of two classes of discs, whose boundaries are long compared with the errors."""
    generator = np.random.default_rng(0)
    y, x = np.indices((size, size))
    maps = np.zeros((count, size, size), np.uint8)
    for one in maps:
        for k, column in ((1, size // 4), (2, 3 * size // 4)):
            centre = generator.uniform(-3, 3, 2) + (size / 2, column)
            one[np.hypot(y - centre[0], x - centre[1]) < 16] = k
    return maps


def drawn(maps, sigmas, biases):
    """The maps as drawn by annotators a, b, c."""
    drawings = {}
    for seed, (name, sigma, bias) in enumerate(zip("abc", sigmas, biases)):
        drawings[name] = DisplacementField(sigma, 4.0, mean=bias, background=0)(maps, seed)
    return drawings


def as_stretches(series):
    return {pair: [Stretch(pair[1], one, None, None) for one in several] for pair, several in series.items()}


def middle(prior):
    return np.mean(prior.sigma_interval())


def test_the_shape_based_average_lies_halfway():
    wide, narrow = np.zeros((2, 30, 40), np.uint8)
    wide[5:25, 6:30], narrow[5:25, 6:24] = 1, 1
    assert np.array_equal(shape_based_average([wide, wide])[0], wide)
    average, distances = shape_based_average([wide, narrow])
    assert average[15].sum() == 21 and average.dtype == np.uint8
    assert list(distances) == [1] and np.array_equal(distances[1] > 0, average == 1)
    wide[0] = 255
    assert (shape_based_average([wide, narrow])[0][0] == 255).all()


@pytest.mark.parametrize("annotators", [2, 3])
def test_sigma_and_biases_are_measured_without_a_reference(annotators):
    maps = discs()
    measured = agreement(drawn(maps, [1.5] * annotators, [1.0, -1.0, 0.0][:annotators]))
    # Drawing on the pixel grid adds 1/12 px^2 of variance along each axis.
    low, high = measured.prior.sigma_interval(0.999)
    assert low < np.sqrt(1.5**2 + 1 / 12) < high and high - low < 1.0
    assert measured.prior.mean == pytest.approx(0, abs=0.05)
    table = prior_table("annotator", measured.annotators)
    assert table["bias, px"]["a"] - table["bias, px"]["b"] == pytest.approx(2.0, abs=0.35)
    assert (table["sigma from"] < table["sigma, px"]).all() and (table["sigma, px"] < table["sigma to"]).all()


def test_with_true_maps_the_bias_itself_is_measured():
    maps = discs()
    measured = agreement(drawn(maps, [1.0], [2.0]), references=maps)
    low, high = measured.annotators["a"].mean_interval(0.999)
    assert low < 2.0 < high and low > 1.5
    assert sorted(measured.pairs) == [(0, 1), (0, 2)]
    assert measured.pair_table(["ground", "roof", "road"]).index.tolist() == ["ground - roof", "ground - road"]


@pytest.mark.parametrize("sigma", [0.25, 0.5, 1.0])
def test_two_annotators_say_as_much_of_a_small_error_as_the_truth_does(sigma):
    maps = discs()
    both = drawn(maps, [sigma, sigma], [0.0, 0.0])
    without, against_truth = agreement(both), agreement(both, references=maps)
    assert middle(without.prior) == pytest.approx(middle(against_truth.prior), rel=0.12)


def test_biases_of_two_about_their_average_are_opposite():
    square, larger = np.zeros((2, 1, 40, 40), np.int8)
    square[:, 10:30, 10:30], larger[:, 10:30, 10:31] = 1, 1
    priors = agreement({"a": square, "b": larger}, background=0).annotators
    assert priors["a"].mean == pytest.approx(-priors["b"].mean, abs=0.03) and 0 < priors["b"].mean < 0.25


def test_boundaries_between_objects_say_nothing_of_the_bias():
    halves = np.zeros((2, 80, 100), np.uint8)
    halves[:, 15:65, 20:50], halves[:, 15:65, 50:80] = 1, 2
    measured = agreement({"a": shift_boundaries(halves, 2.0)}, references=halves)
    assert measured.annotators["a"].mean == pytest.approx(2.0, abs=0.05)
    assert measured.pairs[1, 2].mean == pytest.approx(0.0, abs=0.05)
    assert measured.prior.sigma_interval()[1] < 0.4


def test_the_edge_of_a_region_to_ignore_is_no_boundary():
    """Clouds cover a third of each drawing, each annotator's at another place."""
    maps = discs(8)
    both = drawn(maps, [1.0, 1.0], [0.5, -0.5])
    alone = agreement(both)
    for shift, name in enumerate(both):
        both[name][:, :, 30 + 4 * shift : 62 + 4 * shift] = 255
    clouded = agreement(both)
    for name, prior in clouded.annotators.items():
        assert prior.mean == pytest.approx(alone.annotators[name].mean, abs=0.15)
    assert middle(clouded.prior) == pytest.approx(middle(alone.prior), rel=0.05)
    cut = np.where(np.arange(96) < 24, 255, maps)  # through the middle of discs of class 1
    assert np.abs(boundary_displacements(cut, maps)).max() < 0.3
    assert np.abs(boundary_displacements(maps, cut)).max() < 0.3


def test_an_object_that_one_of_three_missed_leaves_the_average_as_it_is():
    """The squares are close, so that another one is near the missed one; a single annotator drew one more."""
    clean = np.zeros((2, 120, 160), np.uint8)
    for top, left in ((10, 10), (10, 84), (64, 10), (64, 84)):
        clean[:, top : top + 46, left : left + 66] = 1
    three = drawn(clean, [1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    expected = agreement(three, background=0)
    expected_average, _ = shape_based_average([maps[0] for maps in three.values()], 0)
    three["c"] = three["c"].copy()
    three["c"][:, :60, 80:] = 0
    three["c"][:, 112:118, 2:8] = 1
    average, _ = shape_based_average([maps[0] for maps in three.values()], 0)
    assert np.mean(average != expected_average) < 0.01 and not average[112:118, 2:8].any()
    assert middle(agreement(three, background=0).prior) == pytest.approx(middle(expected.prior), rel=0.05)


def test_an_object_with_an_offset_of_its_own_widens_the_population_and_the_bias_does_not():
    """Annotator b draws 1 px outside, and every second image another 2 px: half as much on each side of the average."""
    maps = discs(8)
    wide = np.stack([shift_boundaries(one, 1.0 + 2 * (i % 2), 0) for i, one in enumerate(maps)])
    measured = agreement({"a": maps, "b": wide}, background=0)
    images = measured.images.set_index(["annotator", "image"])
    assert images.loc["b", "bias"].diff().iloc[1:].abs().min() > 1.2  # px; sqrt(2) after the correction
    assert (images["objects"] == 2).all() and (images["spread"] < 0.3).all()
    assert images.loc["b", "bias"].mean() == pytest.approx(measured.annotators["b"].mean, abs=0.05)
    offset = np.sqrt(measured.population.scale / measured.population.shape / measured.population.mean_weight)
    assert offset == pytest.approx(np.sqrt(2) / 2, rel=0.2)
    constant = agreement({"a": maps, "b": shift_boundaries(maps, 1.0, 0)}, background=0).population
    assert np.sqrt(constant.scale / constant.shape / constant.mean_weight) < 0.1


def test_an_image_without_a_shared_object_has_no_bias():
    maps = discs(3)
    drawing = np.array([*maps[:2], 0 * maps[2]])
    measured = agreement({"a": drawing}, references=maps, background=0)
    assert measured.images["objects"].tolist() == [2, 2, 0]
    assert measured.images["bias"].isna().tolist() == [False, False, True]
    assert measured.population.sigma_interval()[1] < 0.05


def test_errors_beyond_the_search_radius_give_a_warning():
    maps = discs(6)
    with pytest.warns(UserWarning, match="search_radius must be at least four times sigma; 5 px is too small"):
        agreement(drawn(maps, [2.5], [0.0]), references=maps, search_radius=5.0)
    assert agreement(drawn(maps, [1.0], [0.0]), references=maps, search_radius=6.0).prior.sigma_interval()[1] < 1.5


def test_images_may_differ_in_size():
    maps = discs(4)
    both = drawn(maps, [1.0, 1.0], [0.0, 0.0])
    lists = {name: [one[:, : 80 + 4 * i] for i, one in enumerate(several)] for name, several in both.items()}
    assert agreement(lists).prior.sigma_interval()[1] < 2


def test_pairs_borrow_from_each_other_the_less_they_are_measured():
    generator = np.random.default_rng(0)
    series = {(0, k): [generator.normal(0, 1.0, 2000)] for k in range(1, 7)}
    series[0, 7] = [3.0 * generator.normal(0, 1.0, 2000)]  # truly different, much measured
    series[0, 8] = [generator.normal(0, 3.0, 6)]  # hardly measured
    priors = pooled(as_stretches(series))
    sigma = {pair: np.sqrt(prior.scale / prior.shape) for pair, prior in priors.items()}
    assert sigma[0, 7] == pytest.approx(3.0, rel=0.1) and sigma[0, 1] == pytest.approx(1.0, rel=0.1)
    own = np.concatenate(series[0, 8]).std()
    assert abs(np.log(sigma[0, 8])) < abs(np.log(own)) and sigma[0, 8] > 1
    width = {pair: np.ptp(prior.sigma_interval()) for pair, prior in priors.items()}
    assert width[0, 8] > 10 * width[0, 1]


def test_one_variance_for_all_is_pooled_completely():
    generator = np.random.default_rng(1)
    priors = pooled(as_stretches({(0, k): [generator.normal(0, 2.0, 40)] for k in range(1, 30)}))
    sigma = [np.sqrt(prior.scale / prior.shape) for prior in priors.values()]
    assert max(sigma) / min(sigma) < 1.2


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda maps: agreement({"a": maps}), r"two annotators or more, or of one with references; got \['a'\]"),
        (lambda maps: agreement({"a": maps, "b": maps[:1]}), "same images, one or more; got .*'b': 1"),
        (lambda maps: agreement({"a": maps}, references=maps[:1]), "'references': 1"),
        (lambda maps: agreement({"a": maps, "b": maps[:, 1:]}), "must have the same shape"),
        (lambda maps: agreement({"a": 0 * maps, "b": 0 * maps}), "'a' must share an object with most of a, b"),
        (
            lambda maps: agreement({"a": maps / 2, "b": maps}),
            "annotations of 'a' must be a non-empty array of integer classes",
        ),
        (
            lambda maps: agreement({"a": maps[0], "b": maps[0]}),
            r"must be label maps \(H, W\) or \(D, H, W\), one for each image; got shape \(64,\)",
        ),
        (lambda maps: shape_based_average(maps[:1]), "two annotators or more; got 1"),
    ],
)
def test_wrong_annotations_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        change(discs(2, 64))
