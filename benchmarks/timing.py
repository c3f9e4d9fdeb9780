"""Alternatives timed in turn, so that what else the machine does falls on all of them alike."""

import time

import numpy as np


def medians(calls, repeats, clock=time.perf_counter, warm_up=1):
    """Median seconds of each call, by name, from `repeats` rounds in which all take turns, after `warm_up` rounds."""
    times = {name: [] for name in calls}
    for _ in range(repeats + warm_up):
        for name, call in calls.items():
            start = clock()
            call()
            times[name].append(clock() - start)
    return {name: float(np.median(values[warm_up:])) for name, values in times.items()}
