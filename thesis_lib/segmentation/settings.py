"""The parameters of a segmentation training: what each means, what it accepts, and which belong together."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thesis_lib import checks, parameters
from thesis_lib.annotation.simulated import ANNOTATORS
from thesis_lib.data.patches import checked_scale
from thesis_lib.data.reading import as_name, path_name
from thesis_lib.data.splits import NUCLEI
from thesis_lib.data.volume_splits import holds_volumes
from thesis_lib.data.volumes import checked_spacing
from thesis_lib.models.deeplab import check as check_deeplab
from thesis_lib.models.unet import symmetric
from thesis_lib.parameters import boolean, choice, other, real, whole
from thesis_lib.paths import REPOSITORY, data_folder
from thesis_lib.segmentation import methods, tiles
from thesis_lib.segmentation.methods import METHOD_SETTINGS, METHODS
from thesis_lib.segmentation.networks import NETWORKS
from thesis_lib.semi_supervised.ramps import MOST_WEIGHT
from thesis_lib.targets.losses import CLASS_WEIGHTS
from thesis_lib.targets.objectives import IN_PIXELS, OBJECTIVES
from thesis_lib.training.callbacks import KEPT
from thesis_lib.training.optimization import SCHEDULES, use_xla

PRIORS = ("known", "fitted", "population", "measured")
UNIT = "px, or mm in volumes"
CROP = 96  # px, where `crop` is left out
SHORTEST = 4  # voxels, of a side of the crops of volumes
OF_SCENES = (
    "train_scenes",
    "validation_scenes",
    "test_scenes",
    "annotator",
    "annotator_parameters",
    "prior_scenes",
    "class_weights",
    "augment",
)
OF_FOLDER = ("classes", "background", "unknown", "folds", "fold", "annotators", "judge", "gold_images")
OF_RASTERS = (
    *OF_FOLDER,
    "workers",
    "tile",
    "margin",
    "tolerance",
)
OF_VOLUMES = ("spacing", "scale")
NOT_OF_VOLUMES = (
    *OF_SCENES,
    *("classes", "unknown", "folds", "fold"),
    *("tile", "margin", "method", "network"),
)
VOLUME_OBJECTIVES = tuple(name for name in OBJECTIVES if name not in (*IN_PIXELS, "spatially_varying"))
OF_DATA = (  # what is read and measured depends on these
    "data",
    *OF_SCENES[:3],
    *OF_FOLDER,
    "labelled",
    "search_radius",
)
# At their defaults, a training is what it was before there were any.
LATER = ("folds", "fold", "judge", "bias_against", "keep", "method", "labelled", *METHOD_SETTINGS, *OF_VOLUMES)
OF_SCORING = ("margin", "tolerance", "workers", "output")  # what the trained weights do not depend on


def _names(name, value):
    """A list of different names; a single name is a list of one."""
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    names = [as_name(name, one, "a list of names") for one in values]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{name} must be a list of different names; got {value!r}")
    return names


def _mapping(name, value):
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a mapping; got {value!r}")
    return value


def _data(name, value):
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be 'sample', a number of scenes, or a path; got {value!r}")
    return value


def _mask_folder(name, value):
    return as_name(name, value, "the name of an annotator's mask folder")


def _rates(name, value):
    rates = list(value) if isinstance(value, (list, tuple)) else [value]
    check_deeplab(rates, 0.0)
    return rates


def _crop(name, value):
    if isinstance(value, (list, tuple)):
        return list(checks.lengths(name, value, 3, "a number, or voxels along depth, height and width", SHORTEST))
    return checks.integer(name, value, 1)


def _spacing(name, value):
    return list(checked_spacing(name, value))


def _scale(name, value):
    scale = checked_scale(value)
    return scale if isinstance(scale, str) else list(scale)


def _xla(name, value):
    use_xla(value)
    return value


@dataclass(frozen=True)
class Settings:
    """The fields of `Run`, checked when it is made."""

    data: str | int = other(
        "sample",
        "training, validation and test images; a relative path starts at the repository, or else, for a folder of "
        "images or volumes and masks, at THESIS_DATA",
        '"sample", a number of scenes of the full data, an .npz file, or a folder: of M2NIST, of images and masks, of '
        "volumes and masks, or of nnU-Net",
        _data,
    )
    train_scenes: int | None = whole(None, "use the first so many training scenes", 1, optional=True)
    validation_scenes: int | None = whole(None, "use the first so many validation scenes", 1, optional=True)
    test_scenes: int | None = whole(None, "use the first so many test scenes", 1, optional=True)
    classes: list | None = other(
        None, "classes of a folder to tell apart, all others together as class 0", "names", _names, optional=True
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

    annotator: str = choice("none", "simulated annotator who draws the labels of scenes", ANNOTATORS)
    annotator_parameters: dict = other({}, "its parameters, such as sigma in px", "a mapping", _mapping)
    annotators: list | None = other(
        None, 'mask folders to train on: "a" is masks_a/; None is all but the judge\'s', "names", _names, optional=True
    )
    judge: str | None = other(
        None,
        'mask folder that test images are judged by: "a" is masks_a/; validation is then by the masks to train on; '
        "None: plain masks judge both",
        "a name",
        _mask_folder,
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
    prior_sigma: float | None = real(None, "standard deviation of drawn boundaries", 0.0, unit=UNIT, optional=True)
    prior_mean: float = real(
        0.0, "their bias, positive outside; objectives with a prior take it out", -np.inf, unit=UNIT
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
        10.0, "largest displacement that is measured; at least four sigma", 0.5, 1000.0, unit=UNIT
    )

    objective: str = choice("forward", "what is optimised", OBJECTIVES)
    magnitude: float = real(0.9, "weight that smoothing keeps on the drawn class", 0.0, 1.0, open_low=True)
    class_weights: str = choice("uniform", "weights of the pixels drawn as each class", CLASS_WEIGHTS)

    method: str = choice("supervised", "how training images without a label are used, if at all", METHODS)
    labelled: int | None = whole(
        None, "the first so many training images carry labels, the others none; None: all do", 1, optional=True
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
        [6, 12, 18], "of the atrous convolutions, in cells of 32 px", "whole numbers from 1", _rates
    )
    momentum: float = real(0.9, "of DeepLabV3+'s batch normalisation", 0.0, 0.9999)

    epochs: int = whole(16, "passes over the training images", 1)
    batch_size: int = whole(8, "scenes or crops a step", 1)
    crop: int | list | None = other(
        None,
        "side of the training crops; None: whole scenes, 96 px of a folder's images, 64 voxels or less of volumes",
        "a whole number from 1, of volumes from 4 or three of these",
        _crop,
        optional=True,
        unit="px or voxels",
    )
    crops_per_image: int = whole(1, "crops of each image in an epoch", 1)
    spacing: list | None = other(
        None,
        "to which volumes are resampled; None: their own, which must then be the same for all",
        "three numbers, along depth, height and width",
        _spacing,
        optional=True,
        unit="mm",
    )
    scale: str | list | None = other(
        None,
        "how values of volumes are scaled: each channel to one mean and standard deviation, or what lies between two "
        "values, such as those of a CT, to 0-255; None is standard",
        '"standard" or [low, high]',
        _scale,
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
    xla: bool | str = other("auto", "compile the step with XLA; auto: on GPUs only", 'True, False or "auto"', _xla)
    workers: int | None = whole(None, "threads that read crops; None is one for each core", 1, optional=True)

    tile: int = whole(224, "side of the tiles that are predicted; a multiple of 32", 1, unit="px")
    margin: int = whole(16, "at a tile's edge, that does not count", 0, unit="px")
    tolerance: float = real(3.0, "of the surface Dice of a folder's images; it is 1 px for scenes", 0.0, unit=UNIT)
    output: str = other(
        "reports/run", "folder of all files of the run; a relative path starts at the repository", "a path", path_name
    )

    def __post_init__(self):
        parameters.check(self)
        if self.resnet_depth not in (18, 50, 101):
            raise ValueError(f"resnet_depth must be 18, 50 or 101; got {self.resnet_depth!r}")
        symmetric(self.width, self.depth)
        tiles.check(self.tile, self.margin, max(self.margin, 1))
        is_there = self.is_named or self.data_path.exists()
        if self.has_volumes:
            self._check_of_volumes()
        elif self.is_folder:
            parameters.refuse(self, (*OF_SCENES, *OF_VOLUMES), "where the data are a folder of images and masks")
        elif is_there:  # else reading the data says what is accepted
            parameters.refuse(self, (*OF_RASTERS, *OF_VOLUMES), "where the data are scenes")
        if isinstance(self.crop, list) and is_there and not self.has_volumes:
            raise ValueError(f"crop must be one number where the data are no volumes; got {self.crop!r}")
        if self.folds is None:
            parameters.refuse(self, ["fold"], "without folds")
        else:
            checks.integer("fold", self.fold, 0, self.folds - 1)
        others = {name for network in NETWORKS.values() for name in network.settings}
        own = NETWORKS[self.network].settings
        parameters.refuse(self, others - set(own), f"for the network {self.network}, which does not have it")
        methods.check(self)
        if not self.is_folder and self.crop is None:
            parameters.refuse(self, ["crops_per_image"], "where whole scenes are learned, without a crop")
        if not self.is_folder and self.crop is not None:
            parameters.refuse(self, ["augment"], "beside a crop, which is mirrored and turned anyway")
        if self.is_folder and self.folder.resolve() == self.data_path.resolve():
            raise ValueError(f"output must be another folder than data; got {self.output!r} for both")

    def _check_of_volumes(self):
        parameters.refuse(self, NOT_OF_VOLUMES, "where the data are volumes")
        checks.one_of("objective where the data are volumes", self.objective, VOLUME_OBJECTIVES)
        if isinstance(self.crop, int):
            checks.integer("crop where the data are volumes", self.crop, SHORTEST)

    @property
    def uses_unlabelled(self):
        """Whether the method learns from images without a label."""
        return self.method != "supervised"

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
    def folder(self):
        """The output folder as a Path."""
        return REPOSITORY / self.output
