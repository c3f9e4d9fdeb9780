import runpy
import sys

import numpy as np
from PIL import Image

from thesis_lib.data import load_segmentation_folder
from thesis_lib.paths import REPOSITORY


def test_the_sample_of_buildings_is_what_its_script_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make_buildings.py", str(tmp_path)])
    runpy.run_path(REPOSITORY / "sample_data" / "make_buildings.py", run_name="__main__")
    sample = REPOSITORY / "sample_data" / "buildings"
    files = sorted(path.relative_to(sample) for path in sample.rglob("*.*"))
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*")) and len(files) == 41
    for file in files:
        if file.suffix == ".tiff":
            made, shipped = (np.asarray(Image.open(folder / file), int) for folder in (tmp_path, sample))
            assert np.mean(np.abs(made - shipped) > 2) < 0.002, file
    assert sum(path.stat().st_size for path in sample.rglob("*.*")) < 2_000_000


def test_the_sample_of_buildings_is_read():
    splits = load_segmentation_folder(REPOSITORY / "sample_data" / "buildings", classes=["building"])
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (8, 2, 2)
    assert set(splits.train.masks) == {"", "a", "b"} and splits.classes.names == ("background", "building")
    true, outside, inside = (np.mean([splits.train.mask(i, a).mean() for i in range(8)]) for a in ("", "a", "b"))
    assert inside < true < outside
