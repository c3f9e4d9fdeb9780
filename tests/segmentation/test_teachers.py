"""Methods for segmentation with few labels: each teaches what its paper says, and a run trains by each."""

from pathlib import Path

import keras
import killed
import numpy as np
import pytest
from backend_results import computed
from keras import layers

from thesis_lib.annotation import BoundaryPrior
from thesis_lib.data import Crops, SceneBatches
from thesis_lib.segmentation import (
    AveragedSegmenter,
    BayesianTeacher,
    CrossPseudo,
    CutMix,
    OtherColours,
    Run,
    SegmentingFixMatch,
    SegmentingMeanTeacher,
)
from thesis_lib.segmentation.methods import METHODS
from thesis_lib.targets import ForwardDice, ForwardLikelihood, ShiftLikelihood

PRIOR = BoundaryPrior(0.0, 3.0, 2.6, 2.0)
STEP = Path(__file__).with_name("backend_teachers.py")
FEW = {
    "data": "nuclei-sample/3",
    "annotator": "displacement",
    "annotator_parameters": {"sigma": 1.0, "correlation_length": 4.0},
    "prior_sigma": 1.0,
    "labelled": 2,
    "width": 2,
    "depth": 1,
    "crop": 16,
    "batch_size": 2,
    "epochs": 2,
    "objective": "forward_expected_dice",
}


def network(seed=0):
    keras.utils.set_random_seed(seed)
    images = keras.Input((None, None, 1))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.Rescaling(1 / 255)(images))
    return keras.Model(images, layers.Conv2D(3, 1)(x))


def batch(seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, (2, 12, 14)).astype(np.uint8)
    labels[0, :4, :4] = 255
    draw = lambda n: generator.integers(0, 256, (n, 12, 14, 1)).astype(np.uint8)
    return {"labelled": draw(2), "labels": labels, "unlabelled": draw(4)}


def stepped(model, loss, *data):
    model.compile(keras.optimizers.SGD(0.5), loss)
    model.train_on_batch(*data)


