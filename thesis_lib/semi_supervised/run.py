"""One training with few labels, from its parameters to a row of results."""

import hashlib
import os
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from thesis_lib import checks, files, provenance
from thesis_lib.data.classification import ImageSplits, load_images
from thesis_lib.data.image_io import read_image
from thesis_lib.data.image_table import ImageTable
from thesis_lib.models.mlp import pretrain
from thesis_lib.parameters import documented
from thesis_lib.semi_supervised.batches import Batches, choose_labelled
from thesis_lib.semi_supervised.methods import METHODS, Parts
from thesis_lib.semi_supervised.networks import NETWORKS, PRETRAINED, augmentation
from thesis_lib.semi_supervised.ramps import LAST_STEP
from thesis_lib.semi_supervised.scoring import logits, scores
from thesis_lib.semi_supervised.settings import OF_FILES, OF_SPLIT, OF_TABLE, Settings
from thesis_lib.semi_supervised.unsupervised import probabilities
from thesis_lib.training.callbacks import ENDED, STATE, Checkpoint, Ended, ended, model_digest, scored
from thesis_lib.training.state import TrainingState

CALLBACKS = "a list of keras.callbacks.Callback"
MODEL = "model.keras"  # in the output folder


@documented
@dataclass(frozen=True, kw_only=True)
class Run(Settings):
    """One training with few labels: the images, the method, the network, and how they are trained.

    The images, the trained model and what follows from them are computed once, when they are first asked for:

        >>> run = Run(data="photographs.zip", method="mean_teacher", labels=40, output="reports/mine")
        >>> run.train()  # doctest: +SKIP
        >>> run.scores()  # doctest: +SKIP
        >>> run.predict("new.jpg")  # doctest: +SKIP

    `train` saves `output`/model.keras after each epoch. `scores` has error (%) and F1 on test and validation images,
    and writes row.json. `predict` gives {class name: probability}, the most probable class first.
    """

    @cached_property
    def splits(self):
        """The images to train on, for validation and for the test: `thesis_lib.data.ImageSplits`.

        Images in files are decoded once, so that no training ends by a damaged one. A warning names images of different
        parts that look alike.
        """
        of_table = {name: getattr(self, name) for name in OF_TABLE}
        splits = load_images(self.data, size=(self.size, self.size), **of_table)
        splits.check()
        return splits

    def _use(self, splits):
        if splits is not None:  # cached_property looks in __dict__
            self.__dict__["splits"] = checks.instance("splits", splits, ImageSplits, "an `ImageSplits`, or None")

    def _numbers(self):
        """Indices of the labelled and of the unlabelled images among those to train on."""
        labels = self.splits.train.labels
        if self.labels is None:
            labelled = np.flatnonzero(labels >= 0)
        else:
            labelled = choose_labelled(labels, self.labels, self.seed)
        rest = np.setdiff1d(np.arange(len(labels)), labelled)
        if self.unlabelled is not None:
            if not len(rest):
                raise ValueError(f"unlabelled must be None where all images keep their label; got {self.unlabelled}")
            count = checks.integer("unlabelled", self.unlabelled, 1, len(rest))
            rest = np.random.default_rng(self.seed).choice(rest, count, replace=False)
        return labelled, rest if len(rest) else labelled  # all labelled: the images themselves

    def training_images(self, splits=None):
        """(labelled, unlabelled) `Images` of the run; no array is copied.

        Args:
            splits: `ImageSplits`, if they were loaded before; None: those of `data`.
        """
        self._use(splits)
        labelled, rest = self._numbers()
        return self.splits.train.view(labelled), self.splits.train.view(rest)

    def classifier(self, num_classes, image_shape):
        """The network, before any training."""
        return NETWORKS[self.network].build(num_classes, image_shape, self)

    def augmentation(self):
        """The random variation of the images, a Keras layer; None if there is none."""
        return augmentation(self)

    def compiled(self, network, num_images, steps):
        """The keras.Model of the run's method, compiled.

        Args:
            network: its classifier.
            num_images: number of labelled and unlabelled images together.
            steps: of the whole training.
        """
        num_images = checks.integer("num_images", num_images, 1)
        steps = checks.integer("steps", steps, 1, LAST_STEP)
        model = METHODS[self.method].build(Parts(self, network, num_images, max(int(self.ramp * steps), 1)))
        losses = keras.losses
        loss = losses.CategoricalCrossentropy if model.soft_labels else losses.SparseCategoricalCrossentropy
        rate = keras.optimizers.schedules.CosineDecay(self.learning_rate, steps)
        model.compile(keras.optimizers.Adam(rate), loss(from_logits=True))
        model.optimizer.build(model.trainable_variables)  # TensorFlow traces a step that makes variables twice
        return model

    @property
    def identity(self):
        """All that the trained weights depend on; a training resumes only where this is the same."""
        left_out = ("workers", "output", *OF_SPLIT)  # what a split changes shows in the images
        settings = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in left_out}
        return {**settings, "images": _fingerprint(self.splits.train)}

    def train(self, splits=None, callbacks=(), progress=0, reuse=True):
        """Train the method; returns the trained keras.Model, which is also `model`.

        The output folder gets model.keras and log.csv after each epoch. A training of the same run that was killed
        there goes on as if it had not been.

        Args:
            splits: `ImageSplits`, if they were loaded before; None: those of `data`.
            callbacks: list of keras.callbacks.Callback, as of `keras.Model.fit`.
            progress: 0: silent, 1: a progress bar, 2: a line an epoch.
            reuse: take a training of the same run that ended in `output` as it is, unless callbacks are given; False
                trains anew.

        Raises:
            ValueError: if an argument is not of this kind, a batch is larger than its set, or the loss stops being
                finite; the model that was saved by then stays.
            OSError: if `output` cannot be written to, or another process trains there.
        """
        if len(checks.instance("callbacks", callbacks, (list, tuple), CALLBACKS)):
            checks.listed("callbacks", callbacks, keras.callbacks.Callback, CALLBACKS)
        progress, reuse = checks.integer("progress", progress, 0, 2), checks.boolean("reuse", reuse)
        self._use(splits)
        if self.output is None:
            return self._fit(None, callbacks, progress)
        folder = files.writable_folder(self.folder)
        if reuse and not callbacks and ended(folder, self.identity, MODEL):
            self.__dict__.pop("model", None)
            return self.model
        with files.alone(folder):
            return self._fit(folder, callbacks, progress)

    def _fit(self, folder, callbacks, progress):
        """Train with what `train` has checked; in a folder, or None."""
        train, kept = self.splits.train, []
        labelled, rest = self._numbers()
        keras.utils.set_random_seed(self.seed)
        threads = (self.workers or os.cpu_count()) if isinstance(train.images, ImageTable) else 1
        batches = Batches(
            train.view(labelled).images,
            train.labels[labelled],
            train.view(rest).images,
            self.batch_size,
            self.unlabelled_batch_size,
            self.seed,
            workers=threads,
        )
        if folder is not None:
            (folder / ENDED).unlink(missing_ok=True)
            state = TrainingState(folder / STATE, folder / "log.csv", self.identity, first=1)
            kept = [Checkpoint(folder / MODEL), state, Ended(folder, self.identity)]
        network = self.classifier(len(self.splits.class_names), self.splits.image_shape)
        counts = len(labelled) + len(rest), self.epochs * len(batches)
        if self.network in PRETRAINED and not (kept and state.found and state.fits(self.compiled(network, *counts))):
            both = train.view(np.union1d(labelled, rest)).images
            pretrain(network, both, epochs=self.pretraining_epochs, seed=self.seed)
        model = self.compiled(network, *counts)
        model.fit(batches, epochs=self.epochs, callbacks=[*callbacks, *kept], verbose=progress)
        self.__dict__["model"] = model
        return model

    @cached_property
    def model(self):
        """The trained method: what `train` returned last, or the one in the output folder.

        Raises:
            FileNotFoundError: if there is neither.
        """
        if self.output is None or not (self.folder / MODEL).is_file():
            raise FileNotFoundError(f"output must hold a trained model: call train() first; got {self.output!r}")
        return keras.saving.load_model(self.folder / MODEL, compile=False)

    @property
    def scored(self):
        """Whether the training that ended in `output` was scored to its end; see `scores`."""
        return self.output is not None and scored(self.folder, MODEL)

    @property
    def log(self):
        """The losses of the training: a DataFrame with a row for each epoch, counted from 1."""
        if self.output is not None:
            return pd.read_csv(self.folder / "log.csv")
        log = pd.DataFrame(self.model.history.history)
        log.insert(0, "epoch", np.arange(1, len(log) + 1))
        return log

    def scores(self):
        """Error (%) and macro-averaged F1 on test images, and likewise on validation images: a dict.

        They are also written to row.json in the output folder, with the parameters and what ran. A
        method that predicts with an EMA copy also has the test error of its student.
        """
        row = scores(self.model, self.splits.test)
        row |= {f"validation_{name}": value for name, value in scores(self.model, self.splits.validation).items()}
        if self.model.predictor is not self.model.classifier:
            row["student_error_percent"] = scores(self.model.classifier, self.splits.test)["error_percent"]
        if self.output is not None:
            files.write_json(self.folder / "row.json", self.row(row))
        return row

    def row(self, scores):
        """The result as one flat dict: parameters, scores, and what ran."""
        described = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in OF_FILES}
        settings = {name: value for name, value in described.items() if name not in ("data", "size")}
        is_dense = NETWORKS[self.network].family == "dense"
        of_model = {} if self.output is None else {"model": model_digest(self.folder, MODEL)}
        return {
            **described,
            **scores,
            "class_names": self.splits.class_names,
            "hidden_units": self.width if is_dense else None,
            "parameters_trained": self.model.classifier.count_params(),
            "provenance": {**provenance.record(settings), **of_model},
        }

    def predict(self, image):
        """The probability of each class for an image: a dict by class name, the most probable class first.

        Args:
            image: the path of a picture, which is converted and resized as the training images were; or an array
                (H, W, C), values 0-255, of their shape.
        """
        *size, channels = self.splits.image_shape
        if isinstance(image, (str, Path)):
            image = read_image(image, "RGB" if channels == 3 else "L", size=size)
        what = f"a path or an array of values 0-255 of shape {self.splits.image_shape}"
        image = checks.number_array("image", image, what, low=0.0)
        if image.shape != self.splits.image_shape:
            raise ValueError(f"image must be {what}; got shape {image.shape}")
        if image.max() > 255:
            raise ValueError(f"image must be {what}; got values up to {image.max():g}")
        predicted = keras.ops.convert_to_numpy(probabilities(logits(self.model, image[None])))[0]
        order = np.argsort(-predicted, kind="stable")
        return {self.splits.class_names[k]: float(predicted[k]) for k in order}


def _fingerprint(images):
    """A digest of training images and their labels, in hexadecimal: the same for the same data, wherever they lie."""
    digest = hashlib.sha256(np.ascontiguousarray(images.labels))
    is_table = isinstance(images.images, ImageTable)
    digest.update(images.images.fingerprint().encode() if is_table else np.ascontiguousarray(images.images))
    return digest.hexdigest()
