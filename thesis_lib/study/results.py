"""RESULTS.md and the tables of README.md, from the rows in reports/reference: `python -m thesis_lib.study.results`.

README.md holds generated blocks between `<!-- results: NAME -->` and `<!-- /results -->`; the text around them is
written by hand.
"""

import re

from thesis_lib.annotation.advice import measured_gains
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import classification_results, gains, headline, real_images, teachers, thresholds, two_observers
from thesis_lib.study.committed_sweeps import read, read_differences, write_differences
from thesis_lib.study.markdown import bullets, table
from thesis_lib.study.roofs_results import roofs_section
from thesis_lib.study.segmentation_results import SegmentationResults, early_section
from thesis_lib.targets.objectives import OBJECTIVES, Parts

SWEEPS = ("compare", "early")  # of segmentation, whose differences are written beside their rows
HEAD = """# Results

`make results` writes this file from the rows in `reports/reference`; do not edit it. A difference is called significant
where its p-value is below 0.05 after correction for the number of comparisons (Holm). Intervals are not corrected: one
may exclude 0 although its difference is not significant. They are 95% intervals of paired differences, over seeds and
test images. With five seeds only large differences are significant.

*Dice* is that of all test images together, without background, against true masks (vessels: the other observer's).
*Mean surface distance* is that between predicted and true boundaries; an image in which nothing is found counts with
its diagonal. *Log loss* is the mean over pixels. A positive *bias* means objects drawn too large. Pixels are those of
the images that were learned. *Error / width* is the annotators' typical error, half the width of the band that holds
68% of their displacements, over the width of the objects. People drew the vessels; all other annotators are simulated.
*Radiologists' errors x 2* are twice those of LIDC-IDRI's radiologists. *Nuclei at a third* are images at a third of
their resolution: annotators draw on the small image, so errors are larger beside the objects.

## When another target than one-hot + Dice pays

![{alternative}](reports/reference/real_images/figures/gains_everywhere.png)
"""
GAINS = "Gain in Dice of each target over one-hot + Dice, against the annotators' error over the width of the objects"
BLOCK = r"<!-- results: {name} -->\n(.*?)<!-- /results -->"


def document(segmentation):
    """The text of RESULTS.md, from the `SegmentationResults` and the other committed tables."""
    sections = [
        HEAD.format(alternative=GAINS),
        when_it_pays(headline.table()) + "\n",
        targets_section(),
        real_images.section(),
        thresholds.section(),
        teachers.section(),
        two_observers.section(),
        segmentation.section(),
        early_section(),
        roofs_section(),
        classification_results.results_section(),
    ]
    return "\n".join(sections)


def blocks():
    """The generated blocks of README.md: name -> Markdown."""
    gains = measured_gains()
    best = gains.loc[gains.groupby(["data", "case"], sort=False)["gain"].idxmax()]
    return {"headline": when_it_pays(headline.short_table(best))}


def when_it_pays(rows):
    """What was found, in sentences and a table, in Markdown."""
    return f"{bullets(headline.sentences())}\n\n{table(rows.columns, rows.to_numpy())}"


def targets_section():
    """What each training target asks for, in Markdown."""
    rows = [[one.title, f"`{name}`", one.meaning] for name, one in OBJECTIVES.items()]
    head = f"What each asks of a network. m is the weight that a smoothing rule keeps, usually {Parts.magnitude:g}."
    return f"## The training targets\n\n{head}\n\n{table(['name', 'key', 'meaning'], rows)}\n"


def with_blocks(text, generated):
    """A text whose blocks are replaced by the generated ones.

    Args:
        text: of README.md.
        generated: dict from a block's name to its Markdown.

    Returns:
        str.

    Raises:
        ValueError: if the text lacks a block.
    """
    for name, markdown in generated.items():
        pattern = re.compile(BLOCK.format(name=re.escape(name)), re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"README.md must hold a block <!-- results: {name} --> ... <!-- /results -->; got none")
        block = f"<!-- results: {name} -->\n\n{markdown}\n\n<!-- /results -->"
        text = pattern.sub(lambda _, block=block: block, text)
    return text


def main():
    """Write the tables of differences, RESULTS.md and the blocks of README.md."""
    for sweep in SWEEPS:
        write_differences(sweep)
    real_images.write()
    thresholds.write_differences()
    teachers.write_differences()
    gains.write()
    segmentation = SegmentationResults(read("compare"), read_differences("compare"))
    (REPOSITORY / "RESULTS.md").write_text(document(segmentation))
    readme = REPOSITORY / "README.md"
    readme.write_text(with_blocks(readme.read_text(), blocks()))


if __name__ == "__main__":
    main()