@pytest.mark.parametrize("likelihood", [ForwardLikelihood(PRIOR), ShiftLikelihood(PRIOR, 1), ForwardDice(PRIOR)])
def test_where_the_bayesian_teacher_is_the_network_itself_it_learns_by_the_likelihood(likelihood):
    """Fisher's identity, in a training step: without a decay the teacher is the network."""
    inputs, taught, plain = batch(), network(), network()
    stepped(BayesianTeacher(taught, likelihood, weight=0.0, decay=0.0), likelihood, inputs)
    stepped(plain, likelihood, inputs["labelled"], inputs["labels"])
    for start, one, other in zip(network().get_weights(), taught.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
        assert np.abs(one - start).max() > 1e-3


def test_the_teacher_is_the_average_of_the_networks_and_predicts():
    student, inputs = network(), batch()
    model = SegmentingMeanTeacher(student, weight=5.0, decay=0.9)
    met = []  # by the first two steps, whose plain mean the average then is
    for _ in range(2):
        met.append(student.get_weights())
        stepped(model, ForwardLikelihood(PRIOR), inputs)
    for average, both in zip(model.teacher.get_weights(), zip(*met), strict=True):
        np.testing.assert_allclose(average, np.mean(both, axis=0), atol=1e-6)
    images = inputs["unlabelled"].astype("float32")
    np.testing.assert_allclose(model.predict(images, verbose=0), model.teacher.predict(images, verbose=0), atol=1e-6)
    assert model.predictor is model.teacher and not np.allclose(model.predict(images, verbose=0), student(images))


def test_unlabelled_images_teach_nothing_that_agrees_already():
    """The mean teacher's loss is 0 where teacher and network are the same; FixMatch's where nothing is confident."""
    inputs = batch()
    alike = SegmentingMeanTeacher(network(), decay=0.0)
    unsure = SegmentingFixMatch(network(), mix=CutMix(), threshold=1.0)
    for model in (alike, unsure):
        outputs = model(inputs, training=True)
        assert float(model.unsupervised_loss(inputs, outputs)) == pytest.approx(0.0, abs=1e-9)
    sure = SegmentingFixMatch(network(), mix=CutMix(), threshold=0.0)
    assert float(sure.unsupervised_loss(inputs, sure(inputs, training=True))) > 0.1


def test_two_networks_teach_each_other():
    """Each one's loss is the cross-entropy with the other's most probable class."""
    inputs, first, second = batch(), network(0), network(1)
    model = CrossPseudo(first, second)
    loss = float(model.unsupervised_loss(inputs, model(inputs, training=True)))
    images, by_hand = inputs["unlabelled"].astype("float32"), 0.0
    for taught, teacher in ((first, second), (second, first)):
        classes = np.asarray(teacher(images)).argmax(-1)
        by_hand += keras.losses.sparse_categorical_crossentropy(classes, taught(images), True).numpy().mean()
    assert loss == pytest.approx(by_hand, rel=1e-5)


def test_a_strong_variation_moves_no_pixel():
    images = np.random.default_rng(0).integers(0, 256, (3, 12, 14, 1)).astype("float32")
    colours = OtherColours(blur=0.0, noise=0.0, contrast=0.3, brightness=0.1, seed=1)
    np.testing.assert_array_equal(colours(images), images)
    for varied, image in zip(np.asarray(colours(images, training=True)), images, strict=True):
        assert (np.diff(varied.ravel()[image.ravel().argsort()]) >= 0).all() and not np.allclose(varied, image)
    noisy = np.asarray(OtherColours()(images, training=True))
    assert noisy.min() >= 0 and noisy.max() <= 255


def test_half_of_each_image_comes_from_the_one_before_with_its_target():
    images = np.arange(1.0, 5.0, dtype="float32")[:, None, None, None] * np.ones((4, 20, 30, 1), "float32")
    mixed, targets = CutMix(seed=2)(images, 10 * images)
    np.testing.assert_allclose(targets, 10 * mixed)
    for i, one in enumerate(np.asarray(mixed)):
        assert set(np.unique(one)) == {images[i].max(), images[i - 1].max()}
        rows, columns, _ = np.nonzero(one == images[i - 1])
        assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)  # a rectangle
        assert len(rows) == pytest.approx(300, rel=0.15)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_learns_and_its_predictor_is_kept(method, tmp_path):
    objective = "shift" if method == "bayesian_teacher" else "one_hot"
    run = Run(**{**FEW, "epochs": 1, "objective": objective}, method=method, output=str(tmp_path))
    run.train()
    row = run.scores().row
    assert np.isfinite(row["log_loss"]) and np.isfinite(run.log()["val_loss"]).all()
    assert run.trained_network().count_params() == run.untrained_network().count_params()


