"""nnU-Net's layout, made here; what is missing or wrong in it is named."""

import json

import numpy as np
import pytest

pytest.importorskip("SimpleITK")

from thesis_lib.data.nnunet import load_nnunet  # noqa: E402
from thesis_lib.data.volumes import Volume, write_volume  # noqa: E402

ABOUT = {
    "channel_names": {"0": "T1", "1": "T2"},
    "labels": {"background": 0, "kidney": 1, "tumour": 2, "ignore": 3},
    "numTraining": 2,
    "file_ending": ".nii.gz",
}


def write(folder, **changes):
    """Two cases of two channels to train on, of two sizes and spacings, and one to test on."""
    generator = np.random.default_rng(0)
    for part, cases in (("Tr", ("a_1", "b")), ("Ts", ("c",))):
        for name in (f"images{part}", f"labels{part}"):
            (folder / name).mkdir(exist_ok=True)
        for i, case in enumerate(cases):
            place = {"spacing": (2.0 + i, 1, 1), "origin": (i, 2, 3)}
            for channel in (0, 1):
                values = generator.integers(0, 100, (4 + i, 5, 6)).astype(np.int16) + 1000 * channel
                write_volume(Volume(values, **place), folder / f"images{part}" / f"{case}_{channel:04d}.nii.gz")
            labels = generator.integers(0, 4, (4 + i, 5, 6)).astype(np.uint8)
            write_volume(Volume(labels, **place), folder / f"labels{part}" / f"{case}.nii.gz")
    (folder / "dataset.json").write_text(json.dumps({**ABOUT, **changes}))
    return folder


def test_cases_channels_classes_and_masks_are_read(tmp_path):
    data = load_nnunet(write(tmp_path))
    assert data.classes == ("background", "kidney", "tumour")
    assert (data.channels, data.regions, data.ending) == (("T1", "T2"), {}, ".nii.gz")
    assert (data.train.names, data.test.names) == (("a_1", "b"), ("c",))
    image = data.train.image(1)
    assert image.values.shape == (5, 5, 6, 2) and image.spacing == (3, 1, 1)
    assert image.values[..., 0].max() < 100 and image.values[..., 1].min() >= 1000
    assert set(np.unique(data.train.mask(1).values)) == {0, 1, 2, 255}  # 3 is to ignore


def test_regions_overlap_and_keep_the_numbers(tmp_path):
    labels = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3}
    data = load_nnunet(write(tmp_path, labels=labels, regions_class_order=[1, 2, 3]))
    assert data.regions == {"whole": (1, 2, 3), "core": (2, 3), "enhancing": (3,)}
    assert data.classes == ("0", "1", "2", "3")
    assert set(np.unique(data.train.mask(0).values)) == {0, 1, 2, 3}


def test_the_first_version_is_understood(tmp_path):
    write(tmp_path)
    about = {
        "modality": {"0": "T1", "1": "T2"},
        "labels": {"0": "background", "1": "kidney", "2": "tumour", "3": "cyst"},
    }
    (tmp_path / "dataset.json").write_text(json.dumps(about))
    data = load_nnunet(tmp_path)
    assert data.classes == ("background", "kidney", "tumour", "cyst") and data.channels == ("T1", "T2")


def test_files_that_dataset_json_lists_are_taken_instead(tmp_path):
    files = {"x": {"images": ["imagesTr/b_0000.nii.gz", "imagesTr/b_0001.nii.gz"], "label": "labelsTr/b.nii.gz"}}
    data = load_nnunet(write(tmp_path, dataset=files, numTraining=1))
    assert data.train.names == ("x",) and data.train.mask(0).shape == (5, 5, 6)


@pytest.mark.parametrize(
    "changes, what",
    [
        ({"numTraining": 3}, "must state the number of cases in imagesTr, 2; got 3"),
        ({"labels": {"background": 0, "kidney": 2}}, r"must number its classes 0, 1, 2, .*got \[0, 2\]"),
        ({"labels": {"background": 0, "ignore": 1, "a": 2}}, "the one to ignore last"),
        ({"labels": {"background": 0, "kidney": "one"}}, "must give a class number.* for 'kidney'; got 'one'"),
        ({"labels": {}}, "must hold channel_names and labels; got channel_names, labels"),
        ({"channel_names": {"1": "T1"}}, "must number its channels 0, 1, 2, ...; got 1"),
        ({"file_ending": ".png"}, r"must have a file_ending of volumes, \.nii.*got '\.png'"),
    ],
)
def test_what_is_wrong_in_dataset_json_is_named(tmp_path, changes, what):
    write(tmp_path, **changes)
    with pytest.raises(ValueError, match=rf"dataset\.json {what}" if what.startswith("must") else what):
        load_nnunet(tmp_path)


def test_what_is_missing_is_named(tmp_path):
    folder = write(tmp_path)
    (folder / "imagesTr" / "b_0001.nii.gz").rename(folder / "imagesTr" / "b.nii.gz")
    with pytest.raises(ValueError, match=r"imagesTr must hold files named CASE_0000\.nii\.gz; got b\.nii\.gz"):
        load_nnunet(folder)
    (folder / "imagesTr" / "b.nii.gz").unlink()
    with pytest.raises(ValueError, match="imagesTr must hold 2 channels of each case, T1, T2; got of b 0000"):
        load_nnunet(folder)
    (folder / "imagesTr" / "b_0000.nii.gz").unlink()
    with pytest.raises(ValueError, match="must hold a mask for each case, and the reverse; got without: labelsTr/b"):
        load_nnunet(folder)
    (folder / "dataset.json").write_text("{")
    with pytest.raises(ValueError, match=r"dataset\.json cannot be read as JSON"):
        load_nnunet(folder)
    (folder / "dataset.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"dataset\.json"):
        load_nnunet(folder)


def test_a_channel_or_mask_on_another_grid_is_named(tmp_path):
    folder = write(tmp_path)
    data = load_nnunet(folder)
    write_volume(Volume(np.zeros((4, 5, 6), np.int16), (2, 1, 1.5)), folder / "imagesTr" / "a_1_0001.nii.gz")
    with pytest.raises(ValueError, match=r"a_1_0000\.nii\.gz and .*a_1_0001\.nii\.gz must lie on one grid.*spacing"):
        data.train.image(0)
    write_volume(Volume(np.zeros((5, 5, 5), np.uint8), (3, 1, 1), (1, 2, 3)), folder / "labelsTr" / "b.nii.gz")
    with pytest.raises(ValueError, match=r"b_0000\.nii\.gz and .*b\.nii\.gz must lie on one .*size \(5, 5, 6\) and"):
        data.train.mask(1)


def test_a_class_that_dataset_json_does_not_list_is_named(tmp_path):
    data = load_nnunet(write(tmp_path, labels={"background": 0, "kidney": 1}))
    with pytest.raises(ValueError, match=r"a_1\.nii\.gz must hold the class numbers 0, 1; got 2; 3"):
        data.train.mask(0)
