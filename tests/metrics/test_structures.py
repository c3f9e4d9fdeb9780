import numpy as np
import pytest

from thesis_lib.metrics import calibration, overlap, surface
from thesis_lib.metrics.structures import SCORES, of_structures


def example(shape, structures=2):
    generator = np.random.default_rng(0)
    labels = (generator.random((*shape, structures)) > 0.5).astype(np.uint8)
    return labels, np.clip(0.5 + (labels - 0.5) * 0.6 + generator.normal(0, 0.25, labels.shape), 0, 1)


@pytest.mark.parametrize("shape, spacing", [((2, 9, 8), None), ((2, 4, 6, 5), (3.0, 0.8, 0.5))])
def test_each_structure_has_the_scores_of_two_classes(shape, spacing):
    labels, probabilities = example(shape)
    labels[:, 0] = 255
    table = of_structures(labels, probabilities, ["lung", "clavicle"], spacing, tolerance=0.7)
    assert table.index.name == "structure" and table.index.tolist() == ["lung", "clavicle"]
    for s, (_, row) in enumerate(table.iterrows()):
        true, inside = labels[..., s], probabilities[..., s]
        of_class = overlap.scores(true, (inside > 0.5).astype(int), 2)
        assert row["dice"] == of_class["class_dice"][1] and row["iou"] == of_class["class_iou"][1]
        proper = calibration.scores(true, np.stack([1 - inside, inside], -1))
        assert row[["log_loss", "brier", "ece"]].tolist() == [proper[name] for name in ("log_loss", "brier", "ece")]
        distances = surface.scores(true, (inside >= 0.5).astype(np.uint8), spacing, 0.7, background=0)
        assert row[surface.SCORES].tolist() == pytest.approx([distances[name] for name in surface.SCORES])


def test_a_structure_that_nobody_drew_has_no_scores_and_a_perfect_one_the_best():
    labels, _ = example((1, 6, 6))
    perfect = labels.astype(float)
    labels[..., 1] = 255
    table = of_structures(labels, perfect, ["drawn", "unknown"])
    assert table.loc["unknown", SCORES].isna().all()
    assert table.loc["drawn", ["dice", "iou", "surface_dice", "volume_ratio"]].tolist() == [1, 1, 1, 1]
    assert not table.loc["drawn", ["log_loss", "brier", "ece", "surface_distance", "hausdorff95"]].any()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"labels": np.zeros((1, 4, 4), int)}, "labels and probabilities must have the same shape"),
        ({"labels": np.full((1, 4, 4, 2), 2)}, r"labels must hold classes in 0\.\.1; got values from 2 to 2"),
        ({"probabilities": np.full((1, 4, 4, 2), 1.5)}, r"probabilities must be finite, in \[0, 1\]"),
        ({"probabilities": np.full((1, 4, 4, 2), np.nan)}, r"probabilities must be finite, in \[0, 1\]"),
        ({"names": ["a"]}, r"names must be a list of 2 texts, one for each structure; got \['a'\]"),
        ({"names": ["a", "a"]}, "names must be a list of 2 texts"),
        ({"names": "ab"}, "names must be a list of 2 texts"),
        ({"spacing": (1, 1, 1)}, "spacing must be two lengths"),
    ],
)
def test_wrong_values_are_named(changes, message):
    valid = {"labels": np.zeros((1, 4, 4, 2), int), "probabilities": np.zeros((1, 4, 4, 2)), "names": ["a", "b"]}
    with pytest.raises(ValueError, match=message):
        of_structures(**{**valid, **changes})
