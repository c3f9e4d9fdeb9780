import keras
import numpy as np

from thesis_lib.models.deeplab import deeplab


def test_deeplab_takes_images_of_any_size_saves_and_trains(tmp_path):
    keras.utils.set_random_seed(0)
    model = deeplab(2, depth=18, weights=None)
    images = np.random.default_rng(0).integers(0, 256, (2, 50, 70, 3)).astype(np.uint8)
    logits = model.predict(images, verbose=0)
    assert logits.shape == (2, 50, 70, 2) and logits.dtype == np.float32
    model.save(tmp_path / "net.keras")
    np.testing.assert_allclose(keras.saving.load_model(tmp_path / "net.keras").predict(images, verbose=0), logits, atol=1e-4)
    model.compile(keras.optimizers.Adam(3e-4), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    labels = np.zeros((2, 50, 70), np.uint8)
    labels[:, :, 35:] = 1
    images[labels == 1] |= 128
    losses = []
    for _ in range(6):
        model.reset_metrics()
        losses.append(float(model.train_on_batch(images, labels)))
    assert np.isfinite(losses).all() and losses[-1] < 0.7 * losses[0]


def test_a_frozen_backbone_leaves_the_head_to_be_trained():
    free, frozen = (deeplab(2, depth=18, weights=None, train_backbone=train) for train in (True, False))
    names = {w.path for w in frozen.trainable_weights}
    assert 0 < len(names) < len(free.trainable_weights) and not any("stack" in name for name in names)
