"""Methods compared: trained with the same seeds, which draw the same labelled images, and tested on the same images."""

from dataclasses import dataclass, replace
from functools import cached_property

import keras
import numpy as np
import pandas as pd
from scipy import stats

from thesis_lib import checks
from thesis_lib.data.classification import ImageSplits
from thesis_lib.semi_supervised.methods import METHODS
from thesis_lib.semi_supervised.run import Run
from thesis_lib.semi_supervised.scoring import Scored, logits
from thesis_lib.semi_supervised.unsupervised import probabilities


@dataclass(frozen=True)
class Repeated:
    """Trainings that differ by their seed alone.

    Args:
        runs: the trained `Run`s.
        curve: DataFrame with the validation scores of the first run after each epoch (see `Scored`); empty if they
            were not asked for.
    """

    runs: tuple
    curve: pd.DataFrame

    @cached_property
    def logits(self):
        """Logits of the test images, float32 (seeds, N, K)."""
        return np.stack([logits(run.model, run.splits.test.images) for run in self.runs])

    @property
    def probabilities(self):
        """Predicted probabilities of the test images, float32 (seeds, N, K)."""
        return keras.ops.convert_to_numpy(probabilities(self.logits))

    @property
    def wrong(self):
        """The share of the seeds whose class is wrong, for each test image: (N,)."""
        return np.mean(self.logits.argmax(-1) != self.runs[0].splits.test.labels, axis=0)

    @cached_property
    def scores(self):
        """DataFrame with a row a run: seed, steps, and what `Run.scores` returns."""
        return pd.DataFrame([{"seed": run.seed, "steps": int(run.model.step), **run.scores()} for run in self.runs])


def repeat(run, seeds, splits, curve=False):
    """Train a run once with each of several seeds.

    Args:
        run: `Run`; its own seed is not used.
        seeds: list of different whole numbers, 0 or more.
        splits: the images, `ImageSplits`.
        curve: whether to score the first run after each epoch on validation images.

    Returns:
        Repeated.

    Raises:
        ValueError: if there is no seed, or one twice.
    """
    checks.instance("run", run, Run, "a `Run`")
    checks.instance("splits", splits, ImageSplits, "an `ImageSplits`")
    curve = checks.boolean("curve", curve)
    seeds = checks.array("seeds", seeds)
    if seeds.ndim != 1 or not len(seeds) or len(np.unique(seeds.astype(str))) < len(seeds):
        raise ValueError(f"seeds must be a list of different whole numbers, one or more; got {seeds.tolist()!r}")
    runs = [replace(run, seed=checks.integer("seeds", seed, 0, 2**32 - 1)) for seed in seeds]
    scored = None
    for one in runs:
        callbacks = []
        if curve and one is runs[0]:
            scored = Scored(splits.validation, one.training_images(splits)[0])
            callbacks = [scored]
        one.train(splits=splits, callbacks=callbacks)
    return Repeated(tuple(runs), pd.DataFrame(scored.history if scored else []))


def title(name):
    """What tables call a method; another name stays as it is."""
    return METHODS[name].title if name in METHODS else name


def error_table(repeated, score="error_percent"):
    """A score (%) of each seed, and their mean.

    Args:
        repeated: dict from a method's or another name to `Repeated`.
        score: a column of `Repeated.scores`.

    Returns:
        DataFrame with a row a name: "seed 0", ..., mean.
    """
    _named(repeated)
    columns = set.intersection(*(set(one.scores) for one in repeated.values())) - {"seed"}
    checks.one_of("score", score, columns)
    of_seeds = {title(name): one.scores.set_index("seed")[score] for name, one in repeated.items()}
    table = pd.DataFrame(of_seeds).T.add_prefix("seed ").rename_axis(columns=None)
    return table.assign(mean=table.mean(axis=1))


def image_differences(repeated, pairs, level=0.95):
    """Differences in test error, paired by test image, with Student-t intervals over the images.

    An image's error is averaged over the seeds first. The intervals say how surely the trained networks differ on such
    images; they do not cover other labelled images or other first weights.

    Args:
        repeated: dict from a name to `Repeated`, all with the same seeds and test images.
        pairs: list of two names each, the second one subtracted from the first.
        level: of all intervals together (Bonferroni), in (0, 1).

    Returns:
        DataFrame with a row a pair: one, other, difference, low, high (points of error), verdict.
    """
    checks.real("level", level, 0.0, 1.0, open_low=True, open_high=True)
    _named(repeated)
    rows = []
    for one, other in checked_pairs(pairs, lambda one: _known_name(one, repeated)):
        change = 100 * (repeated[one].wrong - repeated[other].wrong)
        low = high = change.mean()
        if change.std() > 0:
            low, high = stats.ttest_1samp(change, 0).confidence_interval(1 - (1 - level) / len(pairs))
        rows.append((title(one), title(other), change.mean(), low, high, verdict(low, high)))
    return pd.DataFrame(rows, columns=["one", "other", "difference", "low", "high", "verdict"])


def verdict(low, high):
    """What the interval of a difference in error says."""
    if high < 0:
        return "significantly lower error"
    return "significantly higher error" if low > 0 else "no significant difference"


def difference_sentences(differences):
    """The rows of `image_differences` as a Markdown list, a sentence each."""
    numbers = ("difference", "low", "high")
    checks.table("differences", differences, ("one", "other", *numbers, "verdict"))
    for name in numbers:
        checks.number_array(f"differences, column {name},", differences[name].to_numpy())
    sentences = []
    for row in differences.itertuples():
        change = f"{row.difference:+.2f} points [{row.low:+.2f}, {row.high:+.2f}]"
        sentences.append(f"- *{row.one}* minus *{row.other}*: {change}, {row.verdict}.")
    return "\n".join(sentences)


def error_ranges(repeated, target):
    """Test errors by number of labels, as `figures.lines` takes them.

    Args:
        repeated: dict from a number of labels to `Repeated`.
        target: the method's name.

    Returns:
        DataFrame with a row a number: labels, target, metric ("error_percent"), mean, low and high (of the seeds).
    """
    for number in _named(repeated):
        checks.integer("each key of repeated, a number of labels,", number, 1)
    checks.instance("target", target, str, "the name of a method")
    errors = {number: one.scores["error_percent"] for number, one in repeated.items()}
    table = pd.DataFrame(errors).agg(["mean", "min", "max"]).T.set_axis(["mean", "low", "high"], axis=1)
    return table.rename_axis("labels").reset_index().assign(target=target, metric="error_percent")


def _named(repeated):
    """`repeated`, if it is a dict of `Repeated`, one or more."""
    what = "a dict of `Repeated`, one or more"
    checks.listed("repeated", list(checks.instance("repeated", repeated, dict, what).values()), Repeated, what)
    return repeated


def checked_pairs(pairs, checked):
    """A list of pairs as tuples, each item checked."""
    what = "a list of pairs, each of two names or two (method, network)"
    for pair in checks.listed("pairs", pairs, (list, tuple), what):
        if len(pair) != 2:
            raise ValueError(f"pairs must be {what}; got {checks.shown(pair)} among them")
    return [(checked(one), checked(other)) for one, other in pairs]


def _known_name(name, repeated):
    if not isinstance(name, (str, int)) or name not in repeated:
        raise ValueError(f"pairs must be of names among {', '.join(map(str, repeated))}; got {checks.shown(name)}")
    return name
