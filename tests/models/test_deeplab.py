import keras
import numpy as np
import pytest

from thesis_lib.models.deeplab import Enlarge, deeplab
from thesis_lib.models.resnet import resnet_backbone


def small(num_classes=2, **options):
    return deeplab(num_classes, depth=18, weights=None, filters=16, dilation_rates=(1, 2, 3), **options)


@pytest.fixture(scope="module")
def network():
    """One compiled network for all tests that run it: building it and tracing its graphs takes most of their time."""
    keras.utils.set_random_seed(0)
    model = small()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=False)
    return model


def scene(height, width):
    """Two images whose right half is brighter, and the class maps of the two halves."""
    images = np.random.default_rng(0).integers(0, 256, (2, height, width, 3)).astype(np.uint8)
    labels = np.zeros((2, height, width), np.uint8)
    labels[:, :, width // 2 :] = 1
    images[labels == 1] |= 128
    return images, labels


def test_a_saved_network_predicts_the_same(network, tmp_path):
    images, labels = scene(50, 70)
    logits = network.predict(images, verbose=0)
    assert logits.shape == (2, 50, 70, 2) and logits.dtype == np.float32
    network.save(tmp_path / "net.keras")
    copy = keras.saving.load_model(tmp_path / "net.keras", compile=False)
    np.testing.assert_allclose(np.asarray(copy(images)), logits, atol=1e-4)


def test_training_lowers_the_loss(network):
    images, labels = scene(50, 70)
    losses = []
    for _ in range(8):
        network.reset_metrics()
        losses.append(float(network.train_on_batch(images, labels)))
    assert np.isfinite(losses).all() and losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("height", [96, 40])
def test_one_network_takes_images_of_several_sizes(network, height):
    images, labels = scene(height, 64)
    assert network.predict(images, verbose=0).shape == (2, height, 64, 2)
    assert np.isfinite(network.train_on_batch(images, labels))
    assert np.isfinite(network.evaluate(images, labels, verbose=0))


def test_a_grey_image_is_a_colour_image_of_three_equal_channels(network):
    grey = small(channels=1)
    grey.set_weights(network.get_weights())
    images = scene(33, 40)[0][..., :1]
    expected = network(np.repeat(images, 3, axis=-1))
    np.testing.assert_allclose(np.asarray(grey(images)), np.asarray(expected), atol=1e-5)
    with pytest.raises(ValueError, match="channels must be 1 or 3; got 4"):
        small(channels=4)


def test_the_published_network_has_its_size():
    """The ResNet, atrous convolutions of 512 to 256 channels, the mixing of five branches, and the decoder."""
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


def test_a_frozen_backbone_leaves_the_head_to_be_trained(network):
    names = {weight.path for weight in small(train_backbone=False).trainable_weights}
    assert 0 < len(names) < len(network.trainable_weights) and not any("stack" in name for name in names)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="dilation_rates must .*0"):
        deeplab(2, 18, None, dilation_rates=(0, 6))
    with pytest.raises(ValueError, match="num_classes must .*1"):
        deeplab(1)
    with pytest.raises(ValueError, match="dilation_rates must be a list of whole numbers from 1; got 3"):
        deeplab(2, 18, None, dilation_rates=3)


def test_a_preset_of_another_depth_is_named(tmp_path):
    backbone, _ = resnet_backbone(18, None)
    backbone.save_to_preset(tmp_path / "preset")
    assert resnet_backbone(18, tmp_path / "preset")[0].count_params() == backbone.count_params()
    message = r"depth must be that of the ResNet in weights=.*, of \[2, 2, 2, 2\] blocks; got 50, of \[3, 4, 6, 3\]"
    with pytest.raises(ValueError, match=message):
        resnet_backbone(50, tmp_path / "preset")
