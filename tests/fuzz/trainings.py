"""How the fuzzing test calls `thesis_lib.segmentation` and `thesis_lib.semi_supervised`; networks are not trained."""

from dataclasses import replace

import numpy as np
import pandas as pd
from fuzz import files
from fuzz.data import IMAGES, RASTERS
from fuzz.entry import Entry
from fuzz.networks import SEGMENTER, segmenter
from raster_cases import COLOURS
from semi_supervised_cases import network

from thesis_lib import segmentation, semi_supervised
from thesis_lib.annotation import BoundaryPrior
from thesis_lib.data import ImageSplits
from thesis_lib.semi_supervised import unsupervised
from thesis_lib.semi_supervised.repeated import Repeated
from thesis_lib.targets import ForwardLikelihood
from thesis_lib.training.callbacks import ENDED
from thesis_lib.training.state import identity

TILES = {"tile": 8, "margin": 1, "blend": 1, "batch_size": 2}
SEGMENTING = segmentation.Run(
    data=str(files.ROOT / "scenes.npz"), width=2, depth=1, epochs=1, prior_sigma=1.0, output=str(files.ROOT / "run")
)
SPLITS = ImageSplits(IMAGES, IMAGES, IMAGES, ("a", "b"))
CLASSIFYING = semi_supervised.Run(
    method="pi_model", network="mlp", width=4, labels=2, batch_size=2, unlabelled_batch_size=2, epochs=1
)
IMAGE = files.random_image()
LIKELIHOOD = ForwardLikelihood(BoundaryPrior.known(1.0))
NETWORK = network()
PREDICTED = np.array([[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]], np.float32)
LOGITS = np.log(PREDICTED)


def trained():
    """The segmentation run as it lies in its folder when a training has ended."""
    SEGMENTING.folder.mkdir(exist_ok=True)
    SEGMENTING.untrained_network().save(SEGMENTING.folder / "best.keras")
    pd.DataFrame({"epoch": [0], "val_loss": [1.0]}).to_csv(SEGMENTING.folder / "log.csv", index=False)
    (SEGMENTING.folder / ENDED).write_text(identity(SEGMENTING.identity))
    return SEGMENTING


RUN = trained()
CLASSIFIED = CLASSIFYING.train(splits=SPLITS)
REPEATED = Repeated((CLASSIFYING,), pd.DataFrame())
DIFFERENCES = semi_supervised.image_differences({"a": REPEATED, "b": REPEATED}, [("a", "b")])
KIND = ("pi_model", "mlp")
ROWS = pd.DataFrame(
    {"method": ["pi_model"] * 2, "network": ["mlp"] * 2, "labels": [2] * 2, "seed": [0, 1], "error_percent": [1.0, 2.0]}
)


def probable(given, result):
    """Probabilities of every pixel sum to one."""
    result = np.asarray(result)
    assert result.shape[:-1] == np.shape(given["image"])[:-1]
    assert np.allclose(result.sum(-1), 1, atol=1e-3)


def classes(given, result):
    assert np.asarray(result).shape == np.shape(given["image"])[:-1]


def of_pixels(**given):
    return np.concatenate([part for _, part in segmentation.bands(**given)])


def settings(cls, **given):
    """An entry of a run's parameters; what is no dataclass field is no result."""
    return Entry(lambda **changes: cls(**changes) and None, given, examples=150)


def method(make, **given):
    """An entry of a semi-supervised method, made from a classifier."""
    given = {"classifier": NETWORK, "augment": None, "weight": 1.0, **given}
    return Entry(make, given, examples=15)


def teacher(make, **given):
    """An entry of a method for segmentation with few labels, made from a network."""
    return Entry(make, {"network": SEGMENTER, "strong": None, "weight": 1.0, **given}, examples=10)


def colours(training, **given):
    return segmentation.OtherColours(**given)(IMAGE[None], training=training)


