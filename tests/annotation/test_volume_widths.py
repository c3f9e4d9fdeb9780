"""Widths of objects of volumes, the advice that follows, and which objects were drawn at all."""

import numpy as np
import pytest

from thesis_lib.annotation.advice import advice
from thesis_lib.annotation.presence import missed_and_invented
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.widths import error_over_width, object_widths

SPACING = (2.0, 0.5, 0.5)


def slab(thickness, axis, spacing, side=24.0):
    """A volume (1, D, H, W) with a slab across one axis, as thick, mm, as asked."""
    shape = np.rint(side / np.array(spacing)).astype(int)
    at = (np.indices(shape)[axis] + 0.5) * spacing[axis]
    return ((at > 8) & (at < 8 + thickness)).astype(np.uint8)[None]


def test_a_slab_is_as_wide_as_it_is_thick_in_mm():
    (across,) = object_widths(slab(4.5, 1, SPACING), 0, spacing=SPACING)["width"]
    assert across == pytest.approx(4.5)
    thick = object_widths(slab(10.0, 0, SPACING), 0, spacing=SPACING)["width"][0]
    assert thick == pytest.approx(10.0)  # five planes
    cube = object_widths(slab(5.0, 0, (1.0, 1.0, 1.0)), 0)
    assert cube["width"].tolist() == [5.0] and cube.attrs["unit"] == "px"
    assert cube["diameter"][0] == pytest.approx(np.cbrt(6 / np.pi * 5 * 24 * 24))


def test_volumes_of_several_sizes_and_spacings_are_measured_one_by_one():
    spacings = [SPACING, (1.0, 1.0, 1.0)]
    volumes = [slab(4.5, 1, spacings[0])[0], slab(7.0, 2, spacings[1])[0]]
    found = object_widths(volumes, 0, spacing=spacings)
    assert found["width"].tolist() == [4.5, 7.0] and found["image"].tolist() == [0, 1] and found.attrs["unit"] == "mm"
    alike = object_widths([volumes[1]] * 2, 0, spacing=[(1.0, 1.0, 1.0), (1.0, 1.0, 2.0)])
    assert alike["width"].tolist() == [7.0, 14.0]


def test_the_error_over_the_width_and_the_advice_are_in_the_unit_of_the_prior():
    volume, prior = slab(4.5, 1, SPACING), BoundaryPrior.known(1.0, 0.8, unit="mm")
    assert error_over_width(prior, volume, 0, spacing=SPACING) == pytest.approx(1 / 4.5)
    found = advice(prior, volume, 0, spacing=SPACING)
    assert found.unit == "mm" and "1.00 mm and the typical object 4.5 mm wide" in str(found)
    assert "0.8 mm too far outside" in str(found)
    with pytest.raises(ValueError, match="annotator must err in px as the widths are; got a prior in mm"):
        advice(prior, volume, 0)
    with pytest.raises(ValueError, match="annotator must err in mm"):
        error_over_width(BoundaryPrior(), volume, 0, spacing=SPACING)
    with pytest.raises(ValueError, match="spacing must be three lengths"):
        object_widths(volume, 0, spacing=(1, 1))
    with pytest.raises(ValueError, match="objects must be whole numbers"):
        object_widths(volume, 0, objects=np.full(volume.shape, 0.5))
    with pytest.raises(ValueError, match="labels and objects must have the same shape"):
        object_widths(volume, 0, objects=1)


def test_missed_and_invented_objects_of_volumes_are_counted():
    true = np.zeros((1, 6, 12, 12), np.uint8)
    true[0, 1:4, 1:4, 1:4] = true[0, 1:4, 7:10, 7:10] = 1
    drawn = true.copy()
    drawn[0, :, 7:] = 0
    drawn[0, 4:6, 0:2, 9:12] = 1
    counted = missed_and_invented({"ann": drawn}, true, background=0)
    assert counted[["objects", "missed", "invented"]].values.tolist() == [[2, 1, 1]]
    with pytest.raises(ValueError, match=r"annotations of image 0 must be label maps \(H, W\) or \(D, H, W\)"):
        missed_and_invented({"ann": drawn[0, 0]}, drawn[0, 0], background=0)
