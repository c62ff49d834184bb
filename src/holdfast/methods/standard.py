"""Training on clean images: what every defence is compared with."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from holdfast.methods.memory import Memory
from holdfast.methods.method import LossMethod, mixed
from holdfast.objectives import cross_entropy
from holdfast.types import Batch, Objective, Terms


@dataclass(frozen=True)
class Standard(LossMethod):
    """Cross-entropy, or another objective of logits and labels, on the images as they are."""

    takes_mixtures: ClassVar[bool] = True
    objective: Objective = cross_entropy

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Return the mean of the objective."""
        return {"clean": mixed(self.objective, model(batch.images), batch).mean()}
