"""Customized adversarial training (Cheng et al.: "CAT: customized adversarial training for improved robustness", 2020).

Each training image has a radius of its own, which grows while the network holds there. The released repository changed
its rule several times; here the radius follows the paper: it grows by eta, and stays as it was where the attack wins.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.attacks import PGD
from holdfast.attacks.attack import default_step, input_gradient
from holdfast.attacks.watched import Watched
from holdfast.data import ImageSet
from holdfast.errors import require
from holdfast.fields import Count, NonNegative, Positive
from holdfast.methods.memory import Memory
from holdfast.methods.method import Crafted, CraftedMethod, Finished, check_linf, predict
from holdfast.methods.mixed_batch import clip_to_eps
from holdfast.objectives import is_correct, margin, soft_cross_entropy
from holdfast.rng import Stream
from holdfast.threats import Linf, Threat
from holdfast.types import Batch, Images, Labels, Logits, PerImage, Targets, Terms


@dataclass(frozen=True)
class CAT(CraftedMethod):
    """Images attacked each inside its own radius, with labels that are smoothed as much as that radius is large.

    "ce" is the paper's CAT-CE. "mix" is CAT-MIX: attack and loss also hold a margin, summed over the batch and weighted
    by each image's radius, as in the released code.
    """

    threat: Threat = Linf(8 / 255)
    """The largest radius that an image may have."""
    steps: Count = 10
    step_size: Positive = 2 / 255
    eta: NonNegative = 0.005
    """By how much a radius grows at each visit at which the network holds."""
    smoothing: float = 10.0
    """The paper's c: a label gives away c times its image's radius."""
    kappa: float = 10.0
    """The margin beyond which "mix" asks for no more."""
    form: Literal["ce", "mix"] = "ce"

    def __post_init__(self) -> None:
        """Refuse another norm, and labels that give away more than they have."""
        super().__post_init__()
        check_linf(self.threat, "CAT")
        given_away = self.smoothing * self.threat.eps
        require(0 <= given_away <= 1, f"CAT: smoothing * eps = {given_away}, not from 0 to 1: a label has no more")

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Keep the radius of each training image."""
        radius = torch.zeros(len(train_set), device=train_set.device)
        return Memory(radius=radius, classes=torch.tensor(len(train_set.classes)))

    def craft(self, model: nn.Module, batch: Batch, memory: Memory) -> Crafted:
        """Let the radii grow, attack inside them, and take the growth back where the attack won."""
        labels, before = batch.labels, memory.radius[batch.index]
        drawn = dirichlet(Stream.of(batch.images, 0, "CAT"), int(memory.classes))
        radius = before + self.eta
        attacked = self.attacked(model, batch, smoothed(labels, drawn, self.smoothing * before), radius)
        lost = ~is_correct(predict(model, attacked), labels)
        radius = grown(radius, lost, self.eta, self.threat.eps)
        memory.radius[batch.index] = radius
        return attacked, smoothed(labels, drawn, self.smoothing * radius), radius

    def weigh(self, model: nn.Module, batch: Batch, memory: Memory, crafted: Crafted) -> Terms:
        """Return the cross-entropy with smoothed labels, and the margin that "mix" asks for."""
        attacked, weights, radius = crafted
        logits = model(attacked)
        terms = {"attacked": soft_cross_entropy(logits, weights).mean()}
        if self.form == "mix":
            terms["margin"] = (radius * short_of(logits, batch.labels, self.kappa)).sum()
        return terms

    def attacked(self, model: nn.Module, batch: Batch, weights: Tensor, radius: PerImage) -> Images:
        """Take steps from each image, each cut back to its own radius."""
        labels, count = batch.labels, len(batch.images)

        def worse(logits: Logits, weights: Tensor) -> PerImage:
            loss = soft_cross_entropy(logits, weights)
            return loss if self.form == "ce" else loss / count - radius * held(logits, labels, self.kappa)

        inside = WithinRadii(self.threat, self.steps, self.step_size, objective=worse, radius=radius)
        return inside(model, batch.images, weights)


@dataclass(frozen=True)
class WithinRadii(PGD):
    """PGD from the images themselves, in which each has a radius of its own, at most that of the threat."""

    radius: Tensor = torch.zeros(0)
    """One number an image, in units of the threat."""

    def climb(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Take the steps, each cut back to the image's own radius."""
        step_size, x = default_step(self.step_size, self.threat, self.steps), images
        for _ in range(self.steps):
            gradient = input_gradient(model, x, targets, self.objective)
            x = self.threat.project(x + step_size * self.threat.ascent(gradient, x), images)
            x = clip_to_eps(x, images, self.radius)
        return x


def dirichlet(stream: Stream, classes: int) -> Tensor:
    """Return weights of the classes that sum to 1, drawn evenly from all such weights: Dirichlet(1, ..., 1)."""
    waits = -(1 - stream.split("dirichlet").uniform((classes,))).log() + 1e-12
    return waits / waits.sum(1, keepdim=True)


def smoothed(labels: Labels, drawn: Tensor, share: PerImage) -> Tensor:
    """Return labels that give a share of each image's own away to the drawn weights."""
    true = F.one_hot(labels, drawn.shape[1]).to(drawn.dtype)
    return (1 - share[:, None]) * true + share[:, None] * drawn


def grown(radius: PerImage, lost: Tensor, eta: float, largest: float) -> PerImage:
    """Return the radius, taken back by eta where the image was lost, and no larger than the largest."""
    return torch.where(lost, radius - eta, radius).clamp(0, largest)


def short_of(logits: Logits, labels: Labels, kappa: float) -> PerImage:
    """Return max(best other - true + kappa, 0): by how much an answer misses a margin of kappa."""
    return (margin(logits.float(), labels) + kappa).clamp_min(0)


def held(logits: Logits, labels: Labels, kappa: float) -> PerImage:
    """Return max(true - best other + kappa, 0): what an attacker lowers until the image is lost by kappa."""
    return (kappa - margin(logits.float(), labels)).clamp_min(0)
