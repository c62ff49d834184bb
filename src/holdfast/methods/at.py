"""Adversarial training (Madry et al.: "Towards deep learning models resistant to adversarial attacks", 2018)."""

from dataclasses import dataclass

from torch import nn

from holdfast.attacks import PGD, Attack
from holdfast.methods.memory import Memory
from holdfast.methods.method import Crafted, CraftedMethod
from holdfast.objectives import cross_entropy
from holdfast.storage.describe import later
from holdfast.types import Batch, Objective, Terms


@dataclass(frozen=True)
class AT(CraftedMethod):
    """Cross-entropy, or another objective, on attacked images only, made anew for each batch by any attack.

    With the attack `FeatureScattering()` and the objective `SmoothedCrossEntropy(0.5)` it is feature scattering's
    training (Zhang and Wang, 2019).
    """

    attack: Attack = PGD()
    objective: Objective = later(cross_entropy)
    """What is minimised, of logits and labels."""

    def craft(self, model: nn.Module, batch: Batch, memory: Memory) -> Crafted:
        """Attack the network at rest."""
        return (self.attack(model, batch.images, batch.labels),)

    def weigh(self, model: nn.Module, batch: Batch, memory: Memory, crafted: Crafted) -> Terms:
        """Return the mean of the objective."""
        (attacked,) = crafted
        return {"attacked": self.objective(model(attacked), batch.labels).mean()}
