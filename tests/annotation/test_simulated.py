import numpy as np
import pytest

from thesis_lib.annotation import displacements, simulated
from thesis_lib.annotation.gaussians import gaussian_taps
from thesis_lib.annotation.simulated import DisplacementField, Identity, MarkovBoundary, Morphological

ALL = [Identity(), DisplacementField(1.0, 4.0, 0.5), MarkovBoundary(4, 0.5, 0.3, 0.05), Morphological(-2, 2)]


@pytest.mark.parametrize("annotator", ALL, ids=lambda a: type(a).__name__)
def test_an_annotator_keeps_shape_dtype_and_classes_and_repeats_with_the_seed(annotator, blobs):
    labels = blobs[:2]
    drawn = annotator(labels, 7)
    assert drawn.shape == labels.shape and drawn.dtype == labels.dtype
    assert set(np.unique(drawn)) <= set(np.unique(labels))
    assert (drawn == annotator(labels, 7)).all()
    if not isinstance(annotator, Identity):
        assert (drawn != annotator(labels, 8)).any()


def test_the_identity_changes_nothing(blobs):
    assert (simulated.annotator("none", sigma=1.0)(blobs, 0) == blobs).all()
    assert (DisplacementField(0.0, 4.0)(blobs, 0) == blobs).all()


@pytest.mark.parametrize("length", [2.0, 6.0])
def test_the_displacement_field_has_its_sigma_and_correlation(length):
    field = DisplacementField(1.5, length).field((600, 600), np.random.default_rng(0))
    assert field.std() == pytest.approx(1.5, rel=0.05)
    for lag in (1, int(length), 2 * int(length)):
        correlation = np.mean(field[:, lag:] * field[:, :-lag]) / np.mean(field**2)
        assert correlation == pytest.approx(np.exp(-(lag**2) / (2 * length**2)), abs=0.05)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_measured_displacements_have_the_annotators_sigma(blobs, sigma):
    drawn = DisplacementField(sigma, 8.0, background=0)(blobs, 1)
    measured = displacements.boundary_displacements(drawn, blobs, background=0)
    on_the_grid = np.sqrt(np.arange(-15, 16) ** 2 @ gaussian_taps(sigma, 15))
    assert measured.std() == pytest.approx(on_the_grid, rel=0.15)
    assert measured.mean() == pytest.approx(0.0, abs=0.2 * sigma)  # about three standard errors


@pytest.mark.parametrize("mean", [-2.0, 2.0])
def test_a_positive_mean_draws_outside_the_object(disc, mean):
    masks = np.stack([disc] * 20)
    drawn = DisplacementField(0.3, 8.0, mean)(masks, 0)
    assert displacements.boundary_displacements(drawn, masks).mean() == pytest.approx(mean, abs=0.3)


def test_a_markov_coin_that_always_grows_never_shrinks(disc):
    assert MarkovBoundary(5, 1.0, 0.5, 0.0)(disc, 0).sum() > 1.2 * disc.sum()
    assert MarkovBoundary(5, 0.0, 0.5, 0.0)(disc, 0).sum() < 0.8 * disc.sum()


def test_an_object_that_markov_steps_eat_up_leaves_background():
    speck = np.zeros((9, 9), bool)
    speck[4, 4] = True
    assert not MarkovBoundary(3, 0.0, 1.0, 0.0)(speck, 0).any()


def test_morphological_errors_are_whole_pixels_of_a_straight_edge(halves):
    widths = {int((Morphological(-2, 2, background=0)(halves, seed)[0, 12] == 1).sum()) for seed in range(40)}
    assert widths == {18, 19, 20, 21, 22}


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: DisplacementField(-1.0, 4.0), "sigma must .*-1.0"),
        (lambda: DisplacementField(float("nan"), 4.0), "sigma must .*nan"),
        (lambda: DisplacementField(1.0, 0.0), "correlation_length must .*0.0"),
        (lambda: MarkovBoundary(3, 1.2, 0.5, 0.0), "theta1 must .*1.2"),
        (lambda: Morphological(2, 1), "low must be at most high"),
        (lambda: simulated.annotator("monkey"), "name must be one of displacement, markov, morphological, none"),
        (lambda: simulated.annotator("markov", sigma=1.0), "annotator_parameters of 'markov' must be steps"),
    ],
)
def test_wrong_parameters_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "draw",
    [
        DisplacementField(2.0, 4.0, 1.0, background=0),
        MarkovBoundary(5, 1.0, 1.0, 0.0, background=0),
        Morphological(2, 2, background=0),
    ],
)
def test_pixels_to_ignore_are_drawn_by_nobody(draw):
    labels = np.zeros((1, 40, 40), np.uint8)
    labels[:, 10:20, 10:20], labels[:, 25:35, 25:35] = 1, 255
    drawn = draw(labels, 3)
    assert ((drawn == 255) == (labels == 255)).all()
    assert (drawn == 1).sum() > 100 and not (drawn[:, 24:36, 24:36] == 1).any()
