import json

import keras
import numpy as np
import papermill
import pytest
from scipy.special import softmax

from thesis_lib import paths
from thesis_lib.data import classification
from thesis_lib.semi_supervised import run as few_labels


@pytest.fixture(scope="module")
def faces():
    return classification.load_images("faces")


QUICK = {"labels": 10, "epochs": 1, "batch_size": 5, "unlabelled_batch_size": 20}


@pytest.mark.parametrize("method", few_labels.METHODS)
def test_every_method_trains_from_its_name(method, faces):
    model, history = few_labels.train(
        few_labels.Run(method, "mlp_dropout", width=8, mirror=True, noise=5.0, **QUICK), faces
    )
    assert np.isfinite(history["loss"]).all() and len(history["loss"]) == 1
    found = few_labels.scores(model, faces.test)
    assert 0 <= found["error_percent"] <= 100 and 0 <= found["f1"] <= 1


@pytest.mark.parametrize(
    "network, width",
    [("mlp", 8), ("mlp_dropout_dae", 8), ("convnet13", 2), ("small_convnet", 2), ("wide_resnet", 1), ("resnet", 18)],
)
def test_every_network_trains_from_its_name(network, width, faces):
    model, history = few_labels.train(
        few_labels.Run("supervised", network, width=width, pretraining_epochs=1, **QUICK), faces
    )
    assert np.isfinite(history["loss"]).all() and few_labels.logits(model, faces.test.images).shape == (
        len(faces.test),
        2,
    )


def test_the_same_seed_gives_the_same_run_and_another_one_other_labels(faces):
    runs = [few_labels.Run("mean_teacher", "mlp_dropout", width=8, seed=seed, **QUICK) for seed in (3, 3, 4)]
    first, again, other = (few_labels.logits(few_labels.train(run, faces)[0], faces.test.images) for run in runs)
    np.testing.assert_allclose(first, again, atol=1e-5)
    assert not np.allclose(first, other, atol=1e-3)
    assert set(few_labels.prepare(runs[0], faces)[0].images.files) != set(
        few_labels.prepare(runs[2], faces)[0].images.files
    )


def test_methods_of_a_seed_see_the_same_batches(faces):
    """A mean teacher without memory is the pi-model, so that both end with the same weights."""
    pair = [
        few_labels.Run(method, "mlp", width=8, decay=0.0, **{**QUICK, "epochs": 2})
        for method in ("mean_teacher", "pi_model")
    ]
    first, second = (few_labels.train(run, faces)[0].classifier.get_weights() for run in pair)
    for a, b in zip(first, second):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_strong_augmentation_varies_in_more_than_one_way():
    vary = few_labels.augmentation(few_labels.Run("fix_match"), strong=True)
    assert len({layer.get_config()["seed"] for layer in vary.layers}) == len(vary.layers) == 4
    square = np.full((64, 16, 16, 1), 100.0, "float32")
    square[:, :, 8:] = 150.0
    contrast = np.array(vary.layers[-1](square, training=True))
    spread = contrast.max((1, 2, 3)) - contrast.min((1, 2, 3))
    assert spread.min() < 45 and spread.max() > 55  # less and more than the image's 50


def test_labelled_and_unlabelled_images_are_apart_and_as_many_as_asked(faces):
    labelled, rest = few_labels.prepare(few_labels.Run("supervised", labels=10, unlabelled=30), faces)
    assert len(labelled) == 10 and len(rest) == 30 and not set(labelled.images.files) & set(rest.images.files)
    with pytest.raises(ValueError, match="unlabelled must be None where all images keep their label; got 30"):
        few_labels.prepare(few_labels.Run("supervised", labels=None, unlabelled=30), faces)
    everything, same = few_labels.prepare(few_labels.Run("supervised", labels=None), faces)
    assert len(everything) == len(same) == len(faces.train)


def test_student_and_teacher_are_scored_after_each_epoch(faces):
    run = few_labels.Run("mean_teacher", "mlp_dropout", width=8, **{**QUICK, "epochs": 2})
    labelled = few_labels.prepare(run, faces)[0]
    scored = few_labels.Scored(faces.test, labelled)
    model, _ = few_labels.train(run, faces, [scored])
    last = scored.history[-1]
    assert last["epoch"] == 2 and last["error_percent"] == few_labels.scores(model, faces.test)["error_percent"]
    assert last["student_error_percent"] == few_labels.scores(model.classifier, faces.test)["error_percent"]
    for name, network in (("", model), ("student_", model.classifier)):
        beliefs = softmax(few_labels.logits(network, labelled.images), axis=-1)
        assert last[f"{name}classification_cost"] == pytest.approx(
            -np.log(beliefs[np.arange(10), labelled.labels]).mean(), rel=1e-4
        )


