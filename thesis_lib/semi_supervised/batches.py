"""Few labels: which images keep theirs, and batches of labelled and unlabelled images."""

import keras
import numpy as np

from thesis_lib import checks


def choose_labelled(labels, count, seed):
    """The images that keep their label, as evenly over the classes as `count` allows.

    Args:
        labels: int (N,), -1 for images that have none.
        count: how many, at least one for each class that occurs.
        seed: of the choice.

    Returns:
        sorted int array (count,) of their numbers.

    Raises:
        ValueError: if a class has too few images, or there are fewer than asked for.
    """
    labels = np.asarray(labels)
    classes = np.unique(labels[labels >= 0])
    if not len(classes):
        raise ValueError("labels must hold a label for some images; none has one")
    count = checks.integer("count of labelled images", count, len(classes), int((labels >= 0).sum()))
    generator = np.random.default_rng(checks.integer("seed", seed, 0))
    extra = set(generator.choice(classes, count % len(classes), replace=False).tolist())
    chosen = []
    for k in classes:
        wanted, there = count // len(classes) + (int(k) in extra), np.flatnonzero(labels == k)
        if len(there) < wanted:
            raise ValueError(
                f"count of labelled images must leave each class enough: {count} asks for {wanted} of class {k}, which has {len(there)}"
            )
        chosen.append(generator.choice(there, wanted, replace=False))
    return np.sort(np.concatenate(chosen))


class Batches(keras.utils.PyDataset):
    """What a method of `thesis_lib.semi_supervised` is fitted on: each batch holds labelled and unlabelled images.

    An epoch shows every unlabelled image once, in an order drawn anew (but for a last part that fills no batch), and the
    labelled ones over and over, from epoch to epoch each as often as the others. Images are taken from the arrays, or read from files, a batch at a time.

    Args:
        labelled: uint8 images (L, H, W, C): an array, or anything of a length that takes an array of numbers, like `ImageTable`.
        labels: int (L,), their classes.
        unlabelled: images likewise (U, H, W, C).
        batch_size: labelled images a batch, 1 to L.
        unlabelled_batch_size: unlabelled ones, 1 to U.
        seed: of the order.
        options: of `keras.utils.PyDataset`, such as workers=4, for images that are read from files.
    """

    def __init__(self, labelled, labels, unlabelled, batch_size, unlabelled_batch_size, seed=0, **options):
        super().__init__(**options)
        self.labels = np.asarray(labels)
        if not len(labelled) or len(labelled) != len(self.labels):
            raise ValueError(
                f"labelled and labels must be as many, and not empty; got {len(labelled)} and {len(self.labels)}"
            )
        if self.labels.ndim != 1 or self.labels.dtype.kind not in "iu":
            raise ValueError(
                f"labels must be whole numbers of shape (N,); got shape {self.labels.shape}, {self.labels.dtype}"
            )
        if self.labels.min() < 0:
            raise ValueError("labels must be classes, 0 or more; got an image without a label among the labelled ones")
        if not len(unlabelled) or tuple(unlabelled.shape[1:]) != tuple(labelled.shape[1:]):
            raise ValueError(
                f"unlabelled must be images of the shape of the labelled ones, {tuple(labelled.shape[1:])}, and not empty; got {tuple(unlabelled.shape)}"
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
        part = lambda order, size: order[index * size : (index + 1) * size]
        known, unknown = part(self.known, self.batch_size), part(self.unknown, self.unlabelled_batch_size)
        return ({
            "labelled": self.labelled[known], "labels": self.labels[known], "labelled_index": known,
            "unlabelled": self.unlabelled[unknown], "unlabelled_index": unknown + len(self.labelled),
        },)  # fmt: skip

    def start(self, epoch):
        """Take the order that `fit` shows in an epoch, counted from 0, whatever came before; -1: what Keras looks at before the first."""
        self.generator = np.random.default_rng(self.seed)
        self.known = np.empty(0, int)
        for _ in range(epoch + 2):
            self.on_epoch_end()

    def on_epoch_end(self):
        shown = len(self) * self.batch_size
        rest = self.known[shown:]  # of the last round, whose other images the last epoch showed
        rounds = -(-(shown - len(rest)) // len(self.labelled))
        self.known = np.concatenate([rest, *(self.generator.permutation(len(self.labelled)) for _ in range(rounds))])
        self.unknown = self.generator.permutation(len(self.unlabelled))
