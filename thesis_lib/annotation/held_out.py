"""How well models of displacements forecast those of objects that they have not seen."""

import numpy as np
import pandas as pd
from scipy import stats

from thesis_lib import checks
from thesis_lib.annotation import empirical_bayes
from thesis_lib.annotation.moments import Moments
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.variation import Variation

MODELS = ("Normal", "Student-t", "Normal, by size", "Student-t, by size", "population")


def held_out(measured, folds=5, apart=2.0, seed=0):
    """Log density of displacements that a model has not seen, for several models, in cross-validation over groups.

    Displacements are taken `apart` correlation lengths from each other, which makes them nearly independent given the
    object's bias and spread. All models are judged on the same ones.

    | model | density of an object's displacements |
    | --- | --- |
    | Normal, Student-t | independent, fitted to the displacements of all objects together |
    | the same, by size | likewise, after they are divided by the power of the object's diameter that `growth` is |
    | population | joint, of an object with a bias and a spread of its own; also by size |

    Args:
        measured: Variation.
        folds: number of parts into which the groups are divided, 2 or more.
        apart: correlation lengths between the displacements, more than 0.
        seed: of the division.

    Returns:
        DataFrame with a row for each group: group, count (displacements), and for each of `MODELS` the sum of the log
        densities, displacements in px.

    Raises:
        ValueError: if an argument is out of range, or the annotators do not err.
    """
    checks.instance("measured", measured, Variation, "a Variation")
    groups = measured.objects["group"].to_numpy()
    names, group = np.unique(groups, return_inverse=True)
    folds = checks.integer("folds", folds, 2, len(names), of="groups")
    apart = checks.real("apart", apart, 0.0, open_low=True)
    if measured.points is not None:
        raise ValueError("measured must be of images, whose displacements have an order; got volumes")
    if measured.prior.is_known:
        raise ValueError("measured must be of annotators who differ; got displacements of 0 px alone")
    part = np.random.default_rng(checks.integer("seed", seed, 0)).permutation(len(names)) % folds
    thin = [_thinned(one, apart * measured.correlation.of(len(one))) for one in measured.series]
    sizes = measured.objects["diameter"].to_numpy() / measured.diameter
    total = np.zeros((len(names), len(MODELS)))
    for fold in range(folds):
        train, test = (np.flatnonzero(which) for which in (part[group] != fold, part[group] == fold))
        moments = Moments.of([measured.series[i] for i in train])
        *parameters, growth = empirical_bayes.fit_with_growth(moments.objects(moments.correlation()), sizes[train])
        factors = sizes**growth
        population = BoundaryPrior(*parameters).log_likelihood([thin[i] / factors[i] for i in test])
        densities = {"population": population - [len(thin[i]) * np.log(factors[i]) for i in test]}
        for by_size, scales in (("", np.ones(len(sizes))), (", by size", factors)):
            seen = np.concatenate([thin[i] / scales[i] for i in train])
            fitted = {"Normal": stats.norm(*stats.norm.fit(seen)), "Student-t": stats.t(*stats.t.fit(seen))}
            for name, model in fitted.items():
                values = [model.logpdf(thin[i] / scales[i]).sum() - len(thin[i]) * np.log(scales[i]) for i in test]
                densities[name + by_size] = np.array(values)
        np.add.at(total, group[test], np.stack([densities[name] for name in MODELS], axis=1))
    counts = np.bincount(group, weights=[len(one) for one in thin]).astype(int)
    return pd.DataFrame({"group": names, "count": counts, **dict(zip(MODELS, total.T))})


def _thinned(values, apart):
    """As many values as there is room for on the closed boundary, `apart` samples or more from each other."""
    count = max(int(len(values) / max(apart, 1.0)), 1)
    return values[np.arange(count) * len(values) // count]
