"""Sample weights of the losses: a number for each image, or for each pixel."""

import keras
import numpy as np
import pytest

from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.targets import smoothing
from thesis_lib.targets.losses import ForwardLikelihood, SmoothedLoss
from thesis_lib.targets.overlap import SoftDice

PRIOR = BoundaryPrior.known(1.0)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight", None])
@pytest.mark.parametrize(
    "loss", [SmoothedLoss(smoothing.OneHot()), ForwardLikelihood(PRIOR), SoftDice()], ids=lambda one: one.name
)
def test_weights_are_of_images_or_of_pixels(loss, reduction):
    generator = np.random.default_rng(0)
    labels, logits = generator.integers(0, 3, (4, 4, 8)), generator.normal(0, 2, (4, 4, 8, 3)).astype("float32")
    targets = np.eye(3, dtype="float32")[labels] if isinstance(loss, SoftDice) else labels
    loss = type(loss).from_config({**loss.get_config(), "reduction": None})
    values, per_image = np.asarray(loss(targets, logits)), np.array([1.0, 0.0, 2.0, 3.0], "float32")
    loss.reduction = reduction
    spread = per_image.reshape(4, *[1] * (values.ndim - 1)) * np.ones_like(values)
    total = (spread * values).sum()
    expected = {None: spread * values, "sum": total, "mean_with_sample_weight": total / spread.sum()}
    for weights in (per_image, per_image[:, None], spread):
        found = np.asarray(loss(targets, logits, sample_weight=weights))
        np.testing.assert_allclose(found, expected.get(reduction, total / values.size), rtol=1e-5)
    for shape in ((8,), (4, 8), (3,), (4, 4, 8, 3)):
        with pytest.raises(ValueError, match=r"sample_weight must be one number for each image, \(4,\)"):
            loss(targets, logits, sample_weight=np.ones(shape))


@pytest.mark.parametrize("shape", [(4,), (4, 6, 8)])
def test_weights_count_in_a_compiled_evaluation(shape):
    images = keras.Input((6, 8, 1))
    model = keras.Model(images, keras.layers.Conv2D(3, 1)(images))
    model.compile(loss=ForwardLikelihood(PRIOR))
    generator = np.random.default_rng(0)
    pictures, labels = generator.random((4, 6, 8, 1)), generator.integers(0, 3, (4, 6, 8))
    plain = model.evaluate(pictures, labels, batch_size=2, verbose=0)
    twice = model.evaluate(pictures, labels, batch_size=2, verbose=0, sample_weight=np.full(shape, 2.0))
    assert twice == pytest.approx(2 * plain, rel=1e-5)
