"""Training targets compared over many runs: means on shared seeds, paired differences with verdicts, ranks.

A run is worth comparing with those of its case only: the same annotator, training scenes and epochs. `chosen_runs` says
which runs that are, `run_statistics` computes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.metrics.aggregation import METRICS, PAIRED
from thesis_lib.study import chosen_runs, statistics
from thesis_lib.study.run_statistics import WHAT, PairedRuns, means, pooled_reliability, with_verdicts
from thesis_lib.study.segmentation_runs import PLAIN

HEADLINE = ("log_loss", "surface_distance", "miou_foreground")  # probabilities, boundaries, classes
MEDIAN = ("surface_distance_median",)
LIKE_FOR_LIKE = {  # the annotator's error in the likelihood, and the target that differs in nothing else
    "forward": "posterior",
    "forward_dice": "one_hot_dice",
    "forward_uniform": "uniform",
    "forward_expected_dice": "one_hot_dice",
}
NAMES = ["objective", "how", "title"]  # columns that say what a target is
CASES = ("case", "target", "seed")  # columns
SWEPT = ("case", "objective", "seed", "variant", "magnitude")


@dataclass(frozen=True, eq=False)
class Comparison:
    """The runs of a sweep, compared. Its tables are computed when they are first asked for.

    Args:
        rows: DataFrame of `segmentation_runs.read`.
        baseline: the target that others are compared with.
        level: of the intervals, in (0, 1); a difference is significant where its corrected p-value is below 1 - level.
        resamples: number of resamples of seeds and scenes, see `statistics.resample`.
        headline: the metrics that are tested, names in PAIRED.

    Raises:
        ValueError: if no row is of the baseline, or a field is of another kind.

    Example:
        >>> rows = segmentation_runs.read("reports/reference/compare")
        >>> Comparison(rows, resamples=1000).differences.query("verdict == 'better'")
    """

    rows: pd.DataFrame
    baseline: str = "one_hot"
    level: float = 0.95
    resamples: int = 20000
    headline: tuple = HEADLINE

    def __post_init__(self):
        checks.table("rows", self.rows, (*CASES, *NAMES, *SWEPT), WHAT)
        checks.one_of("baseline", self.baseline, set(self.rows["target"]))
        checks.real("level", self.level, 0.0, 1.0, open_low=True, open_high=True)
        checks.integer("resamples", self.resamples, 2, statistics.MOST_RESAMPLES)
        _checked_metrics("headline", self.headline)

    @cached_property
    def targets(self):
        """What each target is: a DataFrame with the index target and the columns objective, how and title."""
        return self.rows.drop_duplicates("target").set_index("target")[NAMES]

    @cached_property
    def shown(self):
        """The rows of targets with a correct or fitted prior; each swept class-level rule has its best magnitude."""
        return pd.concat([self.rows[self.rows["variant"].isin(PLAIN)], chosen_runs.best_magnitudes(self.rows)])

    @cached_property
    def alike(self):
        """The `shown` rows `on_shared_seeds`."""
        return chosen_runs.on_shared_seeds(self.shown)

    @cached_property
    def cases(self):
        """Names of the cases, in the order of the rows."""
        return list(dict.fromkeys(self.shown["case"]))

    @cached_property
    def means(self):
        """`means` of the targets of each case, `on_shared_seeds`."""
        return means(self.alike, ["case", "target", *NAMES], self.level)

    @cached_property
    def differences(self):
        """Every target against the baseline, in the `headline` metrics: see `paired`."""
        return self.paired(self.shown, self.baseline, self.headline)

    @cached_property
    def medians(self):
        """Every target against the baseline, in the surface distance of the median scene: see `paired`."""
        return self.paired(self.shown, self.baseline, MEDIAN)

    @cached_property
    def like_for_like(self):
        """Every forward likelihood against its counterpart in LIKE_FOR_LIKE: see `paired`."""
        return self.paired(self.shown, LIKE_FOR_LIKE, self.headline)

    @cached_property
    def wrong_prior(self):
        """Targets with a misspecified prior against the baseline: see `paired`."""
        wrong = (self.rows["variant"] == "assumed") | (self.rows["target"] == self.baseline)
        return self.paired(self.rows[wrong], self.baseline, self.headline)

    def paired(self, rows, baselines, metrics=PAIRED):
        """Targets against others of their case, on the seeds that both ran with. All p-values are corrected together.

        Args:
            rows: those of `self.rows` to compare.
            baselines: a target; or a dict from each target to what it is compared with.
            metrics: names in PAIRED.

        Returns:
            DataFrame: case, target, objective, how, title, metric, seeds, difference (target minus baseline), low,
            high, p_value, p_holm (corrected for all rows of the table) and verdict: "better" or "worse" where p_holm <
            1 - level, else "". It is empty where no case has both targets of a pair.

        Raises:
            ValueError: if an argument is of another kind.
        """
        checks.table("rows", rows, CASES, WHAT)
        checks.instance("baselines", baselines, (str, dict), "a target, or a dict from each target to another")
        _checked_metrics("metrics", metrics)
        table = self._runs.differences(rows, baselines, metrics)
        better = {name: METRICS[name].better for name in metrics}
        return with_verdicts(self._named(table), better, self.level)

    def seed_differences(self, metrics=PAIRED):
        """Differences of the shown targets to the baseline by seed: case, target, metric, seed, difference."""
        _checked_metrics("metrics", metrics)
        held = [name for name in metrics if name in self.shown]
        values = self.shown.melt(["case", "target", "seed"], held, "metric", "value")
        is_baseline = values["target"] == self.baseline
        base = values[is_baseline].drop(columns="target")
        both = values[~is_baseline].merge(base, on=["case", "metric", "seed"], suffixes=("", "_of_baseline"))
        return both.assign(difference=both["value"] - both["value_of_baseline"])

    @cached_property
    def ranks(self):
        """Ranks of the targets of each case in the `headline` metrics, with their uncertainty: see `statistics.ranks`.

        They are compared `on_shared_seeds`. Targets that lack one of these seeds are left out.

        Returns:
            DataFrame: case, metric, target, objective, how, title, rank, low, high, first.
        """
        return self._named(self._runs.ranks(self.alike, self.headline))

    @cached_property
    def usual(self):
        """The most frequent sigma (px, NaN if no case has one), scenes (infinite for all) and epochs."""
        return chosen_runs.usual(self.alike)

    def against(self, x):
        """Means against what varies between cases, of the targets that ran at several values of it.

        Args:
            x: "sigma" of the annotator, px; "scenes" to train on; "epochs"; or "prior_sigma", px, that is assumed by
                the forward likelihood and by posterior soft labels. What else varies has its usual value, but other
                numbers of scenes have numbers of epochs of their own.

        Returns:
            DataFrame of `means` with the columns x and borrowed. Targets that know the annotator's error are one-hot
            training where there is none, or what they are joined to: they borrow its value. It is empty where x does
            not vary.
        """
        checks.one_of("x", x, chosen_runs.VARYING)
        runs = chosen_runs.varying(self._of_any_prior if x == "prior_sigma" else self.alike, x, self.usual)
        return means(runs, ["target", *NAMES, x, "borrowed"], self.level)

    def of_usual(self, *targets):
        """Runs of some targets in the usual case: the usual sigma, scenes and epochs, no bias; on shared seeds."""
        self._check_targets("targets", list(targets))
        runs = chosen_runs.of_case(self._of_any_prior, self.usual)
        return runs[runs["target"].isin(targets)]

    def swept_magnitudes(self, case, references):
        """What `figures.magnitudes` draws of a case: the runs of swept class-level rules, and others on the same seeds.

        Args:
            case: its name.
            references: targets.

        Returns:
            (runs, dict from each reference to its runs, (magnitude that the prior gives, runs at it)).
        """
        self._check_targets("references", references)
        of_case = self._of_case(self.rows, case)
        swept = chosen_runs.of_magnitudes(of_case)
        on_seeds = of_case[of_case["seed"].isin(set(swept["seed"]))]
        runs = {target: on_seeds[on_seeds["target"] == target] for target in (*references, "weighted_adjacent_prior")}
        at_prior = runs.pop("weighted_adjacent_prior")
        return swept, runs, (1 - of_case["sigma"].iloc[0] * np.sqrt(np.pi / 2), at_prior)

    def reliability(self, targets, where="all"):
        """Reliability curves of the cases that have one of each target.

        Args:
            targets: names.
            where: "all" pixels, or the "band" around true boundaries.

        Returns:
            dict from case to {title: (objective, curve)}, see `pooled_reliability`.
        """
        self._check_targets("targets", targets)
        panels = {}
        for case in self.cases:
            of_case = self.alike[self.alike["case"] == case]
            curves = {target: pooled_reliability(of_case[of_case["target"] == target], where) for target in targets}
            if all(curve is not None for curve in curves.values()):
                names = self.targets.loc[list(curves)]
                panels[case] = dict(zip(names["title"], zip(names["objective"], curves.values())))
        return panels

    def predictions(self, folder, case, targets):
        """Predicted probabilities of the first seed, P(not background), where they lie beside the rows.

        Args:
            folder: of the runs.
            case: its name.
            targets: names; those without a run in this case are left out.

        Returns:
            dict from title to array (scenes, H, W) in [0, 1]; empty where a file is missing.
        """
        folder = checks.path("folder", folder)
        self._check_targets("targets", targets)
        of_case = self._of_case(self.shown, case)
        first = of_case[(of_case["seed"] == of_case["seed"].min()) & of_case["target"].isin(targets)]
        paths = {run.title: folder / run.run / "predictions.npz" for run in first.itertuples()}
        if not all(path.exists() for path in paths.values()):
            return {}
        maps = {}
        for title, path in paths.items():
            with np.load(path) as arrays:
                maps[title] = arrays["foreground"] / 255
        return maps

    def three_scenes(self, case, targets):
        """Where a target is worst, median and best against the baseline, by surface distance of the first seed.

        Args:
            case: its name.
            targets: names; the last one that ran in this case is taken.
        """
        self._check_targets("targets", targets)
        of_case = self._of_case(self.shown, case)
        first = of_case["seed"].min()
        ran = set(of_case.loc[of_case["seed"] == first, "target"])
        target = [self.baseline, *(name for name in targets if name in ran)][-1]
        distances = [self._runs.scenes[case, name, first]["surface_distance"] for name in (self.baseline, target)]
        order = np.argsort(np.nan_to_num(distances[0]) - np.nan_to_num(distances[1]))
        return [int(order[0]), int(order[len(order) // 2]), int(order[-1])]

    def _of_case(self, rows, case):
        """The rows of a case, by its name."""
        return rows[rows["case"] == checks.one_of("case", case, list(rows["case"].unique()))]

    @staticmethod
    def _check_targets(name, targets):
        checks.listed(name, targets, str, "a list of targets")

    @cached_property
    def _runs(self):
        """The rows, paired: all tables share what is resampled."""
        return PairedRuns(self.rows, self.level, self.resamples)

    @cached_property
    def _of_any_prior(self):
        """The rows of targets with a prior that is correct, fitted or misspecified, `on_shared_seeds`."""
        return chosen_runs.on_shared_seeds(self.rows[self.rows["variant"].isin((*PLAIN, "assumed"))])

    def _named(self, table):
        """The table with the columns that say what its targets are."""
        return table.join(self.targets, on="target")


def _checked_metrics(name, metrics):
    for metric in checks.listed(name, metrics, str, "a list of metrics"):
        checks.one_of(name, metric, PAIRED)
