"""Prediction of volumes in patches: the same as at once, on the input's grid, in the input's format."""

import keras
import numpy as np
import pytest
from keras import ops

from thesis_lib.data.patches import VolumePatches
from thesis_lib.data.volume_files import VolumeFiles, unpack, volume_folders
from thesis_lib.data.volumes import Volume, check_same_grid, read_volume, write_volume
from thesis_lib.models.unet import symmetric, unet
from thesis_lib.segmentation.volume_prediction import predict_volume, predict_volume_files, slabs


def network(threshold=0.5):
    """Two classes: whether the mean over 3 x 3 x 3 voxels, its receptive field, exceeds a threshold."""
    inputs = keras.Input((None, None, None, 1))
    smooth = keras.layers.AveragePooling3D(3, 1, "same")(inputs)
    logits = keras.layers.Conv3D(2, 1)
    model = keras.Model(inputs, logits(smooth))
    slope = 10 / threshold
    logits.set_weights([np.array([-slope, slope]).reshape(1, 1, 1, 1, 2), np.array([10, -10])])
    return model


@pytest.fixture(scope="module")
def model():
    return network()


def values(shape, seed=0):
    return np.random.default_rng(seed).random((*shape, 1)).astype(np.float32)


@pytest.mark.parametrize("shape", [(13, 17, 11), (5, 30, 9), (3, 4, 5)])
def test_patches_leave_no_seam(model, shape):
    """With a margin of the receptive field, patches give what the whole volume gives; a short side is mirrored."""
    image = values(shape)
    at_once = ops.convert_to_numpy(ops.softmax(model.predict_on_batch(image[None]), -1))[0]
    found = np.full((*shape, 2), np.nan, np.float32)
    for first, slab in slabs(model, image, size=(8, 10, 12), margin=1, blend=2, batch_size=3):
        assert np.isnan(found[first : first + len(slab)]).all()
        found[first : first + len(slab)] = slab
    inner = tuple(slice(None) if length >= 12 else slice(0, -1) for length in shape)  # but at a mirrored border
    np.testing.assert_allclose(found[inner], at_once[inner], atol=1e-5)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)


def test_classes_lie_on_the_grid_of_the_volume(model):
    """A ball in mm, seen at two spacings by a network that works at a third."""
    for spacing in ((3.0, 1.0, 1.0), (1.0, 1.5, 2.0)):
        shape = tuple(int(40 / side) for side in spacing)
        places = np.stack(np.meshgrid(*((np.arange(n) + 0.5) * s for n, s in zip(shape, spacing)), indexing="ij"), -1)
        ball = (np.linalg.norm(places - 20, axis=-1) < 12).astype(np.float32)
        volume = Volume(ball, spacing, (1, 2, 3), np.eye(3))
        predicted = predict_volume(model, volume, spacing=(1.5, 1.5, 1.5), size=(12, 16, 16), margin=1, blend=2)
        check_same_grid(volume, predicted)
        dice = 2 * (ball * predicted.values).sum() / (ball.sum() + predicted.values.sum())
        assert predicted.values.dtype == np.uint8 and dice > 0.95


def test_values_are_scaled_as_in_training(model):
    image = values((6, 8, 8))
    of_bytes = network(127.5)
    hounsfield = Volume(image[..., 0] * 2000 - 1000, (1, 1, 1))
    expected = predict_volume(model, Volume(image, (1, 1, 1)), size=8)
    np.testing.assert_array_equal(
        predict_volume(of_bytes, hounsfield, size=8, scale=(-1000, 1000)).values, expected.values
    )


def test_files_are_written_as_the_input_is(tmp_path, model):
    pytest.importorskip("SimpleITK")
    direction = np.array([[0, 0, 1.0], [0, -1, 0], [1, 0, 0]])
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name, ending, place in (
        ("a", ".nii.gz", {"origin": (4.5, -3, 2), "direction": direction}),
        ("b", ".nrrd", {"direction": direction}),
        ("c", ".mha", {"origin": (1, 2, 3)}),
        ("d", ".tif", {}),
    ):
        image = Volume(values((4, 6, 5), seed=ord(name))[..., 0], (2.5, 0.5, 0.75), **place)
        write_volume(image, tmp_path / "images" / f"{name}{ending}")
        write_volume(image.with_values((image.values > 0.5).astype(np.uint8)), tmp_path / "masks" / f"{name}{ending}")
    volumes = volume_folders(tmp_path / "images", tmp_path / "masks")
    written = dict(predict_volume_files(model, volumes, tmp_path / "predicted", size=4, margin=0))
    assert sorted(path.name for path in written) == ["a.nii.gz", "b.nrrd", "c.mha", "d.tif"]
    for path, predicted in written.items():
        image = read_volume(tmp_path / "images" / path.name)
        again = read_volume(path, labels=True, like=image)
        np.testing.assert_array_equal(again.values, predicted.values)
        np.testing.assert_allclose(again.spacing, image.spacing, rtol=1e-6)
        np.testing.assert_allclose(again.direction, image.direction, atol=1e-6)
    with pytest.raises(ValueError, match="folder must not be where volumes or masks lie"):
        next(predict_volume_files(model, volumes, tmp_path / "masks", size=4))


