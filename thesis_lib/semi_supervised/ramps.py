"""How the weight of the unsupervised loss grows with the training steps."""

from dataclasses import dataclass

import keras
from keras import ops

from thesis_lib import checks

LAST_STEP = 2**31 - 1  # steps are counted in 32 bits
MOST_WEIGHT = 1e30  # single precision holds it, and its product with a loss


@keras.saving.register_keras_serializable("thesis_lib")
@dataclass(frozen=True)
class LinearRamp:
    """0 until step `start`, then linear, `maximum` from step `end` on (Lee 2013, equation 16, there in epochs)."""

    start: int
    end: int
    maximum: float

    def __post_init__(self):
        start = checks.integer("start", self.start, 0, LAST_STEP)
        if checks.integer("end", self.end, 0, LAST_STEP) < start:
            raise ValueError(f"start must be at most end; got {start} and {self.end}")
        checks.real("maximum", self.maximum, 0.0, MOST_WEIGHT)

    def __call__(self, step):
        step = ops.cast(step, "float32")
        share = ops.where(step >= self.end, 1.0, (step - self.start) / max(self.end - self.start, 1))
        return self.maximum * ops.maximum(share, 0.0)

    def get_config(self):
        return {"start": self.start, "end": self.end, "maximum": self.maximum}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable("thesis_lib")
@dataclass(frozen=True)
class SigmoidRamp:
    """maximum * exp(-5 (1 - t)^2) with t = step / length up to 1 (Laine & Aila 2017, section 2.1)."""

    length: int
    maximum: float

    def __post_init__(self):
        checks.integer("length", self.length, 1, LAST_STEP)
        checks.real("maximum", self.maximum, 0.0, MOST_WEIGHT)

    def __call__(self, step):
        left = 1.0 - ops.clip(ops.cast(step, "float32") / self.length, 0.0, 1.0)
        return self.maximum * ops.exp(-5.0 * left**2)

    def get_config(self):
        return {"length": self.length, "maximum": self.maximum}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
