"""A folder of volumes and masks as a segmentation task: patches to train on, scores of whole volumes in mm."""

import hashlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.data.partly_labelled import OF_UNLABELLED, PartlyLabelledBatches, check_labelled, repeats
from thesis_lib.data.patches import UnlabelledVolumes, VolumePatches, sides
from thesis_lib.data.volume_files import UnpackedVolumes
from thesis_lib.data.volume_splits import load_volume_splits
from thesis_lib.data.volumes import SPACING_TOLERANCE, Volume
from thesis_lib.files import whole, writable_folder, write_arrays
from thesis_lib.labels import IGNORE
from thesis_lib.metrics import calibration, overlap
from thesis_lib.segmentation.accepted import SHORTEST
from thesis_lib.segmentation.drawn_rasters import DrawnRasters
from thesis_lib.segmentation.prediction import of_objects, together
from thesis_lib.segmentation.scores import Scores
from thesis_lib.segmentation.volume_prediction import predict_volume, slabs_of_volume, write_like

PATCH = 64  # voxels, the longest side of the patches where `crop` is left out
VALIDATING = 16  # patches of each validation volume, or fewer where they are small


class SamePatches(VolumePatches):
    """The same patches in every epoch, for validation."""

    def on_epoch_end(self):
        """Keep them."""


@dataclass(frozen=True)
class MovedVolumes:
    """Unpacked volumes whose masks are without their annotators' biases; moved masks lie beside the unpacked ones.

    Args:
        volumes: UnpackedVolumes.
        tags: dict from an annotator's name to a text that is another one where masks are moved otherwise.
        move: called with a class map (D, H, W), its annotator and its spacing, mm; returns class maps, or channels of
            structures (D, H, W, S).
    """

    volumes: UnpackedVolumes
    tags: dict
    move: Callable

    def __post_init__(self):
        for annotator in self.masks:
            for i in range(len(self)):
                path = self._path(i, annotator)
                if not path.is_file():
                    mask = self.volumes.mask(i, annotator)
                    with whole(path) as partial:
                        np.save(partial, self.move(mask.values, annotator, mask.spacing))

    def __len__(self):
        return len(self.volumes)

    @property
    def masks(self):
        return tuple(self.tags)

    def image(self, i):
        return self.volumes.image(i)

    def mask(self, i, annotator):
        moved = np.load(self._path(i, annotator), mmap_mode="r")
        return self.volumes.mask(i, annotator).with_values(moved)

    def _path(self, i, annotator):
        digest = hashlib.sha256(self.tags[annotator].encode()).hexdigest()[:16]
        return self.volumes.folders[i] / f"moved_{digest}_{annotator}.npy"


