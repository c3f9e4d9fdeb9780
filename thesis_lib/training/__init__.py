"""What all trainings share: learning rates, compilation, callbacks that save, log and resume."""

from thesis_lib import backend  # noqa: F401, says how to get one
from thesis_lib.training.callbacks import Checkpoint, InOrder, callbacks, ended
from thesis_lib.training.optimization import SCHEDULES, learning_rate, use_xla

__all__ = ["SCHEDULES", "Checkpoint", "InOrder", "callbacks", "ended", "learning_rate", "use_xla"]
