"""Few labels: which images keep their label, and batches of labelled and unlabelled images."""

import keras
import numpy as np

from thesis_lib import checks


def choose_labelled(labels, count, seed):
    """Choose the images that keep their label, as evenly over the classes as `count` allows.

    Args:
        labels: int (N,), -1 for images without a label.
        count: number of images to choose, at least one for each class that occurs.
        seed: of the choice.

    Returns:
        sorted int array (count,) of their indices.

    Raises:
        ValueError: if there are fewer labelled images than `count`, or a class has too few.
    """
    labels = _whole_numbers(labels)
    classes = np.unique(labels[labels >= 0])
    if not len(classes):
        raise ValueError("labels must hold a label for some images; none has one")
    count = checks.integer(
        "count of labelled images", count, len(classes), int((labels >= 0).sum()), of="labels of 0 or more"
    )
    generator = np.random.default_rng(checks.integer("seed", seed, 0))
    extra = set(generator.choice(classes, count % len(classes), replace=False).tolist())
    chosen = []
    for k in classes:
        wanted = count // len(classes) + (int(k) in extra)
        candidates = np.flatnonzero(labels == k)
        if len(candidates) < wanted:
            raise ValueError(
                "count of labelled images must leave each class enough: "
                f"{count} asks for {wanted} of class {k}, of which there are {len(candidates)} labels"
            )
        chosen.append(generator.choice(candidates, wanted, replace=False))
    return np.sort(np.concatenate(chosen))


def _whole_numbers(labels):
    found = checks.array("labels", labels)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise ValueError(f"labels must be whole numbers of shape (N,); got shape {found.shape}, {found.dtype}")
    return found


class Batches(keras.utils.PyDataset):
    """What a method of `thesis_lib.semi_supervised` is fitted on: each batch holds labelled and unlabelled images.

    An epoch shows every unlabelled image once, in an order drawn anew, but for a last part that fills no batch. The
    labelled images are shown over and over: from epoch to epoch each is shown as often as the others. Images are taken
    from the arrays, or read from files, a batch at a time.

    Args:
        labelled: uint8 images (L, H, W, C): an array, or an object with a length that takes an array of indices, like
            `ImageTable`.
        labels: int (L,), their classes, 0 or more.
        unlabelled: images likewise (U, H, W, C).
        batch_size: labelled images a batch, 1 to L.
        unlabelled_batch_size: unlabelled images a batch, 1 to U.
        seed: of the order.
        options: of `keras.utils.PyDataset`, such as workers=4, for images that are read from files.

    Raises:
        ValueError: naming the argument whose shape, type or range is wrong.
    """

    def __init__(self, labelled, labels, unlabelled, batch_size, unlabelled_batch_size, seed=0, **options):
        super().__init__(**options)
        for name, images in (("labelled", labelled), ("unlabelled", unlabelled)):
            if len(getattr(images, "shape", ())) != 4:
                got = f"shape {tuple(images.shape)}" if hasattr(images, "shape") else type(images).__name__
                raise ValueError(f"{name} must be images (N, H, W, C); got {got}")
        labels = checks.array("labels", labels)
        if not len(labelled) or labels.shape[:1] != (len(labelled),):
            raise ValueError(
                f"labelled and labels must be as many, and not empty; got {len(labelled)} and {labels.size}"
            )
        self.labels = _whole_numbers(labels)
        if self.labels.min() < 0:
            raise ValueError("labels must be classes, 0 or more; got an image without a label among the labelled ones")
        if not len(unlabelled) or tuple(unlabelled.shape[1:]) != tuple(labelled.shape[1:]):
            raise ValueError(
                "unlabelled must be images of the shape of the labelled ones, "
                f"{tuple(labelled.shape[1:])}, and not empty; got {tuple(unlabelled.shape)}"
            )
        self.labelled, self.unlabelled = labelled, unlabelled
        self.batch_size = checks.integer("batch_size", batch_size, 1, len(labelled), of="labelled images")
        self.unlabelled_batch_size = checks.integer(
            "unlabelled_batch_size", unlabelled_batch_size, 1, len(unlabelled), of="unlabelled images"
        )
        self.seed = checks.integer("seed", seed, 0)
        self.start(-1)

    def __len__(self):
        return len(self.unlabelled) // self.unlabelled_batch_size

    def __getitem__(self, index):
        labelled = self.labelled_order[index * self.batch_size :][: self.batch_size]
        unlabelled = self.unlabelled_order[index * self.unlabelled_batch_size :][: self.unlabelled_batch_size]
        batch = {
            "labelled": self.labelled[labelled],
            "labels": self.labels[labelled],
            "labelled_index": labelled,
            "unlabelled": self.unlabelled[unlabelled],
            "unlabelled_index": unlabelled + len(self.labelled),
        }
        return (batch,)

    def start(self, epoch):
        """Take the order of an epoch, counted from 0, whatever was shown before.

        Epoch -1 is the order that Keras looks at before the first epoch.
        """
        epoch = checks.integer("epoch", epoch, -1)
        self.generator = np.random.default_rng(self.seed)
        self.labelled_order = np.empty(0, int)
        for _ in range(epoch + 2):
            self.on_epoch_end()

    def on_epoch_end(self):
        shown = len(self) * self.batch_size
        rest = self.labelled_order[shown:]  # of the last round, whose other images the last epoch showed
        rounds = -(-(shown - len(rest)) // len(self.labelled))
        orders = [self.generator.permutation(len(self.labelled)) for _ in range(rounds)]
        self.labelled_order = np.concatenate([rest, *orders])
        self.unlabelled_order = self.generator.permutation(len(self.unlabelled))
