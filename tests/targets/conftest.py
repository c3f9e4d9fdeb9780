"""What the tests of losses share: labels with logits beside them."""

import numpy as np
import pytest


@pytest.fixture
def example():
    generator = np.random.default_rng(0)
    return generator.integers(0, 3, (2, 8, 9)), generator.normal(0, 2, (2, 8, 9, 3)).astype("float32")
