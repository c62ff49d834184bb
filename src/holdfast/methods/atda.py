"""ATDA (Song, He, Wang, Hopcroft: "Improving the generalization of adversarial training with domain adaptation", 2019).

The equations are numbered as in paper 003, section 3.1, which repeats them.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.attacks import FGSM, Attack
from holdfast.data import ImageSet
from holdfast.errors import require
from holdfast.methods.memory import Memory
from holdfast.methods.method import Finished, LossMethod, predict
from holdfast.objectives import cross_entropy
from holdfast.types import Batch, Labels, Logits, Terms


@dataclass(frozen=True)
class ATDA(LossMethod):
    """Adversarial training that also pulls the answers to clean and to attacked images to one distribution.

    The authors' code differs from the paper in two fields below; it also attacks the network in training mode, which
    is not offered. Its cross-entropies are summed, not averaged, and so they are here.
    """

    attack: Attack = FGSM()
    weight: float = 1 / 3
    """What the three terms of domain adaptation weigh: lambda."""
    beta: float = 0.1
    """How far a class's center moves towards the answers of a batch."""
    spread: Literal["covariance", "scatter"] = "covariance"
    """What CORAL compares: the covariance (the paper), or its undivided sum (the code, larger by the batch)."""
    labels: Literal["true", "predicted"] = "true"
    """Which class the attack moves away from: the true one (the paper), or the network's answer (the code)."""

    def __post_init__(self) -> None:
        """Refuse fields out of range."""
        super().__post_init__()
        require(self.weight >= 0, f"ATDA: weight = {self.weight}, not 0 or more")
        require(0 <= self.beta <= 1, f"ATDA: beta = {self.beta}, not between 0 and 1")

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Keep the center of each class in the space of logits."""
        classes = len(train_set.classes)
        return Memory(centers=torch.zeros(classes, classes, device=train_set.device))

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Return the two cross-entropies and the three terms; the gradient flows through both answers."""
        labels = batch.labels
        targets = labels if self.labels == "true" else predict(model, batch.images).argmax(1)
        attacked = self.attack(model, batch.images, targets)
        clean, robust = model(batch.images).float(), model(attacked).float()
        both, twice = torch.cat([clean, robust]), torch.cat([labels, labels])
        with torch.autocast(labels.device.type, enabled=False):  # products of answers would be rounded to 8 bits
            terms = {
                "clean": cross_entropy(clean, labels).mean(),
                "attacked": cross_entropy(robust, labels).mean(),
                "coral": self.weight * coral(clean, robust, self.spread),
                "mmd": self.weight * mmd(clean, robust),
                "margin": self.weight * center_margin(both, twice, memory.centers),
            }
            # The margin reads the centers as they were; whether the code does is not defined by its graph.
            memory.centers = moved(memory.centers, both.detach(), twice, self.beta)
        return terms


def coral(clean: Logits, attacked: Logits, spread: Literal["covariance", "scatter"] = "covariance") -> Tensor:
    """Return the mean absolute difference between the covariances of the answers (equation 7)."""
    return (_spread(clean, spread) - _spread(attacked, spread)).abs().mean()


def _spread(logits: Logits, kind: str) -> Tensor:
    centered = logits - logits.mean(0)
    scatter = centered.T @ centered
    return scatter / max(1, len(logits) - 1) if kind == "covariance" else scatter


def mmd(clean: Logits, attacked: Logits) -> Tensor:
    """Return the mean absolute difference between the mean answers (equation 8)."""
    return (clean.mean(0) - attacked.mean(0)).abs().mean()


def center_margin(logits: Logits, labels: Labels, centers: Tensor) -> Tensor:
    """Return the mean softplus of how much nearer (in L1) an answer is to another class's center than to its own.

    Equations 10 and 11; ln 2 where all centers coincide. Shapes: logits (n, k), centers (k, k).
    """
    far = (logits[:, None] - centers[None]).abs().sum(2)
    own = far.gather(1, labels[:, None])
    others = torch.ones_like(far).scatter(1, labels[:, None], 0.0)
    return (others * F.softplus(own - far)).sum() / others.sum()


def moved(centers: Tensor, logits: Logits, labels: Labels, beta: float) -> Tensor:
    """Return the centers, each a part of the way towards the answers of its class (equation 12)."""
    members = F.one_hot(labels, len(centers)).to(logits.dtype)
    count = members.sum(0)[:, None]
    return centers - beta * (count * centers - members.T @ logits) / (1 + count)
