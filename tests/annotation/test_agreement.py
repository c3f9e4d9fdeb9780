import numpy as np
import pytest

from thesis_lib.annotation.agreement import agreement, consensus, pooled
from thesis_lib.annotation.displacements import boundary_displacements
from thesis_lib.annotation.geometry import shift_boundaries
from thesis_lib.annotation.simulated import DisplacementField


def discs(count=12, size=96):
    """Maps of two classes of discs, whose boundaries are long beside the errors."""
    generator = np.random.default_rng(0)
    y, x = np.indices((size, size))
    maps = np.zeros((count, size, size), np.uint8)
    for one in maps:
        for k, centre in ((1, size // 4), (2, 3 * size // 4)):
            middle = generator.uniform(-3, 3, 2) + (size / 2, centre)
            one[np.hypot(y - middle[0], x - middle[1]) < 16] = k
    return maps


def drawn(maps, sigmas, biases):
    return {
        name: DisplacementField(s, 4.0, mean=b, background=0)(maps, seed)
        for seed, (name, s, b) in enumerate(zip("abc", sigmas, biases))
    }


def test_the_consensus_lies_half_way():
    wide, narrow = np.zeros((2, 30, 40), np.uint8)
    wide[5:25, 6:30], narrow[5:25, 6:24] = 1, 1
    assert np.array_equal(consensus([wide, wide]), wide)
    found = consensus([wide, narrow])
    assert found[15].sum() == 21 and found.dtype == np.uint8
    wide[0] = 255
    assert (consensus([wide, narrow])[0] == 255).all()


@pytest.mark.parametrize("annotators", [2, 3])
def test_sigma_and_biases_are_found_without_a_reference(annotators):
    maps = discs()
    found = agreement(drawn(maps, [1.5] * annotators, [1.0, -1.0, 0.0][:annotators]))
    # Drawing on the pixel grid adds 1/12 px^2 of variance along each axis.
    low, high = found.prior.sigma_interval(0.999)
    assert low < np.sqrt(1.5**2 + 1 / 12) < high and high - low < 1.0
    assert found.prior.mean == pytest.approx(0, abs=0.05)
    table = found.table()
    apart = table["bias, px"]["a"] - table["bias, px"]["b"]
    assert apart == pytest.approx(2.0, abs=0.35)
    assert (table["sigma from"] < table["sigma, px"]).all() and (table["sigma, px"] < table["sigma to"]).all()


def test_with_gold_standard_masks_the_bias_itself_is_found():
    maps = discs()
    found = agreement(drawn(maps, [1.0], [2.0]), references=maps)
    low, high = found.annotators["a"].mean_interval(0.999)
    assert low < 2.0 < high and low > 1.5
    assert sorted(found.pairs) == [(0, 1), (0, 2)]
    assert found.pair_table(["ground", "roof", "road"]).index.tolist() == ["ground - roof", "ground - road"]


@pytest.mark.parametrize("sigma", [0.25, 0.5, 1.0])
def test_two_annotators_say_as_much_of_a_small_error_as_the_truth_does(sigma):
    maps = discs()
    both = drawn(maps, [sigma, sigma], [0.0, 0.0])
    middle = [np.mean(found.prior.sigma_interval()) for found in (agreement(both), agreement(both, references=maps))]
    assert middle[0] == pytest.approx(middle[1], rel=0.12)


def test_biases_of_two_about_their_middle_are_opposite():
    square, larger = np.zeros((2, 1, 40, 40), np.int8)
    square[:, 10:30, 10:30], larger[:, 10:30, 10:31] = 1, 1
    found = agreement({"a": square, "b": larger}, background=0).annotators
    assert found["a"].mean == pytest.approx(-found["b"].mean, abs=0.03) and 0 < found["b"].mean < 0.25


def test_boundaries_between_objects_say_nothing_of_the_bias():
    halves = np.zeros((2, 80, 100), np.uint8)
    halves[:, 15:65, 20:50], halves[:, 15:65, 50:80] = 1, 2
    found = agreement({"a": shift_boundaries(halves, 2.0)}, references=halves)
    assert found.annotators["a"].mean == pytest.approx(2.0, abs=0.05)
    assert found.pairs[1, 2].mean == pytest.approx(0.0, abs=0.05)
    assert found.prior.sigma_interval()[1] < 0.4


def test_the_edge_of_what_is_ignored_is_no_boundary():
    """Clouds over a third of each drawing, at a place of each one's own."""
    maps = discs()
    both = drawn(maps, [1.0, 1.0], [0.5, -0.5])
    alone = agreement(both)
    for shift, name in enumerate(both):
        both[name][:, :, 30 + 4 * shift : 62 + 4 * shift] = 255
    clouded = agreement(both)
    for name, prior in clouded.annotators.items():
        assert prior.mean == pytest.approx(alone.annotators[name].mean, abs=0.15)
    middle = [sum(one.prior.sigma_interval()) / 2 for one in (alone, clouded)]
    assert middle[1] == pytest.approx(middle[0], rel=0.05)
    cut = np.where(np.arange(96) < 24, 255, maps)  # through the middle of discs of class 1
    assert (
        np.abs(boundary_displacements(cut, maps)).max() < 0.3 and np.abs(boundary_displacements(maps, cut)).max() < 0.3
    )


def test_an_object_that_one_of_three_missed_does_not_spoil_the_consensus():
    """Close squares, so that the next one is near where one is missed; and one that a single annotator drew."""
    clean = np.zeros((4, 120, 160), np.uint8)
    for top, left in ((10, 10), (10, 84), (64, 10), (64, 84)):
        clean[:, top : top + 46, left : left + 66] = 1
    three = drawn(clean, [1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    whole, expected = (
        agreement(three, background=0).prior.sigma_interval(),
        consensus([maps[0] for maps in three.values()], 0),
    )
    three["c"] = three["c"].copy()
    three["c"][:, :60, 80:] = 0
    three["c"][:, 112:118, 2:8] = 1
    one = consensus([maps[0] for maps in three.values()], 0)
    assert np.mean(one != expected) < 0.01 and not one[112:118, 2:8].any()
    assert np.mean(agreement(three, background=0).prior.sigma_interval()) == pytest.approx(np.mean(whole), rel=0.05)


def test_errors_beyond_the_reach_are_warned_of():
    maps = discs(6)
    with pytest.warns(UserWarning, match="reach must be at least four times sigma; at 5 px"):
        agreement(drawn(maps, [2.5], [0.0]), references=maps, reach=5.0)
    assert agreement(drawn(maps, [1.0], [0.0]), references=maps, reach=6.0).prior.sigma_interval()[1] < 1.5


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
    found = pooled(series)
    sigma = {pair: np.sqrt(prior.scale / prior.shape) for pair, prior in found.items()}
    assert sigma[0, 7] == pytest.approx(3.0, rel=0.1) and sigma[0, 1] == pytest.approx(1.0, rel=0.1)
    own = np.concatenate(series[0, 8]).std()
    assert abs(np.log(sigma[0, 8])) < abs(np.log(own)) and sigma[0, 8] > 1
    wide, narrow = (np.subtract(*reversed(found[pair].sigma_interval())) for pair in ((0, 8), (0, 1)))
    assert wide > 10 * narrow


def test_one_variance_for_all_is_pooled_completely():
    generator = np.random.default_rng(1)
    found = pooled({(0, k): [generator.normal(0, 2.0, 40)] for k in range(1, 30)})
    sigma = [np.sqrt(prior.scale / prior.shape) for prior in found.values()]
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
            lambda maps: agreement({"a": [maps], "b": [maps]}),
            r"must be label maps \(H, W\), one an image; got shape \(2, 64, 64\)",
        ),
        (lambda maps: consensus(maps[:1]), "two annotators or more; got 1"),
    ],
)
def test_wrong_annotations_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        change(discs(2, 64))
