"""Structures that overlap as a segmentation task: a channel, a prior and scores for each, of images or of volumes."""

import warnings
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.data.crops import RasterTiles
from thesis_lib.data.image_io import write_image
from thesis_lib.data.reading import known_name
from thesis_lib.data.structures import structures
from thesis_lib.files import writable_folder, write_arrays
from thesis_lib.metrics import calibration
from thesis_lib.segmentation import tiles
from thesis_lib.segmentation.accepted import REGIONS
from thesis_lib.segmentation.drawn_structures import Structure
from thesis_lib.segmentation.prediction import HALF, of_objects, pictures_of, together
from thesis_lib.segmentation.raster_task import Drawn, RasterTask
from thesis_lib.segmentation.rules import check_names
from thesis_lib.segmentation.scores import Scores
from thesis_lib.segmentation.volume_prediction import slabs_of_volume, write_like
from thesis_lib.segmentation.volume_task import MovedVolumes, VolumeTask


class OfStructures:
    """What tasks of structures that overlap share; before `RasterTask` or `VolumeTask` among the base classes.

    Each structure has a channel of the labels and of the network's logits, in the order of `regions`.
    """

    @cached_property
    def regions(self):
        """{name of a structure: list of the numbers of its classes}."""
        given, names = self.run.structures, list(self.class_names)
        if given == REGIONS:
            found = {name: list(numbers) for name, numbers in getattr(self.splits, "regions", {}).items()}
            if not found:
                raise ValueError(
                    f"structures must be a mapping from names to classes; got {REGIONS!r}, and {self.run.data} names "
                    "none, as dataset.json of nnU-Net can"
                )
        else:
            found = {
                structure: [_number(one, structure, names) for one in several] for structure, several in given.items()
            }
        if len(found) < 2:
            raise ValueError(f"structures must be two or more, as two classes need none; got {', '.join(found)} alone")
        check_names(self.run, found)
        return found

    @cached_property
    def parts(self):
        """Dict from the name of each structure to its `Structure`."""
        base = self.base.parts if self.base else {}
        return {name: Structure(self, name, numbers, base.get(name)) for name, numbers in self.regions.items()}

    @property
    def outputs(self):
        return tuple(self.regions)

    @property
    def identity(self):
        """The classes of each structure and the structures' order, which is that of the network's channels, too."""
        return {**super().identity, "structures": [[name, numbers] for name, numbers in self.regions.items()]}

    @property
    def biases(self):
        """Dict from the name of each structure to the bias of each annotator that is taken out of its masks."""
        return {name: part.biases for name, part in self.parts.items()}

    @property
    def prior_of_drawings(self):
        """Dict from the name of each structure to its prior; None where that of any is neither stated nor measured."""
        if not self.run.states_prior and not all(part.agreement or part.gold_agreement for part in self.parts.values()):
            return None
        priors = {name: part.prior_of_drawings for name, part in self.parts.items()}
        return None if None in priors.values() else priors

    def annotator_table(self):
        tables = {name: part.annotator_table() for name, part in self.parts.items()}
        known = {name: table for name, table in tables.items() if table is not None}
        return pd.concat(known, names=["structure"]) if known else None

    def channels(self, mask, annotator, spacing=None):
        """Structures of a class map (H, W) or (D, H, W), uint8 (..., S), without the bias of its annotator."""
        found = structures(mask, self.regions)
        for number, part in enumerate(self.parts.values()):
            if part.transform is not None:
                found[..., number] = part.transform(found[..., number], annotator, spacing)
        return found

    def truth(self, mask, annotator=""):
        """Structures of a mask that counts as true."""
        return structures(mask, self.regions)

    def metrics(self):
        return []

    def watched(self):
        """The epoch with the least validation loss is the best, whoever drew the masks."""
        return {"monitor": "val_loss", "mode": "min"}

    def objects_in(self, probabilities):
        return {name: probabilities[..., number] for number, name in enumerate(self.regions)}

    def annotator_scores(self, annotator):
        """DataFrame with a row for each test image and structure: an annotator's masks, scored as a network is."""
        rows, test = {}, self.splits.test
        for i, name in enumerate(self.test_names):
            drawn, true = (self.truth(self._map(test.mask(i, who))) for who in (annotator, self.judge))
            rows |= self._rows(name, true, drawn == 1, [{}] * len(self.regions), i)
        return _table(rows, self.kind)

    def score(self, network, folder):
        """`Scores` with a row for each test image and structure; writes what is predicted into `folder/test`.

        iou, dice, surface_distance, hausdorff95, surface_dice, boundary_bias and volume_ratio are of the structure
        where its probability is at least one half; log_loss, brier and ece are of its probability in all pixels. The
        row holds the means over images, then over structures, and biases, that were taken out of the masks.
        """
        into, test, rows = writable_folder(Path(folder) / "test"), self.splits.test, {}
        for i, name in enumerate(self.test_names):
            true = self.truth(self._map(test.mask(i, self.judge)))
            inside, pixels = of_bands(self.bands(network, i), true)
            rows |= self._rows(name, true, inside >= HALF, pixels, i)
            for number, structure in enumerate(self.regions):
                self.write(i, f"{name}_{structure}", structure, inside[..., number], into)
        images = _table(rows, self.kind)
        of_structures = images.groupby(level="structure", sort=False).mean()
        absent = of_structures.index[of_structures["dice"].isna()]
        if len(absent):
            warnings.warn(
                f"no test mask and no prediction shows {', '.join(absent)}: without a Dice of it, means are of the "
                "other structures",
                stacklevel=3,
            )
        row = {**of_structures.mean().to_dict(), "structures": self.regions, "biases": self.biases, **self.about}
        if self.run.judge is not None:
            others = [name for name in test.masks if name != self.judge]
            row["scores_of_annotators"] = {name: self.annotator_scores(name).mean().to_dict() for name in others}
        keys = {level: images.index.get_level_values(level).to_numpy(str) for level in images.index.names}
        write_arrays(Path(folder) / "scenes.npz", **keys, **dict(images))
        return Scores(row, images, of_structures)

    def _rows(self, name, true, predicted, pixels, i):
        """{(image, structure): scores} of one image."""
        spacing, tolerance = self.spacing_of(i), self.run.tolerance
        return {
            (name, structure): of_objects(true[..., k], predicted[..., k], 0, tolerance, spacing) | pixels[k]
            for k, structure in enumerate(self.regions)
        }


