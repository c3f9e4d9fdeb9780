"""Which images keep their label, and batches of labelled and unlabelled ones."""

import numpy as np
import pytest

from thesis_lib.semi_supervised.batches import Batches, choose_labelled


def test_labels_are_kept_evenly_over_the_classes():
    labels = np.repeat([0, 1, 2, -1], [50, 30, 20, 40])
    chosen = choose_labelled(labels, 20, 0)
    assert len(set(chosen)) == 20 and (labels[chosen] >= 0).all()
    assert sorted(np.bincount(labels[chosen])) == [6, 7, 7]
    assert np.array_equal(chosen, choose_labelled(labels, 20, 0)) and not np.array_equal(
        chosen, choose_labelled(labels, 20, 1)
    )


def test_an_epoch_shows_every_unlabelled_image_once_and_labelled_ones_equally_often():
    labelled, unlabelled = np.arange(6).reshape(6, 1, 1, 1), 100 + np.arange(20).reshape(20, 1, 1, 1)
    batches = Batches(labelled, np.arange(6) % 3, unlabelled, 3, 5, seed=1)
    seen = [batches[i][0] for i in range(len(batches))]
    assert len(seen) == 4
    assert sorted(np.concatenate([b["unlabelled"].ravel() for b in seen])) == list(range(100, 120))
    assert np.bincount(np.concatenate([b["labelled"].ravel() for b in seen])).tolist() == [2] * 6
    for b in seen:
        assert np.array_equal(b["labels"], b["labelled"].ravel() % 3)
        assert np.array_equal(b["unlabelled_index"], b["unlabelled"].ravel() - 100 + 6) and np.array_equal(
            b["labelled_index"], b["labelled"].ravel()
        )
    batches.on_epoch_end()
    assert not np.array_equal(batches[0][0]["unlabelled"], seen[0]["unlabelled"])


@pytest.mark.parametrize("count", [5, 7, 40])  # an epoch shows 12 labelled images
def test_labelled_images_are_shown_equally_often_from_epoch_to_epoch(count):
    images = np.zeros((20, 1, 1, 1))
    batches, often = Batches(np.zeros((count, 1, 1, 1)), np.zeros(count, int), images, 3, 5), np.zeros(count, int)
    for _ in range(9):
        for i in range(len(batches)):
            np.add.at(often, batches[i][0]["labelled_index"], 1)
        assert often.max() - often.min() <= 1
        batches.on_epoch_end()
    assert often.sum() == 9 * 12


IMAGES = np.zeros((3, 2, 2, 1))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: choose_labelled([-1, -1], 1, 0), "labels must hold a label for some images; none has one"),
        (lambda: choose_labelled(["a", "b"], 1, 0), r"labels must be whole numbers of shape \(N,\); got shape \(2,\)"),
        (lambda: choose_labelled([0.5, 1.0], 1, 0), "labels must be whole numbers .*float64"),
        (lambda: Batches([1, 2], [0, 1], IMAGES, 1, 1), r"labelled must be images \(N, H, W, C\); got list"),
        (lambda: Batches(IMAGES[..., 0], [0, 1, 0], IMAGES[..., 0], 1, 1), r"got shape \(3, 2, 2\)"),
        (
            lambda: choose_labelled([0, 0, 1], 1, 0),
            "count of labelled images must be .* 2 to 3, .* labels .*; got 1",
        ),
        (
            lambda: choose_labelled([0, 0, 1], 4, 0),
            "count of labelled images must be .* 2 to 3, .* labels .*; got 4",
        ),
        (lambda: choose_labelled([0] * 9 + [1], 8, 0), "8 asks for 4 of class 1, of which there are 1 labels"),
        (lambda: Batches(IMAGES, [0, 1], IMAGES, 1, 1), "must be as many, and not empty; got 3 and 2"),
        (lambda: Batches(IMAGES[:0], [], IMAGES, 1, 1), "not empty; got 0 and 0"),
        (lambda: Batches(IMAGES[:2], [0, -1], IMAGES, 1, 1), "without a label among the labelled"),
        (lambda: Batches(IMAGES[:2], [[0], [1]], IMAGES, 1, 1), r"labels must be whole numbers of .*shape \(2, 1\)"),
        (lambda: Batches(IMAGES[:2], [0.5, 1], IMAGES, 1, 1), "labels must be whole numbers .*float64"),
        (
            lambda: Batches(IMAGES[:2], [0, 1], IMAGES[..., 0], 1, 1),
            r"unlabelled must be images .*got shape \(3, 2, 2\)",
        ),
        (
            lambda: Batches(IMAGES[:2], [0, 1], IMAGES[:, :1], 1, 1),
            r"labelled ones, \(2, 2, 1\), .*got \(3, 1, 2, 1\)",
        ),
        (lambda: Batches(IMAGES[:2], [0, 1], IMAGES[:0], 1, 1), r"and not empty; got \(0, 2, 2, 1\)"),
        (lambda: Batches(IMAGES[:2], [0, 1], IMAGES, 3, 1), "batch_size must be .* 1 to 2, .* labelled images; got 3"),
        (
            lambda: Batches(IMAGES[:2], [0, 1], IMAGES, 1, 4),
            "unlabelled_batch_size must be .* 1 to 3, .* images; got 4",
        ),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
