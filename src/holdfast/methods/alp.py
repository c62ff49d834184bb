"""Adversarial logit pairing (Kannan, Kurakin, Goodfellow: "Adversarial logit pairing", 2018)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from holdfast.attacks import PGD, Attack
from holdfast.fields import NonNegative
from holdfast.methods.memory import Memory
from holdfast.methods.method import Crafted, CraftedMethod
from holdfast.objectives import cross_entropy
from holdfast.threats import Linf
from holdfast.types import Batch, Objective, Terms


@dataclass(frozen=True)
class ALP(CraftedMethod):
    """Cross-entropy on clean and attacked images alike, and a price on the difference of their logits.

    The paper attacks towards the least likely class with eps 16/255 on ImageNet. Here the attack is Madry's, as where
    ALP is compared with others on CIFAR-10.
    """

    attack: Attack = PGD(Linf(8 / 255), steps=7, step_size=2 / 255)
    weight: NonNegative = 0.5
    """What the pairing weighs."""
    pairing: Literal["mean", "sum"] = "mean"
    """Of the squared differences of an image's logits: their mean (the authors' code), or their sum (that of SML)."""
    objective: Objective = cross_entropy

    def craft(self, model: nn.Module, batch: Batch, memory: Memory) -> Crafted:
        """Attack the network at rest."""
        return (self.attack(model, batch.images, batch.labels),)

    def weigh(self, model: nn.Module, batch: Batch, memory: Memory, crafted: Crafted) -> Terms:
        """Show clean and attacked images at once; the gradient flows through both logits."""
        (attacked,) = crafted
        clean, found = model(torch.cat([batch.images, attacked])).chunk(2)
        square = (clean.float() - found.float()).square()
        gap = square.mean(1) if self.pairing == "mean" else square.sum(1)
        return {
            "clean": self.objective(clean, batch.labels).mean() / 2,
            "attacked": self.objective(found, batch.labels).mean() / 2,
            "pairing": self.weight * gap.mean(),
        }
