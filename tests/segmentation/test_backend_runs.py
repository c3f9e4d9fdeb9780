"""A run trains, is resumed, is loaded and predicts on PyTorch as it does on TensorFlow."""

from pathlib import Path

import numpy as np
import pytest
from backend_results import computed

RUNS = Path(__file__).with_name("backend_runs.py")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What the runs predict, by backend."""
    folder = tmp_path_factory.mktemp("runs")
    return {backend: computed(RUNS, backend, folder, str(folder)) for backend in ("tensorflow", "torch")}


@pytest.mark.parametrize("method", ["supervised", "average", "mean_teacher", "bayesian_teacher"])
def test_a_run_predicts_after_loading_and_resuming_as_before(runs, method):
    results = runs["torch"]
    assert np.isfinite(results[f"{method}_losses"]).all() and len(results[f"{method}_losses"]) == 2
    np.testing.assert_allclose(results[f"{method}_after"], results[f"{method}_before"], atol=1e-6)
    np.testing.assert_allclose(results[f"{method}_resumed"], results[f"{method}_after"], atol=1e-6)


def test_a_network_that_tensorflow_trained_predicts_alike_on_pytorch(runs):
    expected = runs["tensorflow"]["supervised_after"]
    np.testing.assert_allclose(runs["torch"]["of_tensorflow"], expected, atol=1e-4)
    assert expected.std() > 1e-3 and not np.allclose(runs["torch"]["supervised_after"], expected, atol=1e-4)
