"""Images of many bands: values as stored, and the georeference goes into what is predicted from them."""

import keras
import numpy as np
import pytest

tifffile = pytest.importorskip("tifffile")

from thesis_lib.data.bands import Bands, read_bands, write_bands  # noqa: E402
from thesis_lib.segmentation.tiles import predict  # noqa: E402

PLACE = (  # EPSG:32632, 10 m a pixel
    (33550, "d", 3, (10.0, 10.0, 0.0), True),
    (33922, "d", 6, (0.0, 0.0, 0.0, 500000.0, 5400000.0, 0.0), True),
    (34735, "H", 16, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32632), True),
)
VALUES = np.random.default_rng(0).integers(0, 10_000, (40, 50, 5)).astype(np.uint16)


def write(path, values, **options):
    tifffile.imwrite(path, values, photometric="minisblack", extratags=PLACE, metadata=None, **options)


def tags(path):
    with tifffile.TiffFile(path) as file:
        found = file.pages[0].tags
        return {code: found[code].value for code, *_ in PLACE if code in found}


@pytest.mark.parametrize("layout", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_bands_are_last_and_as_stored(tmp_path, layout, compression):
    if compression == "lzw":
        pytest.importorskip("imagecodecs")
    values = VALUES if layout == "contig" else np.moveaxis(VALUES, -1, 0)
    write(tmp_path / "a.tif", values, planarconfig=layout, compression=compression)
    np.testing.assert_array_equal(read_bands(tmp_path / "a.tif").values, VALUES)


def test_a_prediction_lies_where_the_image_does(tmp_path):
    write(tmp_path / "a.tif", VALUES, planarconfig="contig")
    image = read_bands(tmp_path / "a.tif")
    inputs = keras.Input((32, 32, 5))
    model = keras.Model(inputs, keras.layers.Conv2D(3, 1, kernel_initializer="glorot_normal")(inputs))
    classes = predict(model, image.values, tile=32, margin=2, blend=2)
    write_bands(classes, tmp_path / "classes.tif", like=image)
    assert tags(tmp_path / "classes.tif") == tags(tmp_path / "a.tif") == {code: value for code, _, _, value, _ in PLACE}
    again = read_bands(tmp_path / "classes.tif")
    assert again.values.dtype == np.uint8
    np.testing.assert_array_equal(again.values[..., 0], classes)
    with pytest.raises(ValueError, match=r"image must be an array of numbers \(H, W, 5\); got shape \(40, 50, 4\)"):
        predict(model, image.values[..., :4], tile=32, margin=2, blend=2)


def test_overviews_are_left_out_and_other_pages_are_named(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(VALUES, photometric="minisblack", planarconfig="contig", metadata=None)
        file.write(VALUES[::2, ::2], photometric="minisblack", planarconfig="contig", metadata=None, subfiletype=1)
    np.testing.assert_array_equal(read_bands(tmp_path / "a.tif").values, VALUES)
    tifffile.imwrite(tmp_path / "stack.tif", VALUES[None].repeat(2, 0), photometric="minisblack", planarconfig="contig")
    with pytest.raises(ValueError, match=r"stack\.tif must hold one image \(H, W, bands\); got"):
        read_bands(tmp_path / "stack.tif")
    with pytest.raises(FileNotFoundError, match=r"none\.tif"):
        read_bands(tmp_path / "none.tif")
    (tmp_path / "cut.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:500])
    with pytest.raises(ValueError, match=r"cut\.tif cannot be read as a TIFF"):
        read_bands(tmp_path / "cut.tif")


def test_what_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"path must end with \.tif or \.tiff; got '\S*a\.png'"):
        write_bands(VALUES, tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"values must have the size of image, \(40, 50\); got \(20, 50\)"):
        write_bands(VALUES[:20], tmp_path / "a.tif", like=Bands(VALUES))
