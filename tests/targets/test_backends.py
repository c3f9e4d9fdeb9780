"""TensorFlow, JAX and PyTorch compute the same losses and gradients."""

from pathlib import Path

import numpy as np
import pytest
from backend_results import computed

LOSSES = Path(__file__).with_name("backend_losses.py")


@pytest.fixture(scope="module")
def of_tensorflow(tmp_path_factory):
    return computed(LOSSES, "tensorflow", tmp_path_factory.mktemp("losses"))


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_backend_computes_the_same_values_and_gradients(backend, of_tensorflow, tmp_path):
    results = computed(LOSSES, backend, tmp_path)
    assert results.keys() == of_tensorflow.keys()
    for name, expected in of_tensorflow.items():
        np.testing.assert_allclose(results[name], expected, rtol=1e-5, atol=1e-6, err_msg=name)


def test_every_gradient_is_some(of_tensorflow):
    gradients = {name: values for name, values in of_tensorflow.items() if name.endswith("_gradient")}
    assert len(gradients) > 20 and all(np.isfinite(g).all() and np.abs(g).max() > 1e-6 for g in gradients.values())


def test_channels_first_computes_the_same(of_tensorflow):
    firsts = [name for name in of_tensorflow if "_first_" in name]
    assert len(firsts) == 8
    for name in firsts:
        expected = of_tensorflow[name.replace("_first_", "_")]
        found = of_tensorflow[name] if name.endswith("_value") else np.moveaxis(of_tensorflow[name], 1, -1)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7, err_msg=name)
