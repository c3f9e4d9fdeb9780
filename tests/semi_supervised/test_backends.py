"""TensorFlow, JAX and PyTorch make the same step of every method."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

STEP = Path(__file__).with_name("backend_methods.py")


def step(backend, folder):
    """What backend_methods.py writes on a backend."""
    path = folder / f"{backend}.npz"
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(STEP.parents[1])}
    process = subprocess.run([sys.executable, STEP, path], env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-3000:]
    with np.load(path) as results:
        assert results["backend"] == backend
        return {name: results[name] for name in results.files if name != "backend"}


@pytest.fixture(scope="module")
def of_tensorflow(tmp_path_factory):
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("tensorflow is not installed")
    return step("tensorflow", tmp_path_factory.mktemp("methods"))


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_backend_makes_the_same_step(backend, of_tensorflow, tmp_path):
    """Every method without random parts, from the same weights; and those with random parts are finite."""
    pytest.importorskip(backend)
    results = step(backend, tmp_path)
    assert results.keys() == of_tensorflow.keys() and len(results) > 30
    assert results["mixed_finite"] and results["both_finite"] and results["direction"].max() > 0.3
    for name, expected in of_tensorflow.items():
        tolerance = 1e-3 if name == "direction" else 1e-4
        np.testing.assert_allclose(results[name], expected, atol=tolerance, err_msg=name)
