"""Data sets in nnU-Net's layout, read as they are: `imagesTr`, `labelsTr`, `imagesTs`, `labelsTs` and `dataset.json`.

F. Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation",
Nature Methods 18, 203-211, 2021. The layout is that of version 2; the `dataset.json` of version 1 is understood.
"""

import json
import re
from collections import defaultdict
from dataclasses import dataclass

from thesis_lib import checks
from thesis_lib.data.itk_files import KINDS
from thesis_lib.data.reading import in_words, table_bytes
from thesis_lib.data.tiff_stacks import ENDINGS
from thesis_lib.data.volume_files import VolumeFiles


@dataclass(frozen=True)
class NnUNet:
    """A data set in nnU-Net's layout.

    Args:
        train: VolumeFiles of imagesTr and labelsTr.
        test: VolumeFiles of imagesTs, with masks if there is labelsTs.
        classes: names; class k of the masks that are read is the k-th. Where there are regions, the numbers as text.
        regions: {name: class numbers} of overlapping structures, such as the whole tumour and its core, for
            `structures` and `VolumePatches`; empty for classes that exclude each other.
        channels: names.
        ending: of the files, such as .nii.gz.
    """

    train: VolumeFiles
    test: VolumeFiles
    classes: tuple
    regions: dict
    channels: tuple
    ending: str


def load_nnunet(folder):
    """Read which volumes a data set of nnU-Net has; their voxels are read when they are asked for.

    Args:
        folder: such as nnUNet_raw/Dataset004_Hippocampus.

    Returns:
        NnUNet. The number of the class "ignore" becomes 255 in masks.

    Raises:
        FileNotFoundError: if a part of the layout is missing.
        ValueError: naming dataset.json and what is wrong in it; or cases that lack a channel or a mask.

    Example:
        >>> data = load_nnunet("nnUNet_raw/Dataset004_Hippocampus")
        >>> patches = VolumePatches(unpack(data.train, "unpacked"), size=(40, 56, 40), batch_size=2)
    """
    folder = checks.path("folder", folder)
    path = folder / "dataset.json"
    try:
        about = json.loads(table_bytes(path))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from error
    channels, labels, ending = _described(path, about)
    numbers, ignore, regions = _numbers(path, labels)
    parts = []
    for images, masks in (("imagesTr", "labelsTr"), ("imagesTs", "labelsTs")):
        is_train = masks == "labelsTr"
        if is_train and isinstance(about.get("dataset"), dict):
            cases, drawn = _listed(path, about["dataset"])
        else:
            cases = _cases(folder / images, ending, channels) if is_train or (folder / images).is_dir() else {}
            drawn = _masks(folder / masks, ending) if is_train or (cases and (folder / masks).is_dir()) else None
        if drawn is not None and set(cases) != set(drawn):
            lone = [f"{images}/{case}" for case in sorted(set(cases) - set(drawn))]
            lone += [f"{masks}/{case}" for case in sorted(set(drawn) - set(cases))]
            raise ValueError(f"{folder} must hold a mask for each case, and the reverse; got without: {in_words(lone)}")
        names = tuple(sorted(cases))
        of_masks = {} if drawn is None else {"": tuple(drawn[case] for case in names)}
        parts.append(VolumeFiles(names, tuple(cases[case] for case in names), of_masks, tuple(numbers), ignore))
    count = about.get("numTraining", len(parts[0]))
    if count != len(parts[0]):
        raise ValueError(f"{path} must state the number of cases in imagesTr, {len(parts[0])}; got {count!r}")
    names = {number: name for name, number in labels.items() if isinstance(number, int)}
    classes = tuple(map(str, numbers)) if regions else tuple(names[number] for number in numbers)
    return NnUNet(*parts, classes, regions, channels, ending)


def cases_without_masks(folder, data):
    """VolumeFiles of a further folder of an `NnUNet`, with a file for each channel of a case, and no masks."""
    cases = _cases(folder, data.ending, data.channels)
    return VolumeFiles(tuple(sorted(cases)), tuple(cases[case] for case in sorted(cases)), {})


