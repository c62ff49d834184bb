"""Moosavi-Dezfooli, Fawzi, Frossard: "DeepFool: a simple and accurate method to fool deep neural networks", 2016."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from holdfast.attacks.attack import Attack
from holdfast.attacks.watched import Watched
from holdfast.errors import require
from holdfast.streams import Stream
from holdfast.threats import L2, Linf, Threat, per_image
from holdfast.types import Images, Labels, PerImage, Targets

BEYOND = 1e-4
"""How far each step goes past the plane, in the threat's norm."""


@dataclass(frozen=True)
class DeepFool(Attack):
    """Steps to the nearest linearised class boundary until the label changes; a minimum-norm attack.

    The threat's norm is the one that is minimised. With a finite eps, images that need more are cut to the ball. The
    label left is the true one: an image that is already misclassified is returned as it is.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2)
    labelled: ClassVar[bool] = True

    threat: Threat = L2(math.inf)
    steps: int = 50
    overshoot: float = 0.02
    """Applied to the accumulated perturbation, as in algorithm 2 of the paper."""
    candidates: int = 10
    """How many of the most likely classes are considered, the true one included.

    They are ranked anew at each step, where the authors' code keeps those of the clean image; with ten classes it is
    the same.
    """

    def __post_init__(self) -> None:
        """Refuse to look at no class but the true one."""
        super().__post_init__()
        require(self.candidates >= 2, f"DeepFool: candidates = {self.candidates}, not 2 or more")

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Walk until the label changes; images that are through are not computed further."""
        result = (images if start is None else start).clone()
        active = torch.arange(len(images), device=images.device)
        total = result - images
        for _ in range(self.steps):
            f, w = boundaries(model, result[active], targets[active], self.candidates)
            still = (f < 0).all(1)
            active, f, w = active[still], f[still], w[still]
            if len(active) == 0:
                break
            total[active] += nearest(self.threat, f, w)
            moved = images[active] + (1 + self.overshoot) * total[active]
            result[active] = moved.clamp(0, 1)
        return self.threat.project(result, images)


def boundaries(model: Watched, x: Images, labels: Labels, candidates: int) -> tuple[Tensor, Tensor]:
    """Return f_k = z_k - z_y and its gradient w_k for the most likely classes k other than y.

    Shapes (n, m) and (n, m, c, h, w); one backward pass a rank, none over single images.
    """
    x = x.detach().requires_grad_()
    logits = model(x)
    true = logits.gather(1, labels[:, None])
    others = logits.detach().scatter(1, labels[:, None], -torch.inf)
    ranked = others.topk(min(candidates, logits.shape[1]) - 1, dim=1).indices
    f = logits.gather(1, ranked) - true
    gradients = [model.gradient(f[:, rank], x, keep=True) for rank in range(f.shape[1])]
    return f.detach(), torch.stack(gradients, 1)


def nearest(threat: Threat, f: Tensor, w: Tensor) -> Tensor:
    """Return the shortest step onto the nearest of the planes f + <w, r> = 0, and BEYOND over it.

    The paper's formula ends on the plane. Where pixels meet the walls of the box it would creep up to it and never
    cross; the authors' code adds the same constant.
    """
    slope = threat.dual(w.flatten(0, 1)).view_as(f).clamp_min(1e-12)
    length = f.abs() / slope
    chosen = length.argmin(1)
    rows = torch.arange(len(f), device=f.device)
    shortest: PerImage = length[rows, chosen]
    return per_image(shortest + BEYOND) * threat.ascent(w[rows, chosen])
