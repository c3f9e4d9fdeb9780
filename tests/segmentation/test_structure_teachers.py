"""Methods for few labels where structures overlap: each pixel of each structure is taught by its sigmoid alone."""

import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.segmentation.test_structure_run import REGIONS, TINY, scene, write
from tests.segmentation.test_teachers import PRIOR, network
from tests.segmentation.test_volume_run import SMALL, case, write_nnunet
from thesis_lib.annotation import BoundaryPrior
from thesis_lib.data import write_image, write_volume
from thesis_lib.segmentation import (
    BayesianTeacher,
    CrossPseudo,
    CutMix,
    OtherColours,
    Run,
    SegmentingFixMatch,
    SegmentingMeanTeacher,
)
from thesis_lib.segmentation.methods import METHODS, TEACHING, Parts
from thesis_lib.targets import ForwardDice, ForwardLikelihood, Overlapping, ShiftLikelihood, objective

EXACT, VAGUE = BoundaryPrior.known(0.5), BoundaryPrior.known(2.0)
LIKELIHOOD = Overlapping([ForwardLikelihood(EXACT), ForwardDice(VAGUE), ShiftLikelihood(PRIOR, 0)], weights=[1, 2, 3])


def batch(seed=0):
    """Images, and structures in three channels, of which one is unknown in a corner."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, (2, 12, 14, 3)).astype(np.uint8)
    labels[0, :4, :4, 1] = 255
    draw = lambda n: generator.integers(0, 256, (n, 12, 14, 1)).astype(np.uint8)
    return {"labelled": draw(2), "labels": labels, "unlabelled": draw(4)}


def stepped(model, loss, *data):
    model.compile(keras.optimizers.SGD(0.5), loss, run_eagerly=True)
    model.train_on_batch(*data)


def unsupervised(model, inputs):
    return float(model.unsupervised_loss(inputs, model(inputs, training=True)))


def sigmoid(some, images):
    return np.asarray(keras.ops.sigmoid(some(images.astype("float32"))), float)


def of_inside(true, probability):
    """Cross-entropy of each pixel of each structure."""
    return -np.log(np.where(true, probability, 1 - probability))


def test_the_mean_teacher_compares_the_sigmoids_of_each_structure():
    inputs, student = batch(), network(0)
    model = SegmentingMeanTeacher(student, overlapping=True)
    model.teacher.set_weights(network(1).get_weights())
    model.step.assign(10**6)  # by then the teacher hardly follows
    differences = sigmoid(student, inputs["unlabelled"]) - sigmoid(model.teacher, inputs["unlabelled"])
    model.decay = 1.0
    assert unsupervised(model, inputs) == pytest.approx(np.square(differences).mean(), rel=1e-4)


def test_fix_match_learns_where_a_structure_is_surely_inside_or_outside():
    inputs, student = batch(), network()
    probability = sigmoid(student, inputs["unlabelled"])
    confidence = np.maximum(probability, 1 - probability)
    for threshold in (0.0, float(np.median(confidence)), 1.0):
        model = SegmentingFixMatch(student, threshold=threshold, overlapping=True)
        by_hand = np.mean((confidence >= threshold) * of_inside(probability > 0.5, probability))
        assert unsupervised(model, inputs) == pytest.approx(by_hand, rel=1e-3, abs=1e-7)
    mixed = SegmentingFixMatch(student, OtherColours(seed=0), CutMix(seed=0), threshold=0.0, overlapping=True)
    assert unsupervised(mixed, inputs) > 0.1


def test_cut_mix_takes_the_structures_of_a_pixel_with_its_image():
    """A network whose logits are its image: with targets that move as images do, each pixel is as sure as before."""
    images = keras.Input((None, None, 1))
    scaled = keras.layers.Rescaling(20 / 255, -10)(images)
    itself = keras.Model(images, keras.layers.Concatenate()([scaled, keras.layers.Rescaling(-1.0)(scaled)]))
    values = np.array([0, 60, 200, 255])
    inputs = {**batch(), "unlabelled": (values[:, None, None, None] * np.ones((12, 14, 1))).astype(np.uint8)}
    whole = SegmentingFixMatch(itself, threshold=0.9, overlapping=True)
    mixed = SegmentingFixMatch(itself, mix=CutMix(seed=3), threshold=0.9, overlapping=True)
    learned = np.asarray(mixed(inputs, training=True)["images"])[2:]
    assert all(len(np.unique(image)) == 2 for image in learned)
    surest = np.log1p(np.exp(-np.abs(values * 20 / 255 - 10))).mean()
    assert unsupervised(whole, inputs) == pytest.approx(surest, rel=1e-3)
    assert unsupervised(mixed, inputs) == pytest.approx(surest, rel=0.2)  # half of each comes from another


def test_two_networks_teach_each_other_whether_a_pixel_is_inside():
    inputs, first, second = batch(), network(0), network(1)
    one, other = (sigmoid(some, inputs["unlabelled"]) for some in (first, second))
    by_hand = of_inside(other > 0.5, one).mean() + of_inside(one > 0.5, other).mean()
    assert unsupervised(CrossPseudo(first, second, overlapping=True), inputs) == pytest.approx(by_hand, rel=1e-4)


def test_where_the_bayesian_teacher_is_the_network_itself_it_learns_by_the_likelihood_of_each_structure():
    """Fisher's identity, as for classes that exclude each other."""
    inputs, taught, plain = batch(), network(), network()
    stepped(BayesianTeacher(taught, LIKELIHOOD, weight=0.0, decay=0.0), LIKELIHOOD, inputs)
    stepped(plain, LIKELIHOOD, inputs["labelled"], inputs["labels"])
    for start, one, other in zip(network().get_weights(), taught.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
        assert np.abs(one - start).max() > 1e-3


def made(method):
    """A model of each method, whose teacher is another network than the student."""
    model = {
        "mean_teacher": lambda: SegmentingMeanTeacher(network(), overlapping=True),
        "fix_match": lambda: SegmentingFixMatch(network(), threshold=0.5, overlapping=True),
        "cross_pseudo": lambda: CrossPseudo(network(), network(1), overlapping=True),
        "bayesian_teacher": lambda: BayesianTeacher(network(), LIKELIHOOD),
    }[method]()
    if hasattr(model, "teacher"):
        model.teacher.set_weights([3 * w for w in network(1).get_weights()])  # which is surer, too
        model.step.assign(100)
    return model


@pytest.mark.parametrize("method", TEACHING)
def test_an_unlabelled_image_changes_the_step_and_a_saved_model_steps_alike(method, tmp_path):
    inputs, weights = batch(), []
    for unlabelled in (inputs["unlabelled"], 255 - inputs["unlabelled"]):
        model = made(method)
        stepped(model, LIKELIHOOD, {**inputs, "unlabelled": unlabelled})
        weights.append(model.network.get_weights())
    assert max(np.abs(one - other).max() for one, other in zip(*weights)) > 1e-4
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.overlapping and unsupervised(loaded, inputs) == pytest.approx(unsupervised(model, inputs), rel=1e-5)


def test_a_wrong_model_is_named():
    likelihood, one_logit = Overlapping(ForwardLikelihood(EXACT)), keras.Sequential([keras.Input((8, 8, 1))])
    one_logit.add(keras.layers.Conv2D(1, 1))
    SegmentingMeanTeacher(one_logit, overlapping=True)
    for message, wrong in (
        ("overlapping must be True or False; got 1", lambda: SegmentingMeanTeacher(network(), overlapping=1)),
        ("(N, H, W, K) of two classes or more", lambda: SegmentingMeanTeacher(one_logit)),
        (
            "overlapping must be True where the loss is an Overlapping one; got False",
            lambda: stepped(SegmentingMeanTeacher(network()), likelihood, batch()),
        ),
        (
            "likelihood must have a loss for each of the network's 3 structures; got 2",
            lambda: BayesianTeacher(network(), Overlapping([ForwardLikelihood(EXACT)] * 2)),
        ),
        (
            "likelihood must be a ForwardLikelihood, ForwardDice or ShiftLikelihood, or an Overlapping of these",
            lambda: BayesianTeacher(network(), Overlapping(objective("one_hot"))),
        ),
        (
            "likelihood must be without class_weights",
            lambda: BayesianTeacher(network(), Overlapping(ForwardLikelihood(EXACT, class_weights=[1, 2]))),
        ),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            wrong()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    data = tmp_path_factory.mktemp("discs")
    write(data)
    (data / "unlabelled").mkdir()
    for number in (20, 21, 22):
        write_image(scene(number)[0], data / "unlabelled" / f"{number}.png")
    return str(data)


def test_a_run_on_structures_trains_by_each_method(folder, tmp_path):
    given = {**TINY, "width": 2, "data": folder, "structures": REGIONS, "prior_sigma": {"whole": 0.8, "core": 2.0}}
    run = Run(**given, objective="forward_expected_dice", method="mean_teacher", output=str(tmp_path))
    (inputs,) = run.task.batches()[0][0]
    assert inputs["labels"].shape[1:] == (32, 32, 2) and inputs["unlabelled"].shape[1:] == (32, 32, 3)
    for method in TEACHING:
        other = run.variant(method=method)
        model = METHODS[method].build(Parts(other, run.untrained_network(), other.loss(), 10))
        stepped(model, other.loss(), inputs)
        assert model.overlapping and np.isfinite([part.result() for part in model.loss_parts]).all()
    run.train()
    assert np.isfinite(run.log()[["loss", "unsupervised_loss", "val_loss"]]).all(axis=None)
    assert run.predict(scene(30)[0]).shape == (64, 64, 2)


def test_volumes_without_a_mask_teach_structures_too(tmp_path):
    pytest.importorskip("SimpleITK")
    data = Path(write_nnunet(tmp_path / "data", 4, inner=2))
    about = json.loads((data / "dataset.json").read_text())
    about["labels"] = {"background": 0, "whole": [1, 2], "core": [2]}
    (data / "dataset.json").write_text(json.dumps(about | {"regions_class_order": [1, 2]}))
    for number in (10, 11, 12):
        (data / "unlabelled").mkdir(exist_ok=True)
        write_volume(case(number)[0], data / "unlabelled" / f"case{number}_0000.nii.gz")
    given = {**SMALL, "objective": "forward", "structures": "regions", "prior_sigma": {"whole": 0.8, "core": 2.0}}
    for bias in (0.0, {"whole": 2.0, "core": 0.0}):  # mm; where it is taken out, masks are moved beforehand
        run = Run(**given, prior_mean=bias, data=str(data), method="bayesian_teacher", output=str(tmp_path / "run"))
        (inputs,) = run.task.batches()[0][0]
        assert inputs["labels"].shape[1:] == (8, 8, 8, 2) and inputs["unlabelled"].shape[1:] == (8, 8, 8, 1)
    model = METHODS[run.method].build(Parts(run, run.untrained_network(), run.loss(), 10))
    stepped(model, run.loss(), inputs)
    assert np.isfinite([part.result() for part in model.loss_parts]).all()
