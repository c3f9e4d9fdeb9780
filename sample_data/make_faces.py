"""Draws the sample of faces with and without a mask: `python sample_data/make_faces.py [FOLDER]`; needs scikit-image.

The faces are the 100 grey crops of 25 x 25 px that scikit-image bundles (`skimage.data.lfw_subset`), chosen there at
random from Labeled Faces in the Wild (G. B. Huang, M. Ramesh, T. Berg, E. Learned-Miller, University of Massachusetts,
Amherst, Technical Report 07-49, 2007). Every other face has a mask of random shade and fit drawn on it.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from skimage import data

FOLDER = Path(__file__).parent / "faces"
LARGE, SIZE = 200, 50  # px: drawn large, then reduced, so that edges are smooth


def draw_mask(face, generator):
    """A face (LARGE x LARGE, grey) with a mask from nose to chin and its two bands."""
    draw = ImageDraw.Draw(face)
    shade = int(generator.choice([generator.integers(10, 70), generator.integers(160, 250)]))
    x, y = LARGE * np.array([0.5, 0.72]) + generator.normal(0, 4, 2)
    width, height = LARGE * generator.uniform([0.26, 0.20], [0.34, 0.26])
    angles = np.linspace(0, 2 * np.pi, 60)
    across, down = (np.sign(values) * np.abs(values) ** 0.6 for values in (np.cos(angles), np.sin(angles)))
    outline = list(zip(x + width * across, y + height * down))  # a rounded rectangle
    for side, above in ((-1, -0.5), (-1, 0.4), (1, -0.5), (1, 0.4)):
        draw.line(
            [(x + side * width * 0.9, y + above * height), (x + side * LARGE * 0.5, y + above * height - 18)],
            fill=shade,
            width=5,
        )
    draw.polygon(outline, fill=shade)
    for fold in (-0.3, 0.0, 0.3):
        draw.line(
            [(x - 0.8 * width, y + fold * height), (x + 0.8 * width, y + fold * height)],
            fill=int(shade * 0.85),
            width=3,
        )
    return face


def main(folder=FOLDER, seed=0):
    """Write the images and labels.csv."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    rows = []
    for i, crop in enumerate(data.lfw_subset()[:100]):
        face = Image.fromarray(np.rint(255 * np.clip(crop, 0, 1)).astype(np.uint8)).resize(
            (LARGE, LARGE), Image.Resampling.BICUBIC
        )
        masked = i % 2 == 1
        face = draw_mask(face, generator) if masked else face
        name = f"images/{i:03}.png"
        face.resize((SIZE, SIZE), Image.Resampling.LANCZOS).save(folder / name, optimize=True)
        rows.append((name, "mask" if masked else "no mask"))
    pd.DataFrame(rows, columns=["file", "label"]).to_csv(folder / "labels.csv", index=False)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
