"""Every objective: in double and half precision, saved, and beside pixels to ignore."""

import keras
import numpy as np
import pytest

from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.targets import class_matrices, objectives


@pytest.mark.parametrize("floatx, tolerance", [("float64", 1e-6), ("float16", 5e-3)])
@pytest.mark.parametrize("name", objectives.OBJECTIVES)
def test_every_objective_keeps_its_value_in_double_and_half_precision(name, floatx, tolerance, example):
    labels, logits = example
    parts = {"prior": BoundaryPrior.known(0.3), "adjacency": class_matrices.adjacency(labels, 3), "background": 0}
    expected = float(objectives.objective(name, **parts)(labels, logits))
    keras.config.set_floatx(floatx)
    try:
        loss = objectives.objective(name, **parts)
        assert float(loss(labels, logits)) == pytest.approx(expected, rel=tolerance)
    finally:
        keras.config.set_floatx("float32")


@pytest.mark.parametrize("name", objectives.OBJECTIVES)
def test_every_objective_is_finite_and_survives_being_saved(name, example):
    labels, logits = example
    counts = class_matrices.adjacency(labels, 3)
    tiny = BoundaryPrior.known(0.3)
    loss = objectives.objective(name, prior=tiny, adjacency=counts, background=0)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    value = float(loss(labels, logits))
    assert np.isfinite(value) and float(copy(labels, logits)) == pytest.approx(value)


@pytest.mark.parametrize("name", objectives.OBJECTIVES)
def test_pixels_to_ignore_are_not_learned_from(example, name):
    labels, logits = example
    labels = labels.astype(np.uint8)
    loss = objectives.objective(
        name, prior=BoundaryPrior.known(0.4), adjacency=class_matrices.adjacency(labels, 3), background=0
    )
    labels[:, 5:] = 255
    altered = logits.copy()
    altered[:, 7:] += 3 * np.random.default_rng(1).normal(size=altered[:, 7:].shape)  # 2 px off, beyond every blur
    assert not np.array_equal(altered, logits)
    assert np.isfinite(float(loss(labels, logits)))
    np.testing.assert_allclose(float(loss(labels, altered)), float(loss(labels, logits)), rtol=1e-5)
    # Losses of single pixels are those of an image that ends there.
    if name in ("one_hot", "uniform", "weighted_adjacent", "dice", "jaccard"):
        np.testing.assert_allclose(float(loss(labels, logits)), float(loss(labels[:, :5], logits[:, :5])), rtol=1e-5)
    nothing = np.full_like(labels, 255)
    assert float(loss(nothing, logits)) == pytest.approx(0, abs=1e-6)
    together = float(loss(np.concatenate([labels, nothing]), np.concatenate([logits, logits])))
    np.testing.assert_allclose(together, float(loss(labels, logits)), rtol=1e-5)
