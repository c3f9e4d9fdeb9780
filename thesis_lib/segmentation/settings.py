"""The parameters of a segmentation training: what each means and what it accepts; `rules` says which fit together."""

from dataclasses import dataclass

import numpy as np

from thesis_lib import parameters
from thesis_lib.annotation.simulated import ANNOTATORS
from thesis_lib.data.raster_parts import UNLABELLED
from thesis_lib.data.reading import path_name
from thesis_lib.data.splits import NUCLEI
from thesis_lib.data.volume_splits import holds_volumes
from thesis_lib.parameters import boolean, choice, other, real, whole
from thesis_lib.paths import REPOSITORY, data_folder
from thesis_lib.segmentation import accepted, rules
from thesis_lib.segmentation.methods import METHODS, TEACHING
from thesis_lib.segmentation.networks import NETWORKS
from thesis_lib.semi_supervised.ramps import MOST_WEIGHT
from thesis_lib.targets.losses import CLASS_WEIGHTS
from thesis_lib.targets.objectives import OBJECTIVES
from thesis_lib.training.callbacks import KEPT
from thesis_lib.training.optimization import SCHEDULES

PRIORS = ("known", "fitted", "population", "measured")
UNIT = "px, or mm in volumes"


@dataclass(frozen=True)
class Settings:
    """The fields of `Run`, checked when it is made."""

    # The data.
    data: str | int = other(
        "sample",
        "training, validation and test images; a relative path starts at the repository, or else, for a folder of "
        "images or volumes and masks, at THESIS_DATA",
        '"sample", a number of scenes of the full data, an .npz file, or a folder: of M2NIST, of images and masks, of '
        "volumes and masks, or of nnU-Net",
        accepted.data,
    )
    train_scenes: int | None = whole(None, "use the first so many training scenes", 1, optional=True)
    validation_scenes: int | None = whole(None, "use the first so many validation scenes", 1, optional=True)
    test_scenes: int | None = whole(None, "use the first so many test scenes", 1, optional=True)
    classes: list | None = other(
        None,
        "classes of a folder to tell apart, all others together as class 0",
        "names",
        accepted.names,
        optional=True,
    )
    structures: str | dict | None = other(
        None,
        "structures of a folder that may overlap, each of one or several classes of the masks, with a channel, a "
        "sigmoid and a prior of its own; None: classes exclude each other",
        'a mapping from names to lists of classes, or "regions", which nnU-Net\'s dataset.json names',
        accepted.structures,
        optional=True,
    )
    background: int | None = whole(None, "the background's class in a folder; None is 0", 0, 254, optional=True)
    unknown: str = choice(
        "error", "what a mask's colour of no class is; ignored ones are not learned", ("error", "ignore")
    )
    folds: int | None = whole(
        None,
        "cross-validation: all images of a folder in so many disjoint test sets, the same for every seed; "
        "None: the test images of the folder",
        2,
        optional=True,
    )
    fold: int = whole(0, "which of the test sets; 15% of the other images validate", 0)

    # The annotators, and what is known of their error.
    annotator: str = choice("none", "simulated annotator who draws the labels of scenes", ANNOTATORS)
    annotator_parameters: dict = other({}, "its parameters, such as sigma in px", "a mapping", accepted.mapping)
    annotators: list | None = other(
        None,
        'mask folders to train on: "a" is masks_a/; None is all but the judge\'s',
        "names",
        accepted.names,
        optional=True,
    )
    judge: str | None = other(
        None,
        'mask folder that test images are judged by: "a" is masks_a/; validation is then by the masks to train on; '
        "None: plain masks judge both",
        "a name",
        accepted.mask_folder,
        optional=True,
    )
    prior: str | None = choice(
        None,
        "known: prior_sigma and prior_mean; fitted: on drawings of the same images; population: likewise, each object "
        "with a bias and a spread of its own; measured: against true labels. "
        "None is known where prior_sigma is given, else fitted",
        PRIORS,
        optional=True,
    )
    prior_sigma: float | dict | None = other(
        None,
        "standard deviation of drawn boundaries, where the prior is known; else it is measured",
        "a number from 0, or a mapping from each of the structures to one",
        accepted.of_structures(0.0),
        optional=True,
        unit=UNIT,
    )
    prior_mean: float | dict = other(
        0.0,
        "their bias, positive outside, where the prior is known; objectives with a prior take it out",
        "a number, or a mapping from each of the structures to one",
        accepted.of_structures(-np.inf),
        unit=UNIT,
    )
    prior_scenes: int = whole(10, "scenes to fit or measure the prior on", 1)
    gold_images: int = whole(
        2,
        "training images of a folder, the first ones, whose masks by the judge are known, or plain masks where no "
        "judge is named: annotators are measured against these, and a single annotator together with the judge",
        0,
    )
    bias_against: str | None = choice(
        None,
        "which bias is taken out of the labels to learn from: each annotator's against the consensus of all, that "
        "against the judge's masks of the gold images (of scenes: the true labels of the first `prior_scenes`), or "
        "none. None: the first that can be measured, where the objective has a prior",
        ("consensus", "judge", "none"),
        optional=True,
    )
    search_radius: float = real(
        10.0,
        "largest displacement that is measured: at least four sigma, less than from object to object",
        0.5,
        1000.0,
        unit=UNIT,
    )

    # What is optimised.
    objective: str = choice("forward", "what is optimised", OBJECTIVES)
    magnitude: float = real(0.9, "weight that smoothing keeps on the drawn class", 0.0, 1.0, open_low=True)
    class_weights: str = choice("uniform", "weights of the pixels drawn as each class", CLASS_WEIGHTS)

    # Training images without a label.
    method: str = choice("supervised", "how training images without a label are used, if at all", METHODS)
    labelled: int | None = whole(
        None,
        "the first so many training images carry labels, the others none; None: all do. Images in the folder's "
        "unlabelled/ are learned from, too, where there is a method for them",
        1,
        optional=True,
    )
    consistency_weight: float | None = real(
        None,
        "of the loss of images without a label, at the end of its ramp; None is the method's usual one",
        0.0,
        MOST_WEIGHT,
        optional=True,
    )
    ramp: float = real(0.3, "share of the training after which this weight is whole", 0.0, 1.0, open_low=True)
    decay: float = real(0.99, "of the EMA of the weights, which teaches and predicts", 0.0, 1.0, open_high=True)

    # The network.
    network: str = choice("unet", "the network", NETWORKS)
    width: int | list = other(
        8, "filters of the U-Net's finest level", "a whole number, or [filters, convolutions] of each level"
    )
    depth: int = whole(4, "poolings of the U-Net", 1, 16)
    resnet_depth: int = whole(101, "layers of DeepLabV3+'s ResNet: 18, 50 or 101", 1)
    weights: str | None = other(
        None, "weights of the ResNet at the start; None is random", '"imagenet" or a folder', path_name, optional=True
    )
    train_backbone: bool = boolean(True, "whether the ResNet is trained, too")
    filters: int = whole(256, "channels on top of the ResNet", 1)
    dilation_rates: list = other(
        [6, 12, 18], "of the atrous convolutions, in cells of 32 px", "whole numbers from 1", accepted.rates
    )
    momentum: float = real(0.9, "of DeepLabV3+'s batch normalisation", 0.0, 0.9999)

    # The training.
    epochs: int = whole(16, "passes over the training images", 1)
    batch_size: int = whole(8, "scenes or crops a step", 1)
    crop: int | list | None = other(
        None,
        "side of the training crops; None: whole scenes, 96 px of a folder's images, 64 voxels or less of volumes",
        "a whole number from 1, of volumes from 4 or three of these",
        accepted.crop,
        optional=True,
        unit="px or voxels",
    )
    crops_per_image: int = whole(1, "crops of each image in an epoch", 1)
    spacing: list | None = other(
        None,
        "to which volumes are resampled; None: their own, which must then be the same for all",
        "three numbers, along depth, height and width",
        accepted.spacing,
        optional=True,
        unit="mm",
    )
    scale: str | list | None = other(
        None,
        "how values of volumes are scaled: each channel to one mean and standard deviation, or what lies between two "
        "values, such as those of a CT, to 0-255; None is standard",
        '"standard" or [low, high]',
        accepted.scale,
        optional=True,
    )
    learning_rate: float = real(0.01, "of Adam at the start", 0.0, open_low=True)
    schedule: str = choice("cosine", "how the learning rate falls", SCHEDULES)
    patience: int = whole(10, "epochs without a better validation score before training stops", 1)
    keep: str = choice(
        "best",
        "the network is that of the epoch with the best validation score, or of the last epoch, which depends less on "
        "which images validate where they are few",
        KEPT,
    )
    augment: bool = boolean(
        False, "rotate, shift and zoom scenes and labels together; crops are always mirrored and turned"
    )
    seed: int = whole(0, "of the drawings, the first weights and the order", 0, 2**32 - 1)
    mixed_precision: bool = boolean(False, "half-precision arithmetic, for GPUs")
    xla: bool | str = other(
        "auto", "compile the step with XLA; auto: on GPUs only", 'True, False or "auto"', accepted.xla
    )
    workers: int | None = whole(None, "threads that read crops; None is one for each core", 1, optional=True)

    # Prediction, scores and files.
    tile: int = whole(224, "side of the tiles that are predicted; a multiple of 32", 1, unit="px")
    margin: int = whole(16, "at a tile's edge, that does not count", 0, unit="px")
    tolerance: float = real(3.0, "of the surface Dice of a folder's images; it is 1 px for scenes", 0.0, unit=UNIT)
    output: str = other(
        "reports/run", "folder of all files of the run; a relative path starts at the repository", "a path", path_name
    )

    def __post_init__(self):
        parameters.check(self)
        rules.check(self)

    @property
    def uses_unlabelled(self):
        """Whether the method learns from images without a label."""
        return self.method in TEACHING

    @property
    def weight(self):
        """Of the loss of images without a label, at the end of its ramp."""
        usual = METHODS[self.method].weight
        return usual if self.consistency_weight is None else self.consistency_weight

    @property
    def is_named(self):
        """Whether the data are scenes that go by a name or a number, in no file of the user's."""
        name = str(self.data).strip()
        return name == "sample" or name.isdecimal() or NUCLEI.fullmatch(name) is not None

    @property
    def data_path(self):
        """Where the data lie, if not `is_named`: below the repository, or else below the folder of full data sets."""
        here = REPOSITORY / str(self.data)
        return here if here.exists() else data_folder() / str(self.data)

    @property
    def is_folder(self):
        """Whether the data are a folder of images or volumes and masks, not scenes."""
        return not self.is_named and self.data_path.is_dir() and not (self.data_path / "combined.npy").exists()

    @property
    def has_volumes(self):
        """Whether the data are a folder of volumes and masks; see `holds_volumes`."""
        return self.is_folder and holds_volumes(self.data_path)

    @property
    def has_unlabelled(self):
        """Whether the folder of the data holds images or volumes without a mask."""
        return self.is_folder and (self.data_path / UNLABELLED).is_dir()

    @property
    def folder(self):
        """The output folder as a Path."""
        return REPOSITORY / self.output
