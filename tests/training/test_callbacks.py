from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from backend_results import computed

from thesis_lib import paths
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.simulated import DisplacementField
from thesis_lib.data import splits
from thesis_lib.metrics import summary
from thesis_lib.models.unet import symmetric, unet
from thesis_lib.targets import objectives
from thesis_lib.training.callbacks import callbacks
from thesis_lib.training.optimization import learning_rate, use_xla

STEP = Path(__file__).with_name("backend_step.py")


OBJECTIVES = ("one_hot", "posterior", "forward")


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """For each backend the losses and changes of weights that one step on each objective gives."""
    folder = tmp_path_factory.mktemp("steps")
    return {backend: computed(STEP, backend, folder, *OBJECTIVES) for backend in ("tensorflow", "jax")}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_tensorflow_and_jax_give_the_same_loss_and_gradients(steps, objective):
    tensorflow, jax = steps["tensorflow"], steps["jax"]
    assert tensorflow[f"{objective}_loss"] == pytest.approx(float(jax[f"{objective}_loss"]), abs=1e-4)
    changes = [name for name in tensorflow if name.startswith(f"{objective}_change")]
    for name in changes:
        np.testing.assert_allclose(tensorflow[name], jax[name], atol=1e-4)
    assert max(np.abs(tensorflow[name]).max() for name in changes) > 1e-3


def small_problem(count=16):
    part = splits.load_scenes("sample").train[:count]
    return part.images, DisplacementField(1.0, 4.0, background=10)(part.labels, 0)


def small_model(seed=0):
    keras.utils.set_random_seed(seed)
    model = unet(11, **symmetric(2, 2), image_shape=(64, 84, 1))
    loss = objectives.objective("forward", prior=BoundaryPrior.known(1.0))
    model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=use_xla("auto"))
    return model


def test_the_same_seed_gives_the_same_training():
    images, labels = small_problem()
    losses = [small_model().fit(images, labels, epochs=2, batch_size=8, verbose=0).history["loss"] for _ in range(2)]
    assert losses[0] == losses[1]
    assert losses[0] != small_model(1).fit(images, labels, epochs=2, batch_size=8, verbose=0).history["loss"]


def test_a_run_leaves_its_best_model_its_log_and_tensorboard_files(tmp_path):
    images, labels = small_problem()
    model = small_model()
    options = {"epochs": 3, "batch_size": 8, "verbose": 0, "callbacks": callbacks(tmp_path)}
    model.fit(images, labels, validation_data=(images, labels), **options)
    log = pd.read_csv(tmp_path / "log.csv")
    assert len(log) == 3 and {"loss", "val_loss", "learning_rate"} <= set(log.columns)
    best = keras.saving.load_model(tmp_path / "best.keras")
    assert best.evaluate(images, labels, batch_size=8, verbose=0) == pytest.approx(log["val_loss"].min(), rel=1e-3)
    assert list((tmp_path / "tensorboard").rglob("events*")) and not (tmp_path / "state.npz").exists()


def test_a_new_run_in_an_old_folder_starts_afresh(tmp_path):
    (tmp_path / "log.csv").write_text("epoch,loss,val_loss\n0,0.1,0.000001\n")
    images, labels = small_problem(8)
    small_model().fit(
        images, labels, validation_data=(images, labels), epochs=1, verbose=0, callbacks=callbacks(tmp_path)
    )
    assert len(pd.read_csv(tmp_path / "log.csv")) == 1 and (tmp_path / "best.keras").exists()


@pytest.mark.skipif(
    not (paths.data_folder() / "m2nist_sample").exists(), reason="the ten M2NIST examples are not under THESIS_DATA"
)
def test_the_ten_original_m2nist_examples_train():
    data = splits.load_scenes(paths.data_folder() / "m2nist_sample")
    model = small_model()
    losses = model.fit(data.train.images, data.train.labels, epochs=15, batch_size=2, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]


def test_mixed_precision_trains_with_finite_losses():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        images, labels = small_problem(8)
        history = small_model().fit(images, labels, epochs=2, batch_size=4, verbose=0).history["loss"]
        assert np.isfinite(history).all()
    finally:
        keras.config.set_dtype_policy("float32")


