"""Training on clean images: what every defence is compared with."""

from dataclasses import dataclass

from torch import nn

from holdfast.methods.method import LossMethod, Memory
from holdfast.objectives import cross_entropy
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class Standard(LossMethod):
    """Cross-entropy on the images as they are."""

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Return the mean cross-entropy."""
        return {"clean": cross_entropy(model(batch.images), batch.labels).mean()}
