import numpy as np
import pytest
import surface_distance
from scipy import ndimage
from sklearn.metrics import confusion_matrix

from thesis_lib.metrics import calibration, overlap, summary, surface
from thesis_lib.metrics.aggregation import METRICS, miou

LABELS = np.array([[[0, 0, 0, 1], [0, 0, 1, 1]]])
PREDICTED = np.array([[[0, 0, 1, 1], [0, 0, 0, 1]]])


def test_overlap_by_hand():
    s = overlap.scores(LABELS, PREDICTED, 2, background=0)
    assert s["confusion"].tolist() == [[4, 1], [1, 2]]
    assert s["accuracy"] == 6 / 8
    assert s["mean_class_accuracy"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert s["mean_class_accuracy_foreground"] == pytest.approx(2 / 3)
    assert s["miou"] == pytest.approx((4 / 6 + 2 / 4) / 2)
    assert s["mean_dice_foreground"] == pytest.approx(4 / 6)


def test_confusion_is_scikit_learns():
    generator = np.random.default_rng(0)
    a, b = generator.integers(0, 5, (2, 3, 20, 20)).astype(np.uint8)
    assert (overlap.confusion(a, b.astype(np.uint64), 6) == overlap.confusion(a, b, 6)).all()
    assert (overlap.confusion(a, b, 6) == confusion_matrix(a.ravel(), b.ravel(), labels=range(6))).all()


def test_absent_classes_count_in_no_mean_and_invented_ones_count_as_zero():
    absent = overlap.scores(LABELS, PREDICTED, 3)
    assert np.isnan(absent["class_iou"][2]) and absent["miou"] == overlap.scores(LABELS, PREDICTED, 2)["miou"]
    invented = overlap.scores(np.zeros((1, 2, 2), int), np.array([[[0, 0], [0, 1]]]), 2)
    assert invented["class_iou"].tolist() == [0.75, 0.0] and np.isnan(invented["class_accuracy"][1])


def test_surface_distance_of_shifted_squares_is_known():
    true, predicted = np.zeros((2, 1, 40, 40), bool)
    true[0, 10:30, 10:30], predicted[0, 10:30, 13:33] = True, True
    s = surface.scores(true, predicted, tolerance=1.0)
    assert s["hausdorff95"] == pytest.approx(3.0)
    # the two vertical sides are 3 px apart, the horizontal ones coincide but for their ends
    assert s["surface_distance"] == pytest.approx(1.5, abs=0.2)
    assert s["surface_dice"] == pytest.approx(0.5, abs=0.05)
    perfect = dict.fromkeys(surface.MEASURED, 0.0) | {"surface_dice": 1.0, "objects": 1}
    assert surface.scores(true, true) == perfect


def compare_with_the_library(true, predicted, spacing):
    reference = surface_distance.compute_surface_distances(true, predicted, spacing)
    row = surface.measure(true[None], predicted[None], spacing, tolerance=2.0, background=0).iloc[0]
    for name, percent in (("hausdorff95", 95), ("hausdorff", 100)):
        assert row[name] == pytest.approx(surface_distance.compute_robust_hausdorff(reference, percent))
    assert row["surface_dice"] == pytest.approx(surface_distance.compute_surface_dice_at_tolerance(reference, 2.0))
    averages = surface_distance.compute_average_surface_distance(reference)
    assert row[surface.DIRECTED].tolist() == pytest.approx(averages)
    distance = np.concatenate([reference["distances_gt_to_pred"], reference["distances_pred_to_gt"]])
    size = np.concatenate([reference["surfel_areas_gt"], reference["surfel_areas_pred"]])
    assert row["surface_distance"] == pytest.approx(np.average(distance, weights=size))


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 2.0)])
def test_surface_scores_are_those_of_the_library(blobs, spacing):
    for true, predicted in zip(blobs[:4] == 1, np.roll(blobs[:4], 3, axis=2) == 1):
        compare_with_the_library(true, predicted, spacing)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.7, 0.8)])
def test_surface_scores_of_volumes_are_those_of_the_library(spacing):
    generator = np.random.default_rng(0)
    true, predicted = ndimage.gaussian_filter(generator.normal(size=(2, 12, 24, 28)), (0, 2, 4, 4)) > 0.02
    compare_with_the_library(true, predicted, spacing)  # cut off by the volume's edge
    true[[0, -1]] = predicted[[0, -1]] = False
    compare_with_the_library(true, predicted, spacing)


