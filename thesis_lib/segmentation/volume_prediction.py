"""Prediction of volumes of any size, patch by patch with blended seams; memory does not grow with their depth."""

from pathlib import Path

import numpy as np
from scipy import ndimage

from thesis_lib import checks
from thesis_lib.data import dicom
from thesis_lib.data.itk_files import DETACHED
from thesis_lib.data.patches import scaling, sides
from thesis_lib.data.volume_files import VolumeFiles
from thesis_lib.data.volumes import SPACING_TOLERANCE, Volume, checked_spacing, volume_ending, write_volume
from thesis_lib.files import writable_folder
from thesis_lib.segmentation import tiles


def slabs(
    model, values, size=None, margin=None, blend=None, batch_size=1, scale=None, name="the volume", overlapping=False
):
    """Predicted probabilities of a volume, from its first plane to its last, in slabs of finished planes.

    The same as `bands` of an image, along three axes: patches overlap by 2 * margin + blend voxels, the outermost
    `margin` count only at the volume's own border, and over the next `blend` a patch's weight rises linearly. Memory
    holds size[0] planes of K probabilities in single precision, whatever the depth.

    Args:
        model: keras.Model from volumes (N, D, H, W, C) to logits (N, D, H, W, K).
        values: (D, H, W, C), an array or a memory map.
        size: (D, H, W) of the patches, voxels; None: the size that the model's input has.
        margin: voxels, a number or three, 0 or more; None: an eighth of the size.
        blend: voxels, a number or three, 1 or more; None: a quarter of the size, so that patches overlap by a half.
        batch_size: the most patches at a time.
        scale: see `data.patches.scaling`; the one that the model was trained with.
        name: what errors call the volume.
        overlapping: see `bands`.

    Yields:
        (first, probabilities): the slab's first plane, and float32 (d, H, W, K) that sum to one over K, or are of
        structures that may overlap, valid until the next slab is asked for.

    Raises:
        ValueError: naming what does not fit, or the volume whose logits are not finite.
    """
    size = _checked(model, values, size, name)
    margin = sides("margin", [one // 8 for one in size] if margin is None else margin, 0)
    blend = sides("blend", [max(one // 4, 1) for one in size] if blend is None else blend, 1)
    for axis in zip(size, margin, blend):
        tiles.check(*axis, name="size")
    checks.integer("batch_size", batch_size, 1)
    checks.boolean("overlapping", overlapping)
    scaled = scaling(scale, values)
    shape = values.shape[:3]
    starts = [
        tiles.starts(length, one, one - 2 * outer - inner)
        for length, one, outer, inner in zip(shape, size, margin, blend)
    ]

    def weights_of(axis, start):
        return tiles.weights_along(start, shape[axis], size[axis], margin[axis], blend[axis])

    places = [(top, left) for top in starts[1] for left in starts[2]]
    total = weights = None
    for front, following in zip(starts[0], [*starts[0][1:], shape[0]]):
        for first in range(0, len(places), batch_size):
            some = [(front, *place) for place in places[first : first + batch_size]]
            for corner, part in zip(some, _probabilities(model, values, scaled, some, size, batch_size, overlapping)):
                if total is None:
                    padded = (size[0], max(shape[1], size[1]), max(shape[2], size[2]))
                    total, weights = (np.zeros((*padded, count), np.float32) for count in (part.shape[-1], 1))
                along = [weights_of(axis, start) for axis, start in enumerate(corner)]
                weight = (along[0][:, None, None] * along[1][:, None] * along[2])[..., None]
                place = (slice(None), *(slice(start, start + one) for start, one in zip(corner[1:], size[1:])))
                total[place] += weight * part
                weights[place] += weight
        done = following - front
        finished = total[:done, : shape[1], : shape[2]]
        finished /= weights[:done, : shape[1], : shape[2]]
        if not np.isfinite(finished).all():
            raise ValueError(f"model must give finite logits; it does not for {name}: did its training diverge?")
        yield front, finished
        for kept in (total, weights):
            for plane in range(size[0] - done):  # one by one, as a copy of all would cost its memory twice
                kept[plane] = kept[plane + done]
            kept[size[0] - done :] = 0


def _checked(model, values, size, name):
    """The size of the patches, if the model takes the volume."""
    if not hasattr(model, "predict_on_batch"):
        raise ValueError(f"model must be a keras.Model from volumes to logits (N, D, H, W, K); got {model!r}")
    of_model = model.input_shape if isinstance(getattr(model, "input_shape", None), tuple) else (None,) * 5
    if len(of_model) != 5:
        raise ValueError(f"model must take volumes (N, D, H, W, C); it takes {of_model}")
    shape, kind = np.shape(values), np.dtype(getattr(values, "dtype", "O")).kind
    if len(shape) != 4 or not min(shape) or kind not in "buif" or of_model[-1] not in (None, shape[-1]):
        raise ValueError(
            f"{name} must be an array of numbers (D, H, W, {of_model[-1] or 'C'}), as many channels as the network "
            f"has; got shape {shape}"
        )
    if size is None and None in of_model[1:4]:
        raise ValueError(f"size must be given, as the model takes volumes of any size, {of_model}; got None")
    return sides("size", of_model[1:4] if size is None else size, 1)


def _probabilities(model, values, scaled, corners, size, batch_size, overlapping):
    """Probabilities of the patches at some corners: a whole batch, to compile once."""
    patches = np.zeros((batch_size, *size, values.shape[3]), np.float32)
    for patch, corner in zip(patches, corners):
        part = values[tuple(slice(start, start + one) for start, one in zip(corner, size))]
        missing = [(0, one - length) for one, length in zip(size, part.shape)]
        patch[:] = np.pad(scaled(np.asarray(part)), [*missing, (0, 0)], mode="symmetric")
    return tiles.probabilities(model, patches, overlapping)[: len(corners)]


def predict_volume(model, volume, spacing=None, overlapping=False, **options):
    """The most probable class of every voxel, on the volume's own grid; or each structure, where they may overlap.

    Args:
        model: keras.Model from volumes (N, D, H, W, C) to logits (N, D, H, W, K), K of at most 256.
        volume: Volume, (D, H, W) or (D, H, W, C).
        spacing: mm along depth, height and width, that the model was trained at; the volume is resampled to it, and
            the probabilities back. None: the volume's own.
        overlapping: whether the logits are of K structures that may overlap, as trained by `targets.Overlapping`.
        options: of `slabs`: size, margin, blend, batch_size, scale.

    Returns:
        Volume of uint8 (D, H, W); of structures that may overlap (D, H, W, K), 1 where a structure is probable.

    Raises:
        ValueError: see `slabs`; or if the model has more classes.

    Example:
        >>> image = read_volume("case.nii.gz")
        >>> write_volume(predict_volume(volume_model, image, size=(64, 64, 64)), "case_classes.nii.gz")
    """
    checks.instance("volume", volume, Volume, "a data.Volume")
    planes = []
    for _, probabilities in slabs_of_volume(model, volume, spacing, overlapping=overlapping, **options):
        planes += [tiles.decided(plane, overlapping) for plane in probabilities]  # one by one, for memory
    return volume.with_values(np.stack(planes))


def slabs_of_volume(model, volume, spacing=None, **options):
    """`slabs` on a Volume's own grid, predicted at another spacing, see `predict_volume`."""
    values = volume.values if volume.values.ndim == 4 else volume.values[..., None]
    step = np.ones(3) if spacing is None else np.divide(checked_spacing("spacing", spacing), volume.spacing)
    is_own = np.allclose(step, 1, rtol=SPACING_TOLERANCE)
    found = slabs(model, values if is_own else _resampled(values, step), name=volume.name, **options)
    return found if is_own else _back(found, volume.shape, step)


def _resampled(values, step):
    """The values (D, H, W, C) with voxels `step` times as far apart, linearly, float32; at least one voxel a side."""
    shape = np.maximum(np.rint(np.divide(values.shape[:3], step)), 1).astype(int)
    place = {"matrix": step, "offset": step / 2 - 0.5, "output_shape": tuple(shape), "mode": "nearest", "order": 1}
    channels = [
        ndimage.affine_transform(values[..., channel].astype(np.float32), **place)
        for channel in range(values.shape[-1])
    ]
    return np.stack(channels, -1)


def _back(found, shape, step):
    """Slabs of resampled planes as slabs of the original ones, linearly; each waits for the plane that follows it."""
    at = (np.arange(shape[0]) + 0.5) / step[0] - 0.5  # of the original planes, in resampled ones
    rows, start, done = None, 0, 0

    def interpolated(first, last):
        offset = [at[first] - start, *(0.5 / step[1:] - 0.5)]
        place = {"matrix": 1 / step, "offset": offset, "output_shape": (last - first, *shape[1:])}
        parts = [
            ndimage.affine_transform(rows[..., label], mode="nearest", order=1, **place)
            for label in range(rows.shape[-1])
        ]
        return first, np.stack(parts, -1)

    for first, slab in found:
        rows = slab if rows is None else np.concatenate([rows[-1:], slab])
        start = max(first - 1, 0)
        ready = int(np.searchsorted(at, start + len(rows) - 1, side="right"))
        if ready > done:
            yield interpolated(done, ready)
            done = ready
        rows = rows[-1:].copy()
        start = first + len(slab) - 1
    if done < shape[0]:
        yield interpolated(done, shape[0])


def predict_volume_files(model, volumes, folder, names=None, overlapping=False, **options):
    """Predict volumes in files, and write their classes in the format, spacing and orientation of each.

    Structures that may overlap have a file each, NAME_STRUCTURE, of 0 and 1.

    Detached headers (.mhd, .nhdr) become one file (.mha, .nrrd), and a DICOM series becomes a DICOM-SEG (.dcm).

    Args:
        model: see `predict_volume`.
        volumes: `data.VolumeFiles`.
        folder: made if missing; not one that holds the volumes or their masks.
        names: of the classes, the background's first, for a DICOM-SEG, or of the structures; None: their numbers.
        overlapping: see `predict_volume`.
        options: of `predict_volume`.

    Yields:
        (path of the written file, Volume of classes). Where a file cannot be written, those before it stay.

    Raises:
        ValueError: naming the volume that cannot be read or predicted.
        OSError: naming the file that could not be written.
    """
    checks.instance("volumes", volumes, VolumeFiles, "data.VolumeFiles")
    if names is not None:
        checks.listed("names", names, str, "names of the classes")
    of_volumes = [Path(path) for paths in volumes.images for path in paths]
    of_masks = [Path(path) for paths in volumes.masks.values() for path in paths]
    if checks.path("folder", folder).resolve() in {path.resolve().parent for path in (*of_volumes, *of_masks)}:
        raise ValueError(
            f"folder must not be where volumes or masks lie, which predictions could overwrite; got {str(folder)!r}"
        )
    folder = writable_folder(folder)
    for i, name in enumerate(volumes.names):
        predicted = predict_volume(model, volumes.image(i), overlapping=overlapping, **options)
        classes = names or [str(number) for number in range(model.output_shape[-1])]
        if not overlapping:
            yield write_like(volumes.images[i][0], predicted, folder, name, classes), predicted
            continue
        if len(classes) != predicted.values.shape[-1]:
            raise ValueError(f"names must be of the {predicted.values.shape[-1]} structures; got {names!r}")
        for number, structure in enumerate(classes):
            one = predicted.with_values(predicted.values[..., number])
            named = f"{name}_{structure}", ["background", structure]
            yield write_like(volumes.images[i][0], one, folder, *named), one


def write_like(source, predicted, folder, name, classes):
    """Write a Volume of classes in the format of the file, or of the DICOM series, that was predicted.

    Returns:
        the path: the folder's, with the name and the format's ending.
    """
    source = Path(source)
    ending = ".dcm" if source.is_dir() else volume_ending(source)
    path = folder / f"{name}{DETACHED.get(ending, ending)}"
    if source.is_dir():
        dicom.write_dicom_seg(predicted, path, source, classes)
    else:
        write_volume(predicted, path)
    return path
