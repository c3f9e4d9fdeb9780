"""The numbers and tables of a committed sweep over training targets that RESULTS.md holds."""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from thesis_lib.study import markdown
from thesis_lib.study.chosen_runs import best_magnitudes
from thesis_lib.study.comparison import Comparison
from thesis_lib.study.segmentation_runs import TITLES

DISTANCE, MIOU = "surface_distance_median", "miou_foreground"
COLUMNS = {  # of the table of targets
    "one_hot": "one-hot",
    "posterior": "posterior soft labels",
    "forward": "forward likelihood",
    "forward, prior fitted on 10": "forward likelihood, prior fitted on ten doubly drawn scenes",
}


@dataclass(frozen=True, eq=False)
class SegmentationNumbers:
    """Means, differences and shares of a sweep, and its Markdown tables.

    Args:
        compared: its `Comparison`.
        differences: its `committed_sweeps.families`.
    """

    compared: Comparison
    differences: pd.DataFrame

    @cached_property
    def words(self):
        """case -> what its annotators and its training are, in words."""
        return case_words(self.compared)

    @cached_property
    def means(self):
        """Means by case (in words), target and metric."""
        table = self.compared.means.assign(case=self.compared.means["case"].map(self.words))
        return table.set_index(["case", "target", "metric"])["mean"].sort_index()

    def family(self, name, metric=None):
        """The rows of one of the `families`, of all metrics or of one."""
        table = self.differences[self.differences["family"] == name]
        return table if metric is None else table[table["metric"] == metric]

    @cached_property
    def without_error(self):
        """The runs on labels without any error."""
        return self.compared.rows[self.compared.rows["annotator"] == "none"]

    @cached_property
    def swept(self):
        """The runs of swept class-level rules, each at its best magnitude."""
        return best_magnitudes(self.compared.rows)

    @cached_property
    def beside_swept(self):
        """Mean mIoU and distance in the median scene of every target of the swept case, on the swept seeds."""
        rows = self.compared.rows
        alike = (rows["case"] == self.swept["case"].iloc[0]) & rows["seed"].isin(self.swept["seed"])
        return rows[alike].groupby("target")[[MIOU, DISTANCE]].mean()

    def usual_distance(self, target):
        """Mean distance in the median scene of a target in the usual case, px."""
        return self.compared.of_usual(target)[DISTANCE].mean()

    @cached_property
    def assumed(self):
        """Distance in the median scene: a row for each sigma that is assumed, a column for each target."""
        means = self.compared.against("prior_sigma")
        return means[means["metric"] == DISTANCE].pivot(index="prior_sigma", columns="target", values="mean")

    @cached_property
    def kept_gain(self):
        """Share of its gain over one-hot training that the likelihood keeps, by the wrong sigma that is assumed."""
        gain = self.usual_distance("one_hot") - self.assumed["forward"]
        right = self.compared.usual["sigma"]
        return (gain / gain[right]).drop(right)

    @cached_property
    def fitted(self):
        """Distance in the median scene of the likelihood in the usual case, by the scenes its prior is fitted on."""
        usual = self.compared.of_usual(*self.compared.targets.index)
        fitted = usual[(usual["variant"] == "fitted") & (usual["objective"] == "forward")]
        return fitted.groupby("prior_scenes")[DISTANCE].mean()

    def table(self):
        """Distance in the median scene and mIoU of the main targets in every case: a Markdown table, captioned."""
        lines = []
        for words in self.words.values():
            cells = []
            for target in COLUMNS:
                ran = (words, target, MIOU) in self.means.index
                cells.append(f"{self.distance(words, target)}, {self.miou(words, target)}" if ran else "")
            lines.append([words, *cells])
        usual, seeds = self.compared.usual, self.compared.means["seeds"].max()
        caption = (
            "Distance between predicted and true boundaries in the median test scene, and mIoU without "
            f"background. Means over the same {seeds} seeds, with {usual['scenes']:,.0f} training scenes and "
            f"{usual['epochs']} epochs where nothing else is said."
        )
        return f"{caption}\n\n" + markdown.table(["error of the annotators", *COLUMNS.values()], lines)

    def distance(self, words, target):
        """Distance in the median scene, as text."""
        return f"{self.means[words, target, DISTANCE]:.3f} px"

    def miou(self, words, target):
        """mIoU without background, as text."""
        return f"{self.means[words, target, MIOU]:.2f}"

    def wrong_prior_table(self):
        """Distance in the median scene by the sigma that is assumed, as a Markdown table."""
        lines, targets = [], ("forward", "posterior")
        for sigma, row in self.assumed.iterrows():
            lines.append([f"{sigma:g} px", *(f"{row[target]:.3f} px" for target in targets)])
        return markdown.table(["sigma assumed", *(TITLES[target] for target in targets)], lines)


def case_words(compared):
    """case -> what its annotators err by and how its training differs from the usual, in words."""
    first = compared.shown.drop_duplicates("case").set_index("case")
    seeds = compared.alike.groupby("case")["seed"].nunique()
    usual = compared.usual
    words = {}
    for case, row in first.iterrows():
        parts = [_error_words(row)]
        if row["scenes"] != usual["scenes"]:
            parts.append(f"{row['scenes']:,.0f} scenes")
        if row["epochs"] != usual["epochs"]:
            parts.append(f"{row['epochs']} epochs")
        few = f" ({seeds[case]} seeds)" if seeds[case] < seeds.max() else ""
        words[case] = ", ".join(parts) + few
    return words


def _error_words(row):
    if row["annotator"] == "none":
        return "no error"
    if row["annotator"] == "displacement":
        return f"{row['sigma']:g} px" + (f", and {row['bias']:g} px too far out" if row["bias"] else "")
    if row["annotator"] == "markov":
        return "Markov boundary"
    low, high = row["annotator_parameters"]["low"], row["annotator_parameters"]["high"]
    return f"whole pixels, {low} to {high} px"
