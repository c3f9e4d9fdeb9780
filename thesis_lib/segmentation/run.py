"""One training of a segmentation network, from its parameters to a row of results."""

from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property, partial

import keras
import numpy as np
import pandas as pd

from thesis_lib import checks, provenance
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.files import alone, writable_folder, write_csv, write_json
from thesis_lib.models.augmentation import AugmentedSegmenter, augmentation
from thesis_lib.parameters import default, documented
from thesis_lib.segmentation import tiles
from thesis_lib.segmentation.drawn_rasters import NO_PRIOR
from thesis_lib.segmentation.methods import METHODS, Parts
from thesis_lib.segmentation.networks import NETWORKS
from thesis_lib.segmentation.raster_task import RasterTask
from thesis_lib.segmentation.rules import LATER, OF_DATA, OF_EACH_STRUCTURE, OF_SCORING, meaningless, stated
from thesis_lib.segmentation.scene_task import SceneTask
from thesis_lib.segmentation.settings import Settings
from thesis_lib.segmentation.structure_tasks import RasterStructures, VolumeStructures
from thesis_lib.segmentation.volume_task import VolumeTask
from thesis_lib.targets.objectives import OBJECTIVES, objective
from thesis_lib.targets.overlapping import Overlapping
from thesis_lib.training.callbacks import callbacks, ended, full_disk_named, model_digest, scored
from thesis_lib.training.optimization import learning_rate, use_xla

# By what the data are, and whether structures may overlap, which scenes cannot.
TASKS = {
    ("scenes", False): SceneTask,
    ("images", False): RasterTask,
    ("images", True): RasterStructures,
    ("volumes", False): VolumeTask,
    ("volumes", True): VolumeStructures,
}


