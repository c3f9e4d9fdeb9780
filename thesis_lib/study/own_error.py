"""How far off the annotators of one's own images are, beside the width of the objects that they drew."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from thesis_lib.annotation import empirical_bayes
from thesis_lib.annotation.advice import Advice, advice
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.variation import variation
from thesis_lib.annotation.widths import object_widths, typical_error
from thesis_lib.labels import IGNORE
from thesis_lib.study.own_files import Unusable

BOOTSTRAP = 100  # resamples of the images for the interval of the error
ALONE = (
    "One annotator drew these masks, so nobody can tell how far off they are. "
    "Masks by a second person, in masks_NAME/, would show it"
)


@dataclass(frozen=True)
class Measured:
    """The annotators' error beside the width of what they drew.

    Args:
        annotators: bias and sigma of each with their intervals, px, a table of `prior_table`.
        low, high: 95% interval of the typical error, px, from a bootstrap over images.
        widths: DataFrame of `object_widths`, the objects as all annotators drew them.
        advice: Advice, with the typical error and the typical width.
    """

    annotators: pd.DataFrame
    low: float
    high: float
    widths: pd.DataFrame
    advice: Advice


def measure(run, seed=0):
    """How far off the annotators of the training images are, how wide the objects, and which objective that advises.

    Args:
        run: of `open_folder`.
        seed: of the bootstrap.

    Returns:
        Measured.

    Raises:
        Unusable: saying what is missing: a second annotator, or objects that both drew.
    """
    task = run.task
    names = [name for name in task.annotators if name]
    masks = {name: task.splits.train.drawn_by(name) for name in names}
    if not names or (len(names) == 1 and "" not in task.splits.train.masks):
        raise Unusable(ALONE)
    references = task.splits.train.drawn_by("") if len(names) == 1 else None
    try:
        varied = variation(masks, references, task.background, run.search_radius)
        prior = task.prior("population")
        drawn = [np.where(one == IGNORE, task.background, one) for maps in masks.values() for one in maps]
        advised = advice(prior, drawn, task.background)
    except ValueError as error:
        raise Unusable(f"the annotators' error cannot be measured: {error}") from None
    low, high = _interval_of_error(varied, prior, seed)
    return Measured(task.annotator_table(), low, high, object_widths(drawn, task.background), advised)


def _interval_of_error(varied, prior, seed):
    """95% interval of the typical error of a population, px: fitted again to images drawn with replacement."""
    if prior.is_known:
        return (typical_error(prior),) * 2
    objects = empirical_bayes.summarize(varied.series)
    start, errors = (prior.mean, prior.mean_weight, prior.shape, prior.scale), []
    for weights in empirical_bayes.bootstrap_weights(varied.objects["image"], BOOTSTRAP, seed):
        if weights.sum() > 1:
            errors.append(typical_error(BoundaryPrior(*empirical_bayes.fit(objects, weights, start))))
    return tuple(np.quantile(errors, [0.025, 0.975]).tolist())
