"""Colours, names and markers of every method, and how figures are saved.

The same colour stands for the same method everywhere, chosen to be told apart by colour-blind readers with the help
of the markers.
"""

from pathlib import Path

import matplotlib.pyplot as plt

from thesis_lib.semi_supervised.run import METHODS
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
TITLES = {name: kind.title for name, kind in (OBJECTIVES | METHODS).items()}
TRUE, DRAWN, PRIOR = "#009E73", "#D55E00", "#0072B2"


def save(figure, folder, name):
    """Save a figure as folder/name.png (for the page) and .pdf (for the thesis); the folder is made if missing."""
    folder = Path(folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    figure.savefig(folder / f"{name}.pdf", bbox_inches="tight", metadata={"CreationDate": None})


def show(figure, name, folder, title=None):
    """Save a figure, see `save`, under a title where one is given, and show it."""
    if title:
        figure.suptitle(title, fontsize=10)
    save(figure, folder, name)
    plt.show()


def style(objective):
    """(name, colour, marker) of an objective or a method; an unknown one is shown in grey under its own name.

    A variant, "objective, how it differs", has the objective's colour and a star; "method, network" has the method's marker.
    """
    base, _, variant = objective.partition(", ")
    colour, marker = (OBJECTIVE_STYLE | METHOD_STYLE).get(base, ("#666666", "x"))
    name = TITLES.get(base, base)
    return (
        (f"{name}, {variant}", colour, marker if base in METHOD_STYLE else "*") if variant else (name, colour, marker)
    )


def dashes(names):
    """A line style for each of several objectives or methods: those of one colour differ; "method, network" has one for each network."""
    names, kinds = list(names), ("-", "--", ":", "-.")
    networks = [name.partition(", ")[2] for name in names]
    if all(networks) and all(name.partition(", ")[0] in METHOD_STYLE for name in names):
        return [kinds[sorted(set(networks)).index(network) % 4] for network in networks]
    colours = [style(name)[1] for name in names]
    return [kinds[colours[:i].count(colour) % 4] for i, colour in enumerate(colours)]


def grid(rows, columns, width=2.4, height=2.0, **options):
    return plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), squeeze=False, layout="constrained", **options
    )


def picture(axis, image, title=None, **options):
    shown = axis.imshow(image, interpolation="nearest", **options)
    axis.set(xticks=[], yticks=[])
    if title:
        axis.set_title(title, fontsize=9)
    return shown
