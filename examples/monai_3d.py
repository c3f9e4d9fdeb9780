"""MONAI's 3-D U-Net, trained on imprecise masks: MONAI's DiceCE loss beside this library's forward likelihood.

Run it with MONAI and PyTorch: `pip install '.[torch]' monai`, then `python examples/monai_3d.py`. It needs no
data: volumes of ellipsoids are made here, and their masks are drawn with an error of 1.5 voxels at the boundary.
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from scipy import ndimage

from thesis_lib.annotation import BoundaryPrior
from thesis_lib.targets import ForwardLikelihood

SIGMA = 1.5  # standard deviation of where annotators draw the boundary, voxels
SIZE = 24  # side of a volume, voxels


def volumes(count, seed):
    """Images (N, 1, D, H, W) of an ellipsoid each, true masks and drawn masks (N, D, H, W)."""
    generator = np.random.default_rng(seed)
    images, true, drawn = [], [], []
    for _ in range(count):
        radii = generator.uniform(5, 9, 3)
        places = np.stack(np.indices((SIZE,) * 3), -1) - generator.uniform(10, 14, 3)
        outside = (np.linalg.norm(places / radii, axis=-1) - 1) * radii.mean()  # voxels from the boundary, about
        waves = ndimage.gaussian_filter(generator.standard_normal((SIZE,) * 3), 4)
        true.append(outside < 0)
        drawn.append(outside < SIGMA * waves / waves.std())
        images.append(true[-1] + generator.normal(0, 0.7, outside.shape))
    maps = (torch.from_numpy(np.stack(masks).astype(np.int64)) for masks in (true, drawn))
    return torch.from_numpy(np.stack(images)[:, None].astype(np.float32)), *maps


def train(loss, images, drawn, steps, seed):
    """MONAI's U-Net after some steps with `loss(labels, logits)`."""
    torch.manual_seed(seed)
    network = UNet(spatial_dims=3, in_channels=1, out_channels=2, channels=(8, 16, 32), strides=(2, 2))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for step in range(steps):
        batch = np.random.default_rng([seed, step]).choice(len(images), 4, replace=False)
        optimizer.zero_grad()
        loss(drawn[batch], network(images[batch])).backward()
        optimizer.step()
    return network.eval()


def scores(network, images, true):
    """Dice and log loss (nats a voxel) against the true masks."""
    with torch.no_grad():
        logits = network(images)
    predicted = logits.argmax(1)
    dice = 2 * (predicted * true).sum() / (predicted.sum() + true.sum())
    return float(dice), float(torch.nn.functional.cross_entropy(logits, true))


def main(steps=150, seed=0):
    """Train with either loss, and print what each reaches on volumes that were not trained on."""
    images, _, drawn = volumes(16, seed)
    test_images, true, _ = volumes(8, seed + 1)
    of_monai = DiceCELoss(to_onehot_y=True, softmax=True)
    losses = {
        "DiceCE of MONAI": lambda labels, logits: of_monai(logits, labels[:, None]),
        "forward likelihood": ForwardLikelihood(BoundaryPrior.known(SIGMA), data_format="channels_first"),
    }
    found = {}
    for name, loss in losses.items():
        found[name] = scores(train(loss, images, drawn, steps, seed), test_images, true)
        print(f"{name}: Dice {found[name][0]:.3f}, log loss {found[name][1]:.3f} nats a voxel")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150, help="steps of each training")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
