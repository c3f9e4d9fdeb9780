"""One run: its parameters are checked, and it trains, scores, predicts and writes its row."""

import json
import os
import shutil

import keras
import numpy as np
import papermill
import pytest
from scipy.special import softmax
from semi_supervised_cases import QUICK

from thesis_lib import paths
from thesis_lib.data import load_images, read_image
from thesis_lib.semi_supervised import Run
from thesis_lib.semi_supervised.methods import METHODS
from thesis_lib.semi_supervised.scoring import Scored, logits, scores


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_from_its_name(method, faces):
    run = Run(method=method, network="mlp_dropout", mirror=True, noise=5.0, **QUICK)
    run.train(splits=faces)
    assert np.isfinite(run.log["loss"]).all() and list(run.log["epoch"]) == [1]
    row = run.scores()
    assert 0 <= row["error_percent"] <= 100 and 0 <= row["f1"] <= 1
    assert ("student_error_percent" in row) == (run.model.predictor is not run.model.classifier)


@pytest.mark.parametrize(
    "network, width",
    [("mlp", 8), ("mlp_dropout_dae", 8), ("convnet13", 2), ("small_convnet", 2), ("wide_resnet", 1), ("resnet", 18)],
)
def test_every_network_trains_from_its_name(network, width, faces):
    run = Run(method="supervised", network=network, pretraining_epochs=1, **{**QUICK, "width": width})
    model = run.train(splits=faces)
    assert np.isfinite(run.log["loss"]).all() and logits(model, faces.test.images).shape == (len(faces.test), 2)


def test_a_users_folder_is_trained_on_scored_and_predicted_from_a_few_calls(tmp_path):
    settings = {**QUICK, "data": "sample_data/faces", "size": 24, "method": "mean_teacher", "network": "mlp"}
    run = Run(**settings, output=str(tmp_path))
    (tmp_path / "row.json").write_text("of an earlier training")
    model = run.train()
    assert model is run.model and (tmp_path / "row.json").read_text() == "of an earlier training" and not run.scored
    scores = run.scores()
    copy = shutil.copytree(tmp_path, tmp_path.parent / "copy", copy_function=shutil.copyfile)  # of the contents alone
    os.utime(copy / "row.json", (0, 0))
    assert run.scored and Run(**settings, output=str(copy)).scored
    written = json.loads((tmp_path / "row.json").read_text())
    assert {name: written[name] for name in scores} == scores and "output" not in written
    assert (written["data"], written["size"], written["class_names"]) == ("sample_data/faces", 24, ["mask", "no mask"])
    assert (tmp_path / "log.csv").read_text().splitlines()[0] == "epoch,loss,supervised_loss,unsupervised_loss"
    path = sorted((paths.REPOSITORY / "sample_data/faces/images").iterdir())[0]
    predicted = run.predict(path)
    assert sorted(predicted) == ["mask", "no mask"] and sum(predicted.values()) == pytest.approx(1)
    assert list(predicted.values()) == sorted(predicted.values(), reverse=True)
    image = read_image(path, size=(24, 24))
    assert run.predict(image) == pytest.approx(predicted)
    saved = softmax(keras.saving.load_model(tmp_path / "model.keras").predict(image[None], verbose=0)[0])
    assert [predicted["mask"], predicted["no mask"]] == pytest.approx(list(saved), abs=1e-5)
    later = Run(**settings, output=str(tmp_path))  # in another session
    assert later.predict(path) == pytest.approx(predicted) and later.scores() == pytest.approx(scores)
    with pytest.raises(
        ValueError, match=r"image must be a path or an array .* of shape \(24, 24, 3\); got shape \(9, 9\)"
    ):
        run.predict(np.zeros((9, 9)))
    for wrong in ([[1], [1, 2]], np.full((24, 24, 3), np.nan), np.full((24, 24, 3), 256.0)):
        with pytest.raises(ValueError, match="image must be "):
            run.predict(wrong)


