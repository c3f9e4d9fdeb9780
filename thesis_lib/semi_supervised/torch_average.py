"""The EMA copy of a module of PyTorch. Needs PyTorch as Keras's backend."""

import keras
from torch.nn.modules import batchnorm


class AveragedModule(keras.layers.TorchModuleWrapper):
    """A wrapped module whose batch normalisation uses its stored statistics in training as well; dropout still draws.

    As Keras's batch normalisation does where it is not trainable.
    """

    def train(self, mode=True):
        super().train(mode)
        for part in self.module.modules():
            if isinstance(part, batchnorm._NormBase):
                part.eval()
        return self
