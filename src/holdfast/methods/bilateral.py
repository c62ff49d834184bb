"""Bilateral adversarial training (Wang and Zhang: "Bilateral adversarial training: towards fast training of more robust
models against adversarial attacks", 2019): images and labels are both attacked.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.attacks import PGD, Attack
from holdfast.attacks.attack import objective_of
from holdfast.errors import require
from holdfast.fields import Positive
from holdfast.methods.memory import Memory
from holdfast.methods.method import Crafted, CraftedMethod, predict
from holdfast.objectives import Towards, cross_entropy, soft_cross_entropy
from holdfast.rng import Stream
from holdfast.threats import Linf
from holdfast.types import Batch, Labels, Logits, Terms


@dataclass(frozen=True)
class Bilateral(CraftedMethod):
    """Cross-entropy on images attacked towards the most confusing class, with labels moved towards unlikely ones.

    The released script takes one step of size eps; the same-time comparison of paper 001 takes four steps.
    """

    attack: Attack = PGD(Linf(8 / 255), steps=1, step_size=8 / 255, objective=Towards(cross_entropy))
    """Towards the wanted class."""
    towards: Literal["most confusing", "random"] = "most confusing"
    beta: Positive = 9.0
    """The true class keeps at least beta times the weight of any other."""
    gamma: Positive = 0.01
    """Keeps the likeliest wrong class from losing all of its weight."""

    def __post_init__(self) -> None:
        """Refuse an attack that does not go to a class."""
        super().__post_init__()
        wanted = f"Bilateral: the attack goes towards a class: give it objective=Towards(...), not {self.attack}"
        require(isinstance(objective_of(self.attack), Towards), wanted)

    def craft(self, model: nn.Module, batch: Batch, memory: Memory) -> Crafted:
        """Attack images and labels by the clean answers of the network at rest."""
        clean = predict(model, batch.images)
        if self.towards == "random":
            wanted = random_other(batch.labels, clean.shape[1], Stream.of(batch.images, 0, "Bilateral"))
        else:
            wanted = most_confusing(clean, batch.labels)
        attacked = self.attack(model, batch.images, wanted)
        return attacked, attacked_labels(F.softmax(clean.float(), dim=1), batch.labels, self.beta, self.gamma)

    def weigh(self, model: nn.Module, batch: Batch, memory: Memory, crafted: Crafted) -> Terms:
        """Return the cross-entropy of both."""
        attacked, moved = crafted
        return {"attacked": soft_cross_entropy(model(attacked), moved).mean()}


def most_confusing(logits: Logits, labels: Labels) -> Labels:
    """Return the likeliest wrong class of each image."""
    return logits.scatter(1, labels[:, None], -torch.inf).argmax(1)


def random_other(labels: Labels, classes: int, stream: Stream) -> Labels:
    """Return a wrong class for each image, each as likely."""
    ahead = (stream.uniform((1,))[:, 0] * (classes - 1)).long().clamp_max(classes - 2) + 1
    return (labels + ahead) % classes


def attacked_labels(p: Tensor, labels: Labels, beta: float, gamma: float) -> Tensor:
    """Return the labels moved as far towards unlikely wrong classes as keeps label_y = beta * (the largest other).

    With L_k = -log p_k of the wrong classes and v their least: label_k = delta / D (L_k - v + gamma), where D is the
    sum of these parentheses and delta = 1 / (1 + beta (max L - v + gamma) / D).
    """
    true = F.one_hot(labels, p.shape[1]).bool()
    L = -(p + 1e-8).log()
    least = L.masked_fill(true, torch.inf).amin(1, keepdim=True)
    share = (L - least + gamma).masked_fill(true, 0)
    D = share.sum(1, keepdim=True)
    delta = 1 / (1 + beta * share.amax(1, keepdim=True) / D)
    return torch.where(true, 1 - delta, delta / D * share)
