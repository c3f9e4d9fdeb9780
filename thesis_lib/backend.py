"""Imports Keras, or says how to get a backend for it. Packages that use Keras import this module first."""

import os

try:
    import keras  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "Keras needs a backend: install the extra 'jax', 'torch' or 'notebooks' (TensorFlow) of this library and set "
        "the environment variable KERAS_BACKEND to jax, torch or tensorflow; "
        f"got {os.environ.get('KERAS_BACKEND', 'tensorflow')}, and {error.name} is not installed",
        name=error.name,
    ) from error
