"""The results of the segmentation sweeps that are committed, as the Markdown of RESULTS.md.

`segmentation_numbers` computes what the sentences here state.
"""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from thesis_lib.study import markdown
from thesis_lib.study.classification_tables import joined
from thesis_lib.study.committed_sweeps import read, read_differences
from thesis_lib.study.comparison import HEADLINE, Comparison
from thesis_lib.study.segmentation_numbers import DISTANCE, MIOU, SegmentationNumbers, case_words
from thesis_lib.study.segmentation_runs import TITLES
from thesis_lib.study.segmentation_tables import FORWARD

WORDS = {  # metric -> (what is better, what is worse)
    "log_loss": ("lower log loss", "higher log loss"),
    "surface_distance": ("nearer boundaries on average", "farther boundaries on average"),
    DISTANCE: ("nearer boundaries in the median scene", "farther boundaries in the median scene"),
    MIOU: ("higher mIoU", "lower mIoU"),
}


@dataclass(frozen=True, eq=False)
class SegmentationResults:
    """What is said of the committed sweep `compare`.

    Args:
        compared: its `Comparison`.
        differences: its `families`.
    """

    compared: Comparison
    differences: pd.DataFrame

    @cached_property
    def numbers(self):
        """What is stated."""
        return SegmentationNumbers(self.compared, self.differences)

    def significant(self, family, metric):
        """Two sentences: which targets are significantly better and worse in a metric, and in which cases."""
        table = self.numbers.family(family, metric)
        return [
            f"Significantly {words}: {self.listed(table[table['verdict'] == verdict])}."
            for verdict, words in zip(("better", "worse"), WORDS[metric])
            if (table["verdict"] == verdict).any()
        ]

    def listed(self, table):
        """Targets with their cases in brackets."""
        cases = table["case"].map(self.numbers.words).groupby(table["title"], sort=False).agg("; ".join)
        return ", ".join(f"{title} ({of_title})" for title, of_title in cases.items())

    def insignificant(self, family, metric, target):
        """The cases in which a target is not significantly different, with corrected p."""
        table = self.numbers.family(family, metric)
        table = table[(table["target"] == target) & (table["verdict"] == "")]
        return "; ".join(f"{self.numbers.words[row.case]} (p {row.p_holm:.3f})" for row in table.itertuples())

    def against_one_hot(self):
        """The three tested metrics against one-hot training."""
        table = self.numbers.family("against one-hot")
        rest = len(table) - (table["verdict"] != "").sum()
        return [
            f"Log loss, mean surface distance and mIoU without background were tested: {len(table)} comparisons "
            f"with one-hot training in {table['case'].nunique()} cases, corrected together (Holm).",
            *(sentence for metric in HEADLINE for sentence in self.significant("against one-hot", metric)),
            f"The other {rest} differences are not significant.",
        ]

    def median_scene(self):
        """Boundaries in the median scene against one-hot training."""
        table = self.numbers.family("median scene")
        return [
            "The mean distance depends on the few scenes in which nothing is found. Each counts with the diagonal "
            "of the image.",
            f"The median scene was looked at after the first results. Its {len(table)} comparisons with one-hot "
            "training are corrected by themselves.",
            *self.significant("median scene", DISTANCE),
            "The forward likelihood shows no significant difference in these cases: "
            f"{self.insignificant('median scene', DISTANCE, 'forward')}.",
            "A bias of the annotators is taken out of soft labels and of the likelihood's labels, not of one-hot "
            "labels.",
        ]

    def like_for_like(self):
        """The annotator's error in the likelihood against the same error in the label."""
        table = self.numbers.family("like for like")
        return [
            "The posterior is the best forecast of the truth that a drawing alone allows "
            "([notebook 2](notebooks/02_soft_labels.ipynb)).",
            "The drawings of many images already average to a blurred map. A network that is trained on blurred "
            "labels learns the blur twice.",
            f"{len(table)} comparisons pair a forward likelihood with the target that has the same knowledge in "
            f"its labels. {(table['verdict'] == 'better').sum()} are significantly better, "
            f"{(table['verdict'] == 'worse').sum()} significantly worse:",
            *(sentence for metric in HEADLINE for sentence in self.significant("like for like", metric)),
            "In log loss the forward likelihood shows no significant difference in these cases: "
            f"{self.insignificant('like for like', 'log_loss', 'forward')}.",
        ]

    def smoothing_rules(self):
        """Rules that smooth labels, with and without swept magnitudes."""
        rules = ["one_hot", "uniform", "spatially_varying", "weighted_adjacent_prior"]
        at = joined(f"{self.numbers.miou('2 px', rule)} with {TITLES[rule]}" for rule in rules)
        scenes = len(self.compared.rows["per_scene"].iloc[0]["log_loss"])
        missed = self.numbers.means["2 px", "weighted_adjacent_prior", "nothing_found"]
        best = self.numbers.swept.groupby("objective")[[MIOU, DISTANCE]].mean()
        low, high = best.min(), best.max()
        others = self.numbers.beside_swept
        numbers = self.compared.rows.query("variant == 'magnitude'")["magnitude"].nunique()
        return [
            f"With an error of 2 px, mIoU is {at}.",
            f"With {TITLES['weighted_adjacent_prior']}, the network finds nothing in {missed:.0f} of {scenes} test "
            "scenes there.",
            f"With an error of 1 px, the {len(best)} class-level rules were also swept over {numbers} magnitudes "
            f"({self.numbers.swept['seed'].nunique()} seeds).",
            f"At their best magnitudes, which were chosen on the test scenes, mIoU is {low[MIOU]:.2f} to "
            f"{high[MIOU]:.2f} and the distance in the median scene {low[DISTANCE]:.3f} to {high[DISTANCE]:.3f} px.",
            *(
                f"On the same seeds they are {others.loc[target, MIOU]:.2f} and "
                f"{others.loc[target, DISTANCE]:.3f} px with {TITLES[target]}."
                for target in ("one_hot", "forward")
            ),
        ]

    def speed(self):
        """Longer training."""
        clean = self.numbers.without_error
        values = clean.loc[clean["target"] == "one_hot", MIOU]
        after = "1 px, 90 epochs"
        distance, miou = self.numbers.distance, self.numbers.miou
        return [
            f"On labels without any error, one-hot training reaches an mIoU of {values.min():.2f} to "
            f"{values.max():.2f} in {clean['epochs'].iloc[0]} epochs (mean {values.mean():.2f}).",
            "With an error of 1 px, 90 epochs instead of 30 raise the mIoU of one-hot training from "
            f"{miou('1 px', 'one_hot')} to {miou(after, 'one_hot')}, that of the forward likelihood from "
            f"{miou('1 px', 'forward')} to {miou(after, 'forward')}.",
            f"Boundaries in the median scene are then {distance(after, 'one_hot')} and "
            f"{distance(after, 'forward')} off.",
            "The gain in mIoU is mostly one of speed; the gain in boundaries is not.",
        ]

    def wrong_prior(self):
        """Priors with a wrong sigma, and a prior where there is no error."""
        shares = joined(
            f"{100 * share:.0f}% at {sigma:g} px" if share > 0 else f"nothing at {sigma:g} px"
            for sigma, share in self.numbers.kept_gain.items()
        )
        worse = self.numbers.family("misspecified prior")
        clean = self.numbers.without_error
        needless = clean[clean["variant"] == "assumed"]
        one_hot_clean = clean.loc[clean["target"] == "one_hot", "surface_distance"].mean()
        values, farther = needless[MIOU], needless["surface_distance"].mean() - one_hot_clean
        return [
            f"The annotators' sigma is {self.compared.usual['sigma']:g} px. "
            f"One-hot training has {self.numbers.usual_distance('one_hot'):.3f} px.",
            f"Of its gain over one-hot training the likelihood keeps {shares}.",
            f"{len(worse)} comparisons with one-hot training were tested.",
            *(sentence for metric in HEADLINE for sentence in self.significant("misspecified prior", metric)),
            f"Where labels have no error, {needless['title'].iloc[0]}, reaches an mIoU of {values.min():.2f} to "
            f"{values.max():.2f} (mean {values.mean():.2f}). Its mean surface distance is {farther:.3f} px larger "
            "than that of one-hot training.",
        ]

    def fitted_priors(self):
        """Priors fitted on few scenes."""
        distances = self.numbers.fitted
        return [
            f"With a prior fitted on {joined(distances.index)} scenes that were drawn twice, boundaries in the "
            f"median scene are {joined(f'{value:.3f}' for value in distances)} px off. With the known prior they "
            f"are {self.numbers.usual_distance('forward'):.3f} px off.",
        ]

    def with_dice(self):
        """The likelihood and one-hot training, each with a Dice loss."""
        pairs = self.numbers.family("like for like", MIOU)
        pair = pairs[pairs["target"] == "forward_dice"].iloc[0]
        said = {"better": "is significant", "worse": "is significant", "": "is not significant"}[pair["verdict"]]
        both = [
            f"{TITLES[target]} reaches {self.numbers.distance('1 px', target)} in the median scene and an mIoU of "
            f"{self.numbers.miou('1 px', target)}"
            for target in ("forward_dice", "one_hot_dice")
        ]
        return [
            f"With an error of 1 px {both[0]}; {both[1]}. The difference in mIoU {said}.",
        ]

    def limits(self):
        """What the seeds share, and the seeds that were added later."""
        later = self.numbers.family("later seeds")
        cases = "; ".join(later["case"].map(self.numbers.words))
        lower = later["difference"] < 0
        p_values = joined(f"{p:.2g}" for p in later["p_value"])
        return [
            "All seeds share their training scenes. Other scenes may give other differences.",
            f"In {len(later)} cases, more seeds of one-hot training and of the forward likelihood were added after "
            f"the first results: {cases}. On those seeds alone the log loss of "
            f"the likelihood is lower in {lower.sum()} of these {len(later)} cases (p {p_values}, not corrected).",
        ]

    def section(self):
        """Everything, in Markdown."""
        parts = [
            "## Segmentation: labels whose boundaries are imprecise",
            INTRODUCTION.format(runs=len(self.compared.rows)),
            markdown.bullets(self.findings()),
            self.numbers.table(),
        ]
        for title, sentences in (
            ("Against one-hot labels", self.against_one_hot()),
            ("Boundaries in the median scene", self.median_scene()),
            ("The error in the label or in the likelihood", self.like_for_like()),
            ("Smoothing rules", self.smoothing_rules()),
            ("Accuracy or speed", self.speed()),
            ("A misspecified prior", self.wrong_prior()),
            ("A fitted prior", self.fitted_priors()),
            ("With a Dice loss", self.with_dice()),
            ("What these numbers do not say", self.limits()),
        ):
            table = [self.numbers.wrong_prior_table()] if title == "A misspecified prior" else []
            parts += [f"### {title}", *table, markdown.bullets(sentences)]
        return "\n\n".join(parts) + "\n"

    def findings(self):
        """The main findings, a list of sentences."""
        table = self.numbers.family("against one-hot")
        better, worse = (table[table["verdict"] == verdict] for verdict in ("better", "worse"))
        of_forward = better["objective"].isin(FORWARD)
        who = "all" if of_forward.all() else of_forward.sum()
        medians = self.numbers.family("median scene")
        soft = medians[medians["target"] == "posterior"]["verdict"].value_counts()
        fitted, known = map(self.numbers.usual_distance, ("forward, prior fitted on 5", "forward"))
        return [
            f"{len(better)} of {len(table)} differences to one-hot training are significantly better after Holm's "
            f"correction, {who} of them with a forward likelihood; {len(worse)} are significantly worse.",
            "Where annotators err by 2 px, boundaries in the median test scene are "
            f"{self.numbers.distance('2 px', 'forward')} off with the forward likelihood and "
            f"{self.numbers.distance('2 px', 'one_hot')} with one-hot labels.",
            f"With posterior soft labels boundaries are significantly farther off in {soft.get('worse', 0)} cases "
            f"and nearer in {soft.get('better', 0)}.",
            f"Five doubly drawn scenes suffice for the prior: boundaries are {fitted:.3f} px off with it and "
            f"{known:.3f} px with the known prior.",
        ]


