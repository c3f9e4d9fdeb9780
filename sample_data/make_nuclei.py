"""Chooses the sample of nuclei: `python sample_data/make_nuclei.py [FOLDER [SOURCE]]`.

SOURCE has the folders `images` and `objects`, by default `nuclei` in the folder of full data sets (THESIS_DATA). Twelve
images are chosen at random among those with 5 nuclei or more, and copied as they are.

The images: BBBC038, the 2018 Data Science Bowl (J. C. Caicedo et al., Nature Methods 16, 1247-1253, 2019), CC0.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from thesis_lib import paths

FOLDER = Path(__file__).parent / "nuclei"
IMAGES, NUCLEI, SEED = 12, 5, 0


def main(folder=FOLDER, source=None):
    """Copy the images and their numbered nuclei."""
    source = paths.data_folder() / "nuclei" if source is None else source
    names = [file.name for file in sorted((source / "objects").glob("*.png"))]
    many = [name for name in names if np.unique(np.asarray(Image.open(source / "objects" / name))).size > NUCLEI]
    if len(many) < IMAGES:
        raise SystemExit(f"{source}/objects must hold {IMAGES} images with {NUCLEI} nuclei or more; got {len(many)}")
    for name in np.random.default_rng(SEED).choice(many, IMAGES, replace=False):
        for part in ("images", "objects"):
            (folder / part).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / part / name, folder / part / name)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
