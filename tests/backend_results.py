"""What a script computes on a backend of Keras; on another backend than that of the tests, in a process of its own."""

import importlib.util
import os
import runpy
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import keras
import numpy as np
import pytest


def computed(script, backend, folder, *arguments):
    """The arrays, by name, that a script writes to the .npz file it is given; skipped where the backend is missing."""
    if not importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is not installed")
    path = folder / f"{backend}.npz"
    if backend == keras.backend.backend():
        with patch.object(sys, "argv", [str(script), str(path), *arguments]):
            runpy.run_path(str(script))
    else:
        run_apart(script, backend, path, *arguments)
    with np.load(path) as results:
        assert results["backend"] == backend
        return {name: results[name] for name in results.files if name != "backend"}


def run_apart(script, backend, path, *arguments):
    """Run a script in a process whose Keras has this backend."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(Path(__file__).parent)}
    environment["XLA_FLAGS"] = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"  # quick
    process = subprocess.run(
        [sys.executable, script, path, *arguments], env=environment, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr[-3000:]