INTRODUCTION = (
    "{runs} trainings of notebook 3 on scenes of handwritten digits, scored on clean test scenes. Soft labels and "
    "likelihood assume Normal displacements. A Markov boundary and whole pixels are other errors: there the "
    "Normal was measured against clean labels or, in the last column, fitted on drawings. Cases are in brackets in "
    'the lists below. After 30 epochs training has not converged: see "Accuracy or speed". '
    "[Notebook 4](notebooks/04_compare_targets.ipynb) shows every interval; "
    "[differences.csv](reports/reference/compare/differences.csv) has every difference, "
    "[compare_targets.csv](reports/reference/compare_targets.csv) and "
    "[magnitude_sweep.csv](reports/reference/magnitude_sweep.csv) have every run."
)


def early_section():
    """What is said of the sweep `early`, in Markdown."""
    compared, table = read("early"), read_differences("early")
    words = case_words(compared)
    first = compared.rows.iloc[0]
    verdicts = table[table["family"] == "against one-hot"]
    sentences = [
        f"{len(compared.rows)} trainings of a U-Net with {first['width']} filters in its first layer, "
        f"{first['epochs']} epochs each, in {len(words)} cases: {joined(words.values())}.",
        f"{len(verdicts)} comparisons with one-hot training, corrected together: "
        f"{(verdicts['verdict'] == 'better').sum()} significantly better, {(verdicts['verdict'] == 'worse').sum()} "
        "significantly worse.",
    ]
    results = SegmentationResults(compared, table)
    sentences += [sentence for metric in HEADLINE for sentence in results.significant("against one-hot", metric)]
    link = (
        'Notebook 4 shows this sweep with `results = "reports/reference/early"`. '
        "[differences.csv](reports/reference/early/differences.csv) has every difference, "
        "[compare_targets.csv](reports/reference/early/compare_targets.csv) every run."
    )
    return "\n\n".join(["## Another network, trained for a shorter time", markdown.bullets([*sentences, link])]) + "\n"
