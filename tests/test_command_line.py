"""The command `thesis`, as a person types it: output, errors of a line, exit codes."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from own_cases import SIDE, save, write_discs
from PIL import Image

from thesis_lib.command_line import main
from thesis_lib.paths import REPOSITORY


def typed(*words):
    """(exit code, stdout, stderr) of `thesis WORDS`."""
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Discs drawn by two annotators, and an image without a mask."""
    folder = write_discs(tmp_path_factory.mktemp("own") / "data")
    (folder / "unlabelled").mkdir()
    save(folder / "unlabelled" / "more.png", np.full((SIDE, SIDE, 3), 99, np.uint8))
    return folder


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """What `thesis train` printed, and its output folder."""
    output = tmp_path_factory.mktemp("trained")
    options = ["--epochs", 2, "--set", "width=4", "--set", "crops_per_image=2", "--objective", "one_hot_dice"]
    return typed("train", folder, "--output", output, *options), output


@pytest.mark.parametrize("command", ["annotators", "train", "predict", "sweep"])
def test_help_documents_every_command_with_an_example(command):
    code, out, _ = typed(command, "--help")
    assert code == 0 and f"Example: thesis {command}" in " ".join(out.split())
    assert command in typed("--help")[1]


def test_annotators_are_measured_and_advised(folder):
    code, out, err = typed("annotators", folder)
    assert (code, err) == (0, "")
    assert "ann, against the consensus" in out and "95% interval" in out and "Train with " in out


def test_training_prints_scores_and_the_files_it_wrote(trained):
    (code, out, _), output = trained
    assert code == 0 and "one_hot_dice" in out and "surface Dice at 3 px" in out
    assert "Images in unlabelled/ are not learned from; with --set method=mean_teacher they are." in out
    assert "compared with the masks of bob" in out and "annotator ann " in out
    assert (output / "one_hot_dice" / "best.keras").is_file() and str(output / "scores.csv") in out


def test_predictions_are_as_large_as_their_images_and_a_damaged_file_is_a_line(trained, folder, tmp_path):
    model = trained[1] / "one_hot_dice" / "best.keras"
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no image")
    image = folder / "images" / "scan00.png"
    code, out, err = typed("predict", model, damaged, image, "--output", tmp_path / "out", "--tile", 96)
    assert out == f"Predictions lie in {tmp_path / 'out'}/\n"
    errors = [line for line in err.splitlines() if line.startswith("error:")]
    assert code == 1 and len(errors) == 1 and "damaged.png" in errors[0]
    classes, probability = (
        np.asarray(Image.open(tmp_path / "out" / f"scan00_{kind}.png")) for kind in ("classes", "probability")
    )
    assert classes.shape == probability.shape == (SIDE, SIDE) and set(np.unique(classes)) <= {0, 255}
    assert np.array_equal(classes == 255, probability > 127.5)
    assert typed("predict", model, image, "--output", tmp_path / "out", "--tile", 96)[0] == 0


def test_every_fault_of_a_folder_is_a_line_and_the_exit_code_is_one(tmp_path):
    write_discs(tmp_path, count=4)
    (tmp_path / "masks_ann" / "scan00.png").unlink()
    save(tmp_path / "masks_bob" / "extra.png", np.ones((SIDE, SIDE)))
    code, out, err = typed("train", tmp_path)
    assert code == 1 and out == ""
    assert err.splitlines() == [
        "error: images/scan00.png has no mask in masks_ann/",
        "error: masks_bob/extra.png has no image in images/",
        err.splitlines()[-1],
    ]
    assert err.splitlines()[-1].startswith("note: each annotator draws every image")


def test_of_a_fault_that_many_files_have_the_first_are_named_and_the_others_counted(tmp_path):
    write_discs(tmp_path, count=8)
    for path in sorted((tmp_path / "masks_bob").iterdir())[1:]:
        path.unlink()
    code, _, err = typed("annotators", tmp_path)
    assert code == 1 and err.count("error: ") == 6 and "error: 2 more: has no mask in masks_bob/" in err.splitlines()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["annotators", "nowhere"], "no such folder"),
        (["train", "nowhere"], "no such folder"),
        (["predict", "nowhere.keras", "a.png"], "MODEL must be a network that Keras saved"),
        (["predict", "tests", "a.png"], "got tests, which is no file"),
        (["predict", "nowhere.keras", "a.png", "b/a.png"], "FILES must have names of their own"),
        (["sweep", "nowhere.yaml"], "must be readable YAML"),
    ],
)
def test_what_is_not_there_is_one_line(words, sentence):
    code, out, err = typed(*words)
    assert (code, out) == (1, "") and err.startswith("error: ") and sentence in err and len(err.splitlines()) == 1


