"""The results of the segmentation sweeps that are committed, as the Markdown of RESULTS.md.

Means are computed from the committed rows. Paired differences take a minute, so they are read from differences.csv
beside the rows, which `python -m thesis_lib.study.results` writes.
"""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from thesis_lib.paths import REPOSITORY
from thesis_lib.study import markdown, segmentation_runs
from thesis_lib.study.chosen_runs import best_magnitudes
from thesis_lib.study.classification_tables import joined
from thesis_lib.study.comparison import HEADLINE, Comparison
from thesis_lib.study.segmentation_runs import TITLES
from thesis_lib.study.segmentation_tables import FORWARD

REFERENCE = REPOSITORY / "reports/reference"
LATER = 5  # the first of the seeds that were added after the first results
FITTED = "forward, prior fitted on 10"
COLUMNS = {  # of the table of targets
    "one_hot": "one-hot",
    "posterior": "posterior soft labels",
    "forward": "forward likelihood",
    FITTED: "forward likelihood, prior fitted on ten doubly drawn scenes",
}
DISTANCE, MIOU = "surface_distance_median", "miou_foreground"
WORDS = {  # metric -> (what is better, what is worse)
    "log_loss": ("lower log loss", "higher log loss"),
    "surface_distance": ("nearer boundaries on average", "farther boundaries on average"),
    DISTANCE: ("nearer boundaries in the median scene", "farther boundaries in the median scene"),
    MIOU: ("higher mIoU", "lower mIoU"),
}


def read(sweep):
    """The `Comparison` of a committed sweep."""
    return Comparison(segmentation_runs.read(REFERENCE / sweep / "runs"))


def families(compared):
    """Every paired difference of RESULTS.md: the tables of a `Comparison`, each corrected by itself.

    Returns:
        DataFrame with the columns of `Comparison.paired` and family: which table a row is of.
    """
    later = compared.rows[(compared.rows["seed"] >= LATER) & compared.rows["target"].isin(("one_hot", "forward"))]
    tables = {
        "against one-hot": compared.differences,
        "median scene": compared.medians,
        "like for like": compared.like_for_like,
        "misspecified prior": compared.wrong_prior,
        "later seeds": compared.paired(later, "one_hot", ("log_loss",)),
    }
    return pd.concat([table.assign(family=name) for name, table in tables.items() if len(table)], ignore_index=True)


def write_differences(sweep):
    """Compute the `families` of a committed sweep and write them into its differences.csv."""
    families(read(sweep)).to_csv(REFERENCE / sweep / "differences.csv", index=False)


