import keras
import numpy as np
import pytest

from thesis_lib.models.deeplab import Enlarge, deeplab
from thesis_lib.models.resnet import resnet_backbone


def small(num_classes=2, **options):
    return deeplab(num_classes, depth=18, weights=None, filters=16, dilation_rates=(1, 2, 3), **options)


def test_deeplab_takes_images_of_any_size_saves_and_trains(tmp_path):
    keras.utils.set_random_seed(0)
    model = small()
    images = np.random.default_rng(0).integers(0, 256, (2, 50, 70, 3)).astype(np.uint8)
    logits = model.predict(images, verbose=0)
    assert logits.shape == (2, 50, 70, 2) and logits.dtype == np.float32
    model.save(tmp_path / "net.keras")
    np.testing.assert_allclose(
        keras.saving.load_model(tmp_path / "net.keras").predict(images, verbose=0), logits, atol=1e-4
    )
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    labels = np.zeros((2, 50, 70), np.uint8)
    labels[:, :, 35:] = 1
    images[labels == 1] |= 128
    losses = []
    for _ in range(8):
        model.reset_metrics()
        losses.append(float(model.train_on_batch(images, labels)))
    assert np.isfinite(losses).all() and losses[-1] < 0.7 * losses[0]


def test_one_network_serves_several_sizes():
    model = small(3)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for height in (96, 64, 40):
        image = np.random.default_rng(0).integers(0, 256, (1, height, 64, 3)).astype("float32")
        labels = np.zeros(image.shape[:3], np.uint8)
        assert model.predict(image, verbose=0).shape == (*labels.shape, 3)
        assert np.isfinite(model.train_on_batch(image, labels)) and np.isfinite(
            model.evaluate(image, labels, verbose=0)
        )


def test_the_published_network_has_its_size():
    """ResNet-18's 11.2 million; atrous convolutions of 512 to 256 channels, the mixing of five branches, and the decoder."""
    model = deeplab(2, depth=18, weights=None)
    encoder = model.get_layer("levels").count_params()
    context = 512 * 256 + 3 * 9 * 512 * 256 + 512 * 256 + 5 * 256 * 256
    decoder = 64 * 48 + 9 * (256 + 48) * 256 + 9 * 256 * 256 + 256 * 2 + 2
    norms = 4 * (5 * 256 + 256 + 48 + 2 * 256)
    assert model.count_params() == encoder + context + decoder + norms


def test_enlargement_is_bilinear():
    x = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype("float32")
    expected = keras.layers.UpSampling2D(4, interpolation="bilinear")(x)
    np.testing.assert_allclose(np.asarray(Enlarge(4)(x)), np.asarray(expected), atol=1e-5)


def test_a_frozen_backbone_leaves_the_head_to_be_trained():
    free, frozen = small(), small(train_backbone=False)
    names = {w.path for w in frozen.trainable_weights}
    assert 0 < len(names) < len(free.trainable_weights) and not any("stack" in name for name in names)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="dilation_rates must .*0"):
        deeplab(2, 18, None, dilation_rates=(0, 6))
    with pytest.raises(ValueError, match="num_classes must .*1"):
        deeplab(1)
    with pytest.raises(ValueError, match="dilation_rates must be a list of whole numbers from 1; got 3"):
        deeplab(2, 18, None, dilation_rates=3)


def test_a_preset_of_another_depth_is_named(tmp_path):
    resnet_backbone(18, None)[0].save_to_preset(tmp_path / "preset")
    assert resnet_backbone(18, tmp_path / "preset")[0].count_params() == resnet_backbone(18, None)[0].count_params()
    with pytest.raises(
        ValueError,
        match=r"depth must be that of the ResNet in weights=.*, of \[2, 2, 2, 2\] blocks; got 50, of \[3, 4, 6, 3\]",
    ):
        resnet_backbone(50, tmp_path / "preset")