def test_a_dicom_series_becomes_a_dicom_seg(tmp_path):
    pytest.importorskip("highdicom")
    from dicom_cases import write_series

    folder = write_series(tmp_path / "ct")
    volumes = VolumeFiles(("ct",), ((folder,),), {})
    [(path, predicted)] = predict_volume_files(
        network(127.5), volumes, tmp_path / "predicted", ["background", "dense"], size=4, margin=0, scale=(-1000, 1000)
    )
    assert path.name == "ct.dcm" and 0 < predicted.values.mean() < 1
    again = read_volume(path, labels=True, like=read_volume(folder))
    np.testing.assert_array_equal(again.values, predicted.values)


@pytest.mark.parametrize(
    "wrong, what",
    [
        ({"values": values((4, 4, 4))[..., 0]}, r"the volume must be an array of numbers \(D, H, W, 1\).*got shape"),
        ({"values": np.zeros((4, 4, 4, 2))}, r"as many channels as the network has; got shape \(4, 4, 4, 2\)"),
        ({"size": None}, "size must be given, as the model takes volumes of any size"),
        ({"size": (4, 4)}, "size must be a number of voxels, or three"),
        ({"margin": 2}, r"size must be more than 2 \* \(margin \+ blend\)"),
        ({"values": np.full((4, 4, 4, 1), np.nan)}, "model must give finite logits; it does not for the volume"),
    ],
)
def test_what_cannot_be_predicted_is_named(model, wrong, what):
    options = {"values": values((4, 4, 4)), "size": 4} | wrong
    with pytest.raises(ValueError, match=what):
        list(slabs(model, **options))


def test_a_network_of_images_is_named():
    flat = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 1)])
    with pytest.raises(ValueError, match=r"model must take volumes \(N, D, H, W, C\); it takes \(None, 8, 8, 1\)"):
        list(slabs(flat, values((4, 4, 4))))


def test_from_files_to_files_by_a_network_that_learned_from_patches(tmp_path):
    """Bright boxes in files of two spacings; the U-Net learns from patches and predicts a file that it has not seen."""
    pytest.importorskip("SimpleITK")
    generator = np.random.default_rng(0)
    for name in ("images", "masks", "new"):
        (tmp_path / name).mkdir()
    for i in range(5):
        mask = np.zeros((8, 24, 24), np.uint8)
        top, left = generator.integers(2, 10, 2)
        mask[2:6, top : top + 10, left : left + 10] = 1
        image = (400.0 * mask + generator.normal(0, 50, mask.shape)).astype(np.int16)
        place = {"spacing": (3.0, 1.0 + 0.2 * (i % 2), 1.0)}
        write_volume(Volume(image, **place), tmp_path / ("new" if i == 4 else "images") / f"{i}.nii.gz")
        if i < 4:
            write_volume(Volume(mask, **place), tmp_path / "masks" / f"{i}.nii.gz")
    volumes = unpack(volume_folders(tmp_path / "images", tmp_path / "masks"), tmp_path / "unpacked")
    patches = VolumePatches(volumes, (4, 16, 16), 2, spacing=(3, 1, 1), scale=(0, 400), patches_per_volume=8)
    keras.utils.set_random_seed(0)
    model = unet(2, **symmetric(4, 1, spacing=(3, 1, 1)), image_shape=(None, None, None, 1))
    loss = keras.losses.SparseCategoricalCrossentropy(True, ignore_class=255)
    model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=False)
    model.fit(patches, epochs=3, verbose=0)
    new = VolumeFiles(("4",), ((tmp_path / "new" / "4.nii.gz",),), {})
    [(path, _)] = predict_volume_files(
        model, new, tmp_path / "predicted", size=(4, 16, 16), spacing=(3, 1, 1), scale=(0, 400), margin=0, blend=1
    )
    found = read_volume(path, labels=True, like=new.image(0)).values
    assert 2 * (found * mask).sum() / (found.sum() + mask.sum()) > 0.9


def test_structures_that_overlap_have_a_channel_and_a_file_each(tmp_path):
    """Bright voxels are of the whole, the brightest of the core as well."""
    pytest.importorskip("SimpleITK")
    inputs = keras.Input((None, None, None, 1))
    scores = keras.layers.Conv3D(2, 1)
    model = keras.Model(inputs, scores(inputs))
    scores.set_weights([np.full((1, 1, 1, 1, 2), 20.0), np.array([-10.0, -16.0])])
    image = Volume(values((9, 12, 10))[..., 0], (2.0, 1.0, 1.0))
    expected = np.stack([image.values > 0.5, image.values > 0.8], -1)
    options = {"size": 8, "margin": 1, "blend": 2, "overlapping": True}
    np.testing.assert_array_equal(predict_volume(model, image, **options).values, expected)
    _, slab = next(slabs(model, image.values[..., None], **options))
    logits = 20 * image.values[: len(slab), ..., None] - [10, 16]
    np.testing.assert_allclose(slab, 1 / (1 + np.exp(-logits)), atol=1e-4)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        write_volume(image.with_values((image.values > 0.5).astype(np.uint8)), tmp_path / folder / "a.nii.gz")
    write_volume(image, tmp_path / "images/a.nii.gz")
    files = volume_folders(tmp_path / "images", tmp_path / "masks")
    written = list(predict_volume_files(model, files, tmp_path / "out", ["whole", "core"], **options))
    assert [path.name for path, _ in written] == ["a_whole.nii.gz", "a_core.nii.gz"]
    for number, (path, _) in enumerate(written):
        read = read_volume(path, labels=True, like=image)
        np.testing.assert_array_equal(read.values, expected[..., number])
    with pytest.raises(ValueError, match="names must be of the 2 structures; got \\['whole'\\]"):
        list(predict_volume_files(model, files, tmp_path / "out", ["whole"], **options))
