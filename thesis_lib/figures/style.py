"""Colours, names and markers of every method, and how figures are saved.

The same colour stands for the same method everywhere. Colours and markers together are told apart by colour-blind
readers.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.ticker import LogLocator, NullLocator

from thesis_lib.semi_supervised.methods import METHODS
from thesis_lib.targets.objectives import OBJECTIVES

OBJECTIVE_STYLE = {  # objective: (colour, marker)
    "one_hot": ("#000000", "o"),
    "uniform": ("#999999", "s"),
    "fixed_uniform": ("#999999", "D"),
    "fixed_adjacent": ("#CC79A7", "D"),
    "weighted_uniform": ("#CC79A7", "v"),
    "weighted_adjacent": ("#CC79A7", "^"),
    "weighted_adjacent_prior": ("#882255", "P"),
    "spatially_varying": ("#E69F00", "X"),
    "posterior": ("#56B4E9", "s"),
    "forward": ("#0072B2", "o"),
    "forward_uniform": ("#0072B2", "s"),
    "forward_dice": ("#0072B2", "D"),
    "forward_expected_dice": ("#882255", "o"),
    "shift": ("#D55E00", "s"),
    "dice": ("#009E73", "D"),
    "jaccard": ("#009E73", "v"),
    "one_hot_dice": ("#009E73", "^"),
}
METHOD_STYLE = {  # training with few labels: likewise
    "supervised": ("#000000", "o"),
    "pseudo_label": ("#CC79A7", "s"),
    "pi_model": ("#E69F00", "X"),
    "temporal_ensembling": ("#882255", "P"),
    "mean_teacher": ("#0072B2", "D"),
    "vat": ("#009E73", "^"),
    "mean_teacher_vat": ("#56B4E9", "v"),
    "mix_match": ("#D55E00", "o"),
    "mix_match_no_mixup": ("#D55E00", "v"),
    "mix_match_no_ema": ("#D55E00", "s"),
    "fix_match": ("#999999", "D"),
}
OF_VARIANTS = ("*", "d", ">", "<", "h")  # markers of an objective's variants
TITLES = {name: kind.title for name, kind in (OBJECTIVES | METHODS).items()}
WIDEST = 10.0  # inches of all panels side by side: on a page wider figures shrink until nobody can read them
TRUE, DRAWN, PRIOR = "#009E73", "#D55E00", "#0072B2"


def save(figure, folder, name):
    """Save a figure as folder/name.png (for the page) and .pdf (for the thesis); the folder is made if missing."""
    folder = Path(folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    figure.savefig(folder / f"{name}.pdf", bbox_inches="tight", metadata={"CreationDate": None})


def show(figure, name, folder, title=None):
    """Save a figure, see `save`, under a title where one is given, and show it.

    The notebook keeps a text beside the picture, see `described`, for pages and for readers who cannot see it.
    """
    if title:
        figure.suptitle(title, fontsize=10)
    save(figure, folder, name)
    if "inline" in plt.get_backend():
        display(figure, metadata={"image/png": {"alt": described(figure)}})
    else:
        plt.show()
    plt.close(figure)


def described(figure, longest=600):
    """What stands on a figure's axes, in words: its title, and each panel's title, quantities and legend.

    Args:
        figure: matplotlib Figure.
        longest: characters of the text; panels that do not fit are left out.

    Example:
        >>> described(history(log))
        'x: epoch; y: loss; shown: training, validation, as drawn, best, kept.'
    """
    whole = figure.get_suptitle()
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    panels = []
    for axis in figure.axes:
        legend = axis.get_legend()
        shown = ", ".join(text.get_text() for text in legend.get_texts()) if legend else ""
        named = {"": axis.get_title() or axis.get_title("left"), "x: ": axis.get_xlabel(), "y: ": axis.get_ylabel()}
        parts = [f"{kind}{text}" for kind, text in {**named, "shown: ": shown}.items() if text]
        panels += ["; ".join(parts)] if parts else []
    panels = list(dict.fromkeys(panels))
    panels += [f"Shown: {', '.join(legends)}"] if legends else []
    text = ""
    for part in [whole, *panels]:
        sentence = " ".join(f"{part}.".split()) if part else ""
        if len(text) + len(sentence) < longest:
            text = f"{text} {sentence}".strip()
    return text


def style(name, how=""):
    """The style of an objective or a method, and of a variant of it.

    Args:
        name: one of OBJECTIVES or METHODS; an unknown one is shown in grey under its own name.
        how: how the variant differs, in words, such as "prior fitted on 10" or a method's network.

    Returns:
        (title, colour, marker). A variant of an objective has a star for its marker, and otherwise the objective's
        style.

    Example:
        >>> style("forward", "prior fitted on 10")
        ('forward likelihood, prior fitted on 10', '#0072B2', '*')
    """
    colour, marker = (OBJECTIVE_STYLE | METHOD_STYLE).get(name, ("#666666", "x"))
    title = TITLES.get(name, name)
    if not how:
        return title, colour, marker
    return f"{title}, {how}", colour, marker if name in METHOD_STYLE else OF_VARIANTS[0]


def dashes(names, hows=()):
    """A line style for each of several objectives or methods: those of one colour differ.

    Args:
        names: of the objectives or methods.
        hows: how each of them differs, see `style`; methods that all have one get a line style for each `how`.

    Returns:
        list of matplotlib line styles.
    """
    names, hows, kinds = list(names), list(hows), ("-", "--", ":", "-.")
    if hows and all(hows) and set(names) <= set(METHOD_STYLE):
        different = sorted(set(hows))
        return [kinds[different.index(how) % len(kinds)] for how in hows]
    colours = [style(name)[1] for name in names]
    return [kinds[colours[:i].count(colour) % len(kinds)] for i, colour in enumerate(colours)]


def apart(values, factor):
    """Those of several positive values that are each larger than the one before by a factor: ticks that do not collide.

    Args:
        values: where ticks may stand, on a logarithmic axis.
        factor: smallest ratio of two ticks.

    Returns:
        list, in increasing order. The value 1 stays, if it is among them.

    Example:
        >>> apart([0.5, 1, 1.25, 1.5, 2], 1.3)
        [0.5, 1, 1.5, 2]
    """
    kept = []
    for value in sorted(set(values)):
        if kept and value < kept[-1] * factor * (1 - 1e-9):
            if value != 1:
                continue
            kept.pop()
        kept.append(value)
    return kept


def plain_logarithm(axis):
    """Ticks of a logarithmic axis (an axis' xaxis or yaxis) at 1, 2 and 5 times powers of ten, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def grid(rows, columns, width=2.4, height=2.0, **options):
    """(figure, axes) of equal panels; width and height of each in inches."""
    return plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), squeeze=False, layout="constrained", **options
    )


def picture(axis, image, title=None, **options):
    """Show an image on an axis without ticks; returns what `imshow` returns."""
    shown = axis.imshow(image, interpolation="nearest", **options)
    axis.set(xticks=[], yticks=[])
    if title:
        axis.set_title(title, fontsize=9)
    return shown
