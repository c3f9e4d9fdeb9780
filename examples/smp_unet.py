"""A U-Net of segmentation_models.pytorch: our loss beside that package's Dice loss, on masks drawn 2 px off.

It prints the mean distance (px) between the predicted and the true boundaries after training with each loss, that of
the forward likelihood last. The encoder starts with random weights, so nothing is downloaded.

    pip install '.[torch]' segmentation-models-pytorch
    python examples/smp_unet.py
"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # before anything imports Keras

import segmentation_models_pytorch as smp
import torch
from pytorch_loop import boundary_distance, train
from squares import SIGMA, squares

from thesis_lib.annotation import BoundaryPrior
from thesis_lib.targets import ForwardLikelihood


def network():
    options = {"encoder_depth": 3, "decoder_channels": (32, 16, 16), "in_channels": 1, "classes": 2}
    return smp.Unet("resnet18", encoder_weights=None, **options)


def main():
    images, _, drawn = squares(100, seed=0)
    new_images, new_true, _ = squares(50, seed=1)
    images, drawn, new_images = map(torch.from_numpy, (images, drawn, new_images))
    dice = smp.losses.DiceLoss("multiclass")
    criteria = {
        "Dice": lambda labels, logits: dice(logits, labels),
        "forward likelihood": ForwardLikelihood(BoundaryPrior.known(SIGMA), data_format="channels_first"),
    }
    for name, criterion in criteria.items():
        model = train(network, criterion, images, drawn, epochs=6)
        print(f"{name}: {boundary_distance(model, new_images, new_true):.3f} px")


if __name__ == "__main__":
    main()
