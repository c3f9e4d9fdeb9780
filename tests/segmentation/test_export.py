import keras
import numpy as np
import pytest

from thesis_lib.models.deeplab import deeplab
from thesis_lib.models.unet import symmetric, unet
from thesis_lib.segmentation.export import export

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's formats")


@pytest.mark.parametrize("name", ["unet", "deeplab"])
def test_exported_networks_predict_alike(tmp_path, name):
    keras.utils.set_random_seed(0)
    model, channels = (
        (unet(3, **symmetric(2, 2)), 1) if name == "unet" else (deeplab(2, depth=18, weights=None, filters=16), 3)
    )
    for weight in model.weights:
        if "moving" in weight.path:  # a batch statistic, which differs from its first value after a training
            weight.assign(np.random.default_rng(0).uniform(0.5, 1.5, weight.shape))
    differences = export(model, tmp_path / "out", (40, 50, channels))
    assert sorted(differences) == ["onnx", "saved_model"] and max(differences.values()) < 1e-3
    assert (tmp_path / "out" / "model.onnx").is_file() and (tmp_path / "out" / "saved_model").is_dir()


def test_an_export_that_differs_is_an_error(tmp_path):
    model = unet(2, **symmetric(2, 1))
    with pytest.raises(RuntimeError, match="predicts otherwise than the model, by up to"):
        export(Shifted(model), tmp_path, (8, 8, 1))
    with pytest.raises(ValueError, match="image_shape must .*0"):
        export(model, tmp_path, (0, 8, 1))


class Shifted(keras.Model):
    """Predicts what it was not exported with."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def call(self, images, training=False):
        return self.model(images)

    def predict(self, images, **options):
        return self.model.predict(images, **options) + 1
