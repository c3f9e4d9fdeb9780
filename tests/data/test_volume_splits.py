"""Which volumes of a folder train, validate and test: scans of one patient, and copies, stay in one part."""

import shutil
from pathlib import Path

import pytest

from tests.segmentation.test_volume_run import case, write_nnunet, write_plain
from thesis_lib.data import write_volume
from thesis_lib.data.volume_splits import load_volume_splits

pytest.importorskip("SimpleITK")


def load(data, **options):
    return load_volume_splits(data, Path(data).parent / "unpacked", **options)


def parts_of(splits):
    return {name: part for part, files in splits.files.items() for name in files.names}


def table(data, *rows, columns="file,group"):
    (Path(data) / "groups.csv").write_text("\n".join([columns, *rows]) + "\n")


def test_scans_of_a_patient_stay_in_one_part(tmp_path):
    data = write_plain(tmp_path / "data", 9)
    alone = parts_of(load(data))
    assert {part: list(alone.values()).count(part) for part in set(alone.values())} == {
        "train": 7,
        "validation": 1,
        "test": 1,
    }
    table(data, *(f"images/case{i}.nrrd,patient{i % 4}" for i in range(9)))
    splits = load(data)
    parts = parts_of(splits)
    assert all(parts[f"case{i}"] == parts[f"case{i % 4}"] for i in range(9)) and set(parts.values()) == {
        "train",
        "validation",
        "test",
    }
    assert splits.rule == "70 / 15 / 15% at random, seed 0, volumes of a group in groups.csv together"
    table(data, *(f"case{i},patient{i % 2}" for i in range(9)))
    with pytest.raises(ValueError, match="groups must be at least 3, for as many parts; got 2"):
        load(data)


def test_the_column_split_says_the_part(tmp_path):
    data = write_plain(tmp_path / "data", 5)
    parts = ("test", "train", "val", "train", "test")
    table(data, *(f"case{i},{part}" for i, part in enumerate(parts)), columns="file,split")
    splits = load(data)
    assert parts_of(splits) == {f"case{i}": part.replace("val", "validation") for i, part in enumerate(parts)}
    assert splits.rule == "by groups.csv"
    table(data, *(f"case{i},{part},p" for i, part in enumerate(parts)), columns="file,split,group")
    with pytest.raises(ValueError, match="group 'p' must lie in one part; got test and train"):
        load(data)


def test_patients_of_nnunets_test_cases_are_not_among_the_training_cases(tmp_path):
    data = write_nnunet(tmp_path / "data", 4, (7,))
    table(data, "case0,a", "case1,a", "case2,b", "case3,b")
    parts = parts_of(load(data))
    assert parts["case0"] == parts["case1"] != parts["case2"] == parts["case3"] and parts["case7"] == "test"
    table(data, "case0,a", "case1,a", "case2,b", "case3,b", "imagesTs/case7_0000.nii.gz,b")
    with pytest.raises(ValueError, match="groups.csv: group 'b' must lie in one part; got train and test"):
        load(data)
    table(data, *(f"case{i},train" for i in range(4)), columns="file,split")
    with pytest.raises(ValueError, match="groups.csv must have no column split beside nnU-Net's test cases"):
        load(data)


def test_training_cases_that_are_copies_of_nnunets_test_cases_are_left_out(tmp_path):
    data = Path(write_nnunet(tmp_path / "data", 4, (7,)))
    shutil.copy(data / "imagesTs" / "case7_0000.nii.gz", data / "imagesTr" / "case2_0000.nii.gz")
    with pytest.warns(UserWarning, match="1 training volumes in .* are left out: they are copies of test volumes"):
        parts = parts_of(load(str(data)))
    assert set(parts) == {"case0", "case1", "case3", "case7"}
    for number in (0, 1):
        shutil.copy(data / "imagesTs" / "case7_0000.nii.gz", data / "imagesTr" / f"case{number}_0000.nii.gz")
    with pytest.raises(ValueError, match="2 training volumes or more that are no copies of test volumes; .* holds 1"):
        load(str(data))


def test_volumes_without_a_mask_are_left_out_where_their_patient_is_held(tmp_path):
    data = Path(write_plain(tmp_path / "data", 4))
    (data / "unlabelled").mkdir()
    for i in range(2):
        write_volume(case(20 + i)[0], data / "unlabelled" / f"more{i}.nrrd")
    held = load(str(data)).files["test"].names[0]
    rows = [f"case{i},case{i}" for i in range(4)]
    table(data, *rows, f"unlabelled/more1.nrrd,{held}")
    with pytest.warns(UserWarning, match="1 volumes in .*unlabelled are left out: .* or volumes of their group"):
        splits = load(str(data), unlabelled=True)
    assert splits.files["unlabelled"].names == ("more0",)


def test_copies_of_a_volume_stay_in_one_part(tmp_path):
    data = Path(write_plain(tmp_path / "data", 6))
    for i in range(3):
        for folder in ("images", "masks"):
            shutil.copy(data / folder / f"case{i}.nrrd", data / folder / f"again{i}.nrrd")
    with pytest.warns(UserWarning, match=r"3 of 9 images are copies .* \(case0 of again0\); they are kept in one part"):
        parts = parts_of(load(str(data)))
    assert all(parts[f"again{i}"] == parts[f"case{i}"] for i in range(3))
