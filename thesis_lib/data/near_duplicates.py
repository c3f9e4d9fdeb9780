"""Images in different parts that look alike, as a photograph does that was saved again, resized or made brighter.

A perceptual hash of 256 bits holds the coarse structure of an image (`imagehash.phash`). Of 270 faces, nuclei and
retinas, the hash changed in 14 bits at most when an image was saved as JPEG of quality 60, resized to 80% or made 10%
brighter. Those of two different images differed in 48 bits or more, and of 10,000 MNIST digits in 20 or more. Images
that were cut, turned or mirrored are not found.
"""

import warnings

import numpy as np
from PIL import Image

from thesis_lib.data.reading import in_words
from thesis_lib.extras import extra

SIDE = 16  # of the hash, bits
NEAR = 16  # bits at most that differ
LEAST = 96  # bits that are set; half of them are, unless an image is plain or symmetric
BLOCK = 512  # images that are compared with all others at once


def look(image):
    """The perceptual hash of an image.

    Args:
        image: uint8 (H, W, C), grey or RGB.

    Returns:
        bool (256,); None for a plain image, which looks like any other, and where ImageHash is not installed.
    """
    try:
        import imagehash  # an extra brings it
    except ModuleNotFoundError:
        return None
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    bits = imagehash.phash(picture, hash_size=SIDE).hash.ravel()
    return bits if bits.sum() >= LEAST else None


def pairs_that_look_alike(looks, parts):
    """Pairs of images in different parts whose hashes differ in 16 of 256 bits at most.

    Args:
        looks: of each image its `look`.
        parts: of each image the name of its part.

    Returns:
        int array (n, 2) of image numbers.

    Example:
        >>> same = np.arange(256) % 2 == 0
        >>> pairs_that_look_alike([same, ~same, same, same], ["train", "train", "train", "test"])
        array([[0, 3],
               [2, 3]])
    """
    seen = np.flatnonzero([one is not None for one in looks])
    if not len(seen):
        return np.empty((0, 2), int)
    signs = 2 * np.stack([looks[i] for i in seen]).astype(np.float32) - 1  # equal bits multiply to 1, others to -1
    part = np.unique([parts[i] for i in seen], return_inverse=True)[1]
    pairs = []
    for start in range(0, len(seen), BLOCK):
        of_block = slice(start, start + BLOCK)
        is_near = signs[of_block] @ signs[start:].T >= SIDE**2 - 2 * NEAR
        first, second = np.nonzero(is_near & (part[of_block, None] != part[start:]))
        pairs.append(np.stack([first, second], 1)[first < second] + start)
    return seen[np.concatenate(pairs)]


def warn_of_near_duplicates(names, looks, parts, table):
    """Say which images look alike though they lie in different parts, or that ImageHash is missing. None is moved.

    Args:
        names, looks, parts: of each image.
        table: name of the table whose column `group` would keep them in one part.
    """
    try:
        with extra("notebooks"):
            import imagehash  # noqa: F401 - to learn whether it is there
    except ModuleNotFoundError as error:
        warnings.warn(f"images that look alike were not looked for: {error}", stacklevel=4)
        return
    pairs = pairs_that_look_alike(looks, parts)
    if len(pairs):
        alike = [" and ".join(f"{names[i]} ({parts[i]})" for i in pair) for pair in pairs]
        count = "1 pair of images looks" if len(pairs) == 1 else f"{len(pairs)} pairs of images look"
        warnings.warn(
            f"{count} alike, in different parts: {in_words(alike)}; where both show the same, "
            f"give them one value in the column group of {table}, which keeps them in one part",
            stacklevel=4,
        )
