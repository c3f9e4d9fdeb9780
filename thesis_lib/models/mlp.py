"""The multilayer perceptron of Lee (2013), with dropout, and its pretraining as a stack of denoising auto-encoders."""

import keras
from keras import layers, ops

from thesis_lib import checks
from thesis_lib.data.batches import SceneBatches
from thesis_lib.models import arguments

MLP = "a model from `mlp` with a hidden layer or more"


def mlp(num_classes, image_shape, hidden=(5000,), dropout=0.5, input_dropout=0.2):
    """Dense layers with ReLU between images and logits.

    Args:
        num_classes: K.
        image_shape: (H, W, C).
        hidden: list of the units of each hidden layer; none: the logits are linear in the pixels.
        dropout, input_dropout: rates of the hidden layers' units and of the pixels, in [0, 1); 0 for none.

    Returns:
        keras.Model from images (N, H, W, C), 0-255, to float32 logits (N, K).
    """
    num_classes, image_shape = arguments.num_classes(num_classes), arguments.image_shape(image_shape)
    checks.instance("hidden", hidden, (list, tuple), "a list of whole numbers from 1")
    hidden = [checks.integer("hidden", units, 1, arguments.MOST_FILTERS) for units in hidden]
    dropout, input_dropout = arguments.rate("dropout", dropout), arguments.rate("input_dropout", input_dropout)
    images = keras.Input(image_shape, name="images")
    x = layers.Flatten(name="flatten")(layers.Rescaling(1 / 255, name="rescale")(images))
    if input_dropout:
        x = layers.Dropout(input_dropout, name="dropout_input")(x)
    for i, units in enumerate(hidden):
        x = layers.Dense(units, activation="relu", name=f"hidden{i}")(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"dropout{i}")(x)
    return keras.Model(images, layers.Dense(num_classes, dtype="float32", name="classes")(x), name="mlp")


@keras.saving.register_keras_serializable("thesis_lib")
class MaskingNoise(layers.Layer):
    """Sets a share of its inputs to zero in training; unlike with dropout, the others stay as they are."""

    def __init__(self, rate, **options):
        super().__init__(**options)
        self.rate = checks.real("rate", rate, 0.0, 1.0)
        self.seeds = keras.random.SeedGenerator()

    def call(self, x, training=False):
        if not training:
            return x
        return ops.where(keras.random.uniform(ops.shape(x), seed=self.seeds) < self.rate, 0.0, x)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


class _Inputs(SceneBatches):
    """Batches of the outputs of the layers below, as input and as target."""

    def __init__(self, below, images, batch_size, seed):
        super().__init__(images, images, batch_size, seed)
        self.below = below

    def __getitem__(self, index):
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        inputs = ops.convert_to_numpy(self.below(self.images[chosen], training=False))
        return inputs, inputs


def pretrain(network, images, noise=0.5, epochs=10, batch_size=256, learning_rate=1e-3, seed=0, verbose=0):
    """Train the hidden layers of an `mlp` in place, one by one, to restore their input from a part of it.

    Each layer and a sigmoid (for pixels) or ReLU (for hidden units) decoder form a denoising auto-encoder with masking
    noise (Vincent et al., JMLR 2010). Pixels are restored by binary cross-entropy, hidden units by squared error.

    Args:
        network: a model from `mlp`.
        images: uint8 (N, H, W, C), 0-255: an array, or an object with a length that takes an array of indices, like
            `ImageTable`; a batch at a time is taken.
        noise: share of inputs set to zero, in [0, 1].
        epochs, batch_size, learning_rate: of each layer's training by Adam, whose learning rate is in (0, 1].
        seed: of the order of the images.
        verbose: 0: silent, 1: a progress bar, 2: a line an epoch.

    Returns:
        list with the last epoch's loss of each layer.

    Raises:
        ValueError: naming the argument whose type, shape or range is wrong.
    """
    layers_of = {layer.name: layer for layer in checks.instance("network", network, keras.Model, MLP).layers}
    hidden = [layer for name, layer in layers_of.items() if name.startswith("hidden")]
    if "flatten" not in layers_of or not hidden:
        raise ValueError(f"network must be {MLP}; got one of the layers {', '.join(layers_of)}")
    shape = network.input_shape[1:]
    if tuple(getattr(images, "shape", ()))[1:] != shape:
        raise ValueError(f"images must be of shape (N, H, W, C) with (H, W, C) = {shape}; got {checks.shown(images)}")
    epochs, verbose = checks.integer("epochs", epochs, 1), checks.integer("verbose", verbose, 0, 2)
    learning_rate = checks.real("learning_rate", learning_rate, 0.0, 1.0, open_low=True)
    noise = checks.real("noise", noise, 0.0, 1.0)
    below, losses = layers_of["flatten"], []
    for i, layer in enumerate(hidden):
        pixels, size = i == 0, below.output.shape[-1]
        decoder = layers.Dense(size, activation="sigmoid" if pixels else "relu")
        auto_encoder = keras.Sequential([keras.Input((size,)), MaskingNoise(noise), layer, decoder])
        auto_encoder.compile(keras.optimizers.Adam(learning_rate), "binary_crossentropy" if pixels else "mse")
        # Before TensorFlow traces the step, so that it does so once.
        auto_encoder.optimizer.build(auto_encoder.trainable_variables)
        batches = _Inputs(keras.Model(network.input, below.output), images, batch_size, seed)
        losses.append(auto_encoder.fit(batches, epochs=epochs, verbose=verbose, shuffle=False).history["loss"][-1])
        below = layer
    return losses
