"""What a script computes on a backend of Keras, in a process of its own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


def computed(script, backend, folder, *arguments):
    """The arrays, by name, that a script writes to the .npz file it is given; skipped where the backend is missing."""
    if not importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is not installed")
    path = folder / f"{backend}.npz"
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(Path(__file__).parent)}
    environment["XLA_FLAGS"] = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"  # quick
    process = subprocess.run(
        [sys.executable, script, path, *arguments], env=environment, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr[-3000:]
    with np.load(path) as results:
        assert results["backend"] == backend
        return {name: results[name] for name in results.files if name != "backend"}
