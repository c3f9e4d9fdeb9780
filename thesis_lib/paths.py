"""Where things lie: the repository, and the folder of full data sets."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """The folder of full data sets: the environment variable THESIS_DATA, or `data`.

    A relative path starts at the repository.
    """
    return REPOSITORY / (os.environ.get("THESIS_DATA") or "data")
