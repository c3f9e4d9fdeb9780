"""The forward likelihood with a spread of its own for the boundaries between each two classes."""

import itertools
from dataclasses import asdict

import keras
import numpy as np
from keras import ops

from thesis_lib import backend, checks
from thesis_lib.annotation.prior import BoundaryPrior, checked_prior
from thesis_lib.labels import IGNORE
from thesis_lib.targets.base import MapLoss, labels_and_logits
from thesis_lib.targets.blurring import blur, checked_spacing
from thesis_lib.targets.losses import checked_weights, negative_log_likelihood


@keras.saving.register_keras_serializable("thesis_lib")
class PairwiseLikelihood(MapLoss):
    """The negative log likelihood of the annotation where some classes are told apart more precisely than others.

    As `ForwardLikelihood`, with a prior for each pair of classes. At a pixel r of the true class c, the annotator draws
    another class y with probability B_cy(r) = sum_delta w_cy(delta) p_y(r - delta), and c with the rest, B_cc. Here p
    is the network's softmax, and w_cy the spread of boundaries between c and y. Where the other classes than c sum to
    more than one, they are divided by their sum. The loss at r is -log sum_c p_c B_cy, with y the label. If all priors
    are equal, that sum is the blur of p_y, as in the forward likelihood.

    Each distinct prior blurs the classes of its pairs once.

    Args:
        priors: {(a, b): BoundaryPrior} of pairs of classes, in either order, such as `Agreement.pairs`.
        default: BoundaryPrior of all other pairs, such as `Agreement.prior`; None if there are none.
        class_weights, spacing, options: as for `ForwardLikelihood`.

    Raises:
        ValueError: if an argument is not of this kind. When it is called: if a pair is not of the network's classes, or
            a pair has no prior.

    Example: two people drew the same images. Each pair of classes has the sigma that was measured for it.
        >>> measured = agreement({"ann": ann, "bob": bob}, background=0)
        >>> model.compile("adam", PairwiseLikelihood(measured.pairs, measured.prior))
    """

    def __init__(self, priors, default=None, class_weights=None, spacing=None, name="pairwise_likelihood", **options):
        super().__init__(name=name, **options)
        self.priors, self.spacing = _checked_priors(priors, spacing), checked_spacing(spacing)
        self.default = None if default is None else checked_prior(default, "default", spacing)
        self.class_weights = checked_weights(class_weights)

    def call(self, labels, logits):
        labels, logits = labels_and_logits(labels, logits)
        num_classes = logits.shape[-1]
        default, partners, groups = self._groups(num_classes)
        probabilities = backend.softmax(logits)
        blurred = blur(probabilities, default, self.spacing)
        p, usual = ops.unstack(probabilities, axis=-1), ops.unstack(blurred, axis=-1)
        # With the default alone B_cc is the blur of p_c; each pair with a prior of its own takes the difference off.
        kept, own = list(usual), []
        for prior, pairs in groups.items():
            classes = sorted(set(itertools.chain(*pairs)))
            maps = blur(ops.stack([p[c] for c in classes], axis=-1), prior, self.spacing)
            drawn = dict(zip(classes, ops.unstack(maps, axis=-1)))
            for c, y in pairs + [(y, c) for c, y in pairs]:
                kept[c] = kept[c] - (drawn[y] - usual[y])
                own.append((c, y, drawn[y]))
        p = [one / (1.0 + ops.relu(-stays)) for one, stays in zip(p, kept)]
        own_terms = [one * ops.relu(stays) for one, stays in zip(p, kept)]
        for c, y, drawn in own:
            own_terms[y] = own_terms[y] + p[c] * drawn
        others = ops.take(ops.convert_to_tensor(partners, logits.dtype), labels, axis=0)
        likelihood = backend.of_class(ops.stack(own_terms, axis=-1), labels)
        likelihood = likelihood + backend.of_class(blurred, labels) * ops.sum(ops.stack(p, axis=-1) * others, axis=-1)
        return negative_log_likelihood(labels, likelihood, self.class_weights, num_classes)

    def _groups(self, num_classes):
        """The default, which classes (256 or K, K) it holds between, and {prior: pairs} of the other priors."""
        unknown = [pair for pair in self.priors if pair[1] >= num_classes]
        if unknown:
            raise ValueError(f"priors must be of pairs of the {num_classes} classes of the logits; got {unknown[0]}")
        missing = [pair for pair in itertools.combinations(range(num_classes), 2) if pair not in self.priors]
        if missing and self.default is None:
            raise ValueError(
                f"default must be a BoundaryPrior where priors has none of the classes {missing[0]}; got None"
            )
        default = self.default or next(iter(self.priors.values()))
        partners = np.zeros((max(num_classes, IGNORE + 1), num_classes))
        partners[:num_classes] = 1 - np.eye(num_classes)
        groups = {}
        for (a, b), prior in self.priors.items():
            if prior != default:
                groups.setdefault(prior, []).append((a, b))
                partners[a, b] = partners[b, a] = 0
        return default, partners, groups

    def get_config(self):
        priors = [[a, b, asdict(prior)] for (a, b), prior in self.priors.items()]
        default = None if self.default is None else asdict(self.default)
        own = {"priors": priors, "default": default, "spacing": self.spacing, "class_weights": self.class_weights}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        priors = {(a, b): BoundaryPrior(**prior) for a, b, prior in config["priors"]}
        default = None if config["default"] is None else BoundaryPrior(**config["default"])
        return cls(**{**config, "priors": priors, "default": default})


def _checked_priors(priors, spacing):
    """A user's priors as {(a, b): BoundaryPrior} with a < b."""
    what = "a dict from pairs of classes to BoundaryPrior, such as {(0, 1): BoundaryPrior.known(1.5)}"
    checks.instance("priors", priors, dict, what)
    found = {}
    for pair, prior in priors.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ValueError(f"priors must be {what}; got the pair {checks.shown(pair)}")
        pair = tuple(sorted(checks.integer("classes of priors", one, 0) for one in pair))
        if pair[0] == pair[1] or pair in found:
            raise ValueError(f"priors must be {what}, each pair of two classes once; got {pair}")
        found[pair] = checked_prior(prior, "priors", spacing)
    if not found:
        raise ValueError(f"priors must be {what}; got an empty one")
    return found
