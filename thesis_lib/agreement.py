"""The prior from people: what several annotators of the same images, or gold-standard masks, say of their boundary error."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage, optimize, stats

from thesis_lib import checks
from thesis_lib.boundaries import background_class, signed_distance
from thesis_lib.data.class_table import IGNORE
from thesis_lib.displacements import autocorrelation_time, displacements_by_pair
from thesis_lib.prior import BoundaryPrior


@dataclass(frozen=True)
class Agreement:
    """What was measured on annotators.

    Args:
        prior: BoundaryPrior of an annotator's error once his bias is taken out: of the displacement of all together.
        annotators: dict from name to the BoundaryPrior of one: his bias and his sigma. Without gold-standard masks biases
            are against the consensus: what all have in common cannot be seen.
        pairs: dict from (j, k) to the BoundaryPrior of the boundaries between two classes, pooled partially.
    """

    prior: BoundaryPrior
    annotators: dict
    pairs: dict

    def table(self, level=0.95):
        """DataFrame with a row an annotator, bias and sigma in px with their intervals."""
        return table("annotator", self.annotators, level)

    def pair_table(self, names, level=0.95):
        """Likewise with a row for each pair of classes; `names` are those of the classes."""
        return table("classes", {f"{names[j]} - {names[k]}": prior for (j, k), prior in self.pairs.items()}, level)


def table(what, priors, level=0.95):
    """DataFrame with a row for each of a dict of BoundaryPriors, bias and sigma in px with their intervals; `what` titles their names."""
    rows = []
    for name, prior in priors.items():
        (bias_low, bias_high), (low, high) = prior.mean_interval(level), prior.sigma_interval(level)
        sigma = math.sqrt(prior.scale if prior.is_known else prior.scale / prior.shape)
        rows.append({what: name, "bias, px": prior.mean, "bias from": bias_low, "bias to": bias_high,
                     "sigma, px": sigma, "sigma from": low, "sigma to": high})  # fmt: skip
    return pd.DataFrame(rows).set_index(what)


def consensus(annotations, background=None):
    """The map half-way between annotators: every pixel takes the class whose signed distance is largest on average.

    (Shape-based averaging: Rohlfing & Maurer, IEEE Transactions on Image Processing, 2007.)

    Args:
        annotations: label maps (H, W) of one image, one for each annotator, two or more.
        background: taken where classes tie; the most frequent class if None.

    Returns:
        label map (H, W); 255 where any annotator has 255.
    """
    maps = [checks.label_maps("annotations", one) for one in annotations]
    if len(maps) < 2:
        raise ValueError(f"annotations must be of two annotators or more; got {len(maps)}")
    for one in maps[1:]:
        checks.same_shape("annotations[0]", maps[0], "annotations[i]", one)
    maps = np.stack(maps)
    background = background_class(maps, background)
    classes = np.unique(maps)
    classes = np.array([background, *classes[(classes != background) & (classes != IGNORE)]], maps.dtype)
    diagonal = math.hypot(*maps.shape[1:])  # a class that one of them did not draw is as far off as can be
    known = [_continued(one) for one in maps]
    mean = [sum(np.clip(signed_distance(one == k), -diagonal, diagonal) for one in known) for k in classes]
    return np.where((maps == IGNORE).any(0), np.array(IGNORE, maps.dtype), classes[np.argmax(mean, axis=0)])


def _continued(labels):
    """A map whose pixels to ignore have the class of the nearest other one: their edge is no boundary that anyone drew."""
    ignored = labels == IGNORE
    if not ignored.any() or ignored.all():
        return labels
    return labels[tuple(ndimage.distance_transform_edt(ignored, return_distances=False, return_indices=True))]


def agreement(annotations, references=None, background=None):
    """Bias and spread of annotators, from what they drew of the same images.

    Against references (gold-standard masks) displacements are taken as they are. Without, they are measured against the
    consensus, which lies nearer to each annotator than the truth does: variances are raised by M / (M - 1) for M
    annotators, and the M displacements at a place count as the M - 1 independent ones that they are.

    Args:
        annotations: dict from an annotator's name to label maps: a sequence of (H, W), which may differ in size, or (N, H, W). Maps are asked for
            one at a time, so a sequence may read them from files.
        references: the true maps of the same images, or None, which takes two annotators or more.
        background: the background's class; the most frequent of the first image if None.

    Returns:
        Agreement.

    Raises:
        ValueError: naming what is missing, differs in shape, or holds no boundary that can be measured.
    """
    if not isinstance(annotations, dict) or len(annotations) < (2 if references is None else 1):
        raise ValueError("annotations must be a dict of two annotators or more, or of one with references; "
                         f"got {sorted(annotations) if isinstance(annotations, dict) else annotations!r}")  # fmt: skip
    counts = {name: len(maps) for name, maps in annotations.items()} | ({} if references is None else {"references": len(references)})
    if len(set(counts.values())) > 1 or not min(counts.values()):
        raise ValueError(f"annotations must be of the same images, one or more; got {counts}")
    name, first = next((name, maps[0]) for name, maps in annotations.items())
    background = background_class(checks.label_maps(f"annotations of {name!r}", first), background)
    shared = len(annotations) / (len(annotations) - 1) if references is None else 1.0
    measured = {name: {} for name in annotations}
    for i in range(counts[next(iter(annotations))]):
        drawn = {name: maps[i] for name, maps in annotations.items()}
        true = consensus(list(drawn.values()), background) if references is None else references[i]
        for name, one in drawn.items():
            for pair, series in displacements_by_pair(one, true, background).items():
                measured[name].setdefault(pair, []).extend(series)

    priors, centred = {}, {}
    for name, pairs in measured.items():
        series = [s for several in pairs.values() for s in several]
        if not series:
            raise ValueError(f"annotations of {name!r} must share an object with the others; no boundary could be measured")
        bias = np.concatenate(series).mean()
        priors[name] = _fit([bias + math.sqrt(shared) * (s - bias) for s in series], 1.0)
        for pair, several in pairs.items():
            centred.setdefault(pair, []).extend(math.sqrt(shared) * (s - bias) for s in several)
    everything = [s for several in centred.values() for s in several]
    return Agreement(_fit(everything, shared), priors, pooled(centred, shared))


def _fit(series, shared):
    times = (autocorrelation_time(series), autocorrelation_time(series, squared=True))
    return BoundaryPrior().update(series, *(shared * time for time in times))


def pooled(series, shared=1.0):
    """A prior for each pair of classes, its variance drawn towards what all have in common (empirical Bayes).

    The variances of the pairs are taken for draws from one inverse Gamma distribution, whose two parameters are those that
    make the measured variances most probable (they then follow a scaled F distribution, as in Smyth, Statistical Applications in
    Genetics and Molecular Biology, 2004). Pairs with long boundaries keep their own variance, those with short ones borrow from the others.

    Args:
        series: dict from a pair to displacements, a list of arrays, px.
        shared: how many measurements are worth one independent one, besides the correlation along the boundary.

    Returns:
        dict from each pair to a BoundaryPrior. A single pair has nothing to borrow from: the prior is `BoundaryPrior()`, updated.
    """
    everything = [s for several in series.values() for s in several]
    tau, tau_variance = (shared * autocorrelation_time(everything, squared=squared) for squared in (False, True))
    counts = np.array([sum(map(len, several)) / tau_variance for several in series.values()])
    variances = np.array([np.concatenate(several).var() for several in series.values()])
    common = BoundaryPrior()
    usable = variances > 0
    if usable.sum() > 1:
        counts, variances = counts[usable], variances[usable]

        def surprise(log):
            shape, scale = np.exp(log)
            return -stats.f(counts, 2 * shape, scale=scale / shape).logpdf(variances).sum()

        limits = [(math.log(0.5), math.log(500.0)), (None, None)]  # a shape of 500 is as good as one variance for all
        middle = math.log(2 * np.average(variances, weights=counts))
        best = optimize.minimize(surprise, [math.log(2.0), middle], bounds=limits, method="Nelder-Mead").x
        common = BoundaryPrior(shape=float(np.exp(best[0])), scale=float(np.exp(best[1])))
    return {pair: common.update(several, tau, tau_variance) for pair, several in series.items()}