class RasterStructures(OfStructures, RasterTask):
    """What a `Run` needs of a folder of images and masks whose classes make up structures that overlap."""

    kind, about = "raster", {}

    @property
    def transform(self):
        return self.channels

    @property
    def test_names(self):
        return [Path(path).stem for path in self.splits.test.images]

    def batches(self):
        if self.run.judge is not None:
            return super().batches()
        return self.crops(), RasterTiles(Drawn(self.splits.validation, [""], self.truth), self.run.tile)

    def bands(self, network, i):
        test = self.splits.test
        return tiles.bands(network, test.image(i), name=test.images[i], **self.tiling)

    @property
    def tiling(self):
        return {**super().tiling, "overlapping": True}

    def spacing_of(self, i):
        return None

    @staticmethod
    def _map(mask):
        return mask

    def write(self, i, name, structure, inside, into):
        """NAME_STRUCTURE.png, 255 inside, and NAME_STRUCTURE_probability.png, in 255ths."""
        for picture, end in zip(pictures_of(inside), ("", "_probability")):
            write_image(picture, into / f"{name}{end}.png")


class VolumeStructures(OfStructures, VolumeTask):
    """What a `Run` needs of a folder of volumes and masks whose classes make up structures that overlap."""

    kind = "volume"

    @property
    def about(self):
        return {"spacing": list(self.spacing), "crop": list(self.size), "split": self.splits.rule}

    @property
    def test_names(self):
        return self.splits.files["test"].names

    def moved(self, volumes):
        if all(part.transform is None for part in self.parts.values()):
            return volumes
        tags = {annotator: repr((self.regions, self.biases)) for annotator in self.annotators}
        return MovedVolumes(volumes, tags, self.channels)

    def patches(self, kind, volumes, annotators, count, **options):
        if isinstance(volumes, MovedVolumes):  # which are channels already, 0 outside
            return super().patches(kind, volumes, annotators, count, **options)
        inside = {number for numbers in self.regions.values() for number in numbers}
        outside = next((number for number in range(self.num_classes) if number not in inside), 0)
        given = {"regions": self.regions, "background": outside}
        return super().patches(kind, volumes, annotators, count, **given | options)

    @property
    def prediction(self):
        return {**super().prediction, "overlapping": True}

    def bands(self, network, i):
        return slabs_of_volume(network, self.splits.test.image(i), **self.prediction)

    def spacing_of(self, i):
        return self.splits.test.image(i).spacing

    @staticmethod
    def _map(mask):
        return mask.values

    def write(self, i, name, structure, inside, into):
        """The structure, 1 inside, in the format, spacing and orientation of the volume's file."""
        source, volume = self.splits.files["test"].images[i][0], self.splits.test.image(i)
        predicted = volume.with_values((inside >= HALF).astype(np.uint8))
        write_like(source, predicted, into, name, ["background", structure])


def of_bands(bands, true):
    """Probabilities of structures, in 255ths, and the scores of each over its pixels.

    Args:
        bands: (first row or plane, probabilities (..., S)), as `tiles.bands` and `slabs` yield them with `overlapping`.
        true: labels (..., S) of the whole image or volume: 1, 0, or 255 where nothing is known.

    Returns:
        (uint8 like `true`, list of S dicts with log_loss, brier and ece).
    """
    inside, scores = np.empty(true.shape, np.uint8), [[] for _ in range(true.shape[-1])]
    for first, probabilities in bands:
        part = slice(first, first + len(probabilities))
        inside[part] = np.rint(255 * probabilities)
        for number, found in enumerate(scores):
            one = probabilities[..., number]
            found.append(calibration.scores(true[None, part, ..., number], np.stack([1 - one, one], -1)[None]))
    return inside, [together(found) for found in scores]


def _number(one, structure, names):
    """The number of a class of a structure, given by its number or its name."""
    if isinstance(one, int):
        return checks.integer(f"a class of structures[{structure!r}]", one, 0, len(names) - 1)
    return names.index(known_name(f"structures[{structure!r}]", one, names))


def _table(rows, kind):
    """DataFrame from {(image, structure): scores}."""
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=[kind, "structure"])
    return table