def test_all_scores_of_a_volume_are_in_mm_and_those_of_its_planes_where_nothing_crosses_them():
    """A cylinder along the planes has the overlap and the calibration of its planes, and their distances between."""
    plane = np.zeros((24, 24), np.uint8)
    plane[6:16, 5:15] = 1
    forecast = ndimage.gaussian_filter(np.roll(plane, 2, 1).astype(float), 1)
    planes = np.stack([1 - forecast, forecast], -1)[None]
    volume, volumes = (np.repeat(one[:, None], 30, 1) for one in (plane[None], planes))
    of_plane, _, _ = summary.evaluate(plane[None], planes, 0, (0.5, 0.5), band=1.5, tolerance=0.5)
    of_volume, scenes, _ = summary.evaluate(volume, volumes, 0, (4.0, 0.5, 0.5), band=1.5, tolerance=0.5)
    for name in ("mean_dice_foreground", "log_loss", "brier", "ece", "log_loss_band", "volume_ratio"):
        assert of_volume[name] == pytest.approx(of_plane[name]), name
    for name in ("surface_distance", "hausdorff95"):
        assert of_volume[name] == pytest.approx(of_plane[name], rel=0.15), name
    assert of_volume["boundary_bias"] == pytest.approx(of_plane["boundary_bias"], abs=0.1)
    assert scenes["union"].shape == (1, 2)


def test_directed_distances_of_a_ball_that_is_predicted_twice_as_large():
    at = np.indices((1, 41, 41, 41))[1:] - 20
    true, predicted = ((at**2).sum(0) <= radius**2 for radius in (8, 16))
    row = surface.measure(true, predicted, tolerance=1.0).iloc[0]
    assert row[["true_to_predicted", "predicted_to_true", "hausdorff"]].tolist() == pytest.approx([8, 8, 8], abs=0.8)
    hole = predicted & ~true
    row = surface.measure(predicted, hole, background=0).iloc[0]
    assert row["true_to_predicted"] == 0 and row["predicted_to_true"] == pytest.approx(8 / 5, abs=0.3)


def test_distances_are_in_the_unit_of_the_spacing():
    true, predicted = np.zeros((2, 1, 40, 40), bool)
    true[0, 10:30, 10:30], predicted[0, 10:30, 13:33] = True, True
    assert surface.scores(true, predicted, spacing=(0.5, 0.5))["hausdorff95"] == pytest.approx(1.5)


def test_empty_masks_have_a_stated_meaning():
    empty, full = np.zeros((1, 3, 4), bool), np.zeros((1, 3, 4), bool)
    full[0, 1, 1] = True
    nothing = surface.scores(empty, empty)
    assert nothing["objects"] == 0 and np.isnan(nothing["surface_distance"])
    one_empty = dict.fromkeys(surface.MEASURED, 5.0) | {"surface_dice": 0.0, "objects": 1}
    for pair in ((empty, full), (full, empty)):
        assert surface.scores(*pair) == one_empty


def test_every_class_but_the_background_is_an_object():
    labels = np.zeros((2, 12, 12), int)
    labels[0, 2:6, 2:6], labels[0, 8:11, 8:11], labels[1, 3:9, 3:9] = 1, 2, 1
    objects = surface.measure(labels, labels, background=0)
    assert objects[["image", "class"]].values.tolist() == [[0, 1], [0, 2], [1, 1]]


def test_calibration_by_hand():
    labels = np.array([[[0, 1, 1, 0]]])
    sure = np.array([[[[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.6, 0.4]]]])
    s = calibration.scores(labels, sure)
    assert s["log_loss"] == pytest.approx(-np.log([0.9, 0.1, 0.6, 0.6]).mean())
    assert s["brier"] == pytest.approx(np.mean([0.02, 1.62, 0.32, 0.32]))
    # 15 bins. That of 0.9: accuracy 1/2, confidence 0.9; that of 0.6: accuracy 1, confidence 0.6; each has two pixels.
    assert s["ece"] == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)
    assert s["reliability"]["count"].tolist() == [0] * 9 + [2, 0, 0, 0, 2, 0]


