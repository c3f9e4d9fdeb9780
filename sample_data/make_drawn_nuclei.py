"""Draws the sample of one's own images: `python sample_data/make_drawn_nuclei.py [FOLDER [SOURCE]]`.

SOURCE has the folders `images` and `objects`, by default `nuclei` in the folder of full data sets (THESIS_DATA). Sixty
images with 5 nuclei or more are chosen at random and reduced to a third, 85 x 85 px. The images are real. Their masks
are not: two simulated annotators draw all nuclei, with the errors of radiologists (notebook 12).

The images: BBBC038, the 2018 Data Science Bowl (J. C. Caicedo et al., Nature Methods 16, 1247-1253, 2019), CC0.
"""

import sys
from pathlib import Path

import numpy as np
import yaml

from thesis_lib import paths
from thesis_lib.annotation import annotator
from thesis_lib.data import load_nuclei
from thesis_lib.data.image_io import write_image

FOLDER = Path(__file__).parent / "drawn_nuclei"
IMAGES, NUCLEI, SHRINK, SEED = 60, 5, 3, 0
ANNOTATORS = {"a": 1, "b": 2}  # the seeds of their drawings


def radiologist():
    """The simulated annotator of the case `once` of experiments/real_images.yaml."""
    experiment = yaml.safe_load((paths.REPOSITORY / "experiments/real_images.yaml").read_text())
    return annotator("population", **experiment["grid"][2]["case"]["once"]["annotator_parameters"], background=0)


def main(folder=FOLDER, source=None):
    """Write the images and the masks of both annotators."""
    source = paths.data_folder() / "nuclei" if source is None else source
    nuclei = load_nuclei(source, SHRINK)
    names = [path.name for path in sorted((source / "images").glob("*.png"))]
    many = np.flatnonzero([len(np.unique(objects)) > NUCLEI for objects in nuclei.objects])
    if len(many) < IMAGES:
        raise SystemExit(f"{source}/objects must hold {IMAGES} images with {NUCLEI} nuclei or more; got {len(many)}")
    chosen = np.sort(np.random.default_rng(SEED).choice(many, IMAGES, replace=False))
    drawings = {
        name: radiologist()(nuclei.labels[chosen], seed, nuclei.objects[chosen]) for name, seed in ANNOTATORS.items()
    }
    for part in ("images", *(f"masks_{name}" for name in drawings)):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for i, number in enumerate(chosen):
        write_image(nuclei.images[number, ..., 0], folder / "images" / names[number])
        for name, drawn in drawings.items():
            write_image((255 * drawn[i]).astype(np.uint8), folder / f"masks_{name}" / names[number])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
