"""Images with a class each, split: what the notebooks on few labels call `data`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from thesis_lib import checks, paths
from thesis_lib.data import digits
from thesis_lib.data.image_table import ImageTable, load_image_table
from thesis_lib.data.splits import counts

NAMES = ("digits", "faces", "mnist", "cifar10", "svhn")
FACES = paths.REPOSITORY / "sample_data" / "faces"


@dataclass(frozen=True)
class Images:
    """Images (uint8 array (N, H, W, C), or an ImageTable that reads them) and their labels, int (N,), -1 for none."""

    images: object
    labels: np.ndarray

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, numbers):
        images = self.images[numbers] if isinstance(self.images, np.ndarray) else self.images.part(numbers)
        return Images(images, self.labels[numbers])

    def view(self, numbers):
        """As images[numbers], numbers an int array, without a copy of an array."""
        return (
            Images(View(self.images, numbers), self.labels[numbers])
            if isinstance(self.images, np.ndarray)
            else self[numbers]
        )


class View:
    """Some images of an array (N, H, W, C), copied only as they are asked for."""

    def __init__(self, images, numbers):
        self.images, self.numbers = images, numbers

    def __len__(self):
        return len(self.numbers)

    @property
    def shape(self):
        return (len(self), *self.images.shape[1:])

    def __getitem__(self, numbers):
        return self.images[self.numbers[numbers]]


@dataclass(frozen=True)
class ImageSplits:
    """Disjoint images to train on, to select by, and to judge with; those to train on may lack labels."""

    train: Images
    validation: Images
    test: Images
    class_names: tuple

    @property
    def image_shape(self):
        return tuple(self.train.images.shape[1:])

    def check(self):
        """Decode every image in a file once, so that no training ends by a damaged one: see `ImageTable.check`."""
        for part in (self.train, self.validation, self.test):
            if isinstance(part.images, ImageTable):
                part.images.check()


def load_images(data="digits", seed=0, size=(32, 32), mode="RGB", **columns):
    """Images for classification, split.

    Args:
        data: one of
            "digits": scikit-learn's 1,797 bundled digits, enlarged to 16 x 16;
            "faces": 100 small faces that ship with the project, half of them with a mask;
            "mnist", "cifar10", "svhn": the full sets: MNIST and CIFAR-10 through Keras (MNIST also from `mnist.npz`), SVHN from
                train_32x32.mat and test_32x32.mat; files lie under THESIS_DATA. Their own test images judge;
                5,000 of the others, drawn with `seed`, select;
            a path to a folder or zip file with a table of labels, see `load_image_table`; a relative one starts at the repository.
        seed: of the split; files and digits are split 70 / 15 / 15%, images without a label all train.
        size, mode, columns: of `load_image_table`, for a path.

    Returns:
        Splits.
    """
    checks.integer("seed", seed, 0)
    if data in ("mnist", "cifar10", "svhn"):
        (images, labels), (test_images, test_labels) = {"mnist": digits.mnist, "cifar10": cifar10, "svhn": svhn}[data]()
        order = np.random.default_rng(seed).permutation(len(images))
        validation, train = order[:5000], order[5000:]
        whole, names = (
            Images(_with_channels(images), labels.astype(int)),
            CIFAR10 if data == "cifar10" else tuple("0123456789"),
        )
        return ImageSplits(
            whole[train], whole[validation], Images(_with_channels(test_images), test_labels.astype(int)), names
        )
    if data == "digits":
        return _random(Images(*bundled_digits()), tuple("0123456789"), seed)
    if data == "faces":
        table = load_image_table(FACES, size=(32, 32), mode="L")
    elif isinstance(data, (str, Path)):
        path = paths.REPOSITORY / data
        if not path.exists():
            raise FileNotFoundError(
                f"data must be one of {', '.join(NAMES)}, or a folder or zip file of images; got {str(data)!r}, which is none of these"
            )
        table = load_image_table(path, size=size, mode=mode, **columns)
    else:
        raise ValueError(f"data must be one of {', '.join(NAMES)}, or a path; got {data!r}")
    return _random(Images(table, table.labels), table.class_names, seed)


CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def bundled_digits(size=16):
    """scikit-learn's digits, enlarged: uint8 images (1797, size, size, 1), labels (1797,)."""
    from sklearn import datasets  # slow to import, and only needed here

    bundled = datasets.load_digits()
    grey = np.rint(bundled.images * (255 / 16)).astype(np.uint8)
    large = [np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)) for image in grey]
    return np.stack(large)[..., None], bundled.target.astype(int)


def cifar10():
    """CIFAR-10 through `keras.datasets`, which downloads it once: ((images, labels), (images, labels)), (n, 32, 32, 3) and (n,)."""
    from keras.datasets import cifar10 as keras_cifar10

    try:
        return tuple((images, labels.ravel()) for images, labels in keras_cifar10.load_data())
    except Exception as error:
        raise FileNotFoundError(
            f"CIFAR-10 is not in Keras's folder ~/.keras/datasets, nor could Keras download it ({error})"
        ) from error


def svhn():
    """SVHN's cropped digits from train_32x32.mat and test_32x32.mat under THESIS_DATA: ((images, labels), (images, labels))."""
    from scipy.io import loadmat

    found = []
    for name in ("train_32x32.mat", "test_32x32.mat"):
        path = paths.data_folder() / name
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
        found.append((np.ascontiguousarray(images.transpose(3, 0, 1, 2)), labels.astype(int)))
    return tuple(found)


def _with_channels(images):
    return images if images.ndim == 4 else images[..., None]


def _random(whole, class_names, seed):
    """Split 70 / 15 / 15% within each class, so that small classes are in every part; what has no label trains."""
    generator = np.random.default_rng(seed)
    parts = [[np.flatnonzero(whole.labels < 0)], [], []]
    for k in range(len(class_names)):
        order = generator.permutation(np.flatnonzero(whole.labels == k))
        if len(order) < 3:
            raise ValueError(
                f"data must hold at least 3 images of each class, to train, validate and test; {class_names[k]!r} has {len(order)}"
            )
        train, validation, _ = counts(len(order))
        for part, chosen in zip(parts, np.split(order, [train, train + validation])):
            part.append(chosen)
    return ImageSplits(*(whole[np.sort(np.concatenate(part))] for part in parts), class_names)
