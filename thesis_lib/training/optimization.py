"""Learning rates, and whether a training step is compiled by XLA."""

import keras
import numpy as np

from thesis_lib import checks

MOST_STEPS = 2**31 - 1  # an optimizer counts them in 32 bits
SCHEDULES = ("plateau", "cosine", "restarts")


def learning_rate(initial, schedule, steps):
    """What an optimizer takes as its learning rate.

    Args:
        initial: more than 0.
        schedule: "cosine" falls to zero over `steps` steps; "restarts" does so three times, each time over twice
            as many steps (Loshchilov & Hutter, ICLR 2017); "plateau" stays, and a callback reduces it.
        steps: number of training steps, 1 or more.

    Raises:
        ValueError: if an argument is of another kind.
    """
    initial = checks.real("learning_rate", initial, 0.0, open_low=True)
    checks.one_of("schedule", schedule, SCHEDULES)
    steps = checks.integer("steps", steps, 1, MOST_STEPS)
    if schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(initial, steps)
    if schedule == "restarts":
        return keras.optimizers.schedules.CosineDecayRestarts(initial, max(steps / 7, 1.0), t_mul=2.0)
    return initial


def use_xla(choice):
    """Whether to compile the training step with XLA: True, False, or "auto", on accelerators only.

    On a CPU XLA makes the convolutions of these networks slower. JAX always compiles; on PyTorch True compiles with
    `torch.compile`, and "auto" does not.
    """
    if not isinstance(choice, (bool, np.bool_)) and not (isinstance(choice, str) and choice == "auto"):
        raise ValueError(f"xla must be True, False or 'auto'; got {checks.shown(choice)}")
    if keras.backend.backend() == "jax":
        return "auto"
    if choice == "auto" and keras.backend.backend() == "torch":
        return False
    if choice == "auto":
        return bool(keras.distribution.list_devices("gpu") or keras.distribution.list_devices("tpu"))
    return bool(choice)
