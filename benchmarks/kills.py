"""Kills a small training with `kill -9` at random, and lets its disk run full, over and over: `make kills`.

A training is started again until it ends. Its row, weights and log must then be those of a training that nobody killed.
The second half runs on a disk of 20 MB, of which a random part is free. A training that finds no space must end by a
sentence that says so and names the file, must leave no half-written file, and must go on from there once there is room.

What is committed is tried, in a clone, so that edits meanwhile do not matter. Only root can mount the small disk.

    benchmarks/kills.py 50 25    kills 50 times; and on the small disk until 25 trainings were killed or found no space
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
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
REPOSITORY = Path(__file__).resolve().parents[1]
DISK = 20  # MB
ROOM = 200_000  # bytes that are free at most where the disk is nearly full; a training needs about as many
SAID = re.compile(r"^OSError: .*(no space is left|No space left on device).*/", re.IGNORECASE)


class Trials:
    """Trainings that are killed, or whose disk is full, until they end.

    Args:
        clone: of the repository, which the trainings run in.
        folder: that holds the files of the trainings.
    """

    def __init__(self, clone, folder):
        self.clone, self.folder, self.generator = clone, folder, np.random.default_rng(0)
        began = time.perf_counter()
        process = self.start(folder / "whole")
        started = time.perf_counter()
        _, errors = process.communicate()
        if process.returncode:
            sys.exit(f"the training that nobody kills failed:\n{errors.decode()[-2000:]}")
        self.seconds = time.perf_counter() - started
        self.expected = results(folder / "whole")
        print(f"one training takes {self.seconds:.0f} s, after {started - began:.0f} s to start", flush=True)

    def start(self, run):
        """A training in a process of its own, which has just begun."""
        mark = self.folder / "begun"
        mark.unlink(missing_ok=True)
        command = [sys.executable, "-c", CHILD, str(run), str(mark)]
        environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(self.clone)}
        process = subprocess.Popen(command, env=environment, cwd=self.clone, stderr=subprocess.PIPE)
        while not mark.exists() and process.poll() is None:
            time.sleep(0.05)
        return process

    def until(self, wanted, small=None):
        """Counts of trainings, kills, full disks, trainings that went on alike, and faults.

        Args:
            wanted: kills and full disks together.
            small: path of a small disk, to keep the runs on; None: `folder`.
        """
        count = Counter()
        while count["kills"] + count["full disks"] < wanted:
            run = (small or self.folder) / f"run{count['trainings']}"
            count["trainings"] += 1
            ended = False
            while not ended:
                ended = self._once(run, small, count)
            fault = None if ended is True else ended
            if fault is None and not same(results(run), self.expected):
                fault = "another result"
            count["alike" if fault is None else "faults"] += 1
            print(f"training {count['trainings']}: {dict(count)}{f', {fault}' if fault else ''}", flush=True)
            shutil.rmtree(run, ignore_errors=True)
        return count

    def _once(self, run, small, count):
        """Start a training and perhaps kill it: True if it came to its end, False if not, or the fault in words."""
        filler = small and small / "filler"
        is_filled = small is not None and self.generator.random() < 0.5
        if is_filled:
            fill(filler, int(self.generator.integers(0, ROOM)))
        process, began = self.start(run), time.perf_counter()
        try:
            _, errors = process.communicate(timeout=self.generator.uniform(0, self.seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            count["kills"] += 1
            self.seconds *= 1.1  # other processes may have begun, and an epoch take longer than that
            return False
        finally:
            if is_filled:
                filler.unlink()
        if process.returncode == 0:
            self.seconds = min(self.seconds, time.perf_counter() - began)  # other processes may have ended meanwhile
            return True
        last = errors.decode().strip().splitlines()[-1]
        if not is_filled or not SAID.match(last):
            return f"failed by {last}"
        partial = list(run.rglob(".partial*"))
        count["full disks"] += 1
        return f"left {partial[0]}" if partial else False


def fill(path, free):
    """A file that leaves so many bytes of its disk free."""
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(shutil.disk_usage(path.parent).free - free, 1))


def results(folder):
    """(row without what depends on the time, weights, log) of a finished run."""
    row = pd.read_json(folder / "row.json", typ="series").drop("provenance").astype(str).to_dict()
    weights = keras.saving.load_model(folder / "best.keras", compile=False).get_weights()
    return row, weights, (folder / "log.csv").read_text()


def same(first, second):
    return first[0] == second[0] and first[2] == second[2] and all(map(np.array_equal, first[1], second[1]))


@contextmanager
def small_disk(where):
    """A disk of 20 MB in memory, mounted in a folder; None where that is not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "kills", str(where)]
    where.mkdir()
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no such command on this system
        mounted = None
    if mounted is None or mounted.returncode:
        print(f"no small disk: {'mount is not here' if mounted is None else mounted.stderr.strip()}")
        yield None
        return
    try:
        yield where
    finally:
        subprocess.run(["umount", str(where)], check=True)


def main(kills=50, on_small_disk=25):
    """Print a line for each training and one table; exits with 1 where a training went wrong."""
    wanted = [checks.integer(name, n, 0) for name, n in (("kills", kills), ("on_small_disk", on_small_disk))]
    folder = Path(tempfile.mkdtemp(prefix="kills"))
    try:
        clone = folder / "clone"
        subprocess.run(["git", "clone", "-q", "--shared", str(REPOSITORY), str(clone)], check=True)
        trials, counts = Trials(clone, folder), {}
        counts["any disk"] = trials.until(wanted[0])
        with small_disk(folder / "small") as small:
            if small is not None:
                counts[f"{DISK} MB, often full"] = trials.until(wanted[1], small)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    columns = ["trainings", "kills", "full disks", "alike", "faults"]
    table = pd.DataFrame(counts).T.reindex(columns=columns).fillna(0).astype(int)
    print(table.to_string())
    sys.exit(bool(table["faults"].any()))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
