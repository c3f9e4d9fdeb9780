"""Training targets compared over many runs: means on shared seeds, paired differences with verdicts, ranks.

A run is worth comparing with those of its case only: the same annotator, training scenes and epochs.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.metrics.aggregation import METRICS, PAIRED, mean
from thesis_lib.study import statistics
from thesis_lib.study.segmentation_runs import PLAIN, TITLES
from thesis_lib.targets import objectives

HEADLINE = ("log_loss", "surface_distance", "miou_foreground")  # probabilities, boundaries, classes
MEDIAN = ("surface_distance_median",)
LIKE_FOR_LIKE = {  # the annotator's error in the likelihood, and the target that differs in nothing else
    "forward": "posterior",
    "forward_dice": "one_hot_dice",
    "forward_uniform": "uniform",
    "forward_expected_dice": "one_hot_dice",
}
WITHOUT_ERROR = {  # the same training without an error
    "forward_uniform": "uniform",
    "forward_dice": "one_hot_dice",
    "forward_expected_dice": "one_hot_dice",
}
NAMES = ["objective", "how", "title"]  # columns that say what a target is
WHAT = "the DataFrame of `segmentation_runs.read`"
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
        return pd.concat([self.rows[self.rows["variant"].isin(PLAIN)], best_magnitudes(self.rows)])

    @cached_property
    def alike(self):
        """The `shown` rows `on_shared_seeds`."""
        return on_shared_seeds(self.shown)

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
        records = []
        for case, part in rows.groupby("case", sort=False):
            seeds = {target: set(runs["seed"]) for target, runs in part.groupby("target", sort=False)}
            pairs = baselines
            if not isinstance(baselines, dict):
                pairs = {target: baselines for target in seeds if target != baselines}
            for metric in metrics:
                for target, other in pairs.items():
                    shared = tuple(sorted(seeds.get(target, set()) & seeds.get(other, set())))
                    if shared:
                        both = [self._resampled(case, name, metric, shared) for name in (target, other)]
                        difference = statistics.paired_difference(*both, self.level)
                        row = {"case": case, "target": target, "metric": metric, "seeds": len(shared)}
                        records.append({**row, **difference._asdict()})
        table = pd.DataFrame(records, columns=["case", "target", "metric", "seeds", *statistics.Difference._fields])
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
        tables = []
        for case, part in self.alike.groupby("case", sort=False):
            seeds = tuple(sorted(set(part["seed"])))
            ran = part.groupby("target", sort=False)["seed"].nunique()
            whole = ran.index[ran == len(seeds)]
            if len(whole) > 1:
                for metric in self.headline:
                    methods = {target: self._resampled(case, target, metric, seeds) for target in whole}
                    ranked = statistics.ranks(methods, METRICS[metric].better, self.level)
                    tables.append(ranked.assign(case=case, metric=metric))
        columns = ["case", "metric", "target", "rank", "low", "high", "first"]
        return self._named(pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns))

    @cached_property
    def usual(self):
        """The most frequent sigma (px, NaN if no case has one), scenes (infinite for all) and epochs."""
        of_runs = self._with_numbers(self.alike[self.alike["variant"] != "magnitude"])
        frequent = {name: of_runs[name].mode() for name in ("sigma", "scenes", "epochs")}
        return {name: values.iloc[0] if len(values) else np.nan for name, values in frequent.items()}

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
        checks.one_of("x", x, ("sigma", "scenes", "epochs", "prior_sigma"))
        runs = self._with_numbers(self._of_any_prior if x == "prior_sigma" else self.alike)
        runs = runs[(runs["variant"] != "magnitude") & (runs["bias"] == 0)]
        same = {name: runs[name] == value for name, value in self.usual.items()}
        if x == "sigma":
            runs = self._with_borrowed(runs[same["scenes"] & same["epochs"]])
        elif x == "scenes":
            own_epochs = same["epochs"] | ~same["scenes"]
            runs = runs[same["sigma"] & own_epochs & np.isfinite(runs["scenes"])]
        elif x == "epochs":
            runs = runs[same["sigma"] & same["scenes"]]
        else:
            known = runs["objective"].isin(("forward", "posterior")) & (runs["prior"] == "known")
            runs = runs[same["sigma"] & same["scenes"] & same["epochs"] & known]
            runs = runs.assign(target=runs["objective"], how="", title=runs["objective"].map(TITLES))
        if "borrowed" not in runs:
            runs = runs.assign(borrowed=False)
        several = runs.groupby("target")[x].transform("nunique") > 1
        return means(runs[several], ["target", *NAMES, x, "borrowed"], self.level)

    def of_usual(self, *targets):
        """Runs of some targets in the usual case: the usual sigma, scenes and epochs, no bias; on shared seeds."""
        self._check_targets("targets", list(targets))
        runs = self._with_numbers(self._of_any_prior)
        same = [runs[name] == value for name, value in self.usual.items()]
        return runs[np.logical_and.reduce(same) & (runs["bias"] == 0) & runs["target"].isin(targets)]

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
        swept = of_magnitudes(of_case)
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
            dict from case to {title: (objective, curve)}, see `reliability`.
        """
        self._check_targets("targets", targets)
        panels = {}
        for case in self.cases:
            of_case = self.alike[self.alike["case"] == case]
            curves = {target: reliability(of_case[of_case["target"] == target], where) for target in targets}
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
        distances = [self._scenes[case, name, first]["surface_distance"] for name in (self.baseline, target)]
        order = np.argsort(np.nan_to_num(distances[0]) - np.nan_to_num(distances[1]))
        return [int(order[0]), int(order[len(order) // 2]), int(order[-1])]

    def _of_case(self, rows, case):
        """The rows of a case, by its name."""
        return rows[rows["case"] == checks.one_of("case", case, list(rows["case"].unique()))]

    @staticmethod
    def _check_targets(name, targets):
        checks.listed(name, targets, str, "a list of targets")

    @cached_property
    def _of_any_prior(self):
        """The rows of targets with a prior that is correct, fitted or misspecified, `on_shared_seeds`."""
        return on_shared_seeds(self.rows[self.rows["variant"].isin((*PLAIN, "assumed"))])

    def _with_numbers(self, rows):
        """The rows with an infinite number of scenes where all scenes were trained on, so that it can be compared."""
        return rows.assign(scenes=rows["scenes"].fillna(np.inf))

    def _with_borrowed(self, runs):
        """The runs, and those without error once more for each target that is the same training there."""
        exact, parts = runs[runs["sigma"] == 0], [runs.assign(borrowed=False)]
        needing = runs[(runs["variant"] == "") & runs["objective"].isin(objectives.objectives_needing("prior"))]
        for target in needing["target"].unique():
            name = WITHOUT_ERROR.get(target, "one_hot")
            same = exact[exact["target"] == name]
            parts.append(same.assign(target=target, borrowed=True, **self.targets.loc[target]))
        return pd.concat(parts)

    def _named(self, table):
        """The table with the columns that say what its targets are."""
        return table.join(self.targets, on="target")

    @cached_property
    def _scenes(self):
        """Scores of scenes by case, target and seed."""
        return self.rows.set_index(["case", "target", "seed"])["per_scene"].to_dict()

    @cached_property
    def _kept(self):
        """What `_resampled` has computed."""
        return {}

    def _resampled(self, case, target, metric, seeds):
        """The metric of a target, resampled; tables share it, since most of them compare the same runs."""
        key = case, target, metric, seeds
        if key not in self._kept:
            needs = METRICS[metric].needs
            scenes = [self._scenes[case, target, seed] for seed in seeds]
            runs = [{name: values[name] for name in needs} for values in scenes]
            self._kept[key] = statistics.resample(METRICS[metric].of_scenes, runs, self.resamples)
        return self._kept[key]


def on_shared_seeds(rows):
    """The rows of the seeds that at least half of the targets of their case have: their means are of the same seeds."""
    checks.table("rows", rows, CASES, WHAT)
    targets = rows.groupby("case")["target"].transform("nunique")
    return rows[2 * rows.groupby(["case", "seed"])["target"].transform("nunique") >= targets]


def means(rows, by, level=0.95):
    """Mean of every metric over seeds with its Student-t interval, which is cut at the range of the metric.

    Args:
        rows: of `segmentation_runs.read`; a metric that they do not hold is left out.
        by: columns that tell the means apart.
        level: of the intervals, in (0, 1).

    Returns:
        DataFrame in long form: `by`, metric, seeds, mean, low, high.

    Raises:
        ValueError: if an argument is of another kind.
    """
    by = checks.listed("by", by, str, "a list of columns")
    checks.table("rows", rows, (), WHAT)
    for name in by:
        checks.one_of("by", name, list(rows))
    checks.real("level", level, 0.0, 1.0, open_low=True, open_high=True)
    records = []
    for key, part in rows.groupby(by, sort=False, dropna=False):
        for name, metric in METRICS.items():
            if name in rows:
                average, *bounds = statistics.mean_interval(part[name], level)
                low, high = np.clip(bounds, 0.0, metric.most)
                row = {**dict(zip(by, key)), "metric": name, "seeds": len(part)}
                records.append({**row, "mean": average, "low": low, "high": high})
    return pd.DataFrame(records)


def of_rasters(scores, baseline, better, level=0.95, resamples=20000):
    """Paired differences of scores of rasters, averaged over the rasters that have a score in every run.

    Args:
        scores: DataFrame with the index levels objective, seed and raster, and a column for each metric.
        baseline: an objective.
        better: metric -> "higher" or "lower", whichever is better.
        level: of the intervals, in (0, 1).
        resamples: see `statistics.resample`.

    Returns:
        (DataFrame, DataFrame): target, metric, difference (target minus baseline), low, high, p_value, p_holm and
        verdict; and target, metric, seed, difference.

    Raises:
        ValueError: if the scores hold no run of the baseline, or an argument is of another kind.
    """
    levels = ["objective", "seed", "raster"]
    checks.instance("scores", scores, pd.DataFrame, "a DataFrame")
    if list(scores.index.names) != levels:
        raise ValueError(f"scores must have the index {', '.join(levels)}; got {checks.shown(scores.index.names)}")
    _checked_better(better)
    checks.table("scores", scores, better)
    checks.one_of("baseline", baseline, scores.index.unique("objective"))
    records, of_seeds = [], []
    for metric in better:
        values = scores[metric].unstack("raster").dropna(axis="columns")
        if values.empty:
            continue
        _, of_scenes = mean(metric)
        runs, resampled = {}, {}
        for objective, part in values.groupby(level="objective", sort=False):
            runs[objective] = part.droplevel("objective").sort_index()
            arrays = [{metric: row} for row in runs[objective].to_numpy(float)]
            resampled[objective] = statistics.resample(of_scenes, arrays, resamples)
        for objective in runs:
            if objective == baseline:
                continue
            difference = statistics.paired_difference(resampled[objective], resampled[baseline], level)
            records.append({"target": objective, "metric": metric, **difference._asdict()})
            apart = (runs[objective] - runs[baseline]).mean(axis="columns")
            for seed, value in apart.items():
                of_seeds.append({"target": objective, "metric": metric, "seed": seed, "difference": value})
    table = pd.DataFrame(records, columns=["target", "metric", *statistics.Difference._fields])
    return with_verdicts(table, better, level), pd.DataFrame(
        of_seeds, columns=["target", "metric", "seed", "difference"]
    )


def of_magnitudes(rows):
    """The runs of swept class-level rules, of those seeds that ran at every magnitude of their rule and case.

    Means over them are of the same seeds while a sweep still runs.
    """
    checks.table("rows", rows, SWEPT, WHAT)
    swept = rows[rows["variant"] == "magnitude"]
    at, of_seed = (
        swept.groupby(by)["magnitude"].transform("nunique")
        for by in (["case", "objective"], ["case", "objective", "seed"])
    )
    return swept[at == of_seed]


def best_magnitudes(rows):
    """Of each swept class-level rule of a case, the runs of `of_magnitudes` at the magnitude with the best mean mIoU.

    The magnitude is chosen on the test scenes, so its scores are too good.
    """
    swept = of_magnitudes(rows)
    kept = [swept.iloc[:0]]
    for _, part in swept.groupby(["case", "objective"], sort=False):
        best = part.groupby("magnitude")["miou_foreground"].mean().idxmax()
        kept.append(part[part["magnitude"] == best])
    return pd.concat(kept)


def reliability(runs, where="all"):
    """One reliability curve from several runs, their bins pooled.

    Args:
        runs: rows with the column reliability.
        where: "all" pixels, or the "band" around true boundaries.

    Returns:
        dict of the arrays confidence, accuracy and count, one entry a bin; None if the rows hold no curve.

    Raises:
        ValueError: if runs is no DataFrame, or where is neither.
    """
    checks.instance("runs", runs, pd.DataFrame, "a DataFrame of rows")
    checks.one_of("where", where, ("all", "band"))
    curves = [row[where] for row in runs.get("reliability", pd.Series(dtype=object)) if isinstance(row, dict)]
    if not curves:
        return None
    count = np.array([curve["count"] for curve in curves], float)
    pooled = {"count": count.sum(0)}
    for name in ("confidence", "accuracy"):
        weighted = np.nan_to_num(np.array([curve[name] for curve in curves], float)) * count
        with np.errstate(invalid="ignore"):
            pooled[name] = weighted.sum(0) / pooled["count"]
    return pooled


def with_verdicts(table, better, level):
    """A table of differences, with corrected p-values and verdicts added; `better`: metric -> "higher" or "lower"."""
    checks.table("table", table, ("p_value", "difference", "metric"), "a DataFrame of differences")
    _checked_better(better)
    checks.real("level", level, 0.0, 1.0, open_low=True, open_high=True)
    table = table.copy()
    table["p_holm"] = statistics.holm(table["p_value"])
    up = (table["difference"] > 0) == (table["metric"].map(better) == "higher")
    table["verdict"] = np.where(table["p_holm"] < 1 - level, np.where(up, "better", "worse"), "")
    return table


def _checked_metrics(name, metrics):
    for metric in checks.listed(name, metrics, str, "a list of metrics"):
        checks.one_of(name, metric, PAIRED)


def _checked_better(better):
    is_dict = isinstance(better, dict) and better and all(isinstance(metric, str) for metric in better)
    if not is_dict or not set(better.values()) <= {"higher", "lower"}:
        raise ValueError(f'better must be a dict from metrics to "higher" or "lower"; got {checks.shown(better)}')
