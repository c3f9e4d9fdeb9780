"""Batches of labelled and of unlabelled images together, where most images to train on carry no label."""

import keras
import numpy as np

from thesis_lib import checks
from thesis_lib.data.batches import SceneBatches
from thesis_lib.data.crops import Crops
from thesis_lib.data.patches import VolumePatches
from thesis_lib.labels import IGNORE

OF_UNLABELLED = 2**32  # added to a seed, so that crops of unlabelled images are drawn apart from the labelled ones


class PartlyLabelledBatches(keras.utils.PyDataset):
    """Batches {"labelled": images, "labels": class maps, "unlabelled": images} of two data sets side by side.

    An epoch shows every unlabelled image, or `crops_per_image` crops of it, once. The labelled images are shown as
    often as that takes. Images are read, or cut from arrays, a batch at a time. Patches of volumes are batches, too.

    Args:
        labelled: `Crops`, `SceneBatches` or `VolumePatches` of (images, class maps), with at least as many batches as
            `unlabelled`; see `repeats`.
        unlabelled: the same of images whose class maps are not used, of `UnlabelledRasters`, `UnlabelledVolumes` or
            `unlabelled_maps`.
        options: of `keras.utils.PyDataset`, such as workers=4, for images that are read from files.

    Raises:
        ValueError: if an argument is no such data set, or there are too few labelled batches.
    """

    def __init__(self, labelled, unlabelled, **options):
        super().__init__(**options)
        kinds, what = (Crops, SceneBatches, VolumePatches), "Crops, SceneBatches or VolumePatches"
        self.labelled = checks.instance("labelled", labelled, kinds, what)
        self.unlabelled = checks.instance("unlabelled", unlabelled, kinds, what)
        if len(labelled) < len(unlabelled):
            raise ValueError(
                "labelled must have as many batches as unlabelled, or more, in an epoch; "
                f"got {len(labelled)} and {len(unlabelled)}"
            )

    def __len__(self):
        return len(self.unlabelled)

    def __getitem__(self, index):
        images, labels = self.labelled[index]
        unlabelled, _ = self.unlabelled[index]
        return ({"labelled": images, "labels": labels, "unlabelled": unlabelled},)

    def start(self, epoch):
        """Take the images that `fit` shows in an epoch, counted from 0, whatever came before."""
        self.labelled.start(epoch)
        self.unlabelled.start(epoch)

    def on_epoch_end(self):
        self.labelled.on_epoch_end()
        self.unlabelled.on_epoch_end()


def check_labelled(run, images, others=0):
    """Raise unless a `segmentation.Run` of so many training images leaves its method what it needs.

    Args:
        run: segmentation.Run.
        images: number of training images that have a mask.
        others: of those that have none.

    Raises:
        ValueError: naming `labelled`, if there are not so many images, or none is left without a label.
    """
    needs_one = run.uses_unlabelled and not others
    if run.labelled is not None:
        of = "training images" + (", less the one without a label that is needed" if needs_one else "")
        checks.integer("labelled", run.labelled, 1, images - needs_one, of=of)
    elif needs_one:
        raise ValueError(f"data must hold images without a label for the method {run.method}; {run.data} has none")


def repeats(labelled, unlabelled):
    """How often each labelled image is shown while each unlabelled one is shown once: their numbers' ratio, or more."""
    return max(-(-unlabelled // labelled), 1)


def unlabelled_maps(images):
    """Class maps of images (N, H, W, C) that hold no label: IGNORE, uint8 (N, H, W), which takes no memory."""
    return np.broadcast_to(np.uint8(IGNORE), images.shape[:3])