class Break(keras.callbacks.Callback):
    """Gives all weights a value before the first step of an epoch, counted from 0, or after its last."""

    def __init__(self, value, epoch, after):
        super().__init__()
        self.value, self.broken, self.after = value, epoch, after

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self._break(not self.after)

    def on_train_batch_end(self, batch, logs=None):
        self._break(self.after and batch == self.params["steps"] - 1)

    def _break(self, now):
        if now and self.epoch == self.broken:
            self.model.classifier.set_weights(
                [np.full_like(w, self.value) for w in self.model.classifier.get_weights()]
            )


@pytest.mark.parametrize("breaks, message", [
    (Break(np.nan, 2, after=False), "the loss was nan at step 1 of epoch 3"),
    (Break(np.inf, 1, after=True), "weights were not finite after the last step of epoch 2"),
])  # fmt: skip
def test_what_is_not_finite_stops_the_training_and_the_last_good_model_is_kept(breaks, message, tmp_path, faces):
    kept = keras.callbacks.ModelCheckpoint(tmp_path / "model.keras")
    run = few_labels.Run("mean_teacher", "mlp", width=8, **{**QUICK, "epochs": 3})
    with pytest.raises(ValueError, match=f"learning_rate and weight must be small enough to train with; {message}"):
        few_labels.train(run, faces, [breaks, kept])
    assert np.isfinite(few_labels.logits(keras.saving.load_model(tmp_path / "model.keras"), faces.test.images)).all()


def test_preparing_copies_no_array():
    split = classification.load_images("digits")
    for part in few_labels.prepare(few_labels.Run("supervised"), split):
        assert part.images.images is split.train.images and part.images.shape == (len(part), 16, 16, 1)
        assert np.array_equal(part.images[np.array([3, 1])], split.train.images[part.images.numbers[[3, 1]]])


def test_threads_that_read_files_change_nothing(faces):
    run = few_labels.Run("pi_model", "mlp", width=8, **{**QUICK, "epochs": 2})
    one, several = (few_labels.train(run, faces, workers=workers)[0].get_weights() for workers in (1, 3))
    for a, b in zip(one, several):
        np.testing.assert_allclose(a, b, atol=1e-5)
    with pytest.raises(ValueError, match="workers must be a whole number from 1; got 0"):
        few_labels.train(run, faces, workers=0)


@pytest.mark.parametrize("name, largest", [("batch_size", 10), ("unlabelled_batch_size", 58)])
def test_a_batch_larger_than_its_set_is_named(name, largest, faces):
    with pytest.raises(
        ValueError,
        match=f"^{name} must be a whole number from 1 to {largest}, the number of .*labelled images; got 500",
    ):
        few_labels.train(few_labels.Run("supervised", "mlp", width=8, **{**QUICK, name: 500}), faces)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"method": "magic"}, "method must be one of fix_match, .*'magic'"),
        ({"network": "lenet"}, "network must be one of convnet13, .*'lenet'"),
        ({"labels": 0}, "labels must be a whole number from 1; got 0"),
        ({"unlabelled": -1}, "unlabelled must be .*; got -1"),
        ({"epochs": 1.5}, "epochs must be .*; got 1.5"),
        ({"ramp": 0}, r"ramp must be a finite number in \(0, 1\]; got 0"),
        ({"decay": 1.1}, "decay must be .*; got 1.1"),
        ({"weight": -3}, "weight must be .*; got -3"),
        ({"noise": -1}, "noise must be .*; got -1"),
        ({"network": "convnet13", "dropout": 1.0}, r"dropout must be a finite number in \[0, 1\); got 1.0"),
        (
            {"network": "mlp", "dropout": 0.0},
            "dropout must be None for the network mlp, which has none to choose; got 0.0",
        ),
        ({"network": "resnet", "width": 128}, "width of a resnet is its depth, one of 18, 50, 101; got 128"),
        ({"network": "resnet", "width": [18]}, r"width must be a whole number from 1; got \[18\]"),
        ({"learning_rate": 10**400}, "learning_rate must be a finite number"),
        ({"mirror": "false"}, "mirror must be True or False; got 'false'"),
        (
            {"network": "mlp", "weights": "imagenet"},
            "weights must be None, or for the network resnet .*; got 'imagenet' for mlp",
        ),
        (
            {"network": "resnet", "weights": False},
            "weights must be None, or for the network resnet .*; got False for resnet",
        ),
    ],
)
def test_wrong_values_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        few_labels.Run(**{"method": "supervised", **values})