def test_a_row_has_the_entries_of_the_committed_rows(faces):
    run = Run(method="mean_teacher", **QUICK)
    run.train(splits=faces)
    row = run.row(run.scores())
    committed = paths.REPOSITORY / "reports/reference/mnist_few_labels/runs/seed0-mean_teacher-labels100/row.json"
    expected = json.loads(committed.read_text())
    assert set(row) == set(expected) and set(row["provenance"]["parameters"]) == set(
        expected["provenance"]["parameters"]
    )
    assert row["hidden_units"] == 8 and row["weight"] == 20.0 and row["dropout"] is None


def test_the_images_of_a_run_are_loaded_once_and_scores_need_a_training(tmp_path):
    for output in (None, str(tmp_path)):
        run = Run(**QUICK, network="mlp", method="supervised", output=output)
        assert "splits" not in vars(run) and run.splits is run.splits
        with pytest.raises(FileNotFoundError, match=f"output must hold a trained model: call train.*; got {output!r}"):
            run.scores()


def test_the_same_seed_gives_the_same_run_and_another_one_other_labels(faces):
    runs = [Run(method="mean_teacher", network="mlp_dropout", seed=seed, **QUICK) for seed in (3, 3, 4)]
    first, again, other = (logits(run.train(splits=faces), faces.test.images) for run in runs)
    np.testing.assert_allclose(first, again, atol=1e-5)
    assert not np.allclose(first, other, atol=1e-3)
    one, another = (set(run.training_images()[0].images.files) for run in (runs[0], runs[2]))
    assert one != another


def test_methods_of_a_seed_see_the_same_batches(faces):
    """A mean teacher without memory is the pi-model, so that both end with the same weights."""
    pair = [
        Run(method=method, network="mlp", decay=0.0, **{**QUICK, "epochs": 2})
        for method in ("mean_teacher", "pi_model")
    ]
    first, second = (run.train(splits=faces).classifier.get_weights() for run in pair)
    for a, b in zip(first, second):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_labelled_and_unlabelled_images_are_apart_and_as_many_as_asked():
    small = {"data": "faces", "batch_size": 5, "unlabelled_batch_size": 20}
    labelled, rest = Run(**small, labels=10, unlabelled=30).training_images()
    assert len(labelled) == 10 and len(rest) == 30 and not set(labelled.images.files) & set(rest.images.files)
    with pytest.raises(ValueError, match="unlabelled must be None where all images keep their label; got 30"):
        Run(**small, labels=None, unlabelled=30).training_images()
    everything = Run(data="faces", labels=None)
    labelled, same = everything.training_images()
    assert len(labelled) == len(same) == len(everything.splits.train)
    with pytest.raises(ValueError, match="count of labelled images must be a whole number from 2 to 68, .*; got 500"):
        Run(data="faces", labels=500).training_images()


def test_student_and_teacher_are_scored_after_each_epoch(faces):
    run = Run(method="mean_teacher", network="mlp_dropout", **{**QUICK, "epochs": 2})
    labelled = run.training_images(faces)[0]
    scored = Scored(faces.test, labelled)
    model = run.train(callbacks=[scored])
    last = scored.history[-1]
    assert last["epoch"] == 2 and last["error_percent"] == scores(model, faces.test)["error_percent"]
    assert last["student_error_percent"] == run.scores()["student_error_percent"]
    for name, network in (("", model), ("student_", model.classifier)):
        predicted = softmax(logits(network, labelled.images), axis=-1)
        expected = -np.log(predicted[np.arange(10), labelled.labels]).mean()
        assert last[f"{name}classification_loss"] == pytest.approx(expected, rel=1e-4)


def test_choosing_images_copies_no_array():
    run = Run()
    train = run.splits.train
    for part in run.training_images():
        assert part.images.images is train.images and part.images.shape == (len(part), 16, 16, 1)
        assert np.array_equal(part.images[np.array([3, 1])], train.images[part.images.numbers[[3, 1]]])


