"""Images with a class each, split into training, validation and test images."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from thesis_lib import checks, paths
from thesis_lib.data import archive, digits
from thesis_lib.data.groups import TABLE as GROUPS
from thesis_lib.data.groups import declared, digest, fill, joined, of_copies, together, warn_of_known_test_images
from thesis_lib.data.image_table import TABLE, ImageTable, check_images, load_image_table
from thesis_lib.data.near_duplicates import warn_of_near_duplicates
from thesis_lib.data.reading import hint_of_papermill, item_numbers
from thesis_lib.data.splits import counts

NAMES = ("digits", "faces", "mnist", "cifar10", "svhn")
FACES = paths.REPOSITORY / "sample_data" / "faces"
DIGITS = tuple("0123456789")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
VALIDATION_IMAGES = 5000  # of the full sets, which come with test images of their own


@dataclass(frozen=True)
class Images:
    """Images and their labels.

    Args:
        images: uint8 array (N, H, W, C), or an ImageTable that reads such images.
        labels: int (N,), -1 for images without one.
    """

    images: object
    labels: np.ndarray

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, numbers):
        images = self.images[numbers] if isinstance(self.images, np.ndarray) else self.images.part(numbers)
        return Images(images, self.labels[numbers])

    def view(self, numbers):
        """The same as images[numbers], numbers an int array, but an array of images is not copied."""
        numbers = item_numbers("numbers", numbers, len(self))
        if isinstance(self.images, np.ndarray):
            return Images(_View(self.images, numbers), self.labels[numbers])
        return self[numbers]


class _View:
    """Some images of an array (N, H, W, C), copied only as they are asked for."""

    def __init__(self, images, numbers):
        self.images, self.numbers = images, numbers
        self.dtype = images.dtype

    def __len__(self):
        return len(self.numbers)

    @property
    def shape(self):
        return (len(self), *self.images.shape[1:])

    def __getitem__(self, numbers):
        return self.images[self.numbers[numbers]]


@dataclass(frozen=True)
class ImageSplits:
    """Disjoint training, validation and test images; training images may lack labels.

    Args:
        train, validation, test: Images.
        class_names: K names; label k is class_names[k].
    """

    train: Images
    validation: Images
    test: Images
    class_names: tuple

    @property
    def image_shape(self):
        """(H, W, C)."""
        return tuple(self.train.images.shape[1:])

    def check(self):
        """Decode every image in a file once, so that no training ends by a damaged one: see `check_images`.

        A warning names images of different parts that look alike, as one does that was saved again or resized.
        """
        tables = {"train": self.train.images, "validation": self.validation.images, "test": self.test.images}
        tables = {part: table for part, table in tables.items() if isinstance(table, ImageTable)}
        if tables:
            looks = sum(check_images(tables.values()), [])
            names = [name for table in tables.values() for name in table.files]
            parts = [part for part, table in tables.items() for _ in table.files]
            warn_of_near_duplicates(names, looks, parts, f"{TABLE}, or of {GROUPS} beside folders of classes")


def load_images(data="digits", seed=0, size=(32, 32), mode="RGB", **columns):
    """Images for classification, split into training, validation and test images.

    Args:
        data: one of
            "digits": scikit-learn's 1,797 bundled digits, enlarged to 16 x 16;
            "faces": 100 small faces that ship with the project, half of them with a mask;
            "mnist", "cifar10", "svhn": the full sets. MNIST and CIFAR-10 come through Keras (MNIST also from
                `mnist.npz`), SVHN from train_32x32.mat and test_32x32.mat; files lie under THESIS_DATA. Their own test
                images are the test images, with a warning where some are training images, too; 5,000 of the others,
                drawn with `seed`, are the validation images;
            a path to a folder or zip file with a table of labels or a folder for each class, see `load_image_table`; a
                relative path starts at the repository.
        seed: of the split. Files and digits are split 70 / 15 / 15% within each class; images without a label are
            training images. Files that are copies of each other, byte for byte, stay in one part, and so do images of
            one group, where the table has a column `group`. Where it has a column `split`, nothing is drawn; copies
            are then left out of training where validation or test images have them.
        size, mode, columns: of `load_image_table`, for a path.

    Returns:
        ImageSplits.

    Raises:
        ValueError, FileNotFoundError: if `data` is none of these, or holds fewer than 3 images of a class.

    Example:
        >>> splits = load_images("my_photographs", size=(64, 64))  # a folder with labels.csv (columns file, label)
        >>> splits.train.images[:10], splits.train.labels[:10], splits.class_names
    """
    checks.integer("seed", seed, 0)
    if not isinstance(data, (str, Path)) or not str(data):
        raise ValueError(f"data must be one of {', '.join(NAMES)}, or a path; got {checks.shown(data)}")
    if data == "digits":
        return _split(Images(*bundled_digits()), DIGITS, seed)
    if data == "faces":
        return _split_table(load_image_table(FACES, size=(32, 32), mode="L"), seed)
    if data == "mnist":
        return _with_test_images("MNIST", *digits.mnist(), DIGITS, seed)
    if data == "cifar10":
        return _with_test_images("CIFAR-10", *cifar10(), CIFAR10, seed)
    if data == "svhn":
        return _with_test_images("SVHN", *svhn(), DIGITS, seed)
    path = paths.REPOSITORY / data
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"data must be one of {', '.join(NAMES)}, or a folder or zip file of images; "
            f"got {str(data)!r}, which is none of these and does not exist in {paths.REPOSITORY}"
            + hint_of_papermill(str(data))
        )
    path = archive.folder_or_zip("data", path)
    return _split_table(load_image_table(path, size=size, mode=mode, **columns), seed)


def bundled_digits():
    """scikit-learn's digits, enlarged: uint8 images (1797, 16, 16, 1), labels (1797,)."""
    from sklearn import datasets  # slow to import, and only needed here

    bundled = datasets.load_digits()
    grey = np.rint(bundled.images * (255 / 16)).astype(np.uint8)
    large = [np.asarray(Image.fromarray(image).resize((16, 16), Image.Resampling.BILINEAR)) for image in grey]
    return np.stack(large)[..., None], bundled.target.astype(int)


