"""Patches of volumes: where they come from, at which spacing, and that training sees the same ones again."""

import numpy as np
import pytest

pytest.importorskip("SimpleITK")

from thesis_lib.data.patches import VolumePatches, scaling  # noqa: E402
from thesis_lib.data.volume_files import unpack, volume_folders  # noqa: E402
from thesis_lib.data.volumes import Volume, write_volume  # noqa: E402

SPACINGS = ((2.0, 1.0, 1.0), (2.0, 1.0, 1.0), (4.0, 0.5, 0.5))
SHAPES = ((6, 12, 14), (5, 10, 12), (3, 24, 20))


def folders(root, numbers=(0, 1)):
    """Volumes whose value is the depth in mm, with a mask of the voxels deeper than 4 mm, and a second annotator."""
    for name, spacing, shape in zip("abc", SPACINGS, SHAPES):
        depth = np.broadcast_to(((np.arange(shape[0]) + 0.5) * spacing[0])[:, None, None], shape)
        for folder, values in (
            ("images", depth.astype(np.float32)),
            ("masks", np.where(depth > 4, *numbers[::-1]).astype(np.uint8)),
            ("second", np.where(depth > 8, *numbers[::-1]).astype(np.uint8)),
        ):
            (root / folder).mkdir(exist_ok=True)
            write_volume(Volume(np.ascontiguousarray(values), spacing), root / folder / f"{name}.nii.gz")
    return volume_folders(root / "images", {"": root / "masks", "second": root / "second"})


def test_a_batch_comes_from_volumes_of_one_spacing(tmp_path):
    volumes = unpack(folders(tmp_path), tmp_path / "unpacked")
    patches = VolumePatches(volumes, (2, 8, 6), 4, patches_per_volume=3, mirror=())
    found = [patches.spacing_of(index) for index in range(len(patches))]
    assert sorted(found) == [(2, 1, 1), (2, 1, 1), (4, 0.5, 0.5)]
    for index, spacing in enumerate(found):
        images, masks = patches[index]
        assert images.shape == (len(masks), 2, 8, 6, 1) and images.dtype == np.float32 and masks.dtype == np.uint8
        np.testing.assert_allclose(images[:, 1] - images[:, 0], spacing[0])
        np.testing.assert_array_equal(masks, images[..., 0] > 4)


def test_patches_are_resampled_to_a_spacing(tmp_path):
    volumes = unpack(folders(tmp_path), tmp_path / "unpacked")
    patches = VolumePatches(volumes, (4, 8, 6), 2, spacing=(2, 1, 1), mirror=(), objects=0)
    assert {patches.spacing_of(index) for index in range(len(patches))} == {(2, 1, 1)}
    for number in range(20):
        image, mask = patches.patch(number, 2)  # 3 planes of 4 mm
        steps = np.diff(image[..., 0], axis=0)
        assert steps.max() <= 2.001 and (steps >= -0.001).all()  # the border's value is repeated
        known = mask != 255
        inside = known & (np.abs(image[..., 0] - 4) > 2)  # the nearest voxel is within half of 4 mm
        np.testing.assert_array_equal(mask[inside], image[..., 0][inside] > 4)


def test_a_patch_beyond_its_volume_repeats_the_image_and_ignores_the_mask(tmp_path):
    volumes = unpack(folders(tmp_path), tmp_path / "unpacked")
    image, mask = VolumePatches(volumes, (8, 12, 14), 1, mirror=()).patch(0, 0)
    assert (mask[6:] == 255).all() and (mask[:6] != 255).all()
    np.testing.assert_array_equal(image[6:], np.broadcast_to(image[5], image[6:].shape))


