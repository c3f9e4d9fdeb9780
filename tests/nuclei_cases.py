"""A small training with the nuclei that are shipped, drawn by a simulated radiologist."""

DRAWN = {"prior": {"mean": 0.0, "mean_weight": 3.6, "shape": 2.4, "scale": 1.2}, "correlation_length": 5.6}
SETTINGS = {
    "data": "nuclei-sample/3",
    "annotator": "population",
    "annotator_parameters": {**DRAWN, "diameter": 10.0, "growth": 0.3, "factor": 2.0},
    "prior": "population",
    "prior_scenes": 3,
    "width": 2,
    "depth": 2,
    "crop": 32,
    "crops_per_image": 2,
    "batch_size": 4,
    "epochs": 1,
    "keep": "last",
}
