"""The results with few labels that are committed, as the Markdown of RESULTS.md and README.md."""

from thesis_lib.paths import REPOSITORY
from thesis_lib.semi_supervised.methods import METHODS
from thesis_lib.study import classification_runs, experiments, markdown
from thesis_lib.study.classification_runs import PUBLISHED, titled
from thesis_lib.study.classification_tables import (
    difference_in_words,
    gain_in_words,
    joined,
    kinds_in_order,
    named,
    published_in_words,
    seeds_in_words,
    several_labels_in_words,
    significance_in_words,
)

REFERENCE = "reports/reference"
VARIED = ("learning_rate", "ramp", "weight", "dropout", "unlabelled_batch_size")  # in the sweep mnist_settings
LEVEL = 0.95  # of the intervals
INTRODUCTION = (
    "Test error on MNIST in percent, mean over {seeds}. "
    "A seed draws which images keep their label. "
    "Published means are in brackets (D.-H. Lee, 2013; the first row is from Weston et al., 2008). "
    f"[A table]({REFERENCE}/mnist_few_labels.csv) has every run, "
    "[notebook 10](notebooks/10_compare_few_labels.ipynb) every interval."
)


def _read(sweep, vary=()):
    return classification_runs.read(REPOSITORY / REFERENCE / sweep / "runs", vary=vary)


def results_table():
    """Mean test errors (%) on MNIST by method, network and number of labels, as a Markdown table.

    A cell is empty where not every seed of the sweep has run. Published errors are in brackets.
    """
    return _table(_read("mnist_few_labels"))


def _table(rows):
    errors = rows.groupby(["method", "network", "labels"])["error_percent"].agg(["mean", "count"])
    numbers, seeds = sorted(rows["labels"].unique()), rows["seed"].nunique()
    lines = []
    for kind in kinds_in_order(rows):
        cells = [_cell(errors, kind, number, seeds) for number in numbers]
        lines.append([titled(*kind), *cells])
    return markdown.table(["method, network", *(f"{number:,} labels" for number in numbers)], lines)


def _cell(errors, kind, number, seeds):
    if (*kind, number) not in errors.index or errors.loc[(*kind, number), "count"] < seeds:
        return ""
    published = PUBLISHED.get(kind, {}).get(number)
    return f"{errors.loc[(*kind, number), 'mean']:.2f}" + (f" ({published:.2f})" if published else "")


def results_section():
    """All results with few labels as Markdown: the table and what follows from it, one claim a sentence."""
    rows = _read("mnist_few_labels")
    found = [
        *published_in_words(classification_runs.against_published(rows)),
        *_lowest(rows),
        *_significance(rows),
        _largest_spread(rows),
        *_wider(),
        _longer(rows),
    ]
    trained = [*_networks(rows), *_choice_of_settings(rows)]
    introduction = INTRODUCTION.format(seeds=seeds_in_words(rows["seed"].unique()))
    parts = ["## Few labels", introduction, _table(rows), markdown.bullets(found)]
    return "\n\n".join([*parts, "### How they were trained", markdown.bullets(trained)]) + "\n"


def _one(rows, name):
    """The value of a setting that all rows share."""
    (value,) = rows[name].unique()
    return value


def _networks(rows):
    dense, convolutional = (rows[rows["family"] == family] for family in ("dense", "convolutional"))
    planned = experiments.runs(REPOSITORY / "experiments/mnist_few_labels.yaml")
    return [
        f"The dense networks have {_one(dense, 'width'):,} hidden units and train for {_one(dense, 'epochs')} epochs. "
        "The published ones have 5,000.",
        f"The convolutional networks have {_one(convolutional, 'width')} filters in their first layers and train for "
        f"{_one(convolutional, 'epochs')} epochs. The paper of mean teacher has 128 filters.",
        f"These are {len(rows)} trainings. {len(planned) - len(rows)} more, with other seeds, are planned and not run.",
    ]


