"""MART (Wang et al.: "Improving adversarial robustness requires revisiting misclassified examples", 2020, eq. 11)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from holdfast.attacks import PGD, Attack
from holdfast.fields import NonNegative
from holdfast.methods.memory import Memory
from holdfast.methods.method import Crafted, CraftedMethod
from holdfast.objectives import cross_entropy
from holdfast.rng import Stream
from holdfast.threats import Linf
from holdfast.types import Batch, Labels, Logits, PerImage, Terms


@dataclass(frozen=True)
class MART(CraftedMethod):
    """Boosted cross-entropy on attacked images, and a divergence that counts where the clean image is misclassified.

    The small constants inside the logarithms, and gradients through every probability, are the released code's.
    """

    attack: Attack = PGD(Linf(8 / 255), steps=10, step_size=0.007, random_start=False)
    beta: NonNegative = 6.0
    """What the divergence weighs: the paper's lambda; 6 for a wide network, 5 for ResNet-18."""
    noise: NonNegative = 0.001
    """Deviation of the normal noise that the attack starts from."""

    def craft(self, model: nn.Module, batch: Batch, memory: Memory) -> Crafted:
        """Attack from a little noise around each image."""
        images = batch.images
        start = images + self.noise * Stream.of(images, 0, "MART").normal(images.shape[1:])
        return (self.attack(model, images, batch.labels, start),)

    def weigh(self, model: nn.Module, batch: Batch, memory: Memory, crafted: Crafted) -> Terms:
        """Return the terms; clean and attacked images pass by themselves."""
        (attacked,), labels = crafted, batch.labels
        clean, found = model(batch.images), model(attacked)
        return {
            "attacked": cross_entropy(found, labels).mean(),
            "boosted": boost(found, labels).mean(),
            "robust": self.beta * weighted_divergence(found, clean, labels).mean(),
        }


def boost(logits: Logits, labels: Labels) -> PerImage:
    """Return -log(1 - p of the likeliest wrong class): the part that boosts the cross-entropy."""
    p = F.softmax(logits.float(), dim=1)
    wrong = p.scatter(1, labels[:, None], -torch.inf).amax(1)
    return -(1.0001 - wrong + 1e-12).log()


def weighted_divergence(attacked: Logits, clean: Logits, labels: Labels) -> PerImage:
    """Return KL(p(clean) || p(attacked)) times 1 - p(clean) of the label."""
    return kept_divergence(attacked, clean) * doubt(clean, labels)


def kept_divergence(attacked: Logits, clean: Logits) -> PerImage:
    """Return KL(p(clean) || p(attacked)), with the released constant that keeps the logarithm finite."""
    log_p, q = F.log_softmax(clean.float(), dim=1), F.softmax(attacked.float(), dim=1)
    return (log_p.exp() * (log_p - (q + 1e-12).log())).sum(1)


def doubt(clean: Logits, labels: Labels) -> PerImage:
    """Return 1 - p(clean) of the label: near 1 where the clean image is misclassified."""
    return 1.0000001 - F.softmax(clean.float(), dim=1).gather(1, labels[:, None])[:, 0]
