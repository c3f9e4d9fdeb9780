"""A plain loop of PyTorch on one's own network: the forward likelihood beside cross-entropy, on masks drawn 2 px off.

It prints the mean distance (px) between the predicted and the true boundaries after training with each loss, that of
the forward likelihood last.

    pip install '.[torch]'
    python examples/pytorch_loop.py
"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # before anything imports Keras

import torch
from squares import SIGMA, squares
from torch import nn

from thesis_lib.annotation import BoundaryPrior
from thesis_lib.metrics import evaluate
from thesis_lib.targets import ForwardLikelihood


def network():
    """Two classes, with logits where PyTorch has them: (N, 2, H, W)."""
    parts = []
    for channels in (1, 8, 8):
        parts += [nn.Conv2d(channels, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU()]
    return nn.Sequential(*parts, nn.Conv2d(8, 2, 1))


def train(network, criterion, images, labels, epochs=8, batch_size=10):
    """The model that `network` makes, trained by `criterion`, a function from labels and logits to a loss."""
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(batch_size):
            optimizer.zero_grad()
            criterion(labels[batch], model(images[batch])).backward()
            optimizer.step()
    return model.eval()


def boundary_distance(model, images, true):
    """Mean distance (px) between predicted and true boundaries."""
    with torch.no_grad():
        probabilities = model(images).softmax(1).permute(0, 2, 3, 1).numpy()
    return evaluate(true, probabilities, background=0)[0]["surface_distance"]


def main():
    images, _, drawn = squares(200, seed=0)
    new_images, new_true, _ = squares(50, seed=1)
    images, drawn, new_images = map(torch.from_numpy, (images, drawn, new_images))
    cross_entropy = nn.CrossEntropyLoss()
    criteria = {
        "cross-entropy": lambda labels, logits: cross_entropy(logits, labels),
        "forward likelihood": ForwardLikelihood(BoundaryPrior.known(SIGMA), data_format="channels_first"),
    }
    for name, criterion in criteria.items():
        distance = boundary_distance(train(network, criterion, images, drawn), new_images, new_true)
        print(f"{name}: {distance:.3f} px")


if __name__ == "__main__":
    main()
