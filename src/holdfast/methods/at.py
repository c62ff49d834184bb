"""Adversarial training (Madry et al.: "Towards deep learning models resistant to adversarial attacks", 2018)."""

from dataclasses import dataclass

from torch import nn

from holdfast.attacks import PGD, Attack
from holdfast.methods.method import LossMethod, Memory
from holdfast.objectives import cross_entropy
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class AT(LossMethod):
    """Cross-entropy on attacked images only, made anew for each batch by any attack."""

    attack: Attack = PGD()

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Attack the network at rest, then return the mean cross-entropy."""
        attacked = self.attack(model, batch.images, batch.labels)
        return {"attacked": cross_entropy(model(attacked), batch.labels).mean()}