def _choice_of_settings(rows):
    settings = _read("mnist_settings", VARIED)
    tried = classification_runs.choose(settings, VARIED)
    convolutional = settings[settings["family"] == "convolutional"]
    dense = settings[settings["family"] == "dense"]
    counts = tried[tried["network"].isin(convolutional["network"])].groupby("method", sort=False).size()
    left_out = [METHODS[name].title for name in counts.index.difference(rows["method"])]
    return [
        f"Settings were chosen by validation error on {seeds_in_words(settings['seed'].unique())} "
        "([notebook 11](notebooks/11_compare_settings.ipynb)).",
        f"Those of the dense networks were chosen with {several_labels_in_words(dense['labels'])}; "
        "600 and 3,000 labels have the settings of 1,000.",
        "Those of the convolutional networks were chosen with "
        f"{several_labels_in_words(convolutional['labels'])} and {_one(convolutional, 'epochs')} epochs, "
        "for every number of labels.",
        "The methods on the convolutional network had different numbers of settings to choose from: "
        f"{joined(f'{METHODS[name].title} {count}' for name, count in counts.items())}.",
        *(
            f"{title} was tried with {seeds_in_words(settings['seed'].unique())} only, and is not in the table."
            for title in left_out
        ),
    ]


def _largest_spread(rows):
    errors = rows.groupby(["method", "network", "labels"])["error_percent"]
    method, network, labels = (errors.max() - errors.min()).idxmax()
    values = sorted(errors.get_group((method, network, labels)))
    return (
        f"The choice of labelled images matters most for {named(method, network)} with {labels:,} labels: "
        f"the errors of the seeds are {joined(f'{value:.2f}' for value in values)}%."
    )


def _lowest(rows):
    best = classification_runs.lowest(rows).groupby(["family", "method", "network"])["labels"]
    return [
        f"The lowest mean error of the {family} networks is that of {named(method, network)} with "
        f"{several_labels_in_words(labels)}."
        for (family, method, network), labels in best
    ]


def _significance(rows):
    differences = classification_runs.paired_differences(rows, LEVEL)
    differences = differences[differences["low"].notna()]
    convolutional = differences[[network == "convnet13" for _, network in differences["one"]]]
    fewest = convolutional[convolutional["labels"] == convolutional["labels"].min()]
    most = convolutional[convolutional["labels"] == convolutional["labels"].max()]
    listed = differences[differences["significant"] | (differences.index == fewest["difference"].idxmin())]
    points = joined(f"{row.difference:+.2f} ({METHODS[row.one[0]].title})" for row in most.itertuples())
    return [
        significance_in_words(differences, LEVEL),
        *(difference_in_words(row) for row in listed.itertuples()),
        f"With {most['labels'].iloc[0]:,} labels, the differences to supervised training of the convolutional network "
        f"are {points} points.",
    ]


def _wider():
    rows = _read("mnist_wider")
    errors = {method: part["error_percent"] for method, part in rows.groupby("method")}
    (difference,) = classification_runs.paired_differences(rows, LEVEL).itertuples()
    mix_match, supervised = errors["mix_match"], errors["supervised"]
    return [
        f"With {_one(rows, 'width')} filters, the same seeds and {_one(rows, 'labels')} labels "
        f"[MixMatch errs on {mix_match.mean():.2f}%]({REFERENCE}/mnist_wider/10_compare_few_labels.ipynb) "
        f"({mix_match.min():.2f} to {mix_match.max():.2f} over seeds) and supervised training on "
        f"{supervised.mean():.2f}%.",
        f"This difference, {gain_in_words(difference)}, is {'' if difference.significant else 'not '}significant "
        "when taken by itself.",
    ]


def _longer(rows):
    longer = _read("mnist_longer")
    shorter = rows[(rows["method"] == "mix_match") & (rows["labels"] == _one(longer, "labels"))]
    errors = longer["error_percent"]
    return (
        f"With {_one(longer, 'epochs')} epochs, the same seeds and {_one(longer, 'labels')} labels "
        f"[MixMatch errs on {errors.mean():.2f}%]({REFERENCE}/mnist_longer/10_compare_few_labels.ipynb) "
        f"({errors.min():.2f} to {errors.max():.2f} over seeds), with {_one(shorter, 'epochs')} epochs on "
        f"{shorter['error_percent'].mean():.2f}%."
    )
