"""Looking again and again while something else runs."""

import threading
from contextlib import contextmanager


@contextmanager
def polled(look, every):
    """While the block runs, call `look()` in a thread every so many seconds; it has ended when the block has."""
    ended = threading.Event()

    def loop():
        while not ended.wait(every):
            look()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