def test_numbers_of_numpy_train(faces):
    values = {
        "seed": np.int64(3),
        "width": np.int32(8),
        "shift": np.float32(0.125),
        "noise": np.float64(1.0),
        "mirror": np.bool_(True),
    }
    run = few_labels.Run("supervised", "mlp", **{**QUICK, **values, "epochs": np.int64(1)})
    assert {name: type(getattr(run, name)) for name in values} == {
        "seed": int,
        "width": int,
        "shift": float,
        "noise": float,
        "mirror": bool,
    }
    few_labels.train(run, faces)


@pytest.mark.parametrize("network", [name for name, usual in few_labels.NETWORKS.items() if usual.dropout is not None])
def test_dropout_is_what_was_asked_for(network):
    usual, given = (
        few_labels.NETWORKS[network].build(few_labels.Run("supervised", network, width=4, dropout=rate), 3, (28, 28, 1))
        for rate in (None, 0.0)
    )
    rates = lambda model: [
        layer.rate
        for layer in model.layers
        if isinstance(layer, keras.layers.Dropout) and layer.name != "dropout_input"
    ]
    assert set(rates(usual)) == {few_labels.NETWORKS[network].dropout} and not any(rates(given))


def test_each_method_and_network_has_its_usual_weight_and_width():
    assert {name: few_labels.Run(name).weight for name in few_labels.METHODS} == {
        name: usual.weight for name, usual in few_labels.METHODS.items()
    }
    assert {name: few_labels.Run("vat", name).width for name in few_labels.NETWORKS} == {
        name: usual.width for name, usual in few_labels.NETWORKS.items()
    }
    given = few_labels.Run("vat", weight=7.0, width=3)
    assert (given.weight, given.width) == (7.0, 3)


@pytest.mark.parametrize("method", few_labels.METHODS)
def test_a_method_has_the_settings_that_it_is_said_to_have(method):
    def config(**changed):
        keras.backend.clear_session()  # names are numbered
        run = few_labels.Run(method, "mlp", **{"weight": 3.0, "ramp": 0.5, "decay": 0.5, "shift": 0.0, **changed})
        return few_labels.method(
            run, keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(2, name="y")], name="net"), 5, 12
        ).get_config()

    usual = config()
    changed = {"weight": 2.0, "ramp": 1.0, "decay": 0.9}
    assert {name for name, value in changed.items() if config(**{name: value}) != usual} == set(
        few_labels.METHODS[method].settings
    )
    assert set(few_labels.METHOD_SETTINGS) == set(changed)


def test_more_labels_than_there_are_is_named(faces):
    with pytest.raises(ValueError, match="count of labelled images must be a whole number from 2 to 68; got 500"):
        few_labels.prepare(few_labels.Run("supervised", labels=500), faces)


def test_the_notebooks_of_one_run_and_of_the_tables_work_on_a_folder(tmp_path):
    notebooks = paths.REPOSITORY / "notebooks"
    options = {"cwd": notebooks, "progress_bar": False, "kernel_name": "python3"}
    for method, seed in (("supervised", 0), ("mix_match", 0), ("mix_match", 1)):
        folder = tmp_path / "runs" / f"{method}-{seed}"
        parameters = {
            "data": "sample_data/faces",
            "method": method,
            "seed": seed,
            "width": 8,
            "size": 24,
            "output": str(folder),
            **QUICK,
        }
        papermill.execute_notebook(
            notebooks / "09_train_few_labels.ipynb", tmp_path / "09.ipynb", parameters, **options
        )
        row = json.loads((folder / "row.json").read_text())
        assert row["class_names"] == ["mask", "no mask"]
        assert row["method"] == method and 0 <= row["error_percent"] <= 100 and row["hidden_units"] == 8
        assert keras.saving.load_model(folder / "model.keras").predict(np.zeros((1, 24, 24, 3)), verbose=0).shape == (
            1,
            2,
        )
    before = (folder / "row.json").read_bytes()
    with pytest.raises(
        papermill.PapermillExecutionError, match="unlabelled_batch_size must be a whole number from 1 to"
    ):
        papermill.execute_notebook(
            notebooks / "09_train_few_labels.ipynb",
            tmp_path / "09.ipynb",
            {**parameters, "unlabelled_batch_size": 500},
            **options,
        )
    assert (folder / "row.json").read_bytes() == before
    papermill.execute_notebook(
        notebooks / "10_compare_few_labels.ipynb",
        tmp_path / "10.ipynb",
        {"results": str(tmp_path / "runs"), "output": str(tmp_path / "out")},
        **options,
    )
    table = (tmp_path / "out" / "10_compare_few_labels" / f"{tmp_path.name}.csv").read_text().splitlines()
    assert len(table) == 4 and table[0].startswith("data,method,network,labels,seed,error_percent")
