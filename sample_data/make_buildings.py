"""Draws the sample of aerial scenes: `python sample_data/make_buildings.py [FOLDER [TRAIN VAL TEST]]`.

TRAIN, VAL and TEST are the numbers of scenes in each part; by default 8, 2 and 2.

The scenes, 208 x 208 px, show roofs, shadows, roads and trees. None is photographed. Their layout is that of the
Massachusetts Buildings Dataset (V. Mnih, University of Toronto, 2013). Two simulated annotators also draw the training
images: their boundaries are off by 1.5 px (correlated over 8 px), one a little outside, one a little inside.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from thesis_lib.annotation import DisplacementField
from thesis_lib.data import ClassTable

FOLDER = Path(__file__).parent / "buildings"
SIZE, FINE = 208, 4  # px, and how much larger scenes are drawn before they are reduced
PARTS = {"train": 8, "val": 2, "test": 2}
TABLE = ClassTable(("background", "building"), ((0, 0, 0), (255, 255, 255)))
ROOFS = [(150, 75, 60), (125, 120, 118), (185, 182, 175), (95, 90, 95), (165, 120, 90), (110, 65, 55)]
ANNOTATORS = {"a": 0.6, "b": -0.4}  # bias, px


def noise(generator, scale, strength):
    """A smooth random field (SIZE, SIZE, 1) of the given spread."""
    field = ndimage.gaussian_filter(generator.standard_normal((SIZE, SIZE)), scale)
    return (strength * field / field.std())[..., None]


def outline(centre, size, angle, shape):
    """Corners of a house, a rectangle or an L, in fine pixels."""
    w, h = size
    corners = [(-w, -h), (w, -h), (w, h), (-w, h)]
    if shape == "L":
        corners = [(-w, -h), (w, -h), (w, 0), (0.1 * w, 0), (0.1 * w, h), (-w, h)]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return [tuple(FINE * (np.array(centre) + turn @ corner)) for corner in corners]


def scene(generator):
    """(image, mask): uint8 (SIZE, SIZE, 3) and a class map (SIZE, SIZE)."""
    fine = SIZE * FINE
    picture = Image.new("RGB", (fine, fine), (96, 112, 74))
    roofs = Image.new("L", (fine, fine), 0)
    draw, mask = ImageDraw.Draw(picture), ImageDraw.Draw(roofs)
    direction = generator.uniform(0, np.pi)
    along, across = (np.array([np.cos(direction + turn), np.sin(direction + turn)]) for turn in (0, np.pi / 2))
    light = generator.uniform(0, 2 * np.pi)
    shadow = FINE * generator.uniform(3, 6) * np.array([np.cos(light), np.sin(light)])
    middle = np.array([SIZE / 2, SIZE / 2]) + generator.uniform(-20, 20, 2)
    for axis, other in ((along, across), (across, along)):
        for offset in np.arange(-2, 3) * generator.uniform(88, 110):
            start, end = (FINE * (middle + offset * other + far * axis) for far in (-300, 300))
            draw.line([tuple(start), tuple(end)], fill=(122, 120, 118), width=int(FINE * generator.uniform(8, 12)))
            draw.line([tuple(start), tuple(end)], fill=(150, 148, 140), width=FINE // 2)
    road = np.asarray(picture)[::FINE, ::FINE, 0] > 110
    taken = ndimage.binary_dilation(road, iterations=3)
    near_taken = ndimage.binary_dilation(taken, iterations=4)
    houses = []
    for _ in range(400):
        centre, size = generator.uniform(0, SIZE, 2), generator.uniform(6, 13, 2)
        shape = generator.choice(["box", "box", "L"])
        corners = outline(
            centre, size, direction + generator.choice([0, np.pi / 2, np.pi]) + generator.normal(0, 0.05), shape
        )
        place = Image.new("L", (SIZE, SIZE))
        ImageDraw.Draw(place).polygon([(x / FINE, y / FINE) for x, y in corners], fill=1)
        place = np.asarray(place) > 0
        if not (place & near_taken).any():
            taken |= ndimage.binary_dilation(place, iterations=4)
            near_taken = ndimage.binary_dilation(taken, iterations=4)
            houses.append((corners, shape))
    for corners, _ in houses:
        draw.polygon([tuple(np.array(c) + shadow) for c in corners], fill=(40, 44, 38))
    for corners, shape in houses:
        colour = np.array(ROOFS[generator.integers(len(ROOFS))]) + generator.normal(0, 8, 3)
        draw.polygon(corners, fill=tuple(int(c) for c in np.clip(colour, 0, 255)))
        if shape == "box":  # the half beyond the ridge is darker
            a, b, c, d = map(np.array, corners)
            draw.polygon(
                [tuple((a + d) / 2), tuple((b + c) / 2), tuple(c), tuple(d)],
                fill=tuple(int(x) for x in np.clip(colour * 0.82, 0, 255)),
            )
        mask.polygon(corners, fill=255)
    for _ in range(60):
        x, y = generator.uniform(0, SIZE, 2)
        if not taken[int(y), int(x)]:
            r = generator.uniform(2.5, 6)
            for shift, size, shade in (
                (shadow / 2, r, (38, 46, 34)),
                (0, r, (52, 78, 44)),
                (-shadow / 6, 0.6 * r, (72, 100, 58)),
            ):
                cx, cy = FINE * np.array([x, y]) + shift
                draw.ellipse([cx - FINE * size, cy - FINE * size, cx + FINE * size, cy + FINE * size], fill=shade)
    image = np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BOX), float)
    image = image + noise(generator, 12, 6) + noise(generator, 1.0, 5)
    covered = np.asarray(roofs.resize((SIZE, SIZE), Image.Resampling.BOX), float) / 255
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8), (covered >= 0.5).astype(np.uint8)


def save(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, compression="tiff_deflate")


def main(folder=FOLDER, *counts):
    """Write images, masks and the class table; `counts`: numbers of training, validation and test scenes."""
    if counts and (len(counts) != len(PARTS) or min(counts) < 1):
        raise SystemExit(f"TRAIN, VAL and TEST must be three numbers of 1 or more; got {' '.join(map(str, counts))}")
    generator = np.random.default_rng(0)
    number = 0
    for part, count in zip(PARTS, counts or PARTS.values()):
        for i in range(count):
            image, mask = scene(generator)
            name = f"scene{i:02}.tiff"
            save(image, folder / part / name)
            save(TABLE.to_picture(mask), folder / f"{part}_labels" / name)
            for annotator, bias in ANNOTATORS.items() if part == "train" else ():
                number += 1
                drawn = DisplacementField(1.5, 8.0, mean=bias, background=0)(mask[None], number)[0]
                save(TABLE.to_picture(drawn), folder / f"{part}_labels_{annotator}" / name)
    rows = [f"{name},{r},{g},{b}" for name, (r, g, b) in zip(TABLE.names, TABLE.colours)]
    (folder / "label_class_dict.csv").write_text("name,r,g,b\n" + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]), *map(int, sys.argv[2:]))
