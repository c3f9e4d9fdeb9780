"""Trained networks for other programs: as a SavedModel and as ONNX, each checked to predict alike."""

import keras
import numpy as np

from thesis_lib import checks
from thesis_lib.files import writable_folder


def export(model, folder, image_shape, tolerance=1e-3, seed=0):
    """Write `folder/saved_model/` and `folder/model.onnx`, and compare what they predict with what the model predicts.

    Both take float32 images (N, H, W, C) of one size, such as that of the tiles of `bands`, and return logits.

    Args:
        model: keras.Model from images to logits, on the TensorFlow backend.
        folder: made if missing.
        image_shape: (H, W, C), px.
        tolerance: the largest difference of a logit that counts as alike, relative to the largest logit (at least 1).
        seed: of the image of noise that is compared.

    Returns:
        dict: "saved_model" and "onnx", the largest difference of a logit.

    Raises:
        RuntimeError: without TensorFlow or the packages for ONNX (the extra `export`), or if one predicts
            otherwise. What was written stays for inspection.
        ValueError: naming an argument of another kind.
    """
    checks.instance("model", model, keras.Model, "a keras.Model from images to logits")
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"export needs the TensorFlow backend; this is {keras.backend.backend()}. "
            "Load the saved model with KERAS_BACKEND=tensorflow"
        )
    try:
        import onnxruntime
        import tensorflow as tf
        import tf2onnx  # noqa: F401, Keras calls it
    except ImportError as error:
        raise RuntimeError(
            f"export needs the packages of the extra 'export' (onnx, onnxruntime, tf2onnx): {error}"
        ) from error
    checks.real("tolerance", tolerance, 0.0)
    height, width, channels = checks.lengths("image_shape", image_shape, 3, "(H, W, C)")
    accepted = getattr(model, "input_shape", (None,) * 4)[1:]  # a subclass of keras.Model does not say
    if len(accepted) != 3 or any(n not in (None, m) for n, m in zip(accepted, (height, width, channels))):
        raise ValueError(f"image_shape must be one that the model takes, {accepted}; got {checks.shown(image_shape)}")
    seed = checks.integer("seed", seed, 0)
    folder = writable_folder(folder)
    images = keras.Input((height, width, channels), name="images")
    # Keras exports a call that does not say whether it is training; layers inside of layers then take it for training.
    deployed = keras.Model(images, model(images, training=False))
    deployed.export(folder / "saved_model", format="tf_saved_model", verbose=False)
    deployed.export(folder / "model.onnx", format="onnx", verbose=False)

    example = np.random.default_rng(seed).integers(0, 256, (1, height, width, channels)).astype("float32")
    expected = np.asarray(model.predict(example, verbose=0))
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    found = {
        "saved_model": loaded.serve(example).numpy(),
        "onnx": session.run(None, {session.get_inputs()[0].name: example})[0],
    }
    differences = {name: float(np.abs(logits - expected).max()) for name, logits in found.items()}
    for name, difference in differences.items():
        if not difference <= tolerance * max(float(np.abs(expected).max()), 1.0):
            raise RuntimeError(f"{folder}: the {name} predicts otherwise than the model, by up to {difference:g}")
    return differences
