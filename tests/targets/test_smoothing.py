import math

import keras
import numpy as np
import pytest
from scipy import ndimage, stats

from thesis_lib.annotation import geometry
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.simulated import DisplacementField
from thesis_lib.data import splits
from thesis_lib.metrics import calibration
from thesis_lib.targets.class_matrices import RULES as CLASS_RULES
from thesis_lib.targets.class_matrices import adjacency, posterior_class_matrix, smoothing_matrix
from thesis_lib.targets.smoothing import ClassMatrix, OneHot, Posterior, SpatiallyVarying, Uniform

STRIPES = np.array([[[0, 0, 1, 2]]], np.uint8)
RULES = [OneHot(), Uniform(0.9), ClassMatrix(np.full((3, 3), 1 / 3)), SpatiallyVarying(1.0), Posterior(BoundaryPrior())]


def soft(rule, labels, num_classes=3):
    return np.asarray(rule(labels, num_classes))


@pytest.mark.parametrize("rule", RULES, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("shape", [(2, 9, 7), (1, 1, 1), (1, 3, 40)])
def test_soft_labels_sum_to_one_for_scenes_of_any_size(rule, shape):
    labels = np.random.default_rng(0).integers(0, 3, shape)
    q = soft(rule, labels)
    assert q.shape == shape + (3,) and (q >= 0).all()
    np.testing.assert_allclose(q.sum(-1), 1.0, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.02, 1e-200, 1.0, 1e9])
def test_the_filter_of_any_sigma_keeps_one_half_at_the_centre(sigma):
    kernel = SpatiallyVarying(sigma).kernel()
    assert kernel.sum() == pytest.approx(1) and kernel[1, 1] == pytest.approx(0.5)
    corner = 0 if sigma < 0.1 else np.exp(-0.5 / sigma**2)
    assert kernel[0, 0] / kernel[0, 1] == pytest.approx(corner)


def test_spatially_varying_smoothing_as_published():
    kernel = SpatiallyVarying(1.0).kernel()
    assert kernel[1, 1] == pytest.approx(0.5) and kernel.sum() == pytest.approx(1.0)
    assert kernel[0, 1] / kernel[0, 0] == pytest.approx(math.exp(0.5))
    edge = np.zeros((1, 5, 6), int)
    edge[..., 3:] = 1
    q = soft(SpatiallyVarying(1.0), edge, 2)[0, 2, :, 1]
    side = kernel[:, 2].sum()
    np.testing.assert_allclose(q, [0, 0, side, 1 - side, 1, 1], atol=1e-6)


@pytest.mark.parametrize(
    "p", [BoundaryPrior.known(1.0), BoundaryPrior.known(3.0), BoundaryPrior(0, 20, 5, 5), BoundaryPrior(0, 99, 40, 90)]
)
def test_a_straight_edge_gives_the_student_t_profile(p):
    edge = np.zeros((1, 90, 90), np.uint8)
    edge[:, :, 45:] = 1
    distance = np.arange(90) - 44.5
    for labels in (edge, edge.transpose(0, 2, 1)):
        q = soft(Posterior(p), labels, 2)[0, ..., 1]
        middle = q[45] if labels is edge else q[:, 45]
        near = np.abs(distance) < 25
        np.testing.assert_allclose(middle[near], p.inside_probability(distance[near]), atol=1e-3)


def test_the_separable_passes_equal_one_convolution_with_the_bivariate_student_t(blobs):
    p = BoundaryPrior(0.0, 20.0, 10.0, 10.0)
    q = soft(Posterior(p), blobs[:1])[0]
    degrees, _, scale = p.predictive().args
    density = stats.multivariate_t([0, 0], scale**2 * np.eye(2), degrees)
    at = (np.arange(31 * 5) - 77) / 5  # px, five points a pixel
    kernel = density.pdf(np.stack(np.meshgrid(at, at), -1)).reshape(31, 5, 31, 5).sum((1, 3)) / 25
    assert kernel.sum() == pytest.approx(1.0, abs=1e-4)
    for k in range(3):
        wide = ndimage.convolve((blobs[0] == k).astype(float), kernel, mode="constant")
        np.testing.assert_allclose(q[20:-20, 20:-20, k], wide[20:-20, 20:-20], atol=1e-3)


def test_no_error_gives_one_hot_labels(blobs):
    np.testing.assert_array_equal(soft(Posterior(BoundaryPrior.known(0.0)), blobs), soft(OneHot(), blobs))


@pytest.fixture(scope="module")
def drawn():
    train = splits.load_scenes("sample").train[:100]
    return {s: DisplacementField(s, 4.0, background=10)(train.labels, 0) for s in (1.0, 2.0)}, train.labels


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_the_posterior_at_the_annotators_sigma_forecasts_the_truth_best(drawn, sigma):
    labels, truth = drawn[0][sigma], drawn[1]
    matching = calibration.scores(truth, soft(Posterior(BoundaryPrior.known(sigma)), labels, 11))
    counts = adjacency(labels, 11)
    rivals = [
        *(Posterior(BoundaryPrior.known(sigma * factor)) for factor in (0.5, 0.7, 1.4, 2.0)),
        OneHot(),
        SpatiallyVarying(1.0),
        ClassMatrix(posterior_class_matrix(BoundaryPrior.known(sigma), counts)),
    ]
    for magnitude in (0.8, 0.9, 0.95, 0.975):
        rivals.append(Uniform(magnitude))
        rivals += [ClassMatrix(smoothing_matrix(rule, magnitude, counts)) for rule in CLASS_RULES]
    for rival in rivals:
        log_loss, _ = calibration.per_pixel(truth, soft(rival, labels, 11))
        assert matching["log_loss"] < log_loss.mean(), rival
    assert matching["ece"] < 0.01
    curve = matching["reliability"]
    many = curve["count"] > 2000
    np.testing.assert_allclose(curve["accuracy"][many], curve["confidence"][many], atol=0.08)


def test_removing_a_known_bias_improves_the_forecast(drawn):
    truth = drawn[1][:40]
    biased = DisplacementField(1.0, 4.0, 1.0, background=10)(truth, 0)
    corrected = geometry.shift_boundaries(biased, -1.0, background=10)
    rule = Posterior(BoundaryPrior.known(1.0))
    losses = [calibration.scores(truth, soft(rule, maps, 11))["log_loss"] for maps in (biased, corrected)]
    assert losses[1] < 0.8 * losses[0]


@pytest.mark.parametrize("rule", [*RULES, SpatiallyVarying(0.7), Posterior(BoundaryPrior.known(1.0, 0.3))])
def test_rules_survive_being_saved(rule):
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(rule))
    labels = np.random.default_rng(0).integers(0, 3, (1, 9, 9))
    np.testing.assert_array_equal(soft(copy, labels), soft(rule, labels))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: Uniform(0.0), "magnitude must .*0.0"),
        (lambda: Uniform(1.5), "magnitude must .*1.5"),
        (lambda: SpatiallyVarying(-1.0), "sigma must .*-1.0"),
        (lambda: ClassMatrix([[1.0, 0.5], [0, 1]]), "rows that sum to one"),
        (lambda: ClassMatrix([["a"]]), "matrix must be an array of finite numbers; got .*'a'"),
        (lambda: soft(ClassMatrix(np.eye(2)), STRIPES), "a row for each of the 3 classes; got 2"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