def cifar10():
    """CIFAR-10 through `keras.datasets`, which downloads it once.

    Returns:
        ((images, labels), (test images, test labels)): uint8 (n, 32, 32, 3) and (n,).
    """
    from keras.datasets import cifar10 as keras_cifar10

    try:
        return tuple((images, labels.ravel()) for images, labels in keras_cifar10.load_data())
    except Exception as error:
        raise FileNotFoundError(
            f"CIFAR-10 is not in Keras's folder ~/.keras/datasets, nor could Keras download it ({error})"
        ) from error


def svhn():
    """SVHN's cropped digits from train_32x32.mat and test_32x32.mat under THESIS_DATA.

    Returns:
        ((images, labels), (test images, test labels)): uint8 (n, 32, 32, 3) and int (n,).
    """
    return tuple(_svhn_part(paths.data_folder() / name) for name in ("train_32x32.mat", "test_32x32.mat"))


def _svhn_part(path):
    from scipy.io import loadmat

    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there; SVHN's cropped digits (ufldl.stanford.edu/housenumbers) belong there"
        )
    try:
        content = loadmat(path, variable_names=("X", "y"))
        images, labels = content["X"], content["y"].ravel() % 10  # the digit 0 is called 10
    except Exception as error:  # SciPy raises many kinds for damaged files
        raise ValueError(f"{path} must be a MATLAB file with X (32, 32, 3, n) and y: {error}") from error
    if images.ndim != 4 or images.shape[3] != len(labels):
        raise ValueError(f"{path} must hold X (32, 32, 3, n) and as many y; got {images.shape} and {len(labels)}")
    return np.ascontiguousarray(images.transpose(3, 0, 1, 2)), labels.astype(int)


def _with_test_images(name, train, test, class_names, seed):
    """Split a set that comes with test images: two pairs (images, labels), grey images without an axis of channels.

    Training images that are copies of each other stay in one part.
    """
    parts = []
    for images, labels in (train, test):
        parts.append(Images(images if images.ndim == 4 else images[..., None], labels.astype(int)))
    warn_of_known_test_images(name, train[0], test[0])
    order = np.random.default_rng(seed).permutation(len(parts[0]))
    copies = joined(of_copies([digest(image) for image in train[0]]))
    validation, train = fill(order, copies, [VALIDATION_IMAGES, len(order) - VALIDATION_IMAGES])
    return ImageSplits(parts[0][train], parts[0][validation], parts[1], class_names)


def _split_table(table, seed):
    """The ImageSplits of an ImageTable: as its column `split` says, or at random with groups and copies together."""
    images, digests = Images(table, table.labels), table.digests()
    if table.parts is not None:
        parts = declared(table.parts, table.groups, digests, table.files)
        for part in ("validation", "test"):
            unlabelled = parts[part][table.labels[parts[part]] < 0]
            if len(unlabelled):
                raise ValueError(f"images of split {part} must have a label; {table.files[unlabelled[0]]!r} has none")
        return ImageSplits(*(images[numbers] for numbers in parts.values()), table.class_names)
    return _split(images, table.class_names, seed, together(digests, table.files, table.groups, labels=table.labels))


def _split(images, class_names, seed, groups=None):
    """Split 70 / 15 / 15% within each class, so that small classes are in every part.

    Args:
        images: Images.
        class_names: K names.
        seed: of the order.
        groups: int (N,); images of one group go to one part. None: each image is a group of its own.

    Returns:
        ImageSplits; training images without a label whose group is in another part are left out.
    """
    generator = np.random.default_rng(seed)
    groups = np.arange(len(images)) if groups is None else groups
    orders = [generator.permutation(np.flatnonzero(images.labels == k)) for k in range(len(class_names))]
    different = [len(np.unique(groups[order])) for order in orders]
    for name, order, count in zip(class_names, orders, different):
        if count < 3:
            in_groups = f", in {count} groups" if count < len(order) else ""
            raise ValueError(
                "data must hold at least 3 images of each class, to train, validate and test; "
                f"{name!r} has {len(order)}{in_groups}"
            )
    parts, part_of = ([], [], []), {}
    for k in np.argsort(different, kind="stable"):  # a class of few groups has the least choice
        placed = np.array([part_of.get(group, -1) for group in groups[orders[k]]])
        sizes, filled = counts(len(placed)), [(placed == part).sum() for part in range(3)]
        for part, numbers in enumerate(fill(orders[k][placed < 0], groups, sizes, filled)):
            parts[part].extend([orders[k][placed == part], numbers])
            part_of |= dict.fromkeys(groups[numbers].tolist(), part)
            if not len(numbers) and not filled[part]:
                raise ValueError(f"groups must leave each class in every part; {class_names[k]!r} is not in all")
    unlabelled = np.flatnonzero(images.labels < 0)
    is_free = np.array([part_of.get(group, 0) == 0 for group in groups[unlabelled]], bool)
    if not is_free.all():
        count = (~is_free).sum()
        warnings.warn(f"{count} unlabelled images are left out: validation or test has their group", stacklevel=4)
    parts[0].append(unlabelled[is_free])
    return ImageSplits(*(images[np.sort(np.concatenate(part))] for part in parts), class_names)
