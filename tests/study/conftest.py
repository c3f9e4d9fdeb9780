"""A sweep that is written, read and compared once for several tests."""

import pytest
from sweep_cases import write_sweep

from thesis_lib.study.comparison import Comparison
from thesis_lib.study.segmentation_runs import read


@pytest.fixture(scope="session")
def sweep(tmp_path_factory):
    """The folder of the runs of `write_sweep`."""
    folder = tmp_path_factory.mktemp("sweep")
    write_sweep(folder)
    return folder


@pytest.fixture(scope="session")
def rows(sweep):
    return read(sweep)


@pytest.fixture(scope="session")
def compared(rows):
    return Comparison(rows, resamples=200)