def read_differences(sweep):
    """The `families` of a committed sweep, from its differences.csv."""
    return pd.read_csv(
        REFERENCE / sweep / "differences.csv",
        keep_default_na=False,
        na_values=dict.fromkeys(("low", "high", "p_value", "p_holm"), ""),
    )


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
    def words(self):
        """case -> what its annotators and its training are, in words."""
        return case_words(self.compared)

    @cached_property
    def of(self):
        """Means by case (in words), target and metric."""
        table = self.compared.means.assign(case=self.compared.means["case"].map(self.words))
        return table.set_index(["case", "target", "metric"])["mean"].sort_index()

    def family(self, name):
        """The rows of one of the `families`."""
        return self.differences[self.differences["family"] == name]

    def table(self):
        """Distance in the median scene and mIoU of the main targets in every case: a Markdown table, captioned."""
        lines = []
        for words in self.words.values():
            cells = []
            for target in COLUMNS:
                ran = (words, target, MIOU) in self.of.index
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
        return f"{self.of[words, target, DISTANCE]:.3f} px"

    def miou(self, words, target):
        """mIoU without background, as text."""
        return f"{self.of[words, target, MIOU]:.2f}"

    def significant(self, family, metric):
        """Two sentences: which targets are significantly better and worse in a metric, and in which cases."""
        table = self.family(family)
        table = table[table["metric"] == metric]
        return [
            f"Significantly {words}: {self.listed(table[table['verdict'] == verdict])}."
            for verdict, words in zip(("better", "worse"), WORDS[metric])
            if (table["verdict"] == verdict).any()
        ]

    def listed(self, table):
        """Targets with their cases in brackets."""
        cases = table["case"].map(self.words).groupby(table["title"], sort=False).agg("; ".join)
        return ", ".join(f"{title} ({of_title})" for title, of_title in cases.items())

    def insignificant(self, family, metric, target):
        """The cases in which a target is not significantly different, with corrected p."""
        table = self.family(family)
        table = table[(table["metric"] == metric) & (table["target"] == target) & (table["verdict"] == "")]
        return "; ".join(f"{self.words[row.case]} (p {row.p_holm:.3f})" for row in table.itertuples())

    def against_one_hot(self):
        """The three tested metrics against one-hot training."""
        table = self.family("against one-hot")
        rest = len(table) - (table["verdict"] != "").sum()
        return [
            f"Log loss, mean surface distance and mIoU without background were tested: {len(table)} comparisons "
            f"with one-hot training in {table['case'].nunique()} cases, corrected together (Holm).",
            *(sentence for metric in HEADLINE for sentence in self.significant("against one-hot", metric)),
            f"The other {rest} differences are not significant.",
        ]

    def median_scene(self):
        """Boundaries in the median scene against one-hot training."""
        table = self.family("median scene")
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
        table = self.family("like for like")
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
        at = joined(f"{self.miou('2 px', rule)} with {TITLES[rule]}" for rule in rules)
        scenes = len(self.compared.rows["per_scene"].iloc[0]["log_loss"])
        missed = self.of["2 px", "weighted_adjacent_prior", "nothing_found"]
        swept = best_magnitudes(self.compared.rows)
        seeds = swept["seed"].unique()
        best = swept.groupby("objective")[[MIOU, DISTANCE]].mean()
        low, high = best.min(), best.max()
        others = self.compared.rows
        others = others[(others["case"] == swept["case"].iloc[0]) & others["seed"].isin(seeds)]
        others = others.groupby("target")[[MIOU, DISTANCE]].mean()
        numbers = self.compared.rows.query("variant == 'magnitude'")["magnitude"].nunique()
        return [
            f"With an error of 2 px, mIoU is {at}.",
            f"With {TITLES['weighted_adjacent_prior']}, the network finds nothing in {missed:.0f} of {scenes} test "
            "scenes there.",
            f"With an error of 1 px, the {len(best)} class-level rules were also swept over {numbers} magnitudes "
            f"({len(seeds)} seeds).",
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
        clean = self.compared.rows[(self.compared.rows["annotator"] == "none")]
        values = clean.loc[clean["target"] == "one_hot", MIOU]
        after = "1 px, 90 epochs"
        return [
            f"On labels without any error, one-hot training reaches an mIoU of {values.min():.2f} to "
            f"{values.max():.2f} in {clean['epochs'].iloc[0]} epochs (mean {values.mean():.2f}).",
            "With an error of 1 px, 90 epochs instead of 30 raise the mIoU of one-hot training from "
            f"{self.miou('1 px', 'one_hot')} to {self.miou(after, 'one_hot')}, that of the forward likelihood from "
            f"{self.miou('1 px', 'forward')} to {self.miou(after, 'forward')}.",
            f"Boundaries in the median scene are then {self.distance(after, 'one_hot')} and "
            f"{self.distance(after, 'forward')} off.",
            "The gain in mIoU is mostly one of speed; the gain in boundaries is not.",
        ]

    def wrong_prior_table(self):
        """Distance in the median scene by the sigma that is assumed, as a Markdown table."""
        lines, targets = [], ("forward", "posterior")
        for sigma, row in self.assumed.iterrows():
            lines.append([f"{sigma:g} px", *(f"{row[target]:.3f} px" for target in targets)])
        return markdown.table(["sigma assumed", *(TITLES[target] for target in targets)], lines)

    @cached_property
    def assumed(self):
        """Distance in the median scene: a row for each sigma that is assumed, a column for each target."""
        means = self.compared.against("prior_sigma")
        return means[means["metric"] == DISTANCE].pivot(index="prior_sigma", columns="target", values="mean")

    def wrong_prior(self):
        """Priors with a wrong sigma, and a prior where there is no error."""
        one_hot = self.compared.of_usual("one_hot")[DISTANCE].mean()
        usual = self.compared.usual["sigma"]
        forward = self.assumed["forward"]
        kept = (one_hot - forward) / (one_hot - forward[usual])
        shares = joined(
            f"{100 * share:.0f}% at {sigma:g} px" if share > 0 else f"nothing at {sigma:g} px"
            for sigma, share in kept.items()
            if sigma != usual
        )
        worse = self.family("misspecified prior")
        clean = self.compared.rows[self.compared.rows["annotator"] == "none"]
        needless = clean[clean["variant"] == "assumed"]
        one_hot_clean = clean.loc[clean["target"] == "one_hot", "surface_distance"].mean()
        values, farther = needless[MIOU], needless["surface_distance"].mean() - one_hot_clean
        return [
            f"The annotators' sigma is {usual:g} px. One-hot training has {one_hot:.3f} px.",
            f"Of its gain over one-hot training the likelihood keeps {shares}.",
            f"{len(worse)} comparisons with one-hot training were tested.",
            *(sentence for metric in HEADLINE for sentence in self.significant("misspecified prior", metric)),
            f"Where labels have no error, {needless['title'].iloc[0]}, reaches an mIoU of {values.min():.2f} to "
            f"{values.max():.2f} (mean {values.mean():.2f}). Its mean surface distance is {farther:.3f} px larger "
            "than that of one-hot training.",
        ]

    def fitted_priors(self):
        """Priors fitted on few scenes."""
        usual = self.compared.of_usual(*self.compared.targets.index)
        fitted = usual[(usual["variant"] == "fitted") & (usual["objective"] == "forward")]
        distances = fitted.groupby("prior_scenes")[DISTANCE].mean()
        known = usual.loc[usual["target"] == "forward", DISTANCE].mean()
        return [
            f"With a prior fitted on {joined(distances.index)} scenes that were drawn twice, boundaries in the "
            f"median scene are {joined(f'{value:.3f}' for value in distances)} px off. With the known prior they "
            f"are {known:.3f} px off.",
        ]

    def which_target(self):
        """Advice, with the losses that the likelihood is joined to."""
        pair = self.family("like for like")
        pair = pair[(pair["target"] == "forward_dice") & (pair["metric"] == MIOU)].iloc[0]
        said = {"better": "is significant", "worse": "is significant", "": "is not significant"}[pair["verdict"]]
        both = [
            f"{TITLES[target]} reaches {self.distance('1 px', target)} in the median scene and an mIoU of "
            f"{self.miou('1 px', target)}"
            for target in ("forward_dice", "one_hot_dice")
        ]
        return [
            "Where outlines err by about the width of what they outline, use the forward likelihood, with a Dice "
            "loss if you are used to one.",
            f"With an error of 1 px {both[0]}; {both[1]}. The difference in mIoU {said}.",
            "Where objects are much wider than the error, nothing here speaks against soft Dice on the drawings.",
        ]

    def limits(self):
        """What the seeds share, and the seeds that were added later."""
        later = self.family("later seeds")
        lower = later["difference"] < 0
        p_values = joined(f"{p:.2g}" for p in later["p_value"])
        return [
            "All seeds share their training scenes. Other scenes may give other differences.",
            f"In {len(later)} cases, more seeds of one-hot training and of the forward likelihood were added after "
            f"the first results: {'; '.join(later['case'].map(self.words))}. On those seeds alone the log loss of "
            f"the likelihood is lower in {lower.sum()} of these {len(later)} cases (p {p_values}, not corrected).",
        ]

    def section(self):
        """Everything, in Markdown."""
        parts = [
            "## Segmentation: labels whose boundaries are imprecise",
            INTRODUCTION.format(runs=len(self.compared.rows)),
            markdown.bullets(self.findings()),
            self.table(),
        ]
        for title, sentences in (
            ("Against one-hot labels", self.against_one_hot()),
            ("Boundaries in the median scene", self.median_scene()),
            ("The error in the label or in the likelihood", self.like_for_like()),
            ("Smoothing rules", self.smoothing_rules()),
            ("Accuracy or speed", self.speed()),
            ("A misspecified prior", self.wrong_prior()),
            ("A fitted prior", self.fitted_priors()),
            ("Which target to use", self.which_target()),
            ("What these numbers do not say", self.limits()),
        ):
            table = [self.wrong_prior_table()] if title == "A misspecified prior" else []
            parts += [f"### {title}", *table, markdown.bullets(sentences)]
        return "\n\n".join(parts) + "\n"

    def findings(self):
        """The main findings, a list of sentences."""
        table = self.family("against one-hot")
        better, worse = (table[table["verdict"] == verdict] for verdict in ("better", "worse"))
        of_forward = better["objective"].isin(FORWARD)
        who = "all" if of_forward.all() else of_forward.sum()
        medians = self.family("median scene")
        soft = medians[medians["target"] == "posterior"]["verdict"].value_counts()
        targets = ("forward, prior fitted on 5", "forward")
        fitted, known = (self.compared.of_usual(target)[DISTANCE].mean() for target in targets)
        return [
            "Where annotators err by 2 px, boundaries in the median test scene are "
            f"{self.distance('2 px', 'forward')} off with the forward likelihood and "
            f"{self.distance('2 px', 'one_hot')} with one-hot labels.",
            f"{len(better)} of {len(table)} differences to one-hot training are significantly better after Holm's "
            f"correction, {who} of them with a forward likelihood; {len(worse)} are significantly worse.",
            f"With posterior soft labels boundaries are significantly farther off in {soft.get('worse', 0)} cases "
            f"and nearer in {soft.get('better', 0)}.",
            f"Five doubly drawn scenes suffice for the prior: boundaries are {fitted:.3f} px off with it and "
            f"{known:.3f} px with the known prior.",
        ]


INTRODUCTION = (
    "{runs} trainings of notebook 3 on scenes of handwritten digits, scored on clean test scenes. Soft labels and "
    "likelihood assume Normal displacements. A Markov boundary and whole pixels are other errors: there the "
    "Normal was measured against clean labels or, in the last column, fitted on drawings. "
    "[Notebook 4](notebooks/04_compare_targets.ipynb) shows every interval; "
    "[differences.csv](reports/reference/compare/differences.csv) has every difference, "
    "[compare_targets.csv](reports/reference/compare_targets.csv) and "
    "[magnitude_sweep.csv](reports/reference/magnitude_sweep.csv) have every run."
)


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


def roofs_section():
    """What is said of notebook 8 on 40 scenes of roofs, in Markdown."""
    scores = pd.read_csv(REFERENCE / "buildings/scores.csv")
    pooled = pd.read_csv(REFERENCE / "buildings/annotators.csv", index_col=0).loc["all, bias taken out"]
    distances = scores.groupby("objective", sort=False)["surface_distance"].mean()
    off = joined(f"{value:.2f} px ({TITLES[name]})" for name, value in distances.items())
    sentences = [
        "Two simulated annotators drew 40 scenes, with a spread of 1.5 px at the boundaries. The estimate from "
        f"their drawings is {pooled['sigma from']:.2f} to {pooled['sigma to']:.2f} px.",
        f"DeepLabV3+ was trained {scores['seed'].nunique()} times on each target, for 300 steps each.",
        f"In {scores['raster'].nunique()} test scenes outlines lie {off} from the true ones.",
        f"{roofs_finding()} Tested were IoU, log loss, mean surface distance and surface Dice.",
        "Roofs have sides of 12 to 26 px, far wider than that error. Where the error pushes outlines outwards as "
        "often as inwards, drawings are nearly right on average. The strokes of digits are hardly wider than the "
        "error.",
        "[The executed notebook](reports/reference/buildings/08_buildings.ipynb) has the details, "
        "[row.json](reports/reference/buildings/row.json) the provenance.",
    ]
    return "\n\n".join(["## Roofs in aerial images", markdown.bullets(sentences)]) + "\n"


def roofs_finding():
    """How many differences between targets on roofs are significant, in a sentence."""
    differences = pd.read_csv(REFERENCE / "buildings/differences.csv", keep_default_na=False)
    significant = (differences["verdict"] != "").sum()
    count = f"{significant or 'none'} of {len(differences)} tested differences {'are' if significant > 1 else 'is'}"
    return f"On roofs in aerial images, {count} significant."