def _described(path, about):
    """Channels, labels and file ending that dataset.json gives, of either version."""
    if not isinstance(about, dict):
        raise ValueError(f"{path} must hold an object with channel_names, labels and file_ending; got {type(about)}")
    channels = about.get("channel_names", about.get("modality"))
    labels = about.get("labels")
    if not isinstance(channels, dict) or not channels or not isinstance(labels, dict) or not labels:
        raise ValueError(f"{path} must hold channel_names and labels; got {', '.join(about) or 'an empty object'}")
    if set(channels) != {str(number) for number in range(len(channels))}:
        raise ValueError(f"{path} must number its channels 0, 1, 2, ...; got {', '.join(channels)}")
    if all(re.fullmatch(r"\d+", number) for number in labels) and all(
        isinstance(name, str) for name in labels.values()
    ):
        labels = {name: int(number) for number, name in labels.items()}  # as version 1 has it
    ending = about.get("file_ending", ".nii.gz")
    if ending not in (*KINDS, *ENDINGS):
        raise ValueError(f"{path} must have a file_ending of volumes, {', '.join([*KINDS, *ENDINGS])}; got {ending!r}")
    return tuple(channels[str(number)] for number in range(len(channels))), labels, ending


def _numbers(path, labels):
    """The class numbers, the one to ignore or None, and the regions, {name: numbers}."""
    regions, numbers, ignore = {}, set(), None
    for name, stored in labels.items():
        several = stored if isinstance(stored, list) else [stored]
        if not several or not all(type(number) is int and number >= 0 for number in several):
            raise ValueError(f"{path} must give a class number, or a list of them, for {name!r}; got {stored!r}")
        if name == "ignore":
            ignore = several[0]
            continue
        numbers.update(several)
        if name != "background":
            regions[name] = tuple(several)
    if sorted(numbers) != list(range(len(numbers))) or ignore not in (None, len(numbers)):
        got = sorted(numbers) + ([] if ignore is None else [f"{ignore} to ignore"])
        raise ValueError(f"{path} must number its classes 0, 1, 2, ..., the one to ignore last; got {got}")
    return sorted(numbers), ignore, regions if any(isinstance(stored, list) for stored in labels.values()) else {}


def _cases(folder, ending, channels):
    """{case: paths of its channels} of files CASE_0000.ENDING."""
    found, strange = defaultdict(dict), []
    for path in _files(folder, ending):
        match = re.fullmatch(r"(.+)_(\d{4})", path.name[: -len(ending)])
        if match:
            found[match[1]][int(match[2])] = path
        else:
            strange.append(path.name)
    if strange:
        raise ValueError(f"{folder} must hold files named CASE_0000{ending}; got {in_words(strange)}")
    for case, paths in found.items():
        if sorted(paths) != list(range(len(channels))):
            raise ValueError(
                f"{folder} must hold {len(channels)} channels of each case, {', '.join(channels)}; got of {case} "
                f"{', '.join(f'{number:04d}' for number in sorted(paths))}"
            )
    if not found:
        raise ValueError(f"{folder} must hold files named CASE_0000{ending}; got none")
    return {case: tuple(paths[number] for number in sorted(paths)) for case, paths in found.items()}


def _masks(folder, ending):
    return {path.name[: -len(ending)]: path for path in _files(folder, ending)}


def _files(folder, ending):
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} must be a folder of nnU-Net's layout; there is none")
    return [path for path in sorted(folder.iterdir()) if path.name.endswith(ending) and not path.name.startswith(".")]


def _listed(path, cases):
    """Cases and masks that dataset.json lists with their paths, from its folder."""
    images, masks = {}, {}
    for case, files in cases.items():
        if not isinstance(files, dict) or not isinstance(files.get("images"), list) or not files.get("label"):
            raise ValueError(f"{path} must list images and a label for {case!r}; got {files!r}")
        images[case] = tuple(path.parent / file for file in files["images"])
        masks[case] = path.parent / files["label"]
    return images, masks
