"""TensorFlow, JAX and PyTorch make the same step of every method."""

from pathlib import Path

import numpy as np
import pytest
from backend_results import computed

STEP = Path(__file__).with_name("backend_methods.py")


@pytest.fixture(scope="module")
def of_tensorflow(tmp_path_factory):
    return computed(STEP, "tensorflow", tmp_path_factory.mktemp("methods"))


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_backend_makes_the_same_step(backend, of_tensorflow, tmp_path):
    """Every method without random parts, from the same weights; and those with random parts are finite."""
    results = computed(STEP, backend, tmp_path)
    assert results.keys() == of_tensorflow.keys() and len(results) > 30
    assert results["mixed_finite"] and results["both_finite"] and results["direction"].max() > 0.3
    for name, expected in of_tensorflow.items():
        tolerance = 1e-3 if name == "direction" else 1e-4
        np.testing.assert_allclose(results[name], expected, atol=tolerance, err_msg=name)