def test_what_tensorflow_prints_while_it_is_imported_is_not_shown():
    words = ["-m", "thesis_lib.command_line", "predict", "nowhere.keras", "a.png"]
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, *words], env=environment, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: MODEL must be") and len(done.stderr.splitlines()) == 1


def test_a_sweep_must_be_one_of_the_experiments(tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text("grid:\n  - seed: [0]\n")
    code, _, err = typed("sweep", file)
    assert code == 1 and "FILE must lie in " in err and len(err.splitlines()) == 1


def test_unknown_settings_are_a_line_and_settings_without_a_value_are_wrong_usage(folder):
    code, _, err = typed("annotators", folder, "--set", "widht=3")
    assert code == 1 and "'widht'" in err and len(err.splitlines()) == 1
    assert typed("annotators", folder, "--set", "width")[0] == 2
    code, _, err = typed("annotators", folder, "--set", "width=2", "--set", "width=4")
    assert code == 2 and "width must be given once" in err


@pytest.mark.parametrize("name", ["data", "output", "objective"])
def test_a_setting_that_has_an_argument_of_its_own_is_refused(folder, tmp_path, name):
    code, _, err = typed("train", folder, "--output", tmp_path / "out", "--set", f"{name}=shift")
    assert code == 1 and f"{name} must be no setting" in err and not (tmp_path / "out").exists()


def test_an_unknown_objective_is_a_line_before_any_training(folder, tmp_path):
    words = ["--output", tmp_path / "out", "--objective", "one_hot_dice", "--objective", "shft"]
    code, _, err = typed("train", folder, *words)
    assert code == 1 and "--objective must be one of" in err and "got 'shft'" in err and not (tmp_path / "out").exists()


def test_structures_that_overlap_have_two_pictures_each(tmp_path):
    """A network whose first structure is everywhere and whose second one is nowhere."""
    network = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1, kernel_initializer="zeros")])
    network.layers[0].bias.assign([3.0, -3.0])
    network.save(tmp_path / "two.keras")
    save(tmp_path / "a.png", np.zeros((SIDE, SIDE)))
    words = ["predict", tmp_path / "two.keras", tmp_path / "a.png", "--output", tmp_path / "out", "--tile", 96]
    assert typed(*words, "--structures", "whole, core")[0] == 0
    found = {path.stem: np.unique(Image.open(path)).tolist() for path in (tmp_path / "out").iterdir()}
    assert found == {"a_whole": [255], "a_whole_probability": [243], "a_core": [0], "a_core_probability": [12]}
    code, _, err = typed(*words, "--structures", "whole")
    assert code == 1 and "--structures must name the network's 2; got whole" in err
    for wrong, message in (
        ("a,a", "must be different names; got a, a"),
        ("a,", "a name in it,"),
        ("a/b,c", "got 'a/b'"),
    ):
        code, _, err = typed(*words, "--structures", wrong)
        assert code == 1 and "--structures" in err and message in err


def test_no_prediction_replaces_one_of_the_files(trained, tmp_path):
    for name in ("a.png", "a_classes.png"):
        save(tmp_path / name, np.zeros((SIDE, SIDE)))
    before, model = (tmp_path / "a_classes.png").read_bytes(), trained[1] / "one_hot_dice" / "best.keras"
    code, _, err = typed("predict", model, tmp_path / "a.png", tmp_path / "a_classes.png", "--output", tmp_path)
    assert code == 1 and "replaces one of FILES" in err and (tmp_path / "a_classes.png").read_bytes() == before


def test_more_classes_than_a_class_image_holds_are_refused(tmp_path):
    network = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(300, 1)])
    network.save(tmp_path / "many.keras")
    save(tmp_path / "a.png", np.zeros((SIDE, SIDE)))
    code, _, err = typed("predict", tmp_path / "many.keras", tmp_path / "a.png", "--output", tmp_path, "--tile", 96)
    assert code == 1 and "MODEL must be a network of 2 to 255 classes" in err and "got 300" in err
    code, _, err = typed("predict", tmp_path / "many.keras", tmp_path / "a.png", "--output", "/dev/null")
    assert code == 1 and err.startswith("error: output folder must be a folder one can write to; got '/dev/null'")
    assert typed("train")[0] == 2
