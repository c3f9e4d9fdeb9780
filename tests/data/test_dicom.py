"""DICOM series as volumes, and DICOM-SEG as class numbers, both of files made here."""

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")
pytest.importorskip("SimpleITK")

from dicom_cases import HOUNSFIELD, SERIES, write_series, write_slice  # noqa: E402
from pydicom.uid import generate_uid  # noqa: E402

from thesis_lib.data.dicom import write_dicom_seg  # noqa: E402
from thesis_lib.data.volumes import Volume, check_same_grid, read_volume, write_volume  # noqa: E402


def test_a_series_is_one_volume_in_hounsfield_units(tmp_path):
    folder = write_series(tmp_path / "ct")
    (folder / "notes.txt").write_text("not a slice")
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.values, HOUNSFIELD)
    np.testing.assert_allclose(volume.spacing, (2.5, 0.7, 0.8))
    np.testing.assert_allclose(volume.origin, (-30, 5, 100))
    np.testing.assert_array_equal(volume.direction, np.eye(3)[:, ::-1])
    write_volume(volume, tmp_path / "ct.nii.gz")
    read_volume(tmp_path / "ct.nii.gz", like=volume)  # lies on the same grid


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_equal_distances(tmp_path):
    places = [round(0.625 * i, 1) for i in range(6)]
    write_series(tmp_path / "ct", [place / 0.5 for place in places])
    assert read_volume(tmp_path / "ct").spacing[0] == pytest.approx(3.1, abs=0.03)


@pytest.mark.parametrize(
    "series, what",
    [
        (
            {"places": (0, 1, 2, 4, 5, 6)},
            r"equal distances.*got 5 mm between 03\.dcm and 10\.dcm where 2\.5 mm is usual",
        ),
        ({"places": (0, 1, 2, 3, 3, 4)}, r"must hold one volume; got 06\.dcm and 10\.dcm at one place"),
        ({"shift": (0.0, 0.5)}, r"at right angles, within 0\.5 px; got a gantry tilt of 11\.3 degrees"),
        ({"NumberOfFrames": 2}, r"00\.dcm must hold one slice; got 2 frames"),
        ({"PixelSpacing": None}, "it lacks PixelSpacing"),
    ],
)
def test_what_is_no_series_of_slices_is_named(tmp_path, series, what):
    write_series(tmp_path / "ct", **series)
    with pytest.raises(ValueError, match=what):
        read_volume(tmp_path / "ct")


def test_a_slice_unlike_the_others_is_named(tmp_path):
    folder = write_series(tmp_path / "ct")
    write_slice(folder, 2, HOUNSFIELD[2], (-30, 5, 105), ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    with pytest.raises(ValueError, match=r"slices of one ImageOrientationPatient; got .* in 00\.dcm and .* in 03\.dcm"):
        read_volume(folder)


def test_one_of_several_series_is_chosen_by_its_number(tmp_path):
    other = generate_uid()
    folder = write_series(tmp_path / "ct")
    write_slice(folder, 9, HOUNSFIELD[0], (-30, 5, 100), SeriesInstanceUID=other)
    with pytest.raises(ValueError, match=r"must hold one DICOM series, or `series` must name one; got .* \(6 files\)"):
        read_volume(folder)
    np.testing.assert_array_equal(read_volume(folder, series=str(SERIES)).values, HOUNSFIELD)


def test_damaged_and_missing_files_are_named(tmp_path):
    folder = write_series(tmp_path / "ct")
    with pytest.raises(ValueError, match=r"00\.dcm must hold a volume; got one slice: give the folder"):
        read_volume(folder / "00.dcm")
    content = (folder / "00.dcm").read_bytes()
    (folder / "00.dcm").write_bytes(content[:-60])
    with pytest.raises(ValueError, match=r"ct cannot be read as a volume: .*00\.dcm"):
        read_volume(folder)
    (folder / "00.dcm").write_bytes(content[:300])
    with pytest.raises(ValueError, match=r"00\.dcm must name its series; it does not: is the file cut short\?"):
        read_volume(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty must hold a DICOM series; got a folder without one"):
        read_volume(tmp_path / "empty")


def test_class_numbers_go_into_a_dicom_seg_and_back(tmp_path):
    folder = write_series(tmp_path / "ct")
    image = read_volume(folder)
    classes = np.zeros(image.shape, np.uint8)
    classes[2, 2:5, 3:6], classes[3, 2:5, 3:6] = 1, 3
    path = tmp_path / "seg.dcm"
    write_dicom_seg(image.with_values(classes), path, folder, ["background", "liver", "spleen", "tumour"])
    mask = read_volume(path, labels=True, like=image)
    np.testing.assert_array_equal(mask.values, classes)
    alone = read_volume(path, labels=True)  # its own slices
    np.testing.assert_array_equal(alone.values, classes[2:4])
    np.testing.assert_allclose(alone.origin, (-30, 5, 105))
    with pytest.raises(ValueError, match=r"seg\.dcm must be an image; got a DICOM-SEG: read it with labels=True"):
        read_volume(path)
    elsewhere = Volume(image.values, image.spacing, (0.3, 0, 0))
    with pytest.raises(ValueError, match=r"seg\.dcm cannot be read as one volume: "):
        read_volume(path, labels=True, like=elsewhere)
    with pytest.raises(ValueError, match="the highest class of the mask must be a whole number from 0 to 1; got 3"):
        write_dicom_seg(image.with_values(classes), path, folder, ["background", "liver"])


def test_overlapping_segments_are_named(tmp_path):
    highdicom = pytest.importorskip("highdicom")
    folder = write_series(tmp_path / "ct")
    image = read_volume(folder)
    classes = np.zeros(image.shape, np.uint8)
    classes[2, 2:5] = 1
    write_dicom_seg(image.with_values(classes), tmp_path / "one.dcm", folder, ["background", "a", "b"])
    one = highdicom.seg.segread(tmp_path / "one.dcm")
    both = highdicom.seg.Segmentation(
        [pydicom.dcmread(path) for path in sorted(folder.iterdir())],
        np.ones((6, 8, 10, 2), np.uint8),
        "BINARY",
        list(one.SegmentSequence),
        generate_uid(),
        1,
        generate_uid(),
        1,
        "m",
        "m",
        "1",
        "1",
    )
    both.save_as(tmp_path / "both.dcm")
    with pytest.raises(ValueError, match=r"both\.dcm cannot be read as one volume: .*overlap"):
        read_volume(tmp_path / "both.dcm", labels=True, like=image)


def test_a_file_of_several_frames_is_the_same_volume_as_the_series(tmp_path):
    highdicom = pytest.importorskip("highdicom")
    folder = write_series(tmp_path / "ct")
    slices = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    enhanced = highdicom.legacy.LegacyConvertedEnhancedCTImage(slices, generate_uid(), 2, generate_uid(), 1)
    enhanced.save_as(tmp_path / "enhanced.dcm")
    volume, expected = read_volume(tmp_path / "enhanced.dcm"), read_volume(folder)
    check_same_grid(volume, expected)
    np.testing.assert_array_equal(volume.values, expected.values)