def test_on_drawn_labels_the_forward_likelihood_finds_sharper_boundaries_than_one_hot_training():
    """Squares of random size and place, drawn with an error of 2 px; a seeded margin on clean test squares."""
    generator = np.random.default_rng(0)
    clean = np.zeros((240, 32, 32), np.uint8)
    for scene in clean:
        top, left = generator.integers(3, 12, 2)
        height, width = generator.integers(8, 16, 2)
        scene[top : top + height, left : left + width] = 1
    images = (150 * clean + generator.integers(0, 100, clean.shape)).astype(np.uint8)[..., None]
    drawn = DisplacementField(2.0, 4.0, background=0)(clean[:200], 1)
    scores = {}
    for name in ("one_hot", "forward"):
        keras.utils.set_random_seed(0)
        model = unet(2, **symmetric(4, 2), image_shape=(32, 32, 1))
        model.compile(
            keras.optimizers.Adam(0.01),
            objectives.objective(name, prior=BoundaryPrior.known(2.0)),
            jit_compile=use_xla("auto"),
        )
        model.fit(images[:200], drawn, epochs=8, batch_size=10, verbose=0)
        probabilities = np.array(keras.ops.softmax(model.predict(images[200:], verbose=0)))
        scores[name] = summary.evaluate(clean[200:], probabilities, background=0)[0]
    assert scores["forward"]["log_loss"] < 0.7 * scores["one_hot"]["log_loss"]
    assert scores["forward"]["surface_dice"] >= scores["one_hot"]["surface_dice"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="output folder must be a folder one can write to; got '.*file'"):
        callbacks(tmp_path / "file")


def test_wrong_values_are_named(tmp_path):
    with pytest.raises(ValueError, match="schedule must be one of cosine, plateau, restarts; got 'step'"):
        learning_rate(0.1, "step", 10)
    with pytest.raises(ValueError, match="learning_rate must .*-1"):
        learning_rate(-1, "cosine", 10)
    with pytest.raises(ValueError, match="xla must be True, False or 'auto'; got 'yes'"):
        use_xla("yes")
    with pytest.raises(ValueError, match="patience must .*0"):
        callbacks(tmp_path, 0)


def test_warm_restarts_fall_to_zero_three_times():
    rate = learning_rate(0.1, "restarts", 70)
    values = [float(rate(step)) for step in range(70)]
    assert values[0] == values[10] == values[30] == pytest.approx(0.1)
    assert max(values[9], values[29], values[69]) < 0.003


def followed(folder, patience, monitor, values, schedule="cosine", mode="min"):
    """Trains while `monitor` has the given values: (number of epochs, when best.keras was last written, after each)."""
    model, kept = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), []
    model.compile("adam", "mse")
    given = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update({monitor: values[epoch]}))
    when = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kept.append((folder / "best.keras").stat().st_mtime_ns)
    )
    found = callbacks(folder, patience, schedule, tensorboard=False, monitor=monitor, mode=mode)
    model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=len(values), verbose=0, callbacks=[given, *found, when])
    return len(kept), kept


def test_the_epoch_with_the_largest_score_is_kept_when_that_is_asked_for(tmp_path):
    epochs, kept = followed(tmp_path, 2, "val_iou", (0.2, 0.7, 0.5, 0.6, 0.9), schedule="plateau", mode="max")
    assert epochs == 4 and kept[0] < kept[1] == kept[2] == kept[3]  # two epochs without a better one end the training
    assert pd.read_csv(tmp_path / "log.csv")["val_iou"].max() == 0.7
    with pytest.raises(ValueError, match="mode must be one of max, min; got 'most'"):
        callbacks(tmp_path / "other", 3, mode="most")


def test_a_first_epoch_without_a_value_is_not_the_best(tmp_path):
    epochs, kept = followed(tmp_path, 2, "val_loss", (float("nan"), 3.0, 2.0, 2.5))
    assert epochs == 4 and kept[0] < kept[1] < kept[2] == kept[3]


def test_a_folder_that_keras_would_format_is_named(tmp_path):
    with pytest.raises(ValueError, match="output folder must have no braces in its name"):
        callbacks(tmp_path / "br{x}")
