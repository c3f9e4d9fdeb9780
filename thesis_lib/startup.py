"""What TensorFlow prints of itself while it is imported, kept from people who asked for less.

TensorFlow 2.21 prints a dozen lines before its own log level holds, whatever TF_CPP_MIN_LOG_LEVEL says. They look like
errors and are none. Here the variable holds for them, too.
"""

import os
import re
import sys
import tempfile
from contextlib import contextmanager

LEVELS = "IWE"  # of a line: information, warning, error
BEFORE = "WARNING: All log messages before absl::InitializeLog|To enable the following instructions:"


@contextmanager
def as_log_level_says():
    """What is written to stderr within is shown afterwards, without lines below TF_CPP_MIN_LOG_LEVEL (1, 2 or 3).

    Where the variable is not set, or 0, nothing changes.
    """
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "")
    if not level.isdigit() or int(level) == 0:
        yield
        return
    dropped = re.compile(rf"[{LEVELS[: int(level)]}]\d{{4}} \S+ +\d+ \S+:\d+\] |{BEFORE}".encode())
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
            file.seek(0)
            os.write(2, b"".join(line for line in file if not dropped.match(line)))
