import keras
import numpy as np
import pytest

from thesis_lib.models.augmentation import AugmentedSegmenter, augmentation
from thesis_lib.models.unet import Block, PadToMultiple, symmetric, unet

TWO_AND_THREE = [Block(2, pooling=2), Block(2, pooling=3)]


@pytest.mark.parametrize("size", [(64, 84), (33, 50), (1, 1), (7, 128)])
def test_the_unet_takes_images_of_any_size_and_crops_its_logits_back(size):
    model = unet(5, **symmetric(2, 3))
    logits = model(np.zeros((2, *size, 1), np.uint8))
    assert logits.shape == (2, *size, 5) and keras.backend.standardize_dtype(logits.dtype) == "float32"


def test_padding_is_of_zeros_below_and_to_the_right():
    image = 1 + np.random.default_rng(0).random((2, 13, 17, 3)).astype("float32")
    padded = np.array(PadToMultiple(4)(image))
    assert padded.shape == (2, 16, 20, 3) and np.array_equal(padded[:, :13, :17], image)
    assert not padded[:, 13:].any() and not padded[:, :, 17:].any()


@pytest.mark.parametrize("size", [(9, 7, 5), (7, 9)])
def test_a_compiled_unet_pads_as_one_that_is_not_compiled(size):
    model = unet(2, **symmetric(width=2, depth=1), image_shape=(*(None for _ in size), 1))
    images = np.random.default_rng(0).uniform(0, 255, (1, *size, 1)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model(images))
    np.testing.assert_allclose(model.predict_on_batch(images), expected, atol=1e-5)


def test_a_network_for_any_size_gives_what_one_for_that_size_gives():
    keras.utils.set_random_seed(0)
    free = unet(3, **symmetric(2, 2))
    fixed = unet(3, **symmetric(2, 2), image_shape=(16, 24, 1))
    fixed.set_weights(free.get_weights())
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 24, 1))
    np.testing.assert_allclose(np.array(free(image)), np.array(fixed(image)), atol=1e-5)


def test_blocks_say_what_the_network_is_made_of():
    blocks = [Block(3, convolutions=1, kernel=5, pooling=2), Block(6, convolutions=3, kernel=3, pooling=3)]
    model = unet(4, blocks, [Block(7, 2, 1)], blocks[::-1], image_shape=(30, 36, 2))
    kernels = {layer.name: layer.kernel.shape for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}
    assert kernels["encoder0_conv0"] == (5, 5, 2, 3)
    assert [n for n in kernels if n.startswith("encoder1")] == ["encoder1_conv0", "encoder1_conv1", "encoder1_conv2"]
    assert kernels["centre0_conv1"] == (1, 1, 7, 7)
    assert kernels["decoder0_conv0"] == (3, 3, 7 + 6, 6) and kernels["decoder1_conv0"] == (5, 5, 6 + 3, 3)


def test_a_saved_network_predicts_the_same(tmp_path):
    model = unet(3, **symmetric(2, 2))
    model.save(tmp_path / "net.keras")
    image = np.random.default_rng(0).integers(0, 256, (1, 13, 17, 1))
    copy = keras.saving.load_model(tmp_path / "net.keras")
    np.testing.assert_allclose(np.array(copy(image)), np.array(model(image)), atol=1e-6)


def test_augmentation_moves_images_and_labels_together():
    """Images that are their own label maps stay so, up to interpolation at the boundary."""
    labels = np.zeros((16, 64, 64), np.uint8)
    labels[:, 16:48, 20:44] = 1
    augment = augmentation((64, 64, 1), rotation=10, shift=4, zoom=0.2, seed=1)
    pairs = {"images": 255.0 * labels[..., None], "segmentation_masks": labels[..., None].astype("float32")}
    augmented = augment(pairs, training=True)
    images, masks = np.array(augmented["images"]) / 255, np.array(augmented["segmentation_masks"])
    assert set(np.unique(masks)) == {0.0, 1.0}
    assert np.mean(np.abs(images - masks)) < 0.03
    assert np.mean(masks[..., 0] != labels) > 0.02
    assert len({m.sum() for m in masks}) > 8


def test_rotation_shift_and_zoom_vary_independently():
    images = np.zeros((500, 64, 64, 1), "float32")
    parameters = []
    for layer in augmentation((64, 64, 1), seed=0).layers:
        for value in layer.get_random_transformation(images).values():
            if np.size(value) in (500, 1000):  # one or two numbers for each image
                parameters += list(np.reshape(value, (500, -1)).T)
    assert len(parameters) == 5  # an angle, two shifts, two zooms
    assert np.abs(np.corrcoef(parameters) - np.eye(5)).max() < 0.2


def test_a_segmenter_that_augments_trains_validates_and_predicts():
    keras.utils.set_random_seed(0)
    network = unet(2, **symmetric(2, 1), image_shape=(16, 16, 1))
    model = AugmentedSegmenter(network, augmentation((16, 16, 1), seed=0))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=False)
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1)).astype(np.uint8)
    labels = (images[..., 0] > 127).astype(np.uint8)
    inputs = {"images": images, "labels": labels}
    before = network.get_weights()
    model.fit(inputs, validation_data=(inputs, None), epochs=1, batch_size=4, verbose=0)
    assert any((a != b).any() for a, b in zip(before, network.get_weights()))
    logits = np.asarray(network(images))
    np.testing.assert_allclose(model.predict(images, verbose=0), logits, atol=1e-5)
    assert model.evaluate(inputs, verbose=0) == pytest.approx(float(loss(labels, logits)), rel=1e-4)


def test_levels_can_be_listed():
    assert symmetric([[2, 1], [4, 2], [8, 2]]) == symmetric(2, 2)
    assert symmetric([[2, 1], [8, 3]], depth=5) == {
        "encoder": [Block(2, 1)],
        "centre": [Block(8, 3)],
        "decoder": [Block(2, 1)],
    }


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: Block(0), "filters must .*0"),
        (lambda: Block(4, pooling=1.5), "pooling must .*1.5"),
        (lambda: unet(1, **symmetric(2, 2)), "num_classes must .*1"),
        (lambda: symmetric("8"), "width must .*'8'"),
        (lambda: symmetric([8, 16]), r"width must .*\[8, 16\]"),
        (lambda: symmetric([[8, 1], [0, 1]]), "filters in width must .*0"),
        (lambda: unet(3, TWO_AND_THREE, [Block(2)], TWO_AND_THREE), r"reverse order, \[3, 2\]; got \[2, 3\]"),
        (lambda: unet(3, [], [Block(2)], []), "encoder must be a list of Block"),
        (lambda: unet(3, **symmetric(2, 2), image_shape=(8, 8, None)), r"image_shape must be .*\(8, 8, None\)"),
        (lambda: symmetric(64, 16), r"width \* 2\*\*depth, .* at most 65536; got 64 \* 2\*\*16"),
        (lambda: Block(4, convolutions=1000), "convolutions must be a whole number from 1 to 100; got 1000"),
        (lambda: augmentation((8, 8, 1), shift=9), r"shift must be .*\[0, 8\]; got 9"),
        (lambda: augmentation((8, 8, 1), zoom=1), r"zoom must be .*\[0, 1\); got 1"),
        (lambda: augmentation((8, 8, 1), seed=0.5), "seed must be .*; got 0.5"),
        (lambda: AugmentedSegmenter(None, augmentation((8, 8, 1))), "network must be a keras.Model .*; got None"),
        (lambda: AugmentedSegmenter(unet(2, **symmetric(2, 1)), len), "augment must be a Keras layer"),
    ],
)
def test_wrong_descriptions_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
