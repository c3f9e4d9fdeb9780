"""Peak memory of training, each in a process of its own: `python memory.py scenes 1000` prints that of one, in MiB."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from targets import KNOWN, compiled

from thesis_lib.data import Images, ImageSplits, SceneBatches, load_scenes
from thesis_lib.semi_supervised import Run
from thesis_lib.targets import objective


def scenes(count):
    """Trains on so many scenes; returns the bytes of the data."""
    train = load_scenes("sample").train
    images, labels = (
        np.tile(a, (-(-count // 200),) + (1,) * (a.ndim - 1))[:count] for a in (train.images, train.labels)
    )
    model = compiled(objective("forward", prior=KNOWN))
    model.fit(SceneBatches(images, labels, 16, seed=0), epochs=1, verbose=0)
    return images.nbytes + labels.nbytes


def images_without_a_label(count):
    """Trains on 100 labelled images and so many without a label; returns the bytes of the data."""
    images = np.random.default_rng(0).integers(0, 256, (count, 28, 28, 1), np.uint8)
    labels = np.arange(count) % 10
    few = Images(images[:100], labels[:100])
    splits = ImageSplits(Images(images, labels), few, few, tuple("0123456789"))
    short = {"width": 16, "epochs": 1, "pretraining_epochs": 1, "unlabelled_batch_size": 1000}
    Run(method="mean_teacher", network="mlp_dropout_dae", **short).train(splits=splits)
    return images.nbytes + labels.nbytes


TRAININGS = {training.__name__: training for training in (scenes, images_without_a_label)}


def peak():
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text()).group(1)) / 1024


def memory(report):
    """Peak memory of training on some and on ten times as many images, beyond what these take themselves."""
    for name, counts in (("scenes", (1000, 10000)), ("images_without_a_label", (20000, 200000))):
        beyond = []
        for count in counts:
            words = [sys.executable, __file__, name, str(count)]
            printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            highest, size = map(float, printed.split()[-2:])
            beyond.append(highest - size)
        what = f"{counts[1]:,} {name.replace('_', ' ')} ({size:.0f} MB) / {counts[0]:,}"
        report(f"memory: beyond the data's own size, {what}", beyond[1] / beyond[0], "<= 1.10")


if __name__ == "__main__":
    size = TRAININGS[sys.argv[1]](int(sys.argv[2])) / 2**20
    print(peak(), size)