class VolumeTask(DrawnRasters):
    """What a `Run` needs of a folder of volumes and masks; all lengths are in mm.

    Args:
        run: Run.
        base: a VolumeTask of the same data, which this one asks for all that it has read or measured.
    """

    def read(self):
        run = self.run
        of_folder = run.data_path, run.folder / "unpacked", run.structures is not None
        return load_volume_splits(*of_folder, run.uses_unlabelled and run.has_unlabelled)

    @property
    def class_names(self):
        return self.splits.class_names

    @cached_property
    def spacing(self):
        """mm along depth, height and width, to which patches are resampled, or that all volumes have."""
        if self.run.spacing is not None:
            return tuple(self.run.spacing)
        heads = self.splits.heads
        first, shared = next((name, head.spacing) for name, head in heads.items())
        for name, head in heads.items():
            if not np.allclose(head.spacing, shared, rtol=SPACING_TOLERANCE, atol=0):
                raise ValueError(
                    "spacing must be given, mm along depth, height and width, as volumes have several; "
                    f"got None, {shared} of {first} and {head.spacing} of {name}"
                )
        return shared

    @property
    def scale(self):
        return self.run.scale or "standard"

    @cached_property
    def image_shape(self):
        """Of the network's volumes: (None, None, None, C)."""
        channels = {}
        for name, head in self.splits.heads.items():
            channels.setdefault(head.channels, name)
        if len(channels) > 1:
            found = ", ".join(f"{count} in {name}" for count, name in channels.items())
            raise ValueError(f"volumes in {self.run.data} must have one number of channels; got {found}")
        return (None, None, None, *channels)

    @cached_property
    def size(self):
        """(D, H, W) of the patches, voxels."""
        if self.run.crop is not None:
            return sides("crop", self.run.crop, SHORTEST)
        largest = np.max([self._extent(head) for head in self.splits.heads.values()], 0)
        return tuple(np.clip(largest, SHORTEST, PATCH).tolist())

    def _extent(self, volume):
        """Sides of a volume in voxels of the patches' spacing."""
        return np.ceil(np.multiply(volume.shape, volume.spacing) / self.spacing - SPACING_TOLERANCE).astype(int)

    def prepare(self):
        """Check what a training would end by: the background, the number of labelled volumes; all files were read."""
        checks.integer("background", self.background, 0, self.splits.num_classes - 1)
        check_labelled(self.run, len(self.splits.train), len(self.splits.unlabelled or ()))

    def batches(self):
        """(training batches, validation batches)."""
        validation = self.splits.validation
        parts = [math.prod(-(-self._extent(validation.image(i)) // self.size)) for i in range(len(validation))]
        count = min(max(parts), VALIDATING)
        by_judge = self.run.judge is None  # by the plain masks
        return (
            self.training_patches(),
            self.patches(
                SamePatches,
                validation if by_judge else self.moved(validation),
                [""] if by_judge else self.annotators,
                count,
                mirror=(),
            ),
        )

    def training_patches(self):
        """Patches of the labelled volumes, and beside them of the others, where the method learns from them."""
        run, labelled = self.run, self.moved(self.labelled)
        if not run.uses_unlabelled:
            return self.patches(VolumePatches, labelled, self.annotators, run.crops_per_image)
        several = [self.splits.train[len(labelled) :], *filter(None, [self.splits.unlabelled])]
        folders, grids = (sum((getattr(one, name) for one in several), ()) for name in ("folders", "grids"))
        others = UnlabelledVolumes(UnpackedVolumes(folders, grids, ()))
        times = run.crops_per_image * repeats(len(labelled), len(others))
        return PartlyLabelledBatches(
            self.patches(VolumePatches, labelled, self.annotators, times, workers=1),
            self.patches(VolumePatches, others, [""], run.crops_per_image, workers=1, seed=run.seed + OF_UNLABELLED),
            workers=run.workers or os.cpu_count(),
        )

    def moved(self, volumes):
        """Volumes to learn from, without the annotators' biases."""
        if self.transform is None:
            return volumes
        tags = {annotator: repr((self.background, bias)) for annotator, bias in self.biases.items()}
        return MovedVolumes(volumes, tags, self.transform)

    def patches(self, kind, volumes, annotators, count, **options):
        run = self.run
        given = {"spacing": self.spacing, "scale": self.scale, "background": self.background, "seed": run.seed}
        given |= {"workers": run.workers or os.cpu_count(), "patches_per_volume": count, "annotator": annotators}
        return kind(volumes, self.size, run.batch_size, **given | options)

    @property
    def prediction(self):
        return {"size": self.size, "spacing": self.spacing, "scale": self.scale}

    def probabilities(self, network, volume):
        """float32 (D, H, W, K) of a Volume of any size, on its own grid."""
        checks.instance("image where the data are volumes", volume, Volume, "a data.Volume")
        slabs = slabs_of_volume(network, volume, **self.prediction)
        return np.concatenate([probabilities.copy() for _, probabilities in slabs])

    def predict(self, network, volume):
        """Volume of the most probable classes, uint8, on the grid of a Volume of any size."""
        checks.instance("image where the data are volumes", volume, Volume, "a data.Volume")
        return predict_volume(network, volume, **self.prediction)

    def annotator_scores(self, annotator):
        """DataFrame with the scores of an annotator's masks of the test volumes, as if a network had predicted them."""
        test, rows = self.splits.test, {}
        for i, name in enumerate(self.splits.files["test"].names):
            drawn = test.mask(i, annotator)
            objects = (drawn.values != self.background) & (drawn.values != IGNORE)
            rows[name] = self._of_objects(test.mask(i, self.judge), objects)
        return pd.DataFrame(rows).T.rename_axis("volume")

    def _of_objects(self, mask, objects):
        return of_objects(mask.values, objects, self.background, self.run.tolerance, mask.spacing)

    def score(self, network, folder):
        """`Scores` on the test volumes; writes the classes of each into `folder/test`, in the format of its file.

        Each volume is compared with its mask on its own grid: log_loss (nats), brier and ece over its voxels, mean_dice
        over the classes of objects, and of everything but the background, where its probability is at least one half,
        iou, dice, surface_distance and hausdorff95 (mm), surface_dice, boundary_bias (mm) and volume_ratio. With a
        judge, the row also holds scores_of_annotators, those of the others who drew the test volumes, and biases, mm,
        taken out of the masks to learn from.
        """
        into, test, files = writable_folder(Path(folder) / "test"), self.splits.test, self.splits.files["test"]
        rows, total = {}, 0
        for i, name in enumerate(files.names):
            volume, mask = test.image(i), test.mask(i, self.judge)
            classes, objects, pixels = self._predicted(network, volume, mask)
            counts = overlap.confusion(mask.values[None], classes[None], self.splits.num_classes)
            total = total + counts
            mean_dice = overlap.from_confusion(counts, self.background)["mean_dice_foreground"]
            rows[name] = {"mean_dice": mean_dice, **self._of_objects(mask, objects), **pixels}
            write_like(files.images[i][0], volume.with_values(classes), into, name, list(self.class_names))
        images = pd.DataFrame(rows).T.rename_axis("volume")
        row = {**images.mean().to_dict(), "spacing": list(self.spacing), "crop": list(self.size)}
        row["split"] = self.splits.rule
        if self.run.judge is not None:
            others = [name for name in test.masks if name != self.judge]
            row["scores_of_annotators"] = {name: self.annotator_scores(name).mean().to_dict() for name in others}
            row["biases"] = self.biases
        write_arrays(Path(folder) / "scenes.npz", volume=images.index.to_numpy(str), **dict(images))
        of_classes = overlap.from_confusion(total)
        columns = {name: of_classes[f"class_{name}"] for name in ("iou", "dice", "accuracy")}
        return Scores(row, images, pd.DataFrame(columns, index=pd.Index(self.class_names, name="class")))

    def _predicted(self, network, volume, mask):
        """Classes (D, H, W), where objects have a probability of one half or more, and the scores over voxels."""
        classes, objects = np.empty(volume.shape, np.uint8), np.empty(volume.shape, bool)
        scores = []
        for first, probabilities in slabs_of_volume(network, volume, **self.prediction):
            planes = slice(first, first + len(probabilities))
            classes[planes] = probabilities.argmax(-1)
            objects[planes] = probabilities[..., self.background] <= 0.5
            scores.append(calibration.scores(mask.values[None, planes], probabilities[None]))
        return classes, objects, together(scores)
