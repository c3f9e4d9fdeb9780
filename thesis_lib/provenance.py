"""What ran: versions, commit and parameters, beside every result."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

PACKAGES = ("keras", "tensorflow", "jax", "numpy", "scipy", "scikit-learn", "pandas")


def record(parameters):
    """What ran: a dict of parameters, commit (with "+changes" if the tree had any), machine, versions, time (UTC)."""
    import keras

    return {
        "parameters": dict(parameters),
        "commit": commit(),
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
        "machine": ", ".join(
            [f"{platform.system()} {platform.machine()}", f"{os.cpu_count()} cores", *_accelerators()]
        ),
        "versions": {name: _version(name) for name in PACKAGES},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit():
    """The commit of the repository this library lies in, or "unknown"."""
    try:
        head = _git("rev-parse", "HEAD")
        changes = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+changes" if changes else "")


def _git(*words):
    """What a git command prints in the library's folder."""
    folder = Path(__file__).parent
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def _accelerators():
    """The names of the GPUs and other accelerators that the backend sees."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return [
            tf.config.experimental.get_device_details(device).get("device_name", device.name)
            for device in tf.config.list_physical_devices("GPU")
        ]
    return []


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
