"""Training image models when labels are imprecise or missing.

`data` reads images and labels; `annotation` measures and simulates how people draw; `targets` turns that into what is
optimised; `models` are trained by Keras's own `fit`, in `segmentation` or by the methods of `semi_supervised`;
`metrics` judge one model, `study` compares many runs, and `figures` show them.
"""

from importlib import metadata

try:
    __version__ = metadata.version("thesis-lib")
except metadata.PackageNotFoundError:  # used from a folder that was not installed
    __version__ = "unknown"