def test_probabilities_that_come_true_as_often_as_they_say_are_calibrated():
    generator = np.random.default_rng(0)
    p = generator.uniform(0, 1, (4, 100, 100))
    labels = (generator.uniform(size=p.shape) < p).astype(int)
    assert calibration.scores(labels, np.stack([1 - p, p], -1))["ece"] < 0.01


def test_a_band_counts_only_pixels_near_boundaries(halves):
    probabilities = np.full(halves.shape + (2,), 0.5)
    probabilities[:, :, :10] = [1.0, 0.0]
    assert calibration.scores(halves, probabilities, band=2.0)["log_loss"] == pytest.approx(np.log(2))
    assert np.isnan(calibration.scores(np.zeros((1, 4, 4), int), np.full((1, 4, 4, 2), 0.5), band=2.0)["ece"])


def test_scores_of_scenes_add_up_to_those_of_all(blobs):
    generator = np.random.default_rng(0)
    logits = 3 * np.eye(3)[blobs] + generator.normal(0, 1, blobs.shape + (3,))
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    row, scenes, curves = summary.evaluate(blobs, probabilities, background=0)
    assert row["log_loss"] == pytest.approx(scenes["log_loss"].mean())
    assert row["surface_distance"] == pytest.approx(np.nanmean(scenes["surface_distance"]))
    once = np.ones((1, len(scenes["union"])))
    assert miou(scenes, once) == pytest.approx([row["miou"]])
    foreground = {name: scenes[name][:, [1, 2]] for name in ("intersection", "union")}
    assert miou(foreground, once) == pytest.approx([row["miou_foreground"]])
    assert curves["all"]["count"].sum() == blobs.size > curves["band"]["count"].sum()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: overlap.scores(LABELS, PREDICTED[:, :1], 2), "must have the same shape"),
        (lambda: overlap.scores(LABELS, PREDICTED, 1), r"labels must hold classes in 0..0; got values from 0 to 1"),
        (lambda: surface.scores(LABELS, PREDICTED, spacing=(0, 1)), "spacing must"),
        (lambda: surface.scores(LABELS, PREDICTED, spacing=(1, 1, 1)), "spacing must be two lengths"),
        (lambda: surface.scores(LABELS[None], PREDICTED[None], spacing=(1, 1)), "spacing must be three lengths"),
        (lambda: surface.scores(LABELS, PREDICTED, spacing=((1, 1), (2, 2))), "images of several spacings one by one"),
        (lambda: surface.scores(LABELS, PREDICTED, spacing=2.0), "spacing must be two lengths"),
        (
            lambda: summary.evaluate(LABELS, np.full(LABELS.shape + (2,), 0.5), 2),
            "background must be a whole number from 0 to 1; got 2",
        ),
        (lambda: overlap.scores(LABELS, PREDICTED, 2, 2), "background must be a whole number from 0 to 1; got 2"),
        (lambda: overlap.scores(LABELS, PREDICTED, 2, -1), "background must be a whole number from 0 to 1; got -1"),
        (lambda: overlap.scores(LABELS, PREDICTED, 2.5), "num_classes must be a whole number from 1 to 4096; got 2.5"),
        (
            lambda: overlap.confusion([[0]], [[0]], 65536),
            "num_classes must be .* from 1 to 4096; got 65536",
        ),
        (lambda: overlap.from_confusion(np.ones((2, 3))), r"counts must be a confusion matrix .* got shape \(2, 3\)"),
        (lambda: overlap.from_confusion("ab"), "counts must be a confusion matrix .*; got 'ab'"),
        (lambda: surface.scores(LABELS, PREDICTED, spacing="ab"), "spacing must be two lengths, .* got 'ab'"),
        (
            lambda: summary.evaluate(LABELS[:0], np.zeros((0, 4, 4, 2)), 0),
            r"probabilities must be finite, .* and not empty; got shape \(0, 4, 4, 2\)",
        ),
        (lambda: summary.evaluate(LABELS, [["a"]], 0), r"probabilities must be finite, .*; got \[\['a'\]\]"),
        (lambda: summary.evaluate([[[0, 1], [0]]], np.full((1, 2, 2, 2), 0.5), 0), "labels must be an array, its rows"),
        (lambda: surface.scores(LABELS, PREDICTED[0]), "must have the same shape"),
        (lambda: calibration.scores(LABELS, np.full(LABELS.shape + (2,), np.nan)), "probabilities must be finite"),
        (lambda: calibration.scores(LABELS, np.ones(LABELS.shape + (2,))), "sum to one"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_probabilities_in_half_precision_score_as_those_in_single_precision():
    """Log losses of a large scene add up to more than half precision can hold."""
    generator = np.random.default_rng(0)
    labels = np.zeros((1, 120, 120), int)
    labels[:, 40:80, 40:80] = 1
    probabilities = generator.dirichlet([0.1, 0.1], labels.shape).astype(np.float16)
    row, scenes, _ = summary.evaluate(labels, probabilities, 0)
    expected, of_scenes, _ = summary.evaluate(labels, probabilities.astype(np.float32), 0)
    assert np.isfinite(scenes["log_loss"]).all() and scenes["log_loss"] == pytest.approx(of_scenes["log_loss"])
    assert row == pytest.approx(expected, nan_ok=True)


def test_scenes_without_any_object_have_numbers_and_no_median():
    probabilities = np.zeros((3, 6, 6, 2))
    probabilities[..., 0] = 1
    _, scenes, _ = summary.evaluate(np.zeros((3, 6, 6), int), probabilities, 0)
    assert scenes["surface_distance"].dtype == float and np.isnan(scenes["surface_distance"]).all()
    median = METRICS["surface_distance_median"].of_scenes
    assert np.isnan(median(scenes, np.ones((2, 3)))).all()
    three = {"surface_distance": np.array([3.0, np.nan, 5.0])}
    weights = np.array([[0.0, 3, 0], [1, 1, 1], [2, 0, 1]])
    np.testing.assert_array_equal(median(three, weights), [np.nan, 4.0, 3.0])


def test_pixels_to_ignore_are_not_counted():
    generator = np.random.default_rng(0)
    labels = np.zeros((2, 24, 30), np.uint8)
    labels[:, 6:14, 6:16] = 1
    probabilities = generator.dirichlet([1, 1], (2, 24, 30))
    ended = summary.evaluate(labels[:, :20], probabilities[:, :20], 0)
    labels[:, 20:] = 255
    ignored = summary.evaluate(labels, probabilities, 0)
    for name, value in ended[0].items():
        tolerance = 0.05 if "surface" in name or "hausdorff" in name else 1e-9
        assert ignored[0][name] == pytest.approx(value, rel=tolerance), name
    assert (ignored[1]["union"] == ended[1]["union"]).all()
    assert np.isnan(overlap.scores(np.full((1, 2, 2), 255), np.zeros((1, 2, 2), int), 2)["accuracy"])


def test_the_edge_of_a_region_to_ignore_is_no_boundary_and_nothing_to_measure_has_no_row():
    labels = np.zeros((2, 30, 30), np.uint8)
    labels[0, 10:20, 5:15] = 1
    labels[0, :, :5] = labels[0, :, 15:] = 255  # the object may go on there
    labels[1] = 255
    probabilities = np.zeros((2, 30, 30, 2))
    probabilities[..., 0] = 1
    probabilities[:, 12:18] = (0, 1)
    row, scenes, _ = summary.evaluate(labels, probabilities, 0)
    # 2 px above and below; the sides are no boundary
    assert row["surface_distance"] == pytest.approx(2.0) == row["hausdorff95"]
    assert np.isnan(scenes["surface_distance"][1]) and np.isfinite(scenes["surface_distance"][0])


@pytest.mark.parametrize("scenes, last_alone", [(21, False), (400, False), (400, True)])
def test_the_median_scene_is_that_of_the_scenes_as_often_as_they_are_drawn(scenes, last_alone):
    """Also where resamples have their median far from that of all scenes: only the farthest tenth is drawn."""
    generator = np.random.default_rng(0)
    distances, weights = np.sort(generator.normal(size=scenes)), generator.integers(0, 4, (50, scenes))
    if last_alone:
        weights[25:, : -scenes // 10] = 0
    with_nan = {"surface_distance": np.append(distances, np.nan)}  # a scene without an object has no distance
    padded = np.pad(weights, [(0, 0), (0, 1)], constant_values=2).astype(float)
    medians = METRICS["surface_distance_median"].of_scenes(with_nan, padded)
    assert medians == pytest.approx([np.median(np.repeat(distances, w)) for w in weights])