def test_threads_that_read_files_change_nothing(faces):
    runs = [Run(method="pi_model", network="mlp", workers=workers, **{**QUICK, "epochs": 2}) for workers in (1, 3)]
    one, several = (run.train(splits=faces).get_weights() for run in runs)
    for a, b in zip(one, several):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_columns_of_a_table_may_be_called_by_numbers_and_say_the_split(tmp_path):
    rows = "file,2024,patient,use\n"
    for i, path in enumerate(sorted((paths.REPOSITORY / "sample_data/faces/images").iterdir())[:12]):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        rows += f"{path.name},{'ab'[i % 2]},{i // 2},{('train', 'val', 'test')[i // 2 % 3]}\n"
    (tmp_path / "labels.csv").write_text(rows)
    columns = {"label_column": 2024, "group_column": "patient"}
    drawn = Run(**QUICK | {"data": str(tmp_path)}, **columns).splits
    assert sum(len(set(part.images.groups)) for part in (drawn.train, drawn.validation, drawn.test)) == 6
    said = Run(**QUICK | {"data": str(tmp_path)}, **columns, split_column="use").splits
    assert set(said.test.images.parts) == {"test"} and len(said.test) == 4


def test_a_copy_of_the_data_is_the_same_data_and_another_image_is_not(tmp_path):
    faces = paths.REPOSITORY / "sample_data/faces"
    copy = shutil.copytree(faces, tmp_path / "copy", copy_function=shutil.copyfile)
    one, same = (load_images(folder).train.images for folder in (faces, copy))
    assert one.fingerprint() == same.fingerprint()
    (copy / same.files[0]).write_bytes((copy / same.files[1]).read_bytes())
    assert one.fingerprint() != same.fingerprint()


@pytest.mark.parametrize("name, largest", [("batch_size", 10), ("unlabelled_batch_size", 58)])
def test_a_batch_larger_than_its_set_is_named_and_the_earlier_row_stays(name, largest, faces, tmp_path):
    (tmp_path / "row.json").write_text("{}")
    message = f"^{name} must be a whole number from 1 to {largest}, the number of .*labelled images; got 500"
    with pytest.raises(ValueError, match=message):
        Run(method="supervised", network="mlp", **{**QUICK, name: 500}, output=str(tmp_path)).train(faces)
    assert (tmp_path / "row.json").read_text() == "{}"


def test_numbers_of_numpy_train(faces):
    values = {
        "seed": np.int64(3),
        "width": np.int32(8),
        "shift": np.float32(0.125),
        "noise": np.float64(1.0),
        "mirror": np.bool_(True),
    }
    run = Run(method="supervised", network="mlp", **{**QUICK, **values, "epochs": np.int64(1)})
    types = {name: type(getattr(run, name)) for name in values}
    assert types == {"seed": int, "width": int, "shift": float, "noise": float, "mirror": bool}
    run.train(splits=faces)


def test_the_notebooks_of_one_run_and_of_the_tables_work_on_a_folder(tmp_path):
    notebooks = paths.REPOSITORY / "notebooks"
    options = {"cwd": notebooks, "progress_bar": False, "kernel_name": "python3"}
    quick = {"data": "sample_data/faces", "labels": 10, "epochs": 1, "batch_size": 5, "unlabelled_batch_size": 20}
    folders = {method: tmp_path / "runs" / method for method in ("supervised", "mix_match")}
    plain = Run(
        **quick, method="supervised", network="mlp_dropout", width=8, size=24, output=str(folders["supervised"])
    )
    plain.train()
    plain.scores()
    values = {"method": "mix_match", "output": str(folders["mix_match"]), "settings": {"width": 8, "size": 24}}
    values |= quick
    papermill.execute_notebook(notebooks / "09_train_few_labels.ipynb", tmp_path / "09.ipynb", values, **options)
    for method, folder in folders.items():
        row = json.loads((folder / "row.json").read_text())
        assert row["method"] == method and 0 <= row["error_percent"] <= 100 and row["hidden_units"] == 8
    papermill.execute_notebook(
        notebooks / "10_compare_few_labels.ipynb",
        tmp_path / "10.ipynb",
        {"results": str(tmp_path / "runs"), "output": str(tmp_path / "out")},
        **options,
    )
    table = (tmp_path / "out" / "10_compare_few_labels" / f"{tmp_path.name}.csv").read_text().splitlines()
    assert len(table) == 3 and table[0].startswith("data,method,network,labels,seed,error_percent")