def test_the_average_predicts_and_is_that_of_the_weights_after_each_step(tmp_path):
    model, loss, weights = AveragedSegmenter(network(), decay=0.6), ForwardLikelihood(PRIOR), []
    for step in range(4):
        weights.append(model.network.get_weights())
        stepped(model, loss, batch(step)["labelled"], batch(step)["labels"])
    expected = weights[0]
    for step in range(1, 4):
        decay = min(1 - 1 / (step + 1), 0.6)  # 1/2, then 0.6
        expected = [decay * old + (1 - decay) * new for old, new in zip(expected, weights[step])]
    for one, other in zip(model.predictor.get_weights(), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    images = batch()["labelled"].astype("float32")
    np.testing.assert_allclose(model.predict(images, verbose=0), model.predictor(images), atol=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(images, verbose=0), model.predictor(images), atol=1e-6)
    with pytest.raises(ValueError, match="network must be a keras.Model"):
        AveragedSegmenter(keras.layers.Dense(1))
    with pytest.raises(ValueError, match="decay"):
        AveragedSegmenter(network(), decay=1.0)


@pytest.mark.parametrize("method", ["bayesian_teacher", "average"])
def test_a_killed_training_resumes_with_its_teacher_as_if_it_had_not_been(method, tmp_path, monkeypatch):
    straight, resumed = (Run(**FEW, method=method, output=str(tmp_path / name)) for name in "ab")
    straight.train()
    with killed.after_an_epoch(monkeypatch):
        resumed.train()
    resumed.train()
    assert resumed.log().equals(straight.log()) and len(resumed.log()) == 2
    for one, other in zip(*(run.trained_network().get_weights() for run in (straight, resumed)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_scenes_are_labelled_first_and_the_others_are_shown_once_an_epoch():
    run = Run(**{**FEW, "crop": None, "batch_size": 2}, method="mean_teacher")
    images, batches = run.task.splits.train.images, run.task.batches()[0]
    assert isinstance(batches.labelled, SceneBatches) and len(run.task.labels[0]) == 2
    for epoch in (0, 3):
        batches.start(epoch)
        shown = [batches[i][0] for i in range(len(batches))]
        others = np.concatenate([one["unlabelled"] for one in shown])
        assert sorted(map(bytes, others)) == sorted(map(bytes, images[2:]))
        assert {bytes(image) for one in shown for image in one["labelled"]} == {bytes(image) for image in images[:2]}
    plain = run.variant(method="supervised").task.batches()[0]
    assert isinstance(run.variant(crop=16).task.batches()[0].labelled, Crops) and len(plain.images) == 2


def test_the_annotators_of_a_folder_are_measured_on_labelled_images_alone():
    folder = {
        "data": "sample_data/buildings",
        "width": 2,
        "depth": 1,
        "crop": 32,
        "batch_size": 4,
        "objective": "shift",
    }
    run = Run(**folder, method="bayesian_teacher", labelled=2)
    assert len(run.task.labelled) == 2 and len(run.task.gold or ()) <= 2
    assert run.task.agreement.prior != run.variant(labelled=3).task.agreement.prior
    (inputs,) = run.task.crops()[0]
    assert inputs["labelled"].shape == inputs["unlabelled"].shape == (4, 32, 32, 3) == (*inputs["labels"].shape, 3)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"method": "mean_teacher"}, "labelled must be given for the method mean_teacher, .* got None"),
        ({"decay": 0.9}, "decay must be left at 0.99 for the method supervised, which does not have it; got 0.9"),
        ({"method": "cross_pseudo", "labelled": 2, "decay": 0.9}, "decay must be left at 0.99 for the method cross_ps"),
        ({"method": "fix_match", "labelled": 2, "augment": True}, "augment must be left at False for the method fix_m"),
        (
            {"method": "bayesian_teacher", "labelled": 2, "objective": "one_hot"},
            "objective must be one of forward, forward_expected_dice, shift for the method bayesian_teacher; got 'one_",
        ),
        (
            {"method": "bayesian_teacher", "labelled": 2, "class_weights": "largest"},
            "class_weights must be left at 'uniform' for the method bayesian_teacher",
        ),
        ({"labelled": 0}, "labelled must be a whole number from 1; got 0"),
        ({"method": "fix_match", "labelled": 2, "ramp": 0}, r"ramp must be a finite number in \(0, 1\]; got 0"),
    ],
)
def test_a_wrong_value_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        Run(**wrong)


def test_a_number_of_labels_that_the_images_do_not_allow_is_named(tmp_path):
    run = Run(**{**FEW, "labelled": 7}, output=str(tmp_path))
    run.task.prepare()
    with pytest.raises(
        ValueError, match="labelled must be a whole number from 1 to 6, the number of training images, "
    ):
        run.variant(method="mean_teacher").train()
    with pytest.raises(
        ValueError, match="labelled must be a whole number from 1 to 7, the number of training images; "
    ):
        run.variant(labelled=8).train()


@pytest.fixture(scope="module")
def of_tensorflow(tmp_path_factory):
    return computed(STEP, "tensorflow", tmp_path_factory.mktemp("teachers"))


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_backend_makes_the_same_step(backend, of_tensorflow, tmp_path):
    results = computed(STEP, backend, tmp_path)
    assert results.keys() == of_tensorflow.keys() and len(results) > 30 and results["random_finite"]
    for name, expected in of_tensorflow.items():
        np.testing.assert_allclose(results[name], expected, atol=1e-4, err_msg=name)
