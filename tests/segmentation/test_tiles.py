import keras
import numpy as np
import pytest

from thesis_lib.segmentation import tiles


def convolution(radius, classes=2):
    keras.utils.set_random_seed(0)
    images = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 255)(images)
    for _ in range(radius):
        x = keras.layers.Conv2D(classes, 3, padding="same")(x)
    return keras.Model(images, x)


@pytest.mark.parametrize("shape, tile", [((70, 93), 32), ((32, 32), 32), ((20, 45), 32), ((200, 33), 64)])
def test_tiles_give_what_the_whole_image_gives(shape, tile):
    """A network that sees three pixels far, and a margin of three: no seams. (Small images show their padding.)"""
    model = convolution(3)
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    whole = np.array(keras.ops.softmax(model(image[None].astype("float32"))))[0]
    found = np.zeros_like(whole)
    rows = 0
    for top, beliefs in tiles.bands(model, image, tile, margin=3, blend=5, batch_size=2):
        assert top == rows
        found[top : top + len(beliefs)] = beliefs
        rows += len(beliefs)
    assert rows == shape[0]
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    inside = tuple(slice(0, n if n >= tile else n - 3) for n in shape)
    np.testing.assert_allclose(found[inside], whole[inside], atol=1e-5)
    assert np.array_equal(tiles.predict(model, image, tile=tile, margin=3, blend=5), found.argmax(-1))


def test_tiles_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"tile must be more than 2 \* \(margin \+ blend\), 80; got 64"):
        next(tiles.bands(convolution(1), np.zeros((9, 9, 3), np.uint8), tile=64, margin=20, blend=20))
    with pytest.raises(ValueError, match=r"image must be an array of numbers \(H, W, 3\); got shape \(9, 9\)"):
        tiles.predict(convolution(1), np.zeros((9, 9), np.uint8))
    with pytest.raises(ValueError, match=r"image must be an array of numbers \(H, W, 3\); got list"):
        tiles.predict(convolution(1), [[0]])
    with pytest.raises(ValueError, match=r"image must be an array of numbers \(H, W, 3\); got .*, <U1"):
        tiles.predict(convolution(1), np.full((9, 9, 3), "a"))
    with pytest.raises(ValueError, match=r"model must be a keras.Model from images to logits .*; got None"):
        tiles.predict(None, np.zeros((9, 9, 3), np.uint8))


def pooled(images):
    return keras.layers.GlobalAveragePooling2D(keepdims=True)(images)


@pytest.mark.parametrize(
    "outputs, got",
    [
        (lambda images: keras.layers.Flatten()(pooled(images)), r"\(1, 3\)"),
        (pooled, r"\(1, 1, 1, 3\)"),
        (lambda images: images[..., :1], r"\(1, 16, 16, 1\)"),
        (lambda images: images[:, ::2, ::2], r"\(1, 8, 8, 3\)"),
        (lambda images: [images, images], "list"),
    ],
    ids=["a vector", "one pixel", "one logit", "half the size", "two outputs"],
)
def test_models_whose_output_is_no_map_of_logits_are_named(outputs, got):
    images = keras.Input((None, None, 3))
    model = keras.Model(images, outputs(images))
    message = rf"model must give logits of two classes or more for every pixel, \(1, 16, 16\) \+ \(K,\); got {got}"
    with pytest.raises(ValueError, match=message):
        tiles.predict(model, np.zeros((16, 16, 3), np.uint8), tile=16, margin=1, blend=1)


def test_a_network_that_ends_in_a_softmax_is_refused_not_flattened():
    images = keras.Input((None, None, 3))
    scores = keras.layers.Conv2D(2, 1)(keras.layers.Rescaling(1 / 255)(images))
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    for dtype in ("float32", "float16"):
        model = keras.Model(images, keras.layers.Softmax(dtype=dtype)(scores))
        with pytest.raises(ValueError, match="model must give logits, not probabilities; the outputs of every pixel"):
            tiles.predict(model, image, tile=8, margin=1, blend=1)


def test_a_network_in_half_precision_is_predicted_in_single_precision():
    keras.utils.set_random_seed(0)
    images = keras.Input((None, None, 3))
    scores = keras.layers.Conv2D(2, 1, dtype="float16")(keras.layers.Rescaling(1 / 255)(images))
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    ((_, probabilities),) = tiles.bands(keras.Model(images, scores), image, tile=8, margin=1, blend=1)
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-6)
