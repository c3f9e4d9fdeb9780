"""What all trainings share: learning rates, compilation, callbacks that save, log and resume."""

from thesis_lib.training.callbacks import callbacks, checkpoint, ended
from thesis_lib.training.optimization import SCHEDULES, learning_rate, use_xla

__all__ = ["SCHEDULES", "callbacks", "checkpoint", "ended", "learning_rate", "use_xla"]
