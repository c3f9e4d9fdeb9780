"""Training, validation and test scenes: what the notebooks' parameter `data` names."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thesis_lib import checks, paths
from thesis_lib.data import digits, m2nist
from thesis_lib.data.groups import digest, fill, of_copies, together
from thesis_lib.data.nuclei import load_nuclei
from thesis_lib.data.scenes import Scenes, load_npz, open_array

SAMPLE = paths.REPOSITORY / "sample_data" / "m2nist" / "scenes.npz"
MOST_SCENES = 1_000_000  # that are composed, 5 GB
HELD = 0.15  # the share of the validation scenes, and that of the test scenes
NUCLEI = re.compile(r"nuclei(-sample)?(?:/([1234]))?")  # names of `data`


@dataclass(frozen=True)
class SceneSplits:
    """Disjoint training, validation and test scenes."""

    train: Scenes
    validation: Scenes
    test: Scenes

    @property
    def fingerprint(self):
        """A digest of all images and labels, in hexadecimal: the same for the same data."""
        digest = hashlib.sha256()
        for scenes in (self.train, self.validation, self.test):
            digest.update(np.ascontiguousarray(scenes.images))
            digest.update(np.ascontiguousarray(scenes.labels))
            if scenes.objects is not None:
                digest.update(np.ascontiguousarray(scenes.objects))
        return digest.hexdigest()


def load_scenes(
    data: str | int = "sample",
    seed: int = 0,
    train_scenes: int | None = None,
    validation_scenes: int | None = None,
    test_scenes: int | None = None,
) -> SceneSplits:
    """Scenes for semantic segmentation, split into training, validation and test scenes.

    Args:
        data: one of
            "sample": 300 scenes shipped with the project (200 / 40 / 60), composed from scikit-learn's digits;
            a whole number N, 3 to a million: the first N of M2NIST if its combined.npy and segmented.npy are under
                THESIS_DATA (default `data/`), else N scenes composed from MNIST;
            "nuclei": the 334 images of `load_nuclei` under THESIS_DATA, each with its contrast stretched, split into
            60 / 10 / 30%; "nuclei-sample": the dozen that are shipped; with "/2", "/3" or "/4" behind either name: at
            so small a part of the resolution;
            a path: a folder with combined.npy and segmented.npy, or an .npz file with images and labels, see
                `load_npz`; a relative path starts at the repository.
        seed: of the composition and of the split; scenes of a file are split at random into 70 / 15 / 15%, copies of
            one image in one part. Composed scenes and the sample share no digit between the splits. The sample's split
            is fixed.
        train_scenes, validation_scenes, test_scenes: how many scenes of a split to use, the first ones; all if None.

    Returns:
        SceneSplits.

    Raises:
        ValueError, FileNotFoundError: if `data` is none of these, or a file is not as described.

    Example:
        >>> splits = load_scenes("my_scenes.npz")
        >>> splits.train.images, splits.train.labels  # uint8 (N, H, W, C) and uint8 (N, H, W)
    """
    if isinstance(data, str) and data.strip().lstrip("+-").isdecimal():
        data = int(data)
    checks.integer("seed", seed, 0)
    if isinstance(data, str) and data == "sample":
        splits = _sample()
    elif isinstance(data, (int, np.integer)) and not isinstance(data, bool):
        splits = _full(checks.integer("data", data, 3, MOST_SCENES), seed)
    elif isinstance(data, str) and NUCLEI.fullmatch(data):
        splits = _nuclei(data, seed)
    elif isinstance(data, (str, Path)):
        splits = _random(_from_path(checks.path("data", data, "'sample', a number of scenes, or a path")), seed)
    else:
        raise ValueError(f"data must be 'sample', a number of scenes, or a path; got {data!r}")
    limits = {"train": train_scenes, "validation": validation_scenes, "test": test_scenes}
    return SceneSplits(**{name: _limited(getattr(splits, name), name, limit) for name, limit in limits.items()})


def _limited(scenes, name, limit):
    return scenes if limit is None else scenes[: checks.integer(f"{name}_scenes", limit, 1, len(scenes))]


def _from_path(path):
    path = paths.REPOSITORY / path
    if path.is_dir():
        return m2nist.load(path)
    if path.suffix == ".npz" and path.is_file():
        return load_npz(path)
    raise FileNotFoundError(
        f"data must be 'sample', a number of scenes, a folder with combined.npy and segmented.npy, or an .npz file; "
        f"got {str(path)!r}, which is none of these"
    )


def _sample():
    scenes, split = load_npz(SAMPLE), open_array(SAMPLE, "split")
    return SceneSplits(*(scenes[split == k] for k in range(3)))


def counts(total):
    """Numbers of training, validation and test items out of `total`, 3 or more: 70 / 15 / 15%, at least one each."""
    held = max(round(total * HELD), 1)
    return total - 2 * held, held, held


def _nuclei(name, seed):
    sample, shrink = NUCLEI.fullmatch(name).groups()
    nuclei = load_nuclei("sample" if sample else None, int(shrink or 1))
    scenes = Scenes(_stretched(nuclei.images), nuclei.labels, 2, 0, ("background", "nucleus"), nuclei.objects)
    order = np.random.default_rng(seed).permutation(len(scenes))
    parts = np.split(order, [round(0.6 * len(order)), round(0.7 * len(order))])
    return SceneSplits(*(scenes[part] for part in parts))


def _stretched(images):
    """Images (N, H, W, C) with each one's darkest and brightest 0.5% at 0 and 255; their exposures differ widely."""
    low, high = np.percentile(images, (0.5, 99.5), axis=(1, 2), keepdims=True)
    return np.rint(255 * np.clip((images - low) / np.maximum(high - low, 1), 0, 1)).astype(np.uint8)


def _full(total, seed):
    folder = paths.data_folder()
    if (folder / "combined.npy").exists():
        return _random(m2nist.load(folder, total), seed)
    (train_images, train_labels), (test_images, test_labels) = digits.mnist()
    order = np.random.default_rng(seed).permutation(len(train_images))
    validation, train = np.split(order, [len(order) // 6])
    pools = (
        (train_images[train], train_labels[train]),
        (train_images[validation], train_labels[validation]),
        (test_images, test_labels),
    )
    seeds = np.random.SeedSequence(seed).generate_state(3)
    parts = [digits.compose(*pool, count, int(one)) for pool, count, one in zip(pools, counts(total), seeds)]
    return SceneSplits(*(scenes for scenes, _ in parts))


def _random(scenes, seed):
    if len(scenes) < 3:
        raise ValueError(f"data must hold at least 3 scenes, to train, validate and test; got {len(scenes)}")
    order = np.random.default_rng(seed).permutation(len(scenes))
    groups = together(of_copies([digest(image) for image in scenes.images]), range(len(scenes)))
    return SceneSplits(*(scenes[part] for part in fill(order, groups, counts(len(order)))))
