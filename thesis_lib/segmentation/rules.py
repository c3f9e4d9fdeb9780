"""Which parameters of a segmentation training belong together: which mean something for which data, network and method.

`Settings` declares the parameters.
"""

from thesis_lib import checks, parameters
from thesis_lib.models.unet import symmetric
from thesis_lib.segmentation import methods, tiles
from thesis_lib.segmentation.accepted import REGIONS, SHORTEST
from thesis_lib.segmentation.methods import METHOD_SETTINGS
from thesis_lib.segmentation.networks import NETWORKS
from thesis_lib.targets.objectives import OBJECTIVES

RESNET_DEPTHS = (18, 50, 101)
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
OF_FOLDER = ("classes", "structures", "background", "unknown", "folds", "fold", "annotators", "judge", "gold_images")
OF_RASTERS = (*OF_FOLDER, "workers", "tile", "margin", "tolerance")
OF_VOLUMES = ("spacing", "scale")
NOT_OF_STRUCTURES = ("background",)  # each structure's is all that lies outside it
OF_EACH_STRUCTURE = ("prior_sigma", "prior_mean")  # one number for all, or a mapping with one for each
NOT_OF_VOLUMES = (*OF_SCENES, "classes", "unknown", "folds", "fold", "tile", "margin", "network")
VOLUME_OBJECTIVES = tuple(name for name in OBJECTIVES if name != "spatially_varying")
OF_COUNTS = "weighted_adjacent_prior"  # whose prior counts in sides of the voxels whose neighbours were counted
# What is read and measured depends on these.
OF_DATA = ("data", *OF_SCENES[:3], *OF_FOLDER, "labelled", "search_radius")
# The trained weights do not depend on these.
OF_SCORING = ("margin", "tolerance", "workers", "output")
# At their defaults, a training is what it was before there were any.
LATER = (
    *("structures", "folds", "fold", "judge", "bias_against", "keep", "method", "labelled"),
    *METHOD_SETTINGS,
    *OF_VOLUMES,
)


def stated(run, name, structure=None):
    """The number of one of OF_EACH_STRUCTURE; of a structure, its own where each has one."""
    value = getattr(run, name)
    return value[structure] if isinstance(value, dict) else value


def meaningless(run):
    """The fields that mean nothing for a run's data: (names, the data in words)."""
    if run.has_volumes:
        return NOT_OF_VOLUMES, "where the data are volumes"
    if run.is_folder:
        return (*OF_SCENES, *OF_VOLUMES), "where the data are a folder of images and masks"
    return (*OF_RASTERS, *OF_VOLUMES), "where the data are scenes"


def check(run):
    """Raise ValueError for the first of a run's settings that does not fit the others.

    Args:
        run: `Settings` whose fields are valid, each by itself.
    """
    if run.resnet_depth not in RESNET_DEPTHS:
        raise ValueError(f"resnet_depth must be 18, 50 or 101; got {run.resnet_depth!r}")
    symmetric(run.width, run.depth)
    tiles.check(run.tile, run.margin, max(run.margin, 1))
    if run.is_named or run.data_path.exists():  # else reading the data says what is accepted
        _check_data(run)
    _check_folds(run)
    others = {name for network in NETWORKS.values() for name in network.settings}
    own = NETWORKS[run.network].settings
    parameters.refuse(run, others - set(own), f"for the network {run.network}, which does not have it")
    methods.check(run)
    if run.structures is not None:
        parameters.refuse(run, NOT_OF_STRUCTURES, "where structures overlap: all outside a structure is its background")
    if run.structures != REGIONS:  # whose names are in a file of the data
        check_names(run, run.structures)
    _check_crop(run)
    if run.is_folder and run.folder.resolve() == run.data_path.resolve():
        raise ValueError(f"output must be another folder than data; got {run.output!r} for both")


def check_names(run, structures):
    """Raise ValueError for the first setting with a number for each structure that has not one for each.

    Args:
        run: `Settings`.
        structures: names of the structures, such as a dict's; None where classes exclude each other.
    """
    for name in OF_EACH_STRUCTURE:
        given = getattr(run, name)
        if not isinstance(given, dict):
            continue
        if structures is None:
            raise ValueError(f"{name} must be one number where no structures are given; got {checks.shown(given)}")
        for one in given:
            checks.one_of(f"a name in {name}", one, structures)
        missing = [one for one in structures if one not in given]
        if missing:
            raise ValueError(f"{name} must have a number for each structure; got none for {', '.join(missing)}")


def _check_data(run):
    """What the kind of the data refuses."""
    parameters.refuse(run, *meaningless(run))
    if run.has_volumes:
        checks.one_of("objective where the data are volumes", run.objective, VOLUME_OBJECTIVES)
        if run.objective == OF_COUNTS:
            parameters.refuse(run, ["spacing"], f"for the objective {OF_COUNTS}, which counts voxels as they are")
        if isinstance(run.crop, int):
            checks.integer("crop where the data are volumes", run.crop, SHORTEST)
    elif isinstance(run.crop, list):
        raise ValueError(f"crop must be one number where the data are no volumes; got {run.crop!r}")


def _check_folds(run):
    if run.folds is None:
        parameters.refuse(run, ["fold"], "without folds")
    else:
        checks.integer("fold", run.fold, 0, run.folds - 1)


def _check_crop(run):
    """Scenes are learned whole, or in crops; a folder's images and volumes always in crops."""
    if run.is_folder:
        return
    if run.crop is None:
        parameters.refuse(run, ["crops_per_image"], "where whole scenes are learned, without a crop")
    else:
        parameters.refuse(run, ["augment"], "beside a crop, which is mirrored and turned anyway")
