"""The prior from people: what several annotators of the same images, or gold-standard masks, say of their boundary error."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage, optimize, stats

from thesis_lib import checks
from thesis_lib.annotation.displacements import autocorrelation_time, check_reach, displacements_by_pair
from thesis_lib.annotation.geometry import signed_distance
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.labels import IGNORE, background_class, fill_ignored


@dataclass(frozen=True)
class Agreement:
    """What was measured on annotators.

    Args:
        prior: BoundaryPrior of an annotator's error once his bias is taken out: of the displacement of all together.
        annotators: dict from name to the BoundaryPrior of one: his bias and his sigma, at boundaries with the background if there are any, the
            ones that `shift_boundaries` moves. Without gold-standard masks biases are against the consensus: what all have in common cannot be seen.
        pairs: dict from (j, k) to the BoundaryPrior of the boundaries between two classes, pooled partially.
    """

    prior: BoundaryPrior
    annotators: dict
    pairs: dict

    def table(self, level=0.95):
        """DataFrame with a row an annotator, bias and sigma in px with their intervals."""
        return prior_table("annotator", self.annotators, level)

    def pair_table(self, names, level=0.95):
        """Likewise with a row for each pair of classes; `names` are those of the classes."""
        return prior_table(
            "classes", {f"{names[j]} - {names[k]}": prior for (j, k), prior in self.pairs.items()}, level
        )


def prior_table(what, priors, level=0.95):
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

    (Shape-based averaging: Rohlfing & Maurer, IEEE Transactions on Image Processing, 2007.) An object that at most half of them drew
    is not in it; where most drew one, those who did not have no say.

    Args:
        annotations: label maps (H, W) of one image, one for each annotator, two or more.
        background: taken where classes tie; the most frequent class if None.

    Returns:
        label map (H, W); 255 where any annotator has 255.
    """
    return _half_way(annotations, background)[0]


def _half_way(annotations, background):
    """The consensus, and for each object's class how far inside it a pixel is, px: its boundary, where that is zero, is not on the grid."""
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
    known, heard = _of_most(np.stack([fill_ignored(one, one == IGNORE) for one in maps]), background)
    mean = np.stack(
        [
            sum(w * np.clip(signed_distance(one == k), -diagonal, diagonal) for one, w in zip(known, heard))
            / heard.sum(0)
            for k in classes
        ]
    )
    inside = {int(k): mean[i] - np.delete(mean, i, 0).max(0) for i, k in enumerate(classes) if i}
    return np.where(
        (maps == IGNORE).any(0), np.array(IGNORE).astype(maps.dtype), classes[np.argmax(mean, axis=0)]
    ), inside


def _of_most(maps, background):
    """(M, H, W) maps without the objects that at most half of M annotators drew, and where each one counts, boolean (M, H, W).

    A connected object counts as drawn by all who have its class on a quarter of its pixels.
    """
    kept, heard = maps.copy(), np.ones(maps.shape, bool)
    missed = np.zeros(maps.shape, bool)
    for i, k in ((i, k) for i, one in enumerate(maps) for k in np.setdiff1d(np.unique(one), [background, IGNORE])):
        objects, count = ndimage.label(maps[i] == k)
        sizes = np.bincount(objects.ravel(), minlength=count + 1)
        has = np.array([np.bincount(objects[one == k], minlength=count + 1) for one in maps]) >= 0.25 * sizes
        has[:, 0] = True
        of_most = 2 * has.sum(0) > len(maps)
        kept[i][~of_most[objects]] = background
        missed |= (of_most & ~has)[:, objects]
    for own, without, said in zip(kept, missed, heard):
        if without.any():  # the nearer of what he missed and what he drew decides
            drawn = own != background
            said[:] = drawn.any() and ndimage.distance_transform_edt(~drawn) <= ndimage.distance_transform_edt(~without)
    return kept, heard | ~heard.any(0)


def agreement(annotations, references=None, background=None, reach=10.0):
    """Bias and spread of annotators, from what they drew of the same images.

    Against references (gold-standard masks) displacements are taken as they are. Without, they are measured against the
    consensus, which lies nearer to each annotator than the truth does: variances are raised by M / (M - 1) for M
    annotators, and the M displacements at a place count as the M - 1 independent ones that they are.

    Args:
        annotations: dict from an annotator's name to label maps: a sequence of (H, W), which may differ in size, or (N, H, W). Maps are asked for
            one at a time, so a sequence may read them from files.
        references: the true maps of the same images, or None, which takes two annotators or more.
        background: the background's class; the most frequent of the first image if None.
        reach: the largest displacement looked for, px; take at least four times the expected sigma. A warning says where the bias and three times the measured sigma
            go beyond it.

    Returns:
        Agreement.

    Raises:
        ValueError: naming what is missing, differs in shape, or holds no boundary that can be measured.
    """
    if not isinstance(annotations, dict) or len(annotations) < (2 if references is None else 1):
        raise ValueError("annotations must be a dict of two annotators or more, or of one with references; "
                         f"got {sorted(annotations) if isinstance(annotations, dict) else annotations!r}")  # fmt: skip
    counts = {name: len(maps) for name, maps in annotations.items()} | (
        {} if references is None else {"references": len(references)}
    )
    if len(set(counts.values())) > 1 or not min(counts.values()):
        raise ValueError(f"annotations must be of the same images, one or more; got {counts}")
    name, first = next((name, maps[0]) for name, maps in annotations.items())
    background = background_class(checks.label_maps(f"annotations of {name!r}", first), background)
    shared = len(annotations) / (len(annotations) - 1) if references is None else 1.0
    measured = {name: {} for name in annotations}
    for i in range(counts[next(iter(annotations))]):
        drawn = {name: maps[i] for name, maps in annotations.items()}
        for name, one in drawn.items():
            if np.ndim(one) != 2:
                raise ValueError(
                    f"annotations of {name!r} must be label maps (H, W), one an image; got shape {np.shape(one)}"
                )
        true, fields = _half_way(list(drawn.values()), background) if references is None else (references[i], None)
        for name, one in drawn.items():
            for pair, series in displacements_by_pair(one, true, background, reach, fields).items():
                measured[name].setdefault(pair, []).extend(series)

    priors, centred = {}, {}
    for name, pairs in measured.items():
        if not pairs:
            other = "the reference" if references is not None else "most of " + ", ".join(sorted(annotations))
            raise ValueError(
                f"annotations of {name!r} must share an object with {other}; no boundary could be measured"
            )
        outer = [s for pair, several in pairs.items() if background in pair for s in several]
        bias = np.concatenate(outer).mean() if outer else 0.0
        priors[name] = _fit([bias + math.sqrt(shared) * (s - bias) for s in outer or sum(pairs.values(), [])], 1.0)
        for pair, several in pairs.items():
            taken_out = bias if background in pair else 0.0
            centred.setdefault(pair, []).extend(math.sqrt(shared) * (s - taken_out) for s in several)
    everything = [s for several in centred.values() for s in several]
    spread, farthest = float(np.concatenate(everything).std()), max(abs(prior.mean) for prior in priors.values())
    check_reach(reach, spread, farthest)
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
