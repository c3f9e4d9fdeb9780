"""A folder of one's own images: grey discs, drawn by several people."""

import numpy as np
from PIL import Image

SIDE = 40


def disc(radius, shift=0):
    """A disc, boolean (SIDE, SIDE), whose middle is `shift` px right of the image's."""
    rows, columns = np.indices((SIDE, SIDE)) - SIDE / 2 + 0.5
    return rows**2 + (columns - shift) ** 2 <= radius**2


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array.astype(np.uint8)).save(path)


def write_discs(root, people=("ann", "bob"), count=10, core=False):
    """Images of a disc, and masks by each of the people ("" is plain): radii and places differ by a pixel or so.

    With a core, masks hold the classes 0, 1 and, in the inner half of the disc, 2.
    """
    generator = np.random.default_rng(0)
    for i in range(count):
        radius, name = generator.uniform(8, 14), f"scan{i:02}.png"
        save(root / "images" / name, 60 + 120 * disc(radius) + generator.normal(0, 8, (SIDE, SIDE)))
        for person in people:
            drawn = disc(radius + generator.normal(0, 1), generator.normal(0, 0.7))
            classes = drawn.astype(int) + (drawn & disc(radius / 2)) if core else 255 * drawn
            save(root / (f"masks_{person}" if person else "masks") / name, classes)
    return root
