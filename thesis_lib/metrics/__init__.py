"""How good predictions are: overlap of regions, distance of surfaces, calibration of probabilities."""
