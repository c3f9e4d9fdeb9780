"""A training step beside that of segmentation_models.pytorch, on the same CPU and threads: a table of ratios.

A process of its own imports PyTorch before TensorFlow: the other way round some builds of the two crash.
"""

import os

import segmentation_models_pytorch as smp
import torch

import keras  # isort: skip
import numpy as np  # isort: skip
from timing import medians  # isort: skip

from thesis_lib.models.deeplab import deeplab  # isort: skip
from thesis_lib.training.optimization import use_xla  # isort: skip

COUNT, SIDE, CLASSES = 2, 256, 2  # images, px


def main():
    """DeepLabV3+ on ResNet-101, with cross-entropy and Adam."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    generator = np.random.default_rng(0)
    images = generator.normal(size=(COUNT, SIDE, SIDE, 3)).astype("float32")
    labels = generator.integers(0, CLASSES, (COUNT, SIDE, SIDE))
    ours = deeplab(CLASSES, 101, None)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    ours.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=use_xla("auto"))
    theirs = smp.DeepLabV3Plus("resnet101", encoder_weights=None, classes=CLASSES)
    optimizer, cross_entropy = torch.optim.Adam(theirs.parameters(), 1e-3), torch.nn.CrossEntropyLoss()
    channels_first, target = torch.tensor(images.transpose(0, 3, 1, 2).copy()), torch.tensor(labels)

    def step():
        optimizer.zero_grad()
        cross_entropy(theirs(channels_first), target).backward()
        optimizer.step()

    found = medians({"ours": lambda: ours.train_on_batch(images, labels), "theirs": step}, 7)
    ratio = found["ours"] / found["theirs"]
    print(f"| DeepLabV3+ (ResNet-101): step / segmentation_models.pytorch's | {ratio:.2f} | <= 1.00 |", flush=True)


if __name__ == "__main__":
    main()
