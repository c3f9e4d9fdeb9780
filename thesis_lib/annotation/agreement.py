"""The prior from several annotators of the same images, with or without true maps (gold-standard masks).

Without true maps each annotator is measured against the shape-based average of all, see `consensus`. Variances of class
pairs are pooled by empirical Bayes (Smyth, Statistical Applications in Genetics and Molecular Biology, 2004).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import optimize, stats

from thesis_lib import checks
from thesis_lib.annotation import voxels
from thesis_lib.annotation.autocorrelation import autocorrelation_time
from thesis_lib.annotation.consensus import shape_based_average
from thesis_lib.annotation.displacements import object_displacements, stretches_by_pair, warn_of_small_radius
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.stretches import places
from thesis_lib.labels import background_class


@dataclass(frozen=True)
class Agreement:
    """What `agreement` measured.

    Args:
        prior: BoundaryPrior of one annotator's error once their bias is removed, from the displacements of all.
        annotators: dict from a name to the BoundaryPrior of that annotator: their bias and their sigma. If there are
            boundaries with the background, which are the ones that `shift_boundaries` moves, only those are used.
            Without true maps a bias is measured against the shape-based average, so a bias that all share is not seen.
        pairs: dict from (j, k) to the BoundaryPrior of the boundaries between these two classes, partially pooled.
        population: `BoundaryPrior.fit_population` of the objects of all annotators, each annotator's bias removed: how
            bias and spread vary from object to object. It is `prior` where no object has a boundary of its own.
        images: DataFrame with a row for each annotator and image: annotator, image (its number), bias and spread of
            the boundaries that `annotators` uses, px or mm, and objects, the number of objects measured. Bias and
            spread are missing where the annotator shares no object with the others.
    """

    prior: BoundaryPrior
    annotators: dict
    pairs: dict
    population: BoundaryPrior
    images: pd.DataFrame

    def pair_table(self, class_names):
        """`prior_table` with a row for each pair of classes."""
        last = max(k for pair in self.pairs for k in pair)
        checks.instance("class_names", class_names, (list, tuple), f"a list of {last + 1} names or more")
        if len(class_names) <= last:
            raise ValueError(f"class_names must be a list of {last + 1} names or more; got {checks.shown(class_names)}")
        named = {f"{class_names[j]} - {class_names[k]}": prior for (j, k), prior in self.pairs.items()}
        return prior_table("classes", named)


def prior_table(title, priors):
    """Bias and sigma of several priors with their 95% intervals.

    Args:
        title: of the index.
        priors: dict from a name to a BoundaryPrior, all in px or all in mm.

    Returns:
        DataFrame with a row for each prior.
    """
    checks.instance("title", title, str, "a text")
    checks.instance("priors", priors, dict, "a dict from a name to a BoundaryPrior")
    checks.listed("priors", list(priors.values()), BoundaryPrior, "a dict from a name to a BoundaryPrior")
    units = sorted({prior.unit for prior in priors.values()})
    if len(units) > 1:
        raise ValueError(f"priors must be of one unit; got {' and '.join(units)}")
    rows = []
    for name, prior in priors.items():
        bias_low, bias_high = prior.mean_interval()
        sigma_low, sigma_high = prior.sigma_interval()
        row = {
            title: name,
            f"bias, {prior.unit}": prior.mean,
            "bias from": bias_low,
            "bias to": bias_high,
            f"sigma, {prior.unit}": math.sqrt(prior.scale if prior.is_known else prior.scale / prior.shape),
            "sigma from": sigma_low,
            "sigma to": sigma_high,
        }
        rows.append(row)
    return pd.DataFrame(rows).set_index(title)


def agreement(annotations, references=None, background=None, search_radius=10.0, spacing=None):
    """Bias and sigma of annotators, from what they drew of the same images.

    Against references (true maps) displacements are taken as they are. Without references, they are measured against
    the `shape_based_average`, which lies nearer to each annotator than the truth does. Variances are therefore raised
    by M / (M - 1) for M annotators, and the M displacements at a place count as M - 1 independent ones.

    Args:
        annotations: dict from an annotator's name to label maps: (N, H, W), or a sequence of (H, W) that may differ in
            size, or volumes, (N, D, H, W) or a sequence of (D, H, W). Maps are asked for one at a time, so a sequence
            may read them from files.
        references: the true maps of the same images, or None, which takes two annotators or more.
        background: the background's class; the most frequent class of the first map if None.
        search_radius: px, or mm where a spacing is given, at least half a pixel; larger displacements are not seen.
            Take at least four times the expected sigma. A warning says where it is too small for the measured sigma and
            bias.
        spacing: sides of a pixel (rows, columns) or voxel (planes, rows, columns), mm: one for all images, or a
            sequence with one for each image. All lengths are then in mm; in px if None.

    Returns:
        Agreement.

    Raises:
        ValueError: if annotators or images are missing, maps differ in shape, or no boundary can be measured.

    Example: two people drew the same images (label maps, 0 is the background).
        >>> measured = agreement({"ann": ann, "bob": bob}, background=0)
        >>> prior_table("annotator", measured.annotators)  # each one's bias and sigma, px
        >>> unbiased = shift_boundaries(ann, -measured.annotators["ann"].mean, background=0)
        >>> loss = ForwardLikelihood(measured.population)  # thesis_lib.targets

    Example: volumes of two scanners. Everything is in mm.
        >>> sides = [(3.0, 0.8, 0.8), (1.0, 0.7, 0.7)]
        >>> drawings = {"ann": [ann_ct, ann_mr], "bob": [bob_ct, bob_mr]}  # (D, H, W)
        >>> measured = agreement(drawings, background=0, spacing=sides)
    """
    counts = image_counts(annotations, references)
    name, first = next((name, maps[0]) for name, maps in annotations.items())
    background = background_class(voxels.one_map(f"annotations of {name!r}", first), background)
    spacings = voxels.lengths_of_images(spacing, counts[name])
    redundancy = len(annotations) / (len(annotations) - 1) if references is None else 1.0
    factor = math.sqrt(redundancy)
    measured = {name: [] for name in annotations}
    for i, sides in enumerate(spacings):
        drawn = {name: voxels.one_map(f"annotations of {name!r}", maps[i]) for name, maps in annotations.items()}
        if references is None:
            true, distances = shape_based_average(list(drawn.values()), background, sides)
        else:
            true, distances = voxels.one_map("references", references[i]), None
        for name, one in drawn.items():
            of_both = one[None], true[None], background, search_radius
            by_pair = stretches_by_pair(*of_both, distances, sides)
            measured[name].append((by_pair, object_displacements(*of_both, distances=distances, spacing=sides)))

    unit = voxels.unit(spacing)
    vague = BoundaryPrior(unit=unit)
    other = "most of " + ", ".join(sorted(annotations)) if references is None else "the reference"
    priors, centred, objects, rows = {}, {}, [], []
    for name, images in measured.items():
        by_pair = _by_pair(by_pair for by_pair, _ in images)
        if not by_pair:
            raise ValueError(
                f"annotations of {name!r} must share an object with {other}; no boundary could be measured"
            )
        bias = _bias(by_pair, background)
        priors[name] = _update(vague, [one.scaled(factor, bias) for one in _outer(by_pair, background)])
        for pair, several in by_pair.items():
            removed = bias if background in pair else 0.0
            shifted = [one._replace(values=factor * (one.values - removed)) for one in several]
            centred.setdefault(pair, []).extend(shifted)
        for i, (by_pair, found) in enumerate(images):
            objects += [replace(one, values=factor * (one.values - bias)) for one in found]
            outer = _outer(by_pair, background)
            values = np.concatenate([one.scaled(factor, bias).values for one in outer]) if outer else np.full(1, np.nan)
            rows.append((name, i, values.mean(), values.std(), len(found)))
    everything = _joined(centred.values())
    sigma = float(np.concatenate([one.values for one in everything]).std())
    warn_of_small_radius(search_radius, sigma, max(abs(prior.mean) for prior in priors.values()), unit)
    common = _update(vague, everything, redundancy)
    population = BoundaryPrior.fit_population(objects) if objects else common
    images = pd.DataFrame(rows, columns=["annotator", "image", "bias", "spread", "objects"])
    return Agreement(common, priors, pooled(centred, redundancy, vague), population, images)


def _update(prior, found, redundancy=1.0):
    """`prior` after observing the displacements of a list of `Stretch`."""
    return prior.update_correlated([one.values for one in found], redundancy, places(found))


def image_counts(annotations, references):
    """How many images each annotator has; raise unless all have the same."""
    fewest = 2 if references is None else 1
    if not isinstance(annotations, dict) or len(annotations) < fewest:
        given = checks.shown(list(annotations) if isinstance(annotations, dict) else annotations)
        raise ValueError(
            f"annotations must be a dict of two annotators or more, or of one with references; got {given}"
        )
    counts = {name: counted_images(f"annotations of {name!r}", maps) for name, maps in annotations.items()}
    if references is not None:
        counts["references"] = counted_images("references", references)
    if len(set(counts.values())) > 1 or not min(counts.values()):
        raise ValueError(f"annotations must be of the same images, one or more; got {counts}")
    return counts


def counted_images(name, maps):
    """Number of images of a sequence of label maps, be it one that reads them from files."""
    if isinstance(maps, (str, bytes, dict)) or not hasattr(maps, "__getitem__") or not hasattr(maps, "__len__"):
        raise ValueError(f"{name} must be label maps, one for each image; got {checks.shown(maps)}")
    return len(maps)


def _by_pair(images):
    """One dict from a pair to displacements of those of several images."""
    together = {}
    for by_pair in images:
        for pair, series in by_pair.items():
            together.setdefault(pair, []).extend(series)
    return together


def _outer(by_pair, background):
    """Displacements of the boundaries with the background, or of all if there are none."""
    return _joined(series for pair, series in by_pair.items() if background in pair) or _joined(by_pair.values())


def _bias(by_pair, background):
    """Mean displacement of the boundaries with the background; 0 if there are none."""
    with_background = _joined(series for pair, series in by_pair.items() if background in pair)
    return float(np.concatenate([one.values for one in with_background]).mean()) if with_background else 0.0


def _joined(lists):
    """One list of the arrays of several lists."""
    return [one for several in lists for one in several]


def pooled(series, redundancy=1.0, vague=None):
    """A prior for each pair of classes, its variance drawn towards what all pairs have in common (empirical Bayes).

    The variances of the pairs are taken as draws from one inverse Gamma distribution. Its two parameters are those that
    make the measured variances most probable; given them, a measured variance follows a scaled F distribution (Smyth,
    2004). Pairs with long boundaries keep their own variance, pairs with short ones borrow from the others.

    Args:
        series: dict from a pair to displacements, a list of `Stretch`.
        redundancy: how many measurements at one place count as one, besides the correlation along the boundary.
        vague: the prior in the displacements' unit that a single pair updates: it has nothing to borrow from.
            `BoundaryPrior()` if None.

    Returns:
        dict from each pair to a BoundaryPrior.
    """
    vague, everything = vague or BoundaryPrior(), _joined(series.values())
    values, points = [one.values for one in everything], places(everything)
    tau, tau_variance = (redundancy * autocorrelation_time(values, squared, points) for squared in (False, True))
    together = {pair: np.concatenate([one.values for one in several]) for pair, several in series.items()}
    counts = np.array([len(one) / tau_variance for one in together.values()])
    variances = np.array([one.var() for one in together.values()])
    usable = variances > 0
    common = vague
    if usable.sum() > 1:
        common = replace(_common_variance(counts[usable], variances[usable]), unit=vague.unit)
    return {pair: common.update(one, tau, tau_variance) for pair, one in together.items()}


def _common_variance(counts, variances):
    """The BoundaryPrior under which variances measured from so many independent displacements are most probable."""

    def negative_log_marginal_likelihood(logarithms):
        shape, scale = np.exp(logarithms)
        return -stats.f(counts, 2 * shape, scale=scale / shape).logpdf(variances).sum()

    start = [math.log(2.0), math.log(2 * np.average(variances, weights=counts))]
    bounds = [(math.log(0.5), math.log(500.0)), (None, None)]  # a shape of 500 is as good as one variance for all
    best = optimize.minimize(negative_log_marginal_likelihood, start, bounds=bounds, method="Nelder-Mead").x
    return BoundaryPrior(shape=float(np.exp(best[0])), scale=float(np.exp(best[1])))
