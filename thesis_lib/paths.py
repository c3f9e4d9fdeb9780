"""Where things lie: the repository, and the folder of full data sets.

Paths that "start at the repository" start at the current folder where the library is installed without it.
"""

import os
from pathlib import Path

_BESIDE = Path(__file__).resolve().parents[1]
_IS_INSTALLED = not (_BESIDE / "sample_data").is_dir()  # without the repository: relative paths are those of the shell
REPOSITORY = Path.cwd() if _IS_INSTALLED else _BESIDE


def data_folder() -> Path:
    """The folder of full data sets: the environment variable THESIS_DATA, or `data`.

    A relative path starts at the repository.
    """
    return REPOSITORY / (os.environ.get("THESIS_DATA") or "data")
