"""U-Nets of volumes, and of pixels that are longer along one axis."""

import keras
import numpy as np
import pytest

from thesis_lib.models.unet import Block, PadToMultiple, symmetric, unet

VOLUMES = (None, None, None, 1)


@pytest.mark.parametrize("spacing", [None, (3.0, 0.8, 0.8)])
def test_the_unet_takes_volumes_of_any_size_and_a_saved_one_predicts_the_same(tmp_path, spacing):
    model = unet(3, **symmetric(2, 2, spacing), image_shape=VOLUMES, dropout=0.1)
    volume = np.random.default_rng(0).integers(0, 256, (2, 5, 11, 14, 1))
    logits = np.array(model(volume))
    assert logits.shape == (2, 5, 11, 14, 3) and logits.dtype == np.float32
    model.save(tmp_path / "net.keras")
    np.testing.assert_allclose(np.array(keras.saving.load_model(tmp_path / "net.keras")(volume)), logits, atol=1e-6)


def test_an_axis_of_long_voxels_is_pooled_and_convolved_once_the_others_are_as_coarse():
    blocks = symmetric(2, 4, spacing=(3.0, 0.8, 0.8))
    assert [block.pooling for block in blocks["encoder"]] == [(1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)]
    assert [block.kernel for block in blocks["encoder"]][:2] == [(1, 3, 3), (3, 3, 3)]
    assert [block.pooling for block in blocks["decoder"]] == [block.pooling for block in blocks["encoder"][::-1]]
    alike = symmetric(2, 2, spacing=(0.7, 0.7))
    assert alike["encoder"][0] == Block(2, 1, (3, 3), (2, 2))
    padded = PadToMultiple([2, 4, 8])(np.ones((1, 3, 5, 9, 2), np.float32))
    assert padded.shape == (1, 4, 8, 16, 2)


def test_a_volume_of_one_plane_is_seen_as_its_image_where_planes_are_far_apart():
    """Without a kernel or a pooling across the planes the two networks are one."""
    keras.utils.set_random_seed(0)
    image = unet(2, **symmetric(2, 2), image_shape=(None, None, 1))
    volume = unet(2, **symmetric(2, 2, spacing=(50.0, 1.0, 1.0)), image_shape=VOLUMES)
    weights = zip(image.get_weights(), volume.get_weights())
    volume.set_weights([one.reshape(other.shape) for one, other in weights])
    images = np.random.default_rng(0).integers(0, 256, (3, 13, 18, 1))
    np.testing.assert_allclose(np.array(volume(images[None])[0]), np.array(image(images)), atol=1e-4)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: symmetric(2, 2, spacing=(1, 1, 1, 1)), r"spacing must be two or three lengths, .* got \(1, 1, 1, 1\)"),
        (lambda: symmetric(2, 2, spacing=(0, 1, 1)), "spacing must be two or three lengths, more than 0"),
        (lambda: unet(2, **symmetric(2, 2, spacing=(1, 1)), image_shape=VOLUMES), "for each of 3 axes; got"),
        (lambda: unet(2, **symmetric(2, 2, spacing=(3, 1, 1))), "for each of 2 axes; got"),
        (lambda: unet(2, **symmetric(2, 2), image_shape=(8, 1)), r"image_shape must be .* got \(8, 1\)"),
        (lambda: Block(2, pooling=(2, 0)), "pooling must be a whole number from 1 to 1024; got 0"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