SEGMENTATION = {
    "AveragedSegmenter": Entry(segmentation.AveragedSegmenter, {"network": SEGMENTER, "decay": 0.9}, examples=10),
    "BayesianTeacher": teacher(segmentation.BayesianTeacher, likelihood=LIKELIHOOD, decay=0.9),
    "CrossPseudo": teacher(segmentation.CrossPseudo, other=segmenter()),
    "CutMix": Entry(lambda seed: segmentation.CutMix(seed)(IMAGE[None], IMAGE[None]), {"seed": 0}, examples=10),
    "OtherColours": Entry(
        colours,
        {"training": True, "contrast": 0.5, "brightness": 0.2, "blur": 1.0, "noise": 0.1, "seed": 0},
        fixed=("training",),
        examples=10,
    ),
    "SegmentingFixMatch": teacher(segmentation.SegmentingFixMatch, mix=None, threshold=0.9, decay=0.9),
    "SegmentingMeanTeacher": teacher(segmentation.SegmentingMeanTeacher, decay=0.9),
    "Run": settings(
        segmentation.Run,
        **{name: value for name, value in vars(SEGMENTING).items() if name in segmentation.Run.__dataclass_fields__},
    ),
    "Run.variant": Entry(RUN.variant, {"objective": "one_hot", "magnitude": 0.8, "seed": 1}),
    "Run.loss": Entry(RUN.variant(objective="one_hot").loss, {}, examples=2),
    "Run.untrained_network": Entry(RUN.untrained_network, {}, examples=1),
    "Run.train": Entry(RUN.train, {"progress": 0, "reuse": True}, examples=10),
    "Run.log": Entry(RUN.log, {}, examples=1),
    "Run.trained_network": Entry(RUN.trained_network, {}, examples=1),
    "Run.probabilities": Entry(RUN.probabilities, {"image": IMAGE}, probable, examples=20),
    "Run.annotation_probabilities": Entry(
        RUN.annotation_probabilities,
        {"image": IMAGE},
        probable,
        examples=20,
    ),
    "Run.predict": Entry(RUN.predict, {"image": IMAGE}, classes, examples=20),
    "Run.scores": Entry(RUN.scores, {}, nan=True, examples=1),
    "bands": Entry(
        of_pixels,
        {"model": SEGMENTER, "image": IMAGE, **TILES, "name": "the image", "overlapping": False},
        probable,
        fixed=("overlapping",),
    ),
    "export": Entry(
        segmentation.export,
        {"model": SEGMENTER, "folder": files.ROOT / "exported", "image_shape": (4, 4, 3), "tolerance": 0.1, "seed": 0},
        words={"tolerance": "predicts otherwise"},
        examples=3,
    ),
    "predict": Entry(
        segmentation.predict,
        {"model": SEGMENTER, "image": IMAGE, **TILES, "overlapping": False},
        classes,
        fixed=("overlapping",),
    ),
    "predict_rasters": Entry(
        segmentation.predict_rasters,
        {
            "model": SEGMENTER,
            "rasters": RASTERS,
            "classes": COLOURS,
            "folder": files.ROOT / "predicted",
            "background": 0,
            "judge": "",
            "prior": None,
            **TILES,
        },
        words={"judge": "annotator"},
        nan=True,
        examples=30,
    ),
    "score_rasters": Entry(
        segmentation.score_rasters,
        {
            "model": SEGMENTER,
            "rasters": RASTERS,
            "classes": COLOURS,
            "folder": files.ROOT / "scored",
            "background": 0,
            "tolerance": 2.0,
            "judge": "",
            "threshold": 100,
            **TILES,
        },
        words={"judge": "annotator"},
        nan=True,
        examples=20,
    ),
    "score_tables": Entry(segmentation.score_tables, {"scores": {("one_hot", 0): RUN.scores()}}, nan=True),
    "variants": Entry(
        segmentation.variants,
        {"run": RUN, "objectives": ["one_hot", "uniform"], "repeats": 2},
        words={"objectives": "objective"},
        large=("repeats",),
    ),
}
SEMI_SUPERVISED = {
    "Batches": Entry(
        lambda **given: semi_supervised.Batches(**given)[0],
        {
            "labelled": IMAGES.images,
            "labels": IMAGES.labels,
            "unlabelled": IMAGES.images,
            "batch_size": 2,
            "unlabelled_batch_size": 3,
            "seed": 0,
        },
    ),
    "Batches.start": Entry(
        semi_supervised.Batches(IMAGES.images, IMAGES.labels, IMAGES.images, 2, 3).start, {"epoch": 1}, large=("epoch",)
    ),
    "FixMatch": method(semi_supervised.FixMatch, strong=None, threshold=0.9, decay=0.9),
    "LinearRamp": Entry(
        lambda step, **given: semi_supervised.LinearRamp(**given)(step),
        {"step": 3, "start": 0, "end": 5, "maximum": 1.0},
        fixed=("step",),
    ),
    "MeanTeacher": method(semi_supervised.MeanTeacher, decay=0.9, adversarial=0.0, epsilon=2.0),
    "MixMatch": method(semi_supervised.MixMatch, views=2, temperature=0.5, alpha=0.75, decay=0.9),
    "PiModel": method(semi_supervised.PiModel),
    "PseudoLabel": method(semi_supervised.PseudoLabel),
    "Run": settings(
        semi_supervised.Run,
        **{
            name: value for name, value in vars(CLASSIFYING).items() if name in semi_supervised.Run.__dataclass_fields__
        },
    ),
    "Run.training_images": Entry(
        lambda splits: replace(CLASSIFYING).training_images(splits),
        {"splits": SPLITS},
        words={"splits": "labels"},  # without splits, those of the digits, whose ten classes need more labels
    ),
    "Run.classifier": Entry(CLASSIFYING.classifier, {"num_classes": 2, "image_shape": (4, 4, 1)}, examples=8),
    "Run.augmentation": Entry(CLASSIFYING.augmentation, {}, examples=1),
    "Run.compiled": Entry(
        lambda **given: CLASSIFYING.compiled(**given) and None,
        {"network": NETWORK, "num_images": 10, "steps": 5},
        examples=5,
        words={"network": "classifier"},
    ),
    "Run.scores": Entry(CLASSIFYING.scores, {}, examples=1),
    "Run.predict": Entry(CLASSIFYING.predict, {"image": IMAGES.images[0]}),
    "SigmoidRamp": Entry(
        lambda step, **given: semi_supervised.SigmoidRamp(**given)(step),
        {"step": 3, "length": 5, "maximum": 1.0},
        fixed=("step",),
    ),
    "Supervised": method(semi_supervised.Supervised),
    "TemporalEnsembling": method(semi_supervised.TemporalEnsembling, num_images=9, decay=0.5),
    "VirtualAdversarial": method(semi_supervised.VirtualAdversarial, epsilon=2.0, xi=0.1, iterations=1),
    "Run.train": Entry(
        lambda **given: replace(CLASSIFYING).train(**given) and None,
        {"splits": SPLITS, "callbacks": (), "progress": 0, "reuse": True},
        words={"splits": "labels"},
        examples=2,
    ),
    "difference_sentences": Entry(semi_supervised.difference_sentences, {"differences": DIFFERENCES}),
    "error_ranges": Entry(semi_supervised.error_ranges, {"repeated": {2: REPEATED}, "target": "pi_model"}),
    "error_table": Entry(semi_supervised.error_table, {"repeated": {"pi_model": REPEATED}, "score": "error_percent"}),
    "errors_by_labels": Entry(
        semi_supervised.errors_by_labels, {"rows": ROWS, "kinds": [KIND], "published": {KIND: {2: 1.0}}}
    ),
    "image_differences": Entry(
        semi_supervised.image_differences,
        {"repeated": {"pi_model": REPEATED, "other": REPEATED}, "pairs": [("pi_model", "other")], "level": 0.9},
    ),
    "seed_differences": Entry(
        semi_supervised.seed_differences, {"rows": ROWS, "one": KIND, "other": KIND, "labels": 2}, nan=True
    ),
    "seed_sentences": Entry(semi_supervised.seed_sentences, {"rows": ROWS, "pairs": [(KIND, KIND)], "labels": 2}),
    "choose_labelled": Entry(
        semi_supervised.choose_labelled, {"labels": np.arange(12) % 3, "count": 6, "seed": 0}, unlabelled=True
    ),
    "confidence": Entry(
        semi_supervised.confidence, {"predicted": PREDICTED, "labels": np.array([0, 1, 0]), "margin": 0.2}
    ),
    "logits": Entry(semi_supervised.logits, {"model": CLASSIFIED, "images": IMAGES.images}),
    "repeat": Entry(
        semi_supervised.repeat, {"run": CLASSIFYING, "seeds": [0], "splits": SPLITS, "curve": False}, examples=2
    ),
    "unsupervised.probabilities": Entry(unsupervised.probabilities, {"logits": LOGITS}),
    "unsupervised.sharpen": Entry(unsupervised.sharpen, {"probabilities": PREDICTED, "temperature": 0.5}),
    "unsupervised.most_probable": Entry(unsupervised.most_probable, {"logits": LOGITS}),
    "unsupervised.mixup_weights": Entry(unsupervised.mixup_weights, {"count": 3, "alpha": 0.5, "seed": 0}),
    "unsupervised.squared_difference": Entry(
        unsupervised.squared_difference, {"predicted": PREDICTED, "target": PREDICTED, "weights": None}
    ),
    "unsupervised.cross_entropy": Entry(
        unsupervised.cross_entropy, {"target": PREDICTED, "logits": LOGITS, "weights": None}
    ),
    "unsupervised.kl_divergence": Entry(unsupervised.kl_divergence, {"target": PREDICTED, "logits": LOGITS}),
}
ENTRIES = {
    **{f"segmentation.{name}": entry for name, entry in SEGMENTATION.items()},
    **{f"semi_supervised.{name}": entry for name, entry in SEMI_SUPERVISED.items()},
}