@documented
@dataclass(frozen=True)
class Run(Settings):
    """One training of a segmentation network on imprecise labels, from data and annotators to scores.

    Data are small scenes in memory, whose labels a simulated annotator draws, or a folder of images and masks, drawn by
    one annotator or several. Either kind trains a U-Net or DeepLabV3+. A folder of volumes, with images/ and masks/ or
    in nnU-Net's layout, trains a 3-D U-Net; its lengths are in mm, and the run's folder keeps the volumes unpacked.
    Where `structures` of a folder may overlap, the network has a sigmoid for each, and labels, probabilities and
    predictions a channel; each may have a `prior_sigma` and a `prior_mean` of its own. Images without a mask lie in the
    folder's `unlabelled/`; of those with one, the first `labelled` may be taken as labelled. A `method` such as
    mean_teacher learns from the others, too. All files of a run lie in its `output` folder.

    Example:
        >>> run = Run(data="data/mine", network="unet", objective="forward_dice", prior_sigma=1.5)
        >>> run.train(progress=1)  # doctest: +SKIP
        >>> run.scores().images  # doctest: +SKIP
        >>> run.predict(image)  # doctest: +SKIP

    A training that was killed is resumed by `train`. `scores` has a row a test image, and writes row.json. `predict`
    takes a uint8 image (H, W, C) of any size and gives class numbers (H, W).
    """

    @cached_property
    def task(self):
        """The data: a task of `TASKS`, with splits, annotators, batches and scores."""
        kind = "volumes" if self.has_volumes else "images" if self.is_folder else "scenes"
        return TASKS[kind, self.structures is not None](self)

    def variant(self, **changes):
        """This run with other fields; what is read or measured of the data, now or later, is so once for both.

        Where a field of the data changes, nothing is shared.
        """
        changed = replace(self, **changes)
        are_read = self.has_unlabelled and changed.uses_unlabelled != self.uses_unlabelled  # other images
        if not are_read and not set(changes) & set(OF_DATA):
            changed.__dict__["task"] = type(self.task)(changed, self.task)
        return changed

    @property
    def uses_prior(self):
        return "prior" in OBJECTIVES[self.objective].needs

    @property
    def moves_labels(self):
        """Whether the annotators' bias is taken out of the labels: the objective uses the prior but not its bias."""
        return self.uses_prior and not OBJECTIVES[self.objective].has_bias

    @property
    def drawing(self):
        """How annotators err, by the objective: a function from true maps (N, H, W, K) and a prior to drawn ones."""
        chosen = OBJECTIVES[self.objective]
        if "background" in chosen.needs:
            return partial(chosen.drawing, background=0 if self.structures else self.task.background)
        return chosen.drawing

    @property
    def states_prior(self):
        """Whether the results are of a prior: it is used, known, or asked for."""
        return self.uses_prior or self.prior_kind == "known" or self.prior is not None

    @property
    def prior_kind(self):
        """Where the prior comes from, one of PRIORS; None where nothing is known of the annotators."""
        if self.prior is not None:
            return self.prior
        if self.prior_sigma is not None:
            return "known"
        return "fitted" if self.is_folder or self.annotator != "none" else None

    @cached_property
    def boundary_prior(self):
        """The BoundaryPrior of the annotators; of structures that overlap, a dict with that of each.

        Raises:
            ValueError: where it can neither be known nor measured.
        """
        if self.structures is not None:
            return {name: self._prior_of(part, name) for name, part in self.task.parts.items()}
        return self._prior_of(self.task)

    def _prior_of(self, task, structure=None):
        """The BoundaryPrior of the annotators of a task: of the run's own, or of one of its structures."""
        kind = self.prior_kind
        if kind is None or (kind == "known" and self.prior_sigma is None):
            raise ValueError(NO_PRIOR)
        if kind == "known":
            known = (stated(self, name, structure) for name in OF_EACH_STRUCTURE)
            return BoundaryPrior.known(*known, "mm" if self.has_volumes else "px")
        return task.prior(kind)

    def loss(self):
        """The keras.losses.Loss of the objective; of structures that overlap, one for each."""
        if self.structures is not None:
            priors = self.boundary_prior if self.uses_prior else dict.fromkeys(self.task.parts)
            return Overlapping([self._loss(part, priors[name]) for name, part in self.task.parts.items()])
        return self._loss(self.task, self.boundary_prior if self.uses_prior else None)

    def _loss(self, task, prior):
        return objective(
            self.objective,
            prior=prior,
            adjacency=task.adjacency() if "adjacency" in OBJECTIVES[self.objective].needs else None,
            magnitude=self.magnitude,
            class_weights=task.class_weights(),
            background=task.background,
            spacing=task.spacing,
        )

    def untrained_network(self):
        """The network with first weights drawn by the seed: a keras.Model from images to logits."""
        keras.utils.set_random_seed(self.seed)
        keras.config.set_dtype_policy("mixed_float16" if self.mixed_precision else "float32")
        return NETWORKS[self.network].build(self, len(self.task.outputs), self.task.image_shape)

    @property
    def identity(self):
        """All that the trained weights depend on; a training resumes only where this is the same."""
        settings = {name: value for name, value in asdict(self).items() if name not in OF_SCORING}
        for one in fields(self):
            if one.name in LATER and settings[one.name] == default(one):
                del settings[one.name]  # as in trainings from before there was this field
        return {**settings, **self.task.identity}

    def train(self, progress=0, reuse=True):
        """Train in `output`, from where an earlier training of the same run was killed.

        Args:
            progress: 0: silent, 1: a progress bar, 2: a line an epoch.
            reuse: take a training of the same run that ended in `output` as it is; False trains anew.

        Returns:
            keras.Model from images to logits, with the weights of the epoch that `keep` names. `best.keras` holds it.

        Raises:
            ValueError: if the loss is never finite, naming learning_rate.
            OSError: if `output` cannot be written to, another process trains there, or its disk is full.
        """
        checks.integer("progress", progress, 0, 2)
        reuse = checks.boolean("reuse", reuse)
        folder, identity = writable_folder(self.folder), self.identity
        if reuse and ended(folder, identity):
            return self.trained_network()
        self.task.prepare()
        network, loss = self.untrained_network(), self.loss()
        training, validation = self.task.batches()
        steps = self.epochs * len(training)
        model = METHODS[self.method].build(Parts(self, network, loss, max(int(self.ramp * steps), 1)))
        if self.augment:
            model = AugmentedSegmenter(network, augmentation(self.task.image_shape, seed=self.seed))
        predictor = getattr(model, "predictor", network)
        rate = learning_rate(self.learning_rate, self.schedule, steps)
        model.compile(keras.optimizers.Adam(rate), loss, metrics=self.task.metrics(), jit_compile=use_xla(self.xla))
        given = {"run": identity, "batches": training, "network": predictor, "keep": self.keep, **self.task.watched()}
        keep = callbacks(folder, self.patience, self.schedule, **given)
        # The batches have an order of their own, which a training that resumes takes up; Keras would draw another.
        options = {"epochs": self.epochs, "callbacks": keep, "verbose": progress, "shuffle": False}
        with alone(folder), full_disk_named(folder):
            model.fit(training, validation_data=validation, **options)
        if not np.isfinite(self.log()["val_loss"]).any():
            raise ValueError(
                "learning_rate must be small enough to train with; "
                f"at {self.learning_rate!r} no epoch had a finite loss"
            )
        return self.trained_network()

    @property
    def scored(self):
        """Whether the training that ended in `output` was scored to its end; see `scores`."""
        return scored(self.folder)

    def log(self):
        """DataFrame with a row an epoch: loss, validation loss, learning rate."""
        return pd.read_csv(self.folder / "log.csv")

    def trained_network(self):
        """The network that was kept, from `output`."""
        path = self.folder / "best.keras"
        if not path.is_file():
            raise FileNotFoundError(f"{self.folder} holds no trained network: call train() first")
        written, network = self.__dict__.get("_loaded", (None, None))
        if written != path.stat().st_mtime_ns:
            written, network = path.stat().st_mtime_ns, keras.saving.load_model(path, compile=False)
            self.__dict__["_loaded"] = written, network  # read once for many images
        return network

    def probabilities(self, image):
        """Predicted probabilities, float32 (H, W, K), of an image (H, W, C), 0-255, of any size.

        They sum to one over K. Of structures that overlap: float32 (H, W, S), the probability of each.

        Of a `data.Volume`: float32 (D, H, W, K), in memory; `predict` needs less.

        After training by a likelihood (the objectives forward... and shift) they are of the true classes: use them to
        outline and to measure objects. Other objectives state what the annotators to train on would draw.
        """
        if self.has_volumes:
            return self.task.probabilities(self.trained_network(), image)
        image = checks.array("image", image)
        channels = self.task.image_shape[-1]
        are_numbers = image.dtype.kind in "biuf" and image.size
        if not are_numbers or image.ndim != 3 or image.shape[-1] != channels:
            raise ValueError(f"image must be of shape (H, W, {channels}); got {image.shape}, {image.dtype}")
        if not (image.min() >= 0 and image.max() <= 255):  # nor NaN
            raise ValueError(f"image must hold values from 0 to 255; got {image.min():g} to {image.max():g}")
        return self.task.probabilities(self.trained_network(), image)

    def annotation_probabilities(self, image):
        """Probabilities of what the next annotator will draw: those of the true classes, blurred by the prior.

        Use them, after training by a likelihood, to forecast or to judge a person's drawing: against a drawing,
        `probabilities` are too certain near boundaries. An objective with an error model of its own blurs by that.

        Args:
            image: as for `probabilities`.

        Returns:
            float32 (H, W, K).

        Raises:
            ValueError: as `probabilities`, or if no prior is known.
        """
        of_volume = {"spacing": image.spacing} if self.has_volumes else {}
        prior, found = self.boundary_prior, self.probabilities(image)[None]
        if self.structures is None:
            return keras.ops.convert_to_numpy(self.drawing(found, prior, **of_volume))[0]
        drawn = [
            self.drawing(np.stack([1 - found[..., k], found[..., k]], -1), prior[name], **of_volume)[0, ..., 1]
            for k, name in enumerate(self.task.outputs)
        ]
        return np.stack([keras.ops.convert_to_numpy(one) for one in drawn], -1)

    def predict(self, image):
        """The most probable class of every pixel, uint8 (H, W), of an image (H, W, C), 0-255, of any size.

        Of a `data.Volume`: a Volume of classes on its own grid. Of structures that overlap: a last axis S more, 1 where
        a structure has a probability of at least one half.
        """
        if self.has_volumes:
            return self.task.predict(self.trained_network(), image)
        return tiles.decided(self.probabilities(image), self.structures is not None)

    def scores(self):
        """`Scores` of the trained network on the test images; writes `row.json` and the scores of each image."""
        network = self.trained_network()
        scores = self.task.score(network, self.folder)
        write_csv(self.folder / "scores.csv", scores.images, index=True)
        if scores.classes is not None:
            write_csv(self.folder / "classes.csv", scores.classes, index=True)
        write_json(self.folder / "row.json", self.row(scores, network))
        return scores

    def row(self, scores, network):
        """The result as one flat dict: parameters, scores, what is known of the annotators, and what ran."""
        left_out = {"output", *meaningless(self)[0]} - {"method", "network"}
        given = {name: value for name, value in asdict(self).items() if name not in left_out}
        given["prior"] = self.prior_kind
        if self.labelled is not None and "prior_scenes" in given:
            given["prior_scenes"] = min(self.labelled, self.prior_scenes)
        if self.uses_unlabelled:
            given["consistency_weight"] = self.weight
        row = {**given, **scores.row, "background": self.task.background, "reliability": scores.reliability}
        if self.states_prior:
            prior = self.boundary_prior
            of_structures = isinstance(prior, dict) and {name: _of_prior(one) for name, one in prior.items()}
            row |= {"believed": of_structures} if of_structures else _of_prior(prior)
        row |= {"epochs_run": len(self.log()), "parameters_trained": network.count_params()}
        made = {**provenance.record(given), **self.task.identity, "model": model_digest(self.folder)}
        return {**row, "provenance": made}


def _of_prior(prior):
    low, high = prior.sigma_interval()
    return {"believed_mean": prior.mean, "believed_sigma_low": low, "believed_sigma_high": high}
