import keras
import numpy as np
import pytest

from thesis_lib.models.convnet13 import convnet13
from thesis_lib.models.mlp import MaskingNoise, mlp, pretrain
from thesis_lib.models.resnet import resnet_backbone, resnet_classifier
from thesis_lib.models.small_convnet import small_convnet
from thesis_lib.models.unet import symmetric, unet
from thesis_lib.models.wide_resnet import wide_resnet
from thesis_lib.semi_supervised import MeanTeacher

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 1)).astype(np.uint8)
CLASSIFIERS = {
    "mlp": lambda: mlp(4, (16, 16, 1), hidden=(8, 6)),
    "convnet13": lambda: convnet13(4, (16, 16, 1), width=2),
    "small_convnet": lambda: small_convnet(4, (16, 16, 1), width=2),
    "wide_resnet": lambda: wide_resnet(4, (16, 16, 1), depth=10, width=1),
    "resnet": lambda: resnet_classifier(4, (16, 16, 1), weights=None),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_returns_logits_saves_and_can_be_taught(name, tmp_path):
    network = CLASSIFIERS[name]()
    logits = network.predict(IMAGES, verbose=0)
    assert logits.shape == (3, 4) and logits.dtype == np.float32
    network.save(tmp_path / "net.keras")
    np.testing.assert_allclose(
        keras.saving.load_model(tmp_path / "net.keras").predict(IMAGES, verbose=0), logits, atol=1e-5
    )
    np.testing.assert_allclose(MeanTeacher(network).predict(IMAGES, verbose=0), logits, atol=1e-5)


def test_the_published_networks_have_the_published_sizes():
    """WRN-28-2: 1.5 million parameters (Oliver et al., 2018); the ConvNet: 3.1 million; Lee's: 784 x 5000 x 10."""
    assert wide_resnet(10).count_params() == pytest.approx(1.47e6, rel=0.01)
    assert convnet13(10).count_params() == pytest.approx(3.13e6, rel=0.01)
    assert mlp(10, (28, 28, 1)).count_params() == 784 * 5000 + 5000 + 5000 * 10 + 10
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in wide_resnet(10).layers) == 28
    assert sum(isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)) for layer in convnet13(10).layers) == 10


def test_masking_noise_sets_a_share_to_zero_and_scales_nothing():
    keras.utils.set_random_seed(0)
    noise = MaskingNoise(0.3)
    out = np.array(noise(np.full((100, 100), 2.0, "float32"), training=True))
    assert set(np.unique(out)) == {0.0, 2.0} and np.mean(out == 0) == pytest.approx(0.3, abs=0.02)
    assert (np.array(noise(np.ones((5, 5), "float32"))) == 1).all()


def test_pretraining_learns_to_restore_images_and_changes_hidden_layers_alone():
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    patterns = generator.integers(0, 2, (4, 8, 8, 1)) * 255
    images = patterns[generator.integers(0, 4, 256)].astype(np.uint8)
    network = mlp(2, (8, 8, 1), hidden=(32, 16))
    before = [w.copy() for w in network.get_weights()]
    losses = pretrain(network, images, noise=0.5, epochs=10, batch_size=32, learning_rate=0.03)
    assert len(losses) == 2 and losses[0] < 0.1  # ln 2 for a decoder that knows nothing
    changed = [not np.array_equal(a, b) for a, b in zip(before, network.get_weights())]
    assert changed == [True, True, True, True, False, False]


def test_the_numbers_of_numpy_are_taken():
    two, sixteen = np.int64(2), np.int16(16)
    assert small_convnet(np.uint8(3), [sixteen, sixteen, 1], width=two).output_shape == (None, 3)
    assert unet(two, **symmetric(two, two), image_shape=(None, None, np.int32(1))).output_shape[-1] == 2


def test_a_frozen_backbone_keeps_its_weights():
    network = resnet_classifier(2, (16, 16, 1), weights=None, train_backbone=False)
    assert len(network.trainable_weights) == 2


def test_weights_come_from_a_folder_or_fail_with_a_way_out(tmp_path):
    backbone, _ = resnet_backbone(18, None)
    backbone.save_to_preset(tmp_path / "preset")
    copy, prepare = resnet_backbone(18, tmp_path / "preset")
    images = np.array(prepare(np.repeat(IMAGES, 3, -1).astype("float32")))
    np.testing.assert_allclose(copy.predict(images, verbose=0), backbone.predict(images, verbose=0), atol=1e-4)
    with pytest.raises(ValueError, match="could not be loaded .*Pass weights=None"):
        resnet_backbone(18, tmp_path / "nothing")


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: mlp(1, (8, 8, 1)), "num_classes must be .*; got 1"),
        (lambda: mlp(3, (8, 8, 1), hidden=(0,)), "hidden must be .*; got 0"),
        (lambda: mlp(3, (8, 8, 1), dropout=2), "dropout must be .*; got 2"),
        (lambda: mlp(3, (8, 8)), r"image_shape must be \(H, W, C\), whole numbers from 1 .*; got \(8, 8\)"),
        (lambda: small_convnet(3, (8, None, 1)), "image_shape must be .*None"),
        (lambda: small_convnet(3, dropout=1.0), r"dropout must be .*\[0, 1\); got 1.0"),
        (lambda: wide_resnet(3, (8, 8, True), depth=10), "image_shape must be .*None for all but C; got .*True"),
        (lambda: wide_resnet(3, width=256), "width must be a whole number from 1 to 64; got 256"),
        (lambda: wide_resnet(2**31), "num_classes must be a whole number from 2 to 65536; got"),
        (lambda: resnet_backbone("18"), "depth must be a whole number"),
        (lambda: resnet_backbone(18, 3), 'weights must be None, "imagenet" or a preset folder; got 3'),
        (lambda: pretrain(small_convnet(3), IMAGES), "network must be a model from `mlp`"),
        (lambda: pretrain(mlp(3, (8, 8, 1)), IMAGES), r"images must be .* = \(8, 8, 1\); got"),
        (lambda: pretrain(mlp(3, (16, 16, 1)), IMAGES, learning_rate=2), "learning_rate must be .*; got 2"),
        (lambda: convnet13(3, (8, 8, 1)), "height of image_shape must be a whole number from 12; got 8"),
        (lambda: wide_resnet(3, depth=20), "depth must be 6 n .*; got 20"),
        (lambda: resnet_classifier(3, (8, 8, 2), weights=None), r"1 or 3 channels; got \(8, 8, 2\)"),
        (lambda: resnet_backbone(19), "depth must be one of 18, 50, 101; got 19"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
