"""The parameters of a run: what is refused, what is usual, and what each of them changes."""

import json
import re

import keras
import numpy as np
import pytest

from thesis_lib import parameters, paths
from thesis_lib.semi_supervised import Run
from thesis_lib.semi_supervised.methods import METHOD_SETTINGS, METHODS
from thesis_lib.semi_supervised.networks import NETWORKS, augmentation


def test_strong_augmentation_varies_in_more_than_one_way():
    vary = augmentation(Run(method="fix_match"), strong=True)
    assert len({layer.get_config()["seed"] for layer in vary.layers}) == len(vary.layers) == 4
    square = np.full((64, 16, 16, 1), 100.0, "float32")
    square[:, :, 8:] = 150.0
    contrast = np.array(vary.layers[-1](square, training=True))
    spread = contrast.max((1, 2, 3)) - contrast.min((1, 2, 3))
    assert spread.min() < 45 and spread.max() > 55  # less and more than the image's 50


@pytest.mark.parametrize(
    "values, message",
    [
        ({"method": "magic"}, "method must be one of fix_match, .*'magic'"),
        ({"network": "lenet"}, "network must be one of convnet13, .*'lenet'"),
        ({"size": 7}, "size must be a whole number from 8; got 7"),
        ({"table": 1.5}, "table must be a name; got 1.5; papermill's -r, not -p, keeps a number"),
        ({"group_column": ""}, "group_column must be a name; got ''"),
        ({"skip_damaged": 1}, "skip_damaged must be True or False; got 1"),
        ({"labels": 0}, "labels must be a whole number from 1; got 0"),
        ({"unlabelled": -1}, "unlabelled must be .*; got -1"),
        ({"epochs": 1.5}, "epochs must be .*; got 1.5"),
        ({"workers": 0}, "workers must be a whole number from 1; got 0"),
        ({"ramp": 0}, r"ramp must be a finite number in \(0, 1\]; got 0"),
        ({"decay": 1.1}, "decay must be .*; got 1.1"),
        ({"weight": -3}, "weight must be .*; got -3"),
        ({"weight": 1e200}, r"weight must be a finite number in \[0, 1e\+30\]; got 1e\+200"),
        ({"noise": -1}, "noise must be .*; got -1"),
        ({"network": "convnet13", "dropout": 1.0}, r"dropout must be a finite number in \[0, 1\); got 1.0"),
        ({"network": "mlp", "dropout": 0.0}, "dropout must be None for the network mlp, .*; got 0.0"),
        ({"network": "resnet", "width": 128}, "width of a resnet is its depth, one of 18, 50, 101; got 128"),
        ({"network": "resnet", "width": [18]}, r"width must be a whole number from 1; got \[18\]"),
        ({"learning_rate": 10**400}, "learning_rate must be a finite number"),
        ({"mirror": "false"}, "mirror must be True or False; got 'false'"),
        (
            {"network": "mlp", "weights": "imagenet"},
            "weights must be None, or for .* resnet .*; got 'imagenet' for mlp",
        ),
        ({"labels": 10, "batch_size": 11}, "batch_size must be .* 1 to 10, the number of labelled images; got 11"),
        (
            {"unlabelled": 50, "unlabelled_batch_size": 51},
            "unlabelled_batch_size must be .* 1 to 50, the number of unlabelled images; got 51",
        ),
        ({"data": "digits", "table": "mine.csv"}, "table must be left at 'labels.csv' where .*; got 'mine.csv'"),
        ({"data": "digits", "size": 64}, "size must be left at 32 where the data are no folder or zip file; got 64"),
        ({"network": "resnet", "weights": False}, "weights must be None, or for .* resnet .*; got False for resnet"),
    ],
)
def test_wrong_values_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        Run(**{"method": "supervised", **values})


@pytest.mark.parametrize("network", [name for name, usual in NETWORKS.items() if usual.dropout is not None])
def test_dropout_is_what_was_asked_for(network):
    for given, expected in ((None, NETWORKS[network].dropout), (0.0, 0.0)):
        model = Run(network=network, width=4, dropout=given).classifier(3, (28, 28, 1))
        hidden = [layer for layer in model.layers if layer.name != "dropout_input"]
        assert {layer.rate for layer in hidden if isinstance(layer, keras.layers.Dropout)} <= {expected}
        assert expected == 0 or any(isinstance(layer, keras.layers.Dropout) for layer in hidden)


def test_each_method_and_network_has_its_usual_weight_and_width():
    assert all(Run(method=name).weight == usual.weight for name, usual in METHODS.items())
    assert all(Run(network=name).width == usual.width for name, usual in NETWORKS.items())
    given = Run(method="vat", weight=7.0, width=3)
    assert (given.weight, given.width) == (7.0, 3)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_the_settings_that_it_is_said_to_have(method):
    network = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(2, name="y")], name="net")

    def config(**changed):
        values = {"weight": 3.0, "ramp": 0.5, "decay": 0.5, "shift": 0.0, **changed}
        made = Run(method=method, network="mlp", **values).compiled(network, 5, 12).get_config()
        return re.sub(r"_\d+'", "'", repr(made))  # names are numbered

    usual = config()
    changed = {"weight": 2.0, "ramp": 1.0, "decay": 0.9}
    assert {name for name in changed if config(**{name: changed[name]}) != usual} == set(METHODS[method].settings)
    assert set(METHOD_SETTINGS) == set(changed)


def test_the_parameters_of_notebook_9_are_those_of_a_run():
    cells = json.loads((paths.REPOSITORY / "notebooks/09_train_few_labels.ipynb").read_text())["cells"]
    (cell,) = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    values = {}
    exec("".join(cell["source"]), {}, values)  # the notebook's own assignments
    settings = values.pop("settings")
    own = {name: value for name, value in values.items() if name not in ("progress", "output")}
    assert settings == {} and parameters.create(Run, own, settings) == Run()
