"""The parameters of a training with few labels: what each means, what it accepts, and which fit together."""

from dataclasses import dataclass

from thesis_lib import checks
from thesis_lib.data.classification import NAMES
from thesis_lib.data.reading import as_name, path_name
from thesis_lib.models.resnet import BLOCKS
from thesis_lib.parameters import boolean, check, choice, other, real, refuse, whole
from thesis_lib.paths import REPOSITORY
from thesis_lib.semi_supervised.methods import METHODS
from thesis_lib.semi_supervised.networks import NETWORKS
from thesis_lib.semi_supervised.ramps import MOST_WEIGHT

OF_SPLIT = ("group_column", "split_column")
OF_TABLE = ("table", "file_column", "label_column", *OF_SPLIT, "skip_damaged")  # of a folder or zip file, as is size
OF_FILES = (*OF_TABLE, "workers", "output")  # in no row


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The fields of `Run`, checked when it is made."""

    # The images.
    data: str = other(
        "digits", "the images", f"one of {', '.join(NAMES)}, or the path of a folder or zip file", path_name
    )
    size: int = whole(32, "side to which images of a folder or zip file are resized", 8, unit="px")
    table: str = other("labels.csv", "the table of images in a folder or zip file", "a file's name", as_name)
    file_column: str = other("file", "the table's column of file names", "a column's name", as_name)
    label_column: str = other("label", "the table's column of labels, empty for no label", "a column's name", as_name)
    group_column: str | None = other(
        "group",
        "the table's column of what images have in common, such as a patient, if there is one: those of one group stay "
        "in one part (None: it does not count)",
        "a column's name",
        as_name,
        optional=True,
    )
    split_column: str | None = other(
        "split",
        "the table's column of train, validation or test, if there is one (None: it does not count)",
        "a column's name",
        as_name,
        optional=True,
    )
    skip_damaged: bool = boolean(False, "leave out images that cannot be read, with a warning, instead of an error")

    # The method and the network.
    method: str = choice("mean_teacher", "the method", METHODS)
    network: str = choice("mlp_dropout", "the classifier", NETWORKS)

    # Which images carry labels.
    labels: int | None = whole(50, "number of images that keep their label (None: all)", 1, optional=True)
    unlabelled: int | None = whole(None, "number of the other images that are used (None: all)", 1, optional=True)
    seed: int = whole(0, "draws the labelled images, the first weights and the order", 0, 2**32 - 1)

    # The training.
    epochs: int = whole(40, "passes over the unlabelled images", 1)
    batch_size: int = whole(25, "labelled images a step, at most as many as there are", 1)
    unlabelled_batch_size: int = whole(100, "unlabelled images a step, at most as many as there are", 1)
    learning_rate: float = real(0.003, "of Adam, falling to zero along a cosine", 0.0, open_low=True)
    weight: float | None = real(
        None, "of the unsupervised loss at the end of its ramp (None: usual)", 0.0, MOST_WEIGHT, optional=True
    )
    ramp: float = real(0.5, "share of the training after which the weight is whole", 0.0, 1.0, open_low=True)
    decay: float = real(0.95, "of the EMA of the weights (mean teacher, MixMatch, FixMatch)", 0.0, 1.0, open_high=True)

    # The random variation of the images.
    shift: float = real(0.1, "largest random translation, as a share of the image", 0.0, 1.0)
    noise: float = real(0.0, "standard deviation of Gaussian noise on the pixels", 0.0, 255.0)
    mirror: bool = boolean(False, "mirror images at random")

    # The network's sizes and first weights.
    width: int | None = whole(
        None,
        "units of an mlp's hidden layer, filters of the first layer of convnet13 or small_convnet, factor of "
        "wide_resnet, depth of resnet (None: the network's usual one)",
        1,
        optional=True,
    )
    dropout: float | None = real(
        None,
        "rate of mlp_dropout, mlp_dropout_dae, convnet13 or small_convnet (None: the network's usual one)",
        0.0,
        1.0,
        open_high=True,
        optional=True,
    )
    weights: str | None = other(None, "of resnet (None: random)", '"imagenet" or a folder', optional=True)
    pretraining_epochs: int = whole(10, "of the auto-encoder of mlp_dropout_dae", 1)

    # Reading and files.
    workers: int | None = whole(None, "threads that read images from files (None: one a core)", 1, optional=True)
    output: str | None = other(
        None,
        "folder of model.keras, log.csv and row.json; a relative path starts at the repository (None: none is written)",
        "a folder's name",
        path_name,
        optional=True,
    )

    def __post_init__(self):
        check(self)
        if self.weight is None:
            object.__setattr__(self, "weight", METHODS[self.method].weight)
        if self.width is None:
            object.__setattr__(self, "width", NETWORKS[self.network].width)
        _check_together(self)

    @property
    def dropout_rate(self):
        """The network's rate of dropout: the one that was given, or its usual one."""
        return NETWORKS[self.network].dropout if self.dropout is None else self.dropout

    @property
    def folder(self):
        """The output folder as a Path."""
        return REPOSITORY / self.output


def _check_together(run):
    """Raise ValueError for the first of a run's settings that does not fit the others; each is valid by itself."""
    if run.labels is not None:
        checks.integer("batch_size", run.batch_size, 1, run.labels, of="labelled images")
    if run.unlabelled is not None:
        checks.integer("unlabelled_batch_size", run.unlabelled_batch_size, 1, run.unlabelled, of="unlabelled images")
    if run.data in NAMES:
        refuse(run, ("size", *OF_TABLE), "where the data are no folder or zip file")
    if NETWORKS[run.network].dropout is None and run.dropout is not None:
        raise ValueError(
            f"dropout must be None for the network {run.network}, which has none to choose; got {run.dropout!r}"
        )
    if run.network == "resnet" and run.width not in BLOCKS:
        depths = ", ".join(map(str, BLOCKS))
        raise ValueError(f"width of a resnet is its depth, one of {depths}; got {run.width!r}")
    is_name = isinstance(run.weights, str) and run.weights
    if run.weights is not None and (run.network != "resnet" or not is_name):
        raise ValueError(
            'weights must be None, or for the network resnet "imagenet" or a folder; '
            f"got {run.weights!r} for {run.network}"
        )
