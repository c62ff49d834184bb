"""GradAlign (Andriushchenko, Flammarion: "Understanding and improving fast adversarial training", 2020)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.attacks import FGSM, Attack
from holdfast.attacks.attack import at_rest
from holdfast.errors import require
from holdfast.methods.memory import Memory
from holdfast.methods.method import LossMethod
from holdfast.objectives import cross_entropy
from holdfast.rng import Stream
from holdfast.types import Batch, Images, Labels, Terms

TINY = 1e-30
"""A gradient without any larger entry counts as none."""


@dataclass(frozen=True)
class GradAlign(LossMethod):
    """Adversarial training by one step, and a price on gradients that turn inside the ball.

    The price costs a backward pass through two gradients. They are those of the network at rest, whose attack is to
    be kept honest; only where there is batch norm or dropout does that differ from gradients in training mode.
    """

    attack: Attack = FGSM()
    weight: float = 0.2
    """What the price weighs: lambda; the paper tunes it for each eps."""

    def __post_init__(self) -> None:
        """Refuse a weight below zero."""
        super().__post_init__()
        require(self.weight >= 0, f"GradAlign: weight = {self.weight}, not 0 or more")

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Return the cross-entropy on attacked images and the price."""
        images, labels = batch.images, batch.labels
        attacked = self.attack(model, images, labels)
        elsewhere = self.attack.threat.random_start(images, Stream.of(images, 0, "GradAlign"))
        here, there = gradient(model, images, labels), gradient(model, elsewhere, labels)
        return {
            "attacked": cross_entropy(model(attacked), labels).mean(),
            "turned": self.weight * turned(here.flatten(1), there.flatten(1)),
        }


def turned(here: Tensor, there: Tensor) -> Tensor:
    """Return the mean of 1 - cosine over the images that have a gradient at both points; 0 where none has.

    A network that is sure of an image has a tiny gradient there, which is brought to unit length, not compared with a
    floor: a floor would charge for being sure.
    """
    largest = [each.detach().abs().amax(1, keepdim=True) for each in (here, there)]
    known = (torch.cat(largest, 1) > TINY).all(1)
    # Their squares would underflow: each is divided by its largest entry first.
    one, other = (each / most.clamp_min(TINY) for each, most in zip((here, there), largest, strict=True))
    price = 1 - F.cosine_similarity(one, other)
    return torch.where(known, price, torch.zeros_like(price)).sum() / known.sum().clamp_min(1)


def gradient(model: nn.Module, images: Images, labels: Labels) -> Tensor:
    """Return the gradient towards the images of the network at rest, as something that weights can follow."""
    x = images.detach().requires_grad_()
    with at_rest(model):
        loss = cross_entropy(model(x), labels).sum()
    return torch.autograd.grad(loss, x, create_graph=True)[0]
