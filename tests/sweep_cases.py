"""A sweep whose true differences are known: rows and scores of scenes are drawn at random, no network is trained."""

import numpy as np

from thesis_lib import files

SCENES = 40
USUAL = ", 100 scenes, 5 epochs"
BASE = {
    "data": "sample",
    "train_scenes": 100,
    "validation_scenes": None,
    "test_scenes": None,
    "annotator": "displacement",
    "annotator_parameters": {"sigma": 1.0, "correlation_length": 4.0},
    "class_weights": "uniform",
    "magnitude": 0.9,
    "prior": "known",
    "prior_sigma": 1.0,
    "prior_mean": 0.0,
    "prior_scenes": 10,
    "epochs": 5,
    "batch_size": 8,
    "width": 8,
    "depth": 4,
    "learning_rate": 0.01,
    "schedule": "cosine",
    "augment": False,
    "background": 10,
    "believed_mean": 0.0,
    "believed_sigma_low": 0.9,
    "believed_sigma_high": 1.1,
}


def write_run(folder, name, gain, seed, curve=True, **parameters):
    """A run whose surface distance is 1.5 - gain px, other scores likewise; targets share noise of seeds and scenes."""
    generator = np.random.default_rng([seed, len(name)])
    shared = np.random.default_rng(seed).normal(0, 0.2) + np.random.default_rng(0).normal(0, 0.2, SCENES)
    level = 1.5 - gain + shared + generator.normal(0, 0.02, SCENES)
    names = ("log_loss", "brier", "surface_distance", "hausdorff95")
    scenes = dict.fromkeys(names, level) | {"surface_dice": 1 - level / 10}
    scenes["union"] = np.full((SCENES, 11), 100)
    scenes["intersection"] = np.rint(100 * np.clip(1 - level / 4, 0, 1))[:, None].astype(int).repeat(11, 1)
    row = {**BASE, **parameters, "seed": seed} | {k: float(v.mean()) for k, v in scenes.items() if v.ndim == 1}
    overlap = float(scenes["intersection"].sum() / scenes["union"].sum())
    row |= dict.fromkeys(("miou", "miou_foreground", "mean_class_accuracy_foreground"), overlap) | {
        "ece": 0.1,
        "ece_band": 0.2,
    }
    if curve:
        bins = {"confidence": [None, 0.5, 0.9], "accuracy": [None, 0.4, 0.9], "count": [0, 10, 30]}
        row["reliability"] = {"all": bins, "band": bins}
    (folder / name).mkdir(parents=True)
    files.write_json(folder / name / "row.json", row)
    np.savez(folder / name / "scenes.npz", **scenes)


def write_sweep(folder):
    """Three cases of error; wrong and fitted priors, swept magnitudes, fewer scenes and more epochs at 1 px."""
    clean = {"annotator": "none", "annotator_parameters": {}}
    gains = {"one_hot": 0, "posterior": -0.3, "forward": 0.3, "dice": 0.0}
    for seed in range(5):
        for sigma in (0.0, 1.0, 2.0):
            case = clean if sigma == 0 else {"annotator_parameters": {"sigma": sigma, "correlation_length": 4.0}}
            for objective in gains if sigma else ("one_hot", "dice"):
                gain = gains[objective] * (sigma if objective == "forward" else 1) - 0.2 * sigma
                name = f"s{seed}-{sigma}-{objective}"
                write_run(folder, name, gain, seed, objective=objective, prior_sigma=sigma, **case)
        for sigma in (0.25, 4.0):
            write_run(folder, f"s{seed}-assumed{sigma}", 0.0, seed, objective="forward", prior_sigma=sigma)
        write_run(folder, f"s{seed}-0.0-assumed1", 0.2, seed, objective="forward", prior_sigma=1.0, **clean)
        for n in (5, 20):
            write_run(folder, f"s{seed}-fitted{n}", 0.1, seed, objective="forward", prior="fitted", prior_scenes=n)
        for m in (0.8, 0.9):
            write_run(folder, f"s{seed}-rule{m}", m - 1, seed, objective="weighted_adjacent", magnitude=m)
        for objective in ("one_hot", "forward"):
            write_run(folder, f"s{seed}-few-{objective}", -0.3, seed, objective=objective, train_scenes=50)
            write_run(folder, f"s{seed}-long-{objective}", 0.2, seed, objective=objective, epochs=50)
