"""Virtual adversarial training (VAT; Miyato et al., TPAMI 2019): stay the same under the most harmful small change."""

import keras
from keras import ops

from thesis_lib import checks
from thesis_lib.backend import gradient
from thesis_lib.semi_supervised.base import SemiSupervised
from thesis_lib.semi_supervised.ema import buffers
from thesis_lib.semi_supervised.unsupervised import kl_divergence, probabilities

RANGE = 255.0  # of the images' values


@keras.saving.register_keras_serializable("thesis_lib")
class VirtualAdversarial(SemiSupervised):
    """KL divergence between the probabilities of an image and of its virtual adversarial neighbour (equations 5 and 8).

    The direction is computed with batch normalisation's averaged statistics and without dropout, the loss in training
    mode. The changed images do not enter these statistics.

    Args:
        epsilon: length of the change, where the images' values 0-255 count as 0-1; more than 0.
        xi: length of the step by which the direction is sought, likewise; the paper has 1e-6.
        iterations: of the power method, 1 or more.
    """

    def __init__(self, classifier, augment=None, weight=1.0, epsilon=2.0, xi=1e-2, iterations=1, **options):
        super().__init__(classifier, augment, weight, **options)
        self.epsilon = checks.real("epsilon", epsilon, 0.0, open_low=True)
        self.xi = checks.real("xi", xi, 0.0, open_low=True)
        self.iterations = checks.integer("iterations", iterations, 1)
        self.seeds = keras.random.SeedGenerator()

    def unsupervised_loss(self, inputs, outputs):
        return adversarial_loss(self.classifier, outputs, self.epsilon, self.xi, self.iterations, self.seeds)

    def get_config(self):
        own = {name: getattr(self, name) for name in ("epsilon", "xi", "iterations")}
        return {**super().get_config(), **own}


def adversarial_loss(classifier, outputs, epsilon, xi=1e-2, iterations=1, seed=None):
    """The loss of `VirtualAdversarial`, from the `images` and `all_logits` of its batch: a scalar."""
    images = outputs["images"]
    change = epsilon * RANGE * adversarial_direction(classifier, images, xi, iterations, seed)
    statistics = [v for v in classifier.non_trainable_variables if v.path.endswith(("moving_mean", "moving_variance"))]
    before = [ops.copy(v) for v in statistics]
    of_modules = [(tensor, tensor.clone()) for tensor in buffers(classifier)]
    logits = classifier(images + change, training=True)
    for statistic, value in zip(statistics, before):
        statistic.assign(value)
    for tensor, value in of_modules:
        tensor.data.copy_(value)  # without .data PyTorch would refuse the gradient, which does not need them
    return kl_divergence(probabilities(outputs["all_logits"]), logits)


def adversarial_direction(classifier, images, xi=1e-2, iterations=1, seed=None):
    """Unit vectors (N, H, W, C) along which the probabilities change most (power method, section 3.3)."""
    target = probabilities(classifier(images, training=False))
    direction = _unit(keras.random.normal(ops.shape(images), seed=seed))
    # Its length does not matter, so it is made large enough not to vanish in half precision.
    enlarged = 1024.0 * ops.cast(ops.shape(images)[0], "float32")
    for _ in range(iterations):
        divergence = lambda change: enlarged * kl_divergence(target, classifier(images + change, training=False))
        direction = _unit(gradient(divergence, xi * RANGE * direction))
    return ops.stop_gradient(direction)


def _unit(vectors):
    norms = ops.sqrt(ops.sum(ops.square(vectors), axis=tuple(range(1, len(vectors.shape))), keepdims=True))
    return vectors / ops.maximum(norms, 1e-20)
