"""Classes in colours and their table, and folders of masks: for the tests of folders, crops and class tables."""

import numpy as np
from PIL import Image

from thesis_lib.data import ClassTable

COLOURS = ClassTable(("ground", "roof", "road"), ((0, 0, 0), (255, 255, 255), (200, 10, 30)))


def write_table(folder, rows="name,r,g,b\nground,0,0,0\nroof,255,255,255\nroad,200,10,30\n"):
    (folder / "label_class_dict.csv").write_text(rows)


def folder_of_masks(folder, masks):
    """A plain folder of masks (H, W), each with an image of one grey level."""
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for i, mask in enumerate(masks):
        Image.fromarray(np.full(mask.shape, i, np.uint8)).save(folder / "images" / f"{i}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{i}.png")
    return folder


def drawn_by_two(folder, count=7):
    """Images, and masks of a disc by two people; b draws it a pixel larger."""
    rows, columns = np.indices((24, 30)) - np.reshape((12, 15), (2, 1, 1))
    for name in ("images", "masks_a", "masks_b"):
        (folder / name).mkdir()
    for i in range(count):
        Image.fromarray(np.full((24, 30), 8 * i, np.uint8)).save(folder / "images" / f"{i:02}.png")
        for name, radius in {"masks_a": 6, "masks_b": 7}.items():
            disc = np.hypot(rows, columns) <= radius
            Image.fromarray(255 * disc.astype(np.uint8)).save(folder / name / f"{i:02}.png")
    return folder
