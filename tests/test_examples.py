"""The examples run in the stack that they are for, and end in a number; each needs packages of its own."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

from thesis_lib.paths import REPOSITORY


def run(name, *arguments):
    """The last line that an example prints, under PyTorch."""
    environment = os.environ | {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, str(REPOSITORY / "examples" / name), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()


@pytest.mark.skipif(find_spec("monai") is None, reason="MONAI is not installed")
def test_monai_trains_with_either_loss():
    """Either loss finds the objects, better than calling everything or nothing an object."""
    lines = run("monai_3d.py", "--steps", "40")[-2:]
    found = [re.fullmatch(r"(.+): Dice (.+), log loss (.+) nats a voxel", line).groups() for line in lines]
    assert [name for name, *_ in found] == ["DiceCE of MONAI", "forward likelihood"]
    assert all(float(dice) > 0.6 and float(loss) < 0.4 for _, dice, loss in found)


@pytest.mark.skipif(find_spec("nnunetv2") is None, reason="nnU-Net is not installed")
def test_nnunet_trains_with_the_forward_likelihood():
    last = run("nnunet_trainer.py", "--epochs", "1", "--iterations", "10")[-1]
    assert 0 <= float(re.fullmatch(r"Dice of the validation, against drawn masks: (.+)", last)[1]) <= 1


def distances(name):
    """The boundary distances (px) that an example prints for each loss."""
    return {
        loss: float(distance.removesuffix(" px")) for loss, distance in (line.split(": ") for line in run(name)[-2:])
    }


@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
def test_a_plain_loop_of_pytorch_trains_with_either_loss():
    found = distances("pytorch_loop.py")
    assert found["forward likelihood"] < 0.5 * found["cross-entropy"] < 0.5


@pytest.mark.skipif(
    find_spec("segmentation_models_pytorch") is None, reason="segmentation_models.pytorch is not installed"
)
def test_a_network_of_segmentation_models_pytorch_trains_with_either_loss():
    found = distances("smp_unet.py")
    assert found.keys() == {"Dice", "forward likelihood"} and max(found.values()) < 1
