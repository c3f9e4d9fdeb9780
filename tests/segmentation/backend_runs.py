"""Short trainings on the backend of KERAS_BACKEND: `backend_runs.py FILE FOLDER`; run by test_backend_runs.py.

Writes what each network predicts before it is saved and after it is loaded, straight and resumed. TensorFlow, which
takes long to trace a training, trains the first alone; what it predicts on another backend is written there.
"""

import sys
from pathlib import Path

import keras
import killed
import numpy as np
import pytest

from thesis_lib.segmentation import Run

FEW = {
    "data": "nuclei-sample/3",
    "annotator": "displacement",
    "annotator_parameters": {"sigma": 1.0, "correlation_length": 4.0},
    "prior_sigma": 1.0,
    "width": 2,
    "depth": 1,
    "crop": 16,
    "batch_size": 2,
    "epochs": 2,
    "objective": "forward",
    "keep": "last",
}
METHODS = ("supervised", "average", "mean_teacher", "bayesian_teacher")
backend, folder = keras.backend.backend(), Path(sys.argv[2])
results, models = {"backend": backend}, []


def remembered(model, *arguments, fit=keras.Model.fit, **options):
    models.append(model)
    return fit(model, *arguments, **options)


with pytest.MonkeyPatch.context() as patch:
    patch.setattr(keras.Model, "fit", remembered)
    for method in ["supervised"] if backend == "tensorflow" else METHODS:
        settings = {**FEW, "method": method, "labelled": None if method == "supervised" else 2}
        straight = Run(**settings, output=str(folder / backend / method))
        straight.train()
        image = straight.task.splits.test.images[0]
        kept = getattr(models[-1], "predictor", models[-1])
        results[f"{method}_before"] = straight.task.probabilities(kept, image)
        results[f"{method}_after"] = straight.probabilities(image)
        results[f"{method}_losses"] = straight.log()["val_loss"].to_numpy()
        if backend == "tensorflow":
            continue
        resumed = Run(**settings, output=str(folder / backend / f"{method}_resumed"))
        with killed.after_an_epoch(patch):
            resumed.train()
        resumed.train()
        results[f"{method}_resumed"] = resumed.probabilities(image)
    of_tensorflow = Run(**FEW, output=str(folder / "tensorflow" / "supervised"))
    results["of_tensorflow"] = of_tensorflow.probabilities(image)
np.savez(sys.argv[1], **results)
