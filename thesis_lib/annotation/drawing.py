"""Drawing many maps by a rule for one: each gets a random generator of its own, and pixels to ignore stay."""

import numpy as np

from thesis_lib import checks
from thesis_lib.annotation import voxels
from thesis_lib.labels import IGNORE, background_class, fill_ignored


def annotate(draw, labels, seed, background, *others):
    """Apply draw(labels of one image or volume, generator, background, *others) to every map.

    Args:
        draw: function that returns a map of the same shape.
        labels: label maps (N, H, W) or (H, W), or volumes (N, D, H, W).
        seed: whole number.
        background: the background's class; the most frequent one if None.
        others: a list with an entry for each map, for each further argument of `draw`.

    Returns:
        label maps of the same shape and dtype. Pixels to ignore stay as they are.
    """
    labels = voxels.label_maps("labels", labels)
    background = background_class(labels, background)
    maps = voxels.each(labels)
    seeds = np.random.SeedSequence(checks.integer("seed", seed, 0)).spawn(len(maps))
    drawn = []
    for one, own_seed, *own in zip(maps, seeds, *others):
        ignored = one == IGNORE  # nowhere in a mask
        new = draw(fill_ignored(one, ignored), np.random.default_rng(own_seed), background, *own)
        drawn.append(np.where(ignored, one, new))
    return np.stack(drawn).astype(labels.dtype).reshape(labels.shape)