def test_objects_are_in_their_share_of_the_patches(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    mask = np.zeros((20, 40, 40), np.uint8)
    mask[3, 30, 5] = 2
    for folder, values in (("images", mask.astype(np.int16)), ("masks", mask)):
        write_volume(Volume(values, (1, 1, 1)), tmp_path / folder / "a.nrrd")
    volumes = unpack(volume_folders(tmp_path / "images", tmp_path / "masks"), tmp_path / "unpacked")
    held = VolumePatches(volumes, (4, 8, 8), 1, objects=1)
    assert all(held.patch(number, 0)[1].max() == 2 for number in range(60))
    anywhere = VolumePatches(volumes, (4, 8, 8), 1, objects=0)
    assert sum(anywhere.patch(number, 0)[1].max() == 2 for number in range(60)) < 12


def test_an_epoch_is_the_same_again_and_another_one_is_not(tmp_path):
    volumes = unpack(folders(tmp_path), tmp_path / "unpacked")
    one, other = (VolumePatches(volumes, (2, 4, 4), 2, seed=3, annotator=None, scale="standard") for _ in range(2))
    first = [one[index] for index in range(len(one))]
    one.on_epoch_end()
    assert any((a[0] != b[0]).any() for a, b in zip(first, [one[i] for i in range(len(one))]) if len(a[0]) == len(b[0]))
    one.start(-1)
    for (images, masks), again, apart in zip(first, one, other):
        for batch in (again, apart):
            np.testing.assert_array_equal(images, batch[0])
            np.testing.assert_array_equal(masks, batch[1])


def test_a_list_of_volumes_is_refused():
    with pytest.raises(ValueError, match=r"volumes must be what data.unpack returns; got \["):
        VolumePatches([Volume(np.zeros((4, 4, 4), np.float32), (1.0, 1.0, 1.0))], size=4, batch_size=1)


def test_what_was_unpacked_is_read_again_only_when_a_file_changes(tmp_path):
    files = folders(tmp_path)
    before = unpack(files, tmp_path / "unpacked")
    times = [(folder / "image.npy").stat().st_mtime_ns for folder in before.folders]
    again = unpack(files, tmp_path / "unpacked")
    assert again.folders == before.folders
    assert [(folder / "image.npy").stat().st_mtime_ns for folder in again.folders] == times
    write_volume(Volume(np.ones(SHAPES[0], np.float32), SPACINGS[0]), tmp_path / "images" / "a.nii.gz")
    changed = unpack(files, tmp_path / "unpacked")
    assert (changed.image(0).values == 1).all() and changed.folders[1:] == before.folders[1:]
    assert isinstance(changed.image(0).values.base, np.memmap) or isinstance(changed.image(0).values, np.memmap)


def test_class_numbers_in_files_are_those_that_are_named(tmp_path):
    with_255 = folders(tmp_path, numbers=(0, 255))
    with pytest.raises(ValueError, match=r"a\.nii\.gz must hold the class numbers 0 to 254; got 255"):
        with_255.mask(0)
    named = volume_folders(tmp_path / "images", tmp_path / "masks", numbers=(0, 255))
    assert set(np.unique(named.mask(0).values)) == {0, 1}
    ignored = volume_folders(tmp_path / "images", tmp_path / "masks", ignore=255)
    assert set(np.unique(ignored.mask(0).values)) == {0, 255}


def test_volumes_without_a_mask_and_the_reverse_are_named(tmp_path):
    folders(tmp_path)
    (tmp_path / "masks" / "b.nii.gz").rename(tmp_path / "masks" / "d.nii.gz")
    with pytest.raises(ValueError, match=r"the reverse; got alone: \S*images/b; \S*masks/d"):
        volume_folders(tmp_path / "images", tmp_path / "masks")
    with pytest.raises(FileNotFoundError, match="nowhere must be a folder of volumes"):
        volume_folders(tmp_path / "nowhere", tmp_path / "masks")


@pytest.mark.parametrize(
    "wrong, what",
    [
        ({"size": (2, 8)}, r"size must be a number of voxels, or three.*got \(2, 8\)"),
        ({"spacing": (1, 1)}, r"spacing must be three numbers above 0.*got \(1, 1\)"),
        ({"annotator": "third"}, "annotator must be one of"),
        ({"scale": "percent"}, "scale must be one of standard; got 'percent'"),
        ({"scale": 5}, r"scale must be None, 'standard' or two numbers \(low, high\); got 5"),
        ({"scale": (5, 5)}, r"scale's higher bound must be a finite number in \(5, inf\)"),
    ],
)
def test_what_fits_no_patches_is_named(tmp_path, wrong, what):
    volumes = unpack(folders(tmp_path), tmp_path / "unpacked")
    with pytest.raises(ValueError, match=what):
        VolumePatches(volumes, **({"size": 4, "batch_size": 2} | wrong))[0]


def test_volumes_are_scaled_as_a_whole():
    values = np.random.default_rng(0).normal(50, 20, (6, 7, 8, 2)).astype(np.float32) * (1, 10)
    scaled = scaling("standard", values)(values)
    np.testing.assert_allclose(scaled.mean((0, 1, 2)), 127.5, atol=1e-3)
    np.testing.assert_allclose(scaled.std((0, 1, 2)), 63.75, atol=1e-3)
    clipped = scaling((-100, 100), values)(np.array([-200.0, 0, 100, 300]))
    np.testing.assert_allclose(clipped, [0, 127.5, 255, 255])
