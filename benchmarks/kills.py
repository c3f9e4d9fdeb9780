"""Kills a small training with `kill -9` at random, over and over: `make kills`.

A training is started again until it ends. Its row, weights and log must then be those of a training that nobody killed.
`benchmarks/kills.py 50 /mnt/small` kills 50 times, and keeps the runs on another disk, such as a small one.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.models import unet  # noqa: F401 - Keras finds the layers of a saved model by it

CHILD = """
import sys
from pathlib import Path
from thesis_lib.segmentation import Run

run = Run(data="sample", train_scenes=12, validation_scenes=6, test_scenes=6, annotator="displacement",
          annotator_parameters={"sigma": 1.0, "correlation_length": 4.0}, objective="one_hot", width=4, depth=2,
          epochs=8, batch_size=3, augment=True, schedule="plateau", patience=3, output=sys.argv[1])
Path(sys.argv[2]).touch()
run.train()
run.scores()
"""
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}


def start(folder):
    """A training in a process of its own, which has just begun."""
    mark = folder.with_suffix(".begun")
    mark.unlink(missing_ok=True)
    command = [sys.executable, "-c", CHILD, str(folder), str(mark)]
    process = subprocess.Popen(command, env={**os.environ, **ONE_THREAD}, stderr=subprocess.PIPE)
    while not mark.exists() and process.poll() is None:
        time.sleep(0.05)
    return process


def results(folder):
    """(row without what depends on the time, weights, log) of a finished run."""
    row = pd.read_json(folder / "row.json", typ="series").drop("provenance").astype(str).to_dict()
    weights = keras.saving.load_model(folder / "best.keras", compile=False).get_weights()
    return row, weights, (folder / "log.csv").read_text()


def same(first, second):
    return first[0] == second[0] and first[2] == second[2] and all(map(np.array_equal, first[1], second[1]))


def main(kills=50, where=None):
    """Kill trainings `kills` times in all; prints a line for each training, exits with 1 where a result differs."""
    wanted, generator = checks.integer("kills", kills, 1), np.random.default_rng(0)
    folder = Path(tempfile.mkdtemp(dir=where))
    begun = time.perf_counter()
    start(folder / "whole").communicate()
    seconds, expected = time.perf_counter() - begun, results(folder / "whole")
    killed, trainings, different = 0, 0, 0
    while killed < wanted:
        run, of_this, trainings = folder / f"run{trainings}", 0, trainings + 1
        while True:
            process = start(run)
            try:
                _, errors = process.communicate(timeout=generator.uniform(0, seconds))
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                of_this += 1
        killed += of_this
        if process.returncode:
            print(errors.decode()[-500:])
        alike = process.returncode == 0 and same(results(run), expected)
        different += not alike
        print(f"training {trainings}: killed {of_this} times, {'the same' if alike else 'DIFFERENT'}", flush=True)
        shutil.rmtree(run, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{killed} kills in {trainings} trainings; {different} ended with another result")
    sys.exit(bool(different))


if __name__ == "__main__":
    main(*(int(one) if one.isdigit() else one for one in sys.argv[1:]))
